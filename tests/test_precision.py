"""average_precision."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import label_ranking_average_precision_score

from sk_qbnorm.metrics import average_precision

from . import reference
from .relevance import TIES, scores_and_relevance

pytestmark = pytest.mark.small_blocks


@given(drawn=scores_and_relevance())
def test_precision_without_ties_is_that_of_scikit_learn(drawn):
    scores, relevance = drawn
    scores = scores + np.linspace(0, 0.5, scores.size).reshape(scores.shape)
    expected = label_ranking_average_precision_score(relevance, scores)
    for ties in TIES:
        found = average_precision(relevance, scores, ties=ties)
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("ties", TIES)
def test_precision_of_many_relevant_items_matches_the_reference(ties):
    random = np.random.default_rng(1)
    scores = random.integers(0, 9, size=(20, 60)).astype(float)
    relevance = random.random(scores.shape) < np.linspace(0.1, 0.9, 20)[:, None]
    relevance[:, 0] = True
    found = average_precision(relevance, scores, ties=ties)
    if ties != "average":
        nudged = scores + (1e-6 if ties == "optimistic" else -1e-6) * relevance
        assert found == pytest.approx(reference_precision(relevance, nudged))
    else:
        stable = partial(np.argsort, kind="stable")
        orders = [random.permutation(60) for _ in range(300)]
        precisions = [
            reference.average_precision(hits[order][stable(-row[order])])
            for row, hits in zip(scores, relevance, strict=True)
            for order in orders
        ]
        assert found == pytest.approx(np.mean(precisions), abs=2e-3)


def reference_precision(relevance, scores):
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(relevance, order, axis=1)
    return np.mean([reference.average_precision(row) for row in ranked])
