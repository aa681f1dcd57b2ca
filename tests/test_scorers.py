"""make_retrieval_scorer and recall_scorer."""

import pickle

import pytest

from sk_qbnorm import InvertedSoftmax, NearestNeighborScorer
from sk_qbnorm.metrics import (
    make_retrieval_scorer,
    median_rank,
    recall_at_k,
    recall_scorer,
    relevant_ranks,
)

SIMS = [[0.9, 0.1, 0.2], [0.8, 0.6, 0.3]]


@pytest.fixture
def fitted():
    return InvertedSoftmax(metric="precomputed").fit(SIMS)


def test_a_scorer_measures_what_transform_returns(fitted):
    expected = recall_at_k([0, 1], fitted.transform(SIMS), k=2)
    assert recall_scorer(k=2)(fitted, SIMS, [0, 1]) == expected


def test_a_scorer_measures_what_decision_function_returns():
    estimator = NearestNeighborScorer().fit(SIMS)
    assert recall_scorer()(estimator, SIMS, [0, 1]) == recall_at_k([0, 1], SIMS)


def test_a_measure_that_is_better_when_smaller_is_negated(fitted):
    scorer = make_retrieval_scorer(median_rank, greater_is_better=False)
    expected = -median_rank([0, 1], fitted.transform(SIMS))
    assert scorer(fitted, SIMS, [0, 1]) == expected


def test_options_are_passed_to_the_measure(fitted):
    def best_rank(relevant, scores, **options):
        return relevant_ranks(relevant, scores, **options).min()

    labels = {"gallery_labels": ["a", "b", "b"]}
    scorer = make_retrieval_scorer(best_rank, **labels)
    expected = best_rank(["b", "b"], fitted.transform(SIMS), **labels)
    assert scorer(fitted, SIMS, ["b", "b"]) == expected


def test_a_scorer_can_be_pickled_and_its_repr_recreates_it(fitted):
    scorer = make_retrieval_scorer(median_rank, greater_is_better=False, ties="average")
    copy = pickle.loads(pickle.dumps(scorer))
    assert copy(fitted, SIMS, [0, 1]) == scorer(fitted, SIMS, [0, 1])
    assert repr(eval(repr(scorer))) == repr(scorer)


def test_the_repr_shows_the_measure_and_its_options():
    assert repr(recall_scorer(k=5)) == "make_retrieval_scorer(recall_at_k, k=5)"
