"""The forms of relevance that all metrics accept."""

import numpy as np
import pytest
from scipy import sparse

from sk_qbnorm.metrics import k_occurrence, relevant_ranks, retrieval_report

from .relevance import INDICATOR, LISTS, ONE_EACH, score_matrix

pytestmark = pytest.mark.small_blocks


@pytest.fixture
def scores():
    return score_matrix()


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
def test_relevance_in_any_form_gives_the_same_report(relevant, scores):
    expected = retrieval_report(INDICATOR, scores)
    assert retrieval_report(relevant, scores) == expected


def test_one_index_per_query_equals_an_indicator_with_one_item(scores):
    indicator = np.zeros(scores.shape, dtype=bool)
    indicator[np.arange(6), ONE_EACH] = True
    expected = retrieval_report(indicator, scores)
    for relevant in (ONE_EACH, ONE_EACH.tolist(), ONE_EACH.astype(np.int8)):
        assert retrieval_report(relevant, scores) == expected


def test_relevance_and_scores_may_be_pandas_objects(scores):
    pandas = pytest.importorskip("pandas")
    expected = retrieval_report(LISTS, scores)
    assert retrieval_report(pandas.Series(LISTS), pandas.DataFrame(scores)) == expected
    assert retrieval_report(pandas.DataFrame(INDICATOR), scores) == expected


@pytest.mark.parametrize("dtype", [int, str])
def test_items_with_the_class_label_of_a_query_are_relevant(dtype, scores):
    gallery_labels = np.array([0, 1, 2] * 4).astype(dtype)
    query_labels = np.array([0, 1, 2, 2, 1, 0]).astype(dtype)
    indicator = query_labels[:, None] == gallery_labels
    found = retrieval_report(query_labels, scores, gallery_labels=gallery_labels)
    assert found == retrieval_report(indicator, scores)


def test_memory_order_and_block_size_do_not_change_results(scores, monkeypatch):
    expected = retrieval_report(LISTS, scores)
    monkeypatch.setattr("sk_qbnorm._kernels._relevance._BLOCK", 2 * scores.shape[1])
    for same in (scores, np.asfortranarray(scores), np.repeat(scores, 2, 0)[::2]):
        assert retrieval_report(LISTS, same) == expected
        np.testing.assert_array_equal(k_occurrence(same), k_occurrence(scores))


def test_masked_queries_are_ignored_whatever_their_relevance(scores):
    mask = np.array([1, 0, 1, 1, 0, 1])
    kept = mask.astype(bool)
    expected = retrieval_report(ONE_EACH[kept], scores[kept])
    for relevant in (ONE_EACH, np.where(kept, ONE_EACH, -1)):
        assert retrieval_report(relevant, scores, query_mask=mask) == expected
    lists = [row if keep else [] for row, keep in zip(LISTS, kept, strict=True)]
    assert retrieval_report(lists, scores, query_mask=kept) == retrieval_report(
        [row for row in lists if row], scores[kept]
    )


def test_masked_queries_may_have_a_label_outside_the_gallery(scores):
    found = relevant_ranks(
        np.array(["a", "?", "b"]),
        scores[:3, :2],
        gallery_labels=["a", "b"],
        query_mask=[1, 0, 1],
    )
    assert found.shape == (2,)


def test_a_label_outside_the_gallery_makes_no_item_relevant(scores):
    for unknown in ("?", "zzz"):  # before and after the labels in sorted order
        with pytest.raises(ValueError, match="relevant.* 1 queries.* number 1"):
            relevant_ranks(["a", unknown], scores[:2, :2], gallery_labels=["a", "b"])


@pytest.mark.parametrize(
    ("relevant", "match"),
    [
        (3, "relevant.* 3"),
        (None, "relevant.* None"),
        (["cat"] * 6, "relevant.* <U3.* gallery_labels"),
        (np.where(np.arange(6) == 4, -1, 0), r"relevant.* \[0, 12\).* -1"),
        (np.zeros((6, 12)), "relevant.* 6 queries.* number 0"),
        (sparse.csr_array((6, 12)), "relevant.* 6 queries.* number 0"),
        (ONE_EACH[:5], "relevant.* 6.* 5"),
        (ONE_EACH + 0.5, "relevant.* float64.* gallery_labels"),
        (ONE_EACH + 1, r"relevant.* \[0, 12\).* 12"),
        ([*LISTS[:5], []], "relevant.* 1 queries.* number 5"),
        (2 * INDICATOR, "relevant"),
        (INDICATOR[:, :5], r"relevant.* \(6, 5\).* \(6, 12\)"),
        (INDICATOR.astype(int).tolist(), "relevant"),
    ],
)
def test_relevance_that_does_not_match_the_scores_is_rejected(relevant, match, scores):
    with pytest.raises(ValueError, match=match):
        relevant_ranks(relevant, scores)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"query_mask": np.ones(5)}, r"query_mask.* 6 .*\(5,\)"),
        ({"query_mask": np.arange(6)}, "query_mask.* int64"),
        ({"query_mask": np.zeros(6)}, "query_mask"),
        ({"gallery_labels": [0, 1]}, r"gallery_labels.* \(12,\).* \(2,\)"),
    ],
)
def test_masks_and_labels_of_the_wrong_shape_are_rejected(options, match, scores):
    with pytest.raises(ValueError, match=match):
        relevant_ranks(ONE_EACH, scores, **options)


def test_labels_of_queries_must_match_the_scores(scores):
    with pytest.raises(ValueError, match=r"relevant.* \(6,\).* \(5,\)"):
        relevant_ranks([0] * 5, scores, gallery_labels=[0] * 12)


def test_scores_must_be_finite_except_those_of_masked_queries(scores):
    scores[2, 1] = np.nan
    with pytest.raises(ValueError, match="scores.* row 2"):
        relevant_ranks(ONE_EACH, scores)
    ranks = relevant_ranks(ONE_EACH, scores, query_mask=np.arange(6) != 2)
    assert ranks.shape == (5,)
