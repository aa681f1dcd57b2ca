"""k_occurrence of score matrices, indices and graphs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from sk_qbnorm import InvertedSoftmax, QuerybankRetriever
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import gini_index, hubness_report, k_occurrence

from . import reference
from .retrievals import graph_of, scores_and_k, top_k


@given(drawn=scores_and_k())
def test_scores_indices_and_graphs_have_the_same_counts(drawn):
    scores, k = drawn
    n_queries, n_gallery = scores.shape
    lists = top_k(scores, k)
    counts = k_occurrence(scores, k=k)
    assert counts.tolist() == reference.occurrence(lists.tolist(), n_gallery)
    assert counts.sum() == k * n_queries
    assert counts.dtype == np.int64
    for form, options in (
        (lists, {"n_gallery": n_gallery}),
        (graph_of(lists, n_gallery), {}),
        (graph_of(lists, n_gallery, data=0.0), {}),
    ):
        np.testing.assert_array_equal(k_occurrence(form, k=k, **options), counts)


@given(drawn=scores_and_k(), data=st.data())
def test_lists_shorter_than_k_are_counted(drawn, data):
    scores, k = drawn
    lists, n_gallery = top_k(scores, k), scores.shape[1]
    missing = data.draw(hnp.arrays(bool, lists.shape))
    lists[missing] = -1
    expected = reference.occurrence(lists.tolist(), n_gallery)
    for found in (
        k_occurrence(lists, k=n_gallery, n_gallery=n_gallery),
        k_occurrence(graph_of(lists, n_gallery), k=n_gallery),
    ):
        assert found.tolist() == expected
        assert found.sum() == (~missing).sum()


@given(drawn=scores_and_k(), data=st.data())
def test_only_the_first_k_columns_of_indices_count(drawn, data):
    scores, k = drawn
    n_gallery = scores.shape[1]
    longer = top_k(scores, data.draw(st.integers(k, n_gallery)))
    found = k_occurrence(longer, k=k, n_gallery=n_gallery)
    np.testing.assert_array_equal(found, k_occurrence(scores, k=k))


@pytest.mark.parametrize("mode", ["connectivity", "score", "distance"])
def test_results_of_the_retriever_are_accepted(mode):
    data = make_hub_retrieval(n_queries=30, n_gallery=40, n_bank=50, random_state=0)
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=10)
    retriever.fit(data.bank_queries, data.gallery)
    expected = k_occurrence(retriever.decision_function(data.queries))
    graph = retriever.kneighbors_graph(data.queries, mode=mode)
    np.testing.assert_array_equal(k_occurrence(graph), expected)
    indices = retriever.kneighbors(data.queries, return_score=False)
    np.testing.assert_array_equal(k_occurrence(indices, n_gallery=40), expected)


@pytest.mark.parametrize(
    "make", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array]
)
def test_graphs_may_have_any_sparse_format(make):
    graph = graph_of([[2, 0], [2, -1], [1, 3]], 5)
    assert k_occurrence(make(graph), k=2).tolist() == [1, 1, 2, 1, 0]
    assert k_occurrence(make(graph.astype(bool)), k=2).tolist() == [1, 1, 2, 1, 0]


def test_duplicate_entries_of_a_graph_count_once():
    twice = sparse.csr_array((np.ones(3), [1, 1, 0], [0, 2, 3]), shape=(2, 3))
    assert k_occurrence(twice, k=1).tolist() == [1, 1, 0]


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint8, np.uint64])
def test_indices_may_have_any_integer_type(dtype):
    lists = np.array([[2, 0], [2, 1]], dtype=dtype)
    assert k_occurrence(lists, k=2, n_gallery=4).tolist() == [1, 1, 2, 0]
    assert k_occurrence(lists.tolist(), k=2, n_gallery=4).tolist() == [1, 1, 2, 0]


def test_indices_may_be_a_dataframe():
    pandas = pytest.importorskip("pandas")
    lists = pandas.DataFrame([[2, 0], [2, 1]])
    assert k_occurrence(lists, k=2, n_gallery=4).tolist() == [1, 1, 2, 0]


def test_the_input_is_not_changed():
    graph = graph_of([[3, 0], [3, 1]], 5)
    twice = sparse.csr_array((np.ones(3), [1, 1, 0], [0, 2, 3]), shape=(2, 3))
    lists = np.array([[3, 0], [3, 1]])
    for array in (graph.data, graph.indices, twice.data, twice.indices, lists):
        array.setflags(write=False)
    k_occurrence(graph, k=2)
    k_occurrence(twice, k=2)
    k_occurrence(lists, k=2, n_gallery=5)
    assert graph.indices.tolist() == [3, 0, 3, 1]
    assert twice.nnz == 3


def test_a_graph_without_entries_has_counts_of_zero():
    assert k_occurrence(sparse.csr_array((2, 12))).tolist() == [0] * 12


NOT_FINITE = np.array([[0.1, np.nan, 0.2]])
LISTS = np.array([[0, 1], [2, 1]])


@pytest.mark.parametrize(
    ("scores", "options", "match"),
    [
        (NOT_FINITE, {"k": 1}, "scores.* row 0, column 1"),
        (sparse.csr_array(NOT_FINITE), {"k": 1}, "scores.* row 0, column 1"),
        ([["a", "b"]], {"k": 1}, "scores"),
        (np.empty((0, 3)), {}, "scores"),
        (sparse.csr_array((0, 3)), {}, "scores"),
        (np.eye(3), {"k": 4}, "k .* 3.* 4"),
        (np.eye(3), {"k": 1.5}, "k must be.* 1.5"),
        (graph_of(LISTS, 3), {}, "k .* 10"),
        (graph_of(LISTS, 3), {"k": 1}, "Row 0.* k=1.* k=2"),
        (graph_of(LISTS, 3), {"n_gallery": 3}, "n_gallery=3"),
        (LISTS, {"n_gallery": 3, "k": 4}, "k .* 4"),
        (LISTS, {"n_gallery": 3, "k": 0}, "k must be.* 0"),
        (LISTS, {"n_gallery": 0}, "n_gallery must be.* 0"),
        (LISTS, {"n_gallery": 2, "k": 2}, r"\[0, 1\].* 2; .*n_gallery=2"),
        (LISTS - 2, {"n_gallery": 3}, r"\[0, 2\].* -2; .*n_gallery=3"),
        ([[1, 1], [0, 2]], {"n_gallery": 3}, "scores.* 1 .* row 0"),
        (LISTS * 1.0, {"n_gallery": 3}, "n_gallery.* float64"),
        ([["a"]], {"n_gallery": 3}, "n_gallery"),
        ([0, 1], {"n_gallery": 3}, r"n_gallery.*\(2,\)"),
        (LISTS[:0], {"n_gallery": 3}, r"n_gallery.*\(0, 2\)"),
    ],
)
def test_invalid_retrieval_results_are_rejected(scores, options, match):
    for function in (k_occurrence, gini_index, hubness_report):
        with pytest.raises(ValueError, match=match):
            function(scores, **options)


def test_counts_are_not_accepted_in_place_of_scores():
    for function in (k_occurrence, hubness_report):
        with pytest.raises(ValueError, match="scores"):
            function([1, 2, 3], k=1)
