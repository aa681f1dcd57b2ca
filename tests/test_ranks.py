"""relevant_ranks and its averages."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given

from sk_qbnorm.metrics import (
    average_precision,
    mean_rank,
    mean_reciprocal_rank,
    median_rank,
    relevant_ranks,
)

from . import reference
from .relevance import TIES, scores_and_relevance

pytestmark = pytest.mark.small_blocks


@pytest.mark.parametrize("ties", TIES)
@given(drawn=scores_and_relevance())
def test_ranks_match_the_reference(ties, drawn):
    scores, relevance = drawn
    expected = [
        reference.rank(row, np.flatnonzero(hits), ties)
        for row, hits in zip(scores.tolist(), relevance, strict=True)
    ]
    ranks = relevant_ranks(relevance, scores, ties=ties)
    np.testing.assert_allclose(ranks, expected, rtol=1e-15)


@given(drawn=scores_and_relevance())
def test_average_ties_lie_between_optimistic_and_pessimistic_ties(drawn):
    scores, relevance = drawn
    for measure in (relevant_ranks, average_precision):
        found = [measure(relevance, scores, ties=ties) for ties in TIES]
        low, high = np.minimum(*found[1:]), np.maximum(*found[1:])
        assert (low - 1e-12 <= found[0]).all()
        assert (found[0] <= high + 1e-12).all()


@given(drawn=scores_and_relevance())
def test_average_ties_are_the_mean_over_all_orders_of_equal_scores(drawn):
    scores, relevance = (matrix[:1, :5] for matrix in drawn)
    relevance[0, 0] = True
    ranks, precisions = [], []
    for order in permutations(range(scores.shape[1])):
        ranked = sorted(order, key=lambda item: -scores[0, item])
        hits = relevance[0][ranked]
        ranks.append(np.argmax(hits) + 1)
        precisions.append(reference.average_precision(hits))
    assert relevant_ranks(relevance, scores)[0] == pytest.approx(np.mean(ranks))
    assert average_precision(relevance, scores) == pytest.approx(np.mean(precisions))


@pytest.mark.parametrize("ties", TIES)
@given(drawn=scores_and_relevance())
def test_averages_are_computed_from_the_ranks(ties, drawn):
    scores, relevance = drawn
    ranks = relevant_ranks(relevance, scores, ties=ties)
    assert median_rank(relevance, scores, ties=ties) == np.median(ranks)
    assert mean_rank(relevance, scores, ties=ties) == np.mean(ranks)
    reciprocal = mean_reciprocal_rank(relevance, scores, ties=ties)
    assert reciprocal == np.mean(1 / ranks)


def test_constant_scores_have_the_median_rank_of_chance():
    relevant, scores = np.arange(12), np.zeros((12, 12))
    assert median_rank(relevant, scores) == 6.5
    assert median_rank(relevant, scores, ties="pessimistic") == 12


def test_unknown_ties_are_rejected():
    with pytest.raises(ValueError, match="ties"):
        relevant_ranks([0], [[0.1, 0.2]], ties="best")
