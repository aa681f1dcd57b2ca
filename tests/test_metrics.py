from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from scipy.stats import skew
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import label_ranking_average_precision_score

from sk_qbnorm import metrics
from sk_qbnorm.metrics import (
    average_precision,
    geometric_mean_recall,
    hubness_skewness,
    k_occurrence,
    mean_rank,
    mean_reciprocal_rank,
    median_rank,
    recall_at_k,
    relevant_ranks,
    retrieval_report,
)

from . import reference

TIES = ["average", "pessimistic", "optimistic"]
small_gallery = pytest.mark.filterwarnings("ignore:Recall at")


@st.composite
def scores_and_relevance(draw):
    """Scores of few values, and an indicator with a relevant item in every row."""
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    scores = draw(hnp.arrays(np.float64, shape, elements=st.integers(0, 3)))
    relevance = draw(hnp.arrays(bool, shape))
    relevance[~relevance.any(axis=1), 0] = True
    return scores, relevance


@pytest.mark.parametrize("ties", TIES)
@given(drawn=scores_and_relevance())
def test_ranks_are_those_of_the_definition(ties, drawn):
    scores, relevance = drawn
    expected = [
        reference.rank(row, np.flatnonzero(hits), ties)
        for row, hits in zip(scores.tolist(), relevance, strict=True)
    ]
    ranks = relevant_ranks(relevance, scores, ties=ties)
    np.testing.assert_allclose(ranks, expected, rtol=1e-15)


@given(drawn=scores_and_relevance(), seed=st.integers(0, 99))
def test_average_ties_lie_between_the_others(drawn, seed):
    scores, relevance = drawn
    for measure in (relevant_ranks, average_precision):
        found = [measure(relevance, scores, ties=ties) for ties in TIES]
        low, high = np.minimum(*found[1:]), np.maximum(*found[1:])
        assert (low - 1e-12 <= found[0]).all()
        assert (found[0] <= high + 1e-12).all()


@given(drawn=scores_and_relevance())
def test_average_ties_are_the_mean_over_all_orders(drawn):
    from itertools import permutations

    scores, relevance = (matrix[:1, :5] for matrix in drawn)
    relevance[0, 0] = True
    ranks, precisions = [], []
    for order in permutations(range(scores.shape[1])):
        # Nudge equal scores apart, every way alike.
        ranked = sorted(order, key=lambda j: -scores[0, j])
        hits = relevance[0][ranked]
        ranks.append(np.argmax(hits) + 1)
        precisions.append(reference.average_precision(hits))
    assert relevant_ranks(relevance, scores)[0] == pytest.approx(np.mean(ranks))
    assert average_precision(relevance, scores) == pytest.approx(np.mean(precisions))


@given(drawn=scores_and_relevance())
def test_precision_without_ties_is_that_of_scikit_learn(drawn):
    scores, relevance = drawn
    scores = scores + np.linspace(0, 0.5, scores.size).reshape(scores.shape)
    expected = label_ranking_average_precision_score(relevance, scores)
    for ties in TIES:
        assert average_precision(relevance, scores, ties=ties) == pytest.approx(
            expected
        )


@pytest.mark.parametrize("ties", TIES)
def test_precision_of_many_relevant_items_is_that_of_few(ties):
    random = np.random.default_rng(1)
    scores = random.integers(0, 9, size=(20, 60)).astype(float)
    relevance = random.random(scores.shape) < np.linspace(0.1, 0.9, 20)[:, None]
    relevance[:, 0] = True
    found = average_precision(relevance, scores, ties=ties)
    if ties != "average":
        nudged = scores + (1e-6 if ties == "optimistic" else -1e-6) * relevance
        assert found == pytest.approx(label_ranking_precision(relevance, nudged))
    else:
        stable = partial(np.argsort, kind="stable")
        orders = [random.permutation(60) for _ in range(300)]
        precisions = [
            reference.average_precision(hits[order][stable(-row[order])])
            for row, hits in zip(scores, relevance, strict=True)
            for order in orders
        ]
        assert found == pytest.approx(np.mean(precisions), abs=2e-3)


def label_ranking_precision(relevance, scores):
    """Mean over rows of the precision at each relevant item, down the ranking."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(relevance, order, axis=1)
    return np.mean([reference.average_precision(row) for row in ranked])


SCORES = np.random.default_rng(0).integers(0, 9, size=(6, 12)).astype(float)
LISTS = [[3], [0, 5], [11], [2, 3, 4], [1], [7]]
INDICATOR = np.array([[j in row for j in range(12)] for row in LISTS])
ONE_EACH = np.array([3, 0, 11, 2, 1, 7])


@pytest.mark.parametrize(
    "relevant",
    [
        LISTS,
        tuple(np.array(row) for row in LISTS),
        np.array([np.array(row) for row in LISTS], dtype=object),
        INDICATOR,
        INDICATOR.astype(int),
        INDICATOR.astype(float),
        sparse.csr_array(INDICATOR),
        sparse.coo_matrix(INDICATOR.astype(np.float32)),
        [row + row for row in LISTS],
    ],
)
def test_relevance_may_take_any_form(relevant):
    expected = retrieval_report(INDICATOR, SCORES)
    assert retrieval_report(relevant, SCORES) == expected


def test_one_index_a_query_is_an_indicator_with_one_item():
    indicator = np.zeros(SCORES.shape, dtype=bool)
    indicator[np.arange(6), ONE_EACH] = True
    for relevant in (ONE_EACH, ONE_EACH.tolist(), ONE_EACH.astype(np.int8)):
        assert retrieval_report(relevant, SCORES) == retrieval_report(indicator, SCORES)


def test_pandas_relevance_and_scores():
    pandas = pytest.importorskip("pandas")
    expected = retrieval_report(LISTS, SCORES)
    assert retrieval_report(pandas.Series(LISTS), pandas.DataFrame(SCORES)) == expected
    assert retrieval_report(pandas.DataFrame(INDICATOR), SCORES) == expected


@pytest.mark.parametrize("dtype", [int, str])
def test_class_labels_make_all_items_of_the_class_relevant(dtype):
    gallery_labels = np.array([0, 1, 2] * 4).astype(dtype)
    query_labels = np.array([0, 1, 2, 2, 1, 0]).astype(dtype)
    indicator = query_labels[:, None] == gallery_labels
    found = retrieval_report(query_labels, SCORES, gallery_labels=gallery_labels)
    assert found == retrieval_report(indicator, SCORES)


def test_the_order_in_memory_does_not_matter(monkeypatch):
    expected = retrieval_report(LISTS, SCORES)
    monkeypatch.setattr("sk_qbnorm._kernels._relevance._BLOCK", 2 * SCORES.shape[1])
    for scores in (SCORES, np.asfortranarray(SCORES), np.repeat(SCORES, 2, 0)[::2]):
        assert retrieval_report(LISTS, scores) == expected
        np.testing.assert_array_equal(k_occurrence(scores), k_occurrence(SCORES))


def test_masked_queries_are_left_out_whatever_stands_for_them():
    mask = np.array([1, 0, 1, 1, 0, 1])
    kept = mask.astype(bool)
    expected = retrieval_report(ONE_EACH[kept], SCORES[kept])
    for blank in (ONE_EACH, np.where(kept, ONE_EACH, -1)):
        assert retrieval_report(blank, SCORES, query_mask=mask) == expected
    none_there = [row if there else [] for row, there in zip(LISTS, kept, strict=True)]
    assert retrieval_report(none_there, SCORES, query_mask=kept) == retrieval_report(
        [row for row in none_there if row], SCORES[kept]
    )


def test_masked_queries_may_have_a_label_of_nothing():
    labels = np.array(["a", "?", "b"])
    found = relevant_ranks(
        labels, SCORES[:3, :2], gallery_labels=["a", "b"], query_mask=[1, 0, 1]
    )
    assert found.shape == (2,)


@small_gallery
@pytest.mark.parametrize("ties", TIES)
@given(drawn=scores_and_relevance())
def test_the_report_is_its_parts(ties, drawn):
    scores, relevance = drawn
    ranks = relevant_ranks(relevance, scores, ties=ties)
    report = retrieval_report(relevance, scores, ties=ties)
    assert all(type(value) is float for value in report.values())
    single = {
        **{
            f"recall@{k}": recall_at_k(relevance, scores, k=k, ties=ties)
            for k in (1, 5, 10)
        },
        **{
            measure.__name__: measure(relevance, scores, ties=ties)
            for measure in (
                geometric_mean_recall,
                median_rank,
                mean_rank,
                mean_reciprocal_rank,
                average_precision,
            )
        },
    }
    assert report == single
    assert report["recall@1"] == np.mean(ranks <= 1)
    assert report["median_rank"] == np.median(ranks)
    assert report["mean_rank"] == np.mean(ranks)
    assert report["mean_reciprocal_rank"] == np.mean(1 / ranks)
    recalls = [report[f"recall@{k}"] for k in (1, 5, 10)]
    assert report["geometric_mean_recall"] == pytest.approx(np.cbrt(np.prod(recalls)))


def test_constant_scores_are_no_better_than_chance():
    relevant, scores = np.arange(12), np.zeros((12, 12))
    assert recall_at_k(relevant, scores) == 0
    assert recall_at_k(relevant, scores, ties="optimistic") == 1
    assert median_rank(relevant, scores) == 6.5
    assert median_rank(relevant, scores, ties="pessimistic") == 12


def test_recall_of_the_whole_gallery_is_warned_about():
    with pytest.warns(UndefinedMetricWarning, match="Recall at 12 of 12") as seen:
        assert recall_at_k(ONE_EACH, SCORES, k=12) == 1
    assert seen[0].filename == __file__


@given(drawn=scores_and_relevance(), k=st.integers(1, 7))
def test_k_occurrence_counts_lists_and_keeps_zeros(drawn, k):
    scores, _ = drawn
    k = min(k, scores.shape[1])
    counts = k_occurrence(scores, k=k)
    expected = np.zeros(scores.shape[1], dtype=int)
    for row in scores.tolist():
        expected[reference.order(row)[:k]] += 1
    np.testing.assert_array_equal(counts, expected)
    assert counts.sum() == k * len(scores)


def test_skewness_is_that_of_the_counts_of_all_items():
    scores = np.zeros((5, 40))
    scores[:, 0] = 1  # one item takes all; 39 are never retrieved
    counts = np.r_[5, np.zeros(39)]
    assert hubness_skewness(scores, k=1) == pytest.approx(skew(counts))
    assert hubness_skewness(np.eye(4), k=1) == 0


def test_every_measure_is_public():
    assert metrics.__all__ == sorted(metrics.__all__)
