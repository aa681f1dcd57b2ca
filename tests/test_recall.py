"""recall_at_k and geometric_mean_recall."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.exceptions import UndefinedMetricWarning

from sk_qbnorm.metrics import geometric_mean_recall, recall_at_k, relevant_ranks

from .relevance import (
    ONE_EACH,
    TIES,
    score_matrix,
    scores_and_relevance,
    small_gallery,
)


@pytest.fixture
def scores():
    return score_matrix()


@small_gallery
@pytest.mark.parametrize("ties", TIES)
@given(drawn=scores_and_relevance())
def test_recall_is_the_share_of_ranks_up_to_k(ties, drawn):
    scores, relevance = drawn
    ranks = relevant_ranks(relevance, scores, ties=ties)
    recalls = [recall_at_k(relevance, scores, k=k, ties=ties) for k in (1, 5, 10)]
    assert recalls == [np.mean(ranks <= k) for k in (1, 5, 10)]
    found = geometric_mean_recall(relevance, scores, ties=ties)
    assert found == pytest.approx(np.cbrt(np.prod(recalls)))


def test_tied_scores_count_as_misses_unless_optimistic():
    relevant, scores = np.arange(12), np.zeros((12, 12))
    assert recall_at_k(relevant, scores) == 0
    assert recall_at_k(relevant, scores, ties="optimistic") == 1


def test_recall_at_the_size_of_the_gallery_warns_the_caller(scores):
    with pytest.warns(UndefinedMetricWarning, match="k=12") as seen:
        assert recall_at_k(ONE_EACH, scores, k=12) == 1
    assert seen[0].filename == __file__


def test_k_must_be_a_positive_integer(scores):
    with pytest.raises(ValueError, match="k .* 0"):
        recall_at_k(ONE_EACH, scores, k=0)
