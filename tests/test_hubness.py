"""Scores, neighbour indices and graphs give one and the same hubness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from sk_qbnorm import InvertedSoftmax, QuerybankRetriever
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import (
    antihub_rate,
    gini_index,
    hub_rate,
    hubness_report,
    hubness_skewness,
    k_occurrence,
    max_k_occurrence,
    robin_hood_index,
)

from . import reference

DEFINITIONS = {
    hubness_skewness: reference.skewness,
    robin_hood_index: reference.robin_hood,
    gini_index: reference.gini,
    antihub_rate: reference.antihub_rate,
    hub_rate: reference.hub_rate,
    max_k_occurrence: max,
}
each_measure = pytest.mark.parametrize(
    "measure", DEFINITIONS, ids=[m.__name__ for m in DEFINITIONS]
)
some_counts = hnp.arrays(
    np.int64, st.integers(1, 250), elements=st.integers(0, 30)
).filter(np.any)


@st.composite
def scores_and_k(draw):
    """Scores with ties, of more queries than items and the other way round."""
    shape = draw(st.integers(1, 7)), draw(st.integers(1, 8))
    scores = draw(hnp.arrays(np.float64, shape, elements=st.integers(-3, 3)))
    return scores, draw(st.integers(1, shape[1]))


def best(scores, k):
    return np.array([reference.order(row)[:k] for row in scores.tolist()])


def graph_of(lists, n_gallery, data=1.0):
    """A graph with a row for each list, -1 left out, in the order of the list."""
    lists = [[item for item in row if item >= 0] for row in np.asarray(lists).tolist()]
    items = np.array([item for row in lists for item in row], dtype=np.int32)
    indptr = np.cumsum([0, *map(len, lists)])
    shape = len(lists), n_gallery
    return sparse.csr_array((np.full(items.size, data), items, indptr), shape=shape)


@each_measure
@given(counts=some_counts)
def test_measures_are_those_of_the_definition(measure, counts):
    expected = DEFINITIONS[measure](counts.tolist())
    # The third moment is a small difference of large numbers where it is near 0.
    assert measure(counts) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert type(measure(counts)) is (int if measure is max_k_occurrence else float)


@given(drawn=scores_and_k())
def test_scores_indices_and_graphs_agree(drawn):
    scores, k = drawn
    n_queries, n_gallery = scores.shape
    lists = best(scores, k)
    counts = k_occurrence(scores, k=k)
    assert counts.tolist() == reference.occurrence(lists.tolist(), n_gallery)
    assert counts.sum() == k * n_queries
    assert counts.dtype == np.int64
    forms = [
        (scores, {}),
        (lists, {"n_gallery": n_gallery}),
        (graph_of(lists, n_gallery), {}),
        (graph_of(lists, n_gallery, data=0.0), {}),
    ]
    for form, options in forms:
        np.testing.assert_array_equal(k_occurrence(form, k=k, **options), counts)
        report = hubness_report(form, k=k, **options)
        for measure in DEFINITIONS:
            expected = measure(counts)
            assert measure(form, k=k, **options) == expected
            assert report[measure.__name__]["before"] == expected


@given(drawn=scores_and_k(), data=st.data())
def test_shorter_lists_count_as_they_are(drawn, data):
    scores, k = drawn
    lists, n_gallery = best(scores, k), scores.shape[1]
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
def test_the_first_columns_of_indices_count(drawn, data):
    scores, k = drawn
    n_gallery = scores.shape[1]
    longer = best(scores, data.draw(st.integers(k, n_gallery)))
    found = k_occurrence(longer, k=k, n_gallery=n_gallery)
    np.testing.assert_array_equal(found, k_occurrence(scores, k=k))


@each_measure
@given(counts=some_counts, seed=st.integers(0, 99))
def test_the_order_of_the_items_does_not_matter(measure, counts, seed):
    shuffled = np.random.default_rng(seed).permutation(counts)
    assert measure(shuffled) == pytest.approx(measure(counts), rel=1e-9, abs=1e-9)


@given(drawn=scores_and_k(), seed=st.integers(0, 99))
def test_the_order_of_the_queries_does_not_matter(drawn, seed):
    scores, k = drawn
    shuffled = np.random.default_rng(seed).permutation(scores)
    assert hubness_report(shuffled, k=k) == hubness_report(scores, k=k)


@given(drawn=scores_and_k())
def test_measures_keep_within_their_ranges(drawn):
    scores, k = drawn
    n_queries, n_gallery = scores.shape
    spread = max(n_gallery - 2, 0) / np.sqrt(max(n_gallery - 1, 1))
    concentrated = 1 - k / n_gallery
    ranges = {
        hubness_skewness: (-spread, spread),
        robin_hood_index: (0, concentrated),
        gini_index: (0, concentrated),
        antihub_rate: (0, concentrated),
        hub_rate: (1 / n_gallery, 1),
        max_k_occurrence: (np.ceil(k * n_queries / n_gallery), n_queries),
    }
    for measure, (low, high) in ranges.items():
        assert low - 1e-9 <= measure(scores, k=k) <= high + 1e-9


@pytest.mark.parametrize("n_gallery", [1, 7, 100, 101, 250])
def test_even_counts_are_no_hubness(n_gallery):
    counts = np.full(n_gallery, 3)
    for measure in (hubness_skewness, robin_hood_index, gini_index, antihub_rate):
        assert measure(counts) == 0
    assert hub_rate(counts) == pytest.approx(-(-n_gallery // 100) / n_gallery)
    assert max_k_occurrence(counts) == 3


def test_items_that_take_all_are_the_most_hubness():
    counts = k_occurrence(np.tile(np.arange(20.0), (9, 1)), k=4)
    for measure in (robin_hood_index, gini_index, antihub_rate):
        assert measure(counts) == pytest.approx(1 - 4 / 20)
    assert max_k_occurrence(counts) == 9
    one = np.r_[9, np.zeros(19, dtype=int)]
    assert hubness_skewness(one) == pytest.approx(18 / np.sqrt(19))
    assert hub_rate(one) == 1


@pytest.mark.parametrize("mode", ["connectivity", "score", "distance"])
def test_what_the_retriever_gives_is_taken_as_it_is(mode):
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
def test_graphs_may_come_in_any_form(make):
    graph = graph_of([[2, 0], [2, -1], [1, 3]], 5)
    assert k_occurrence(make(graph), k=2).tolist() == [1, 1, 2, 1, 0]
    assert k_occurrence(make(graph.astype(bool)), k=2).tolist() == [1, 1, 2, 1, 0]


def test_an_entry_that_is_stored_twice_is_one():
    twice = sparse.csr_array((np.ones(3), [1, 1, 0], [0, 2, 3]), shape=(2, 3))
    assert k_occurrence(twice, k=1).tolist() == [1, 1, 0]


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint8, np.uint64])
def test_indices_may_be_of_any_integer_type(dtype):
    lists = np.array([[2, 0], [2, 1]], dtype=dtype)
    assert k_occurrence(lists, k=2, n_gallery=4).tolist() == [1, 1, 2, 0]
    assert k_occurrence(lists.tolist(), k=2, n_gallery=4).tolist() == [1, 1, 2, 0]


def test_input_is_left_as_it_is():
    graph = graph_of([[3, 0], [3, 1]], 5)
    twice = sparse.csr_array((np.ones(3), [1, 1, 0], [0, 2, 3]), shape=(2, 3))
    lists, counts = np.array([[3, 0], [3, 1]]), np.array([0, 5, 2])
    for array in (graph.data, graph.indices, twice.data, twice.indices, lists, counts):
        array.setflags(write=False)
    k_occurrence(graph, k=2)
    k_occurrence(twice, k=2)
    k_occurrence(lists, k=2, n_gallery=5)
    for measure in DEFINITIONS:
        measure(counts)
    assert graph.indices.tolist() == [3, 0, 3, 1]
    assert twice.nnz == 3


def test_indices_and_counts_may_come_from_pandas():
    pandas = pytest.importorskip("pandas")
    lists = pandas.DataFrame([[2, 0], [2, 1]])
    assert k_occurrence(lists, k=2, n_gallery=4).tolist() == [1, 1, 2, 0]
    assert gini_index(pandas.Series([1, 1, 2, 0])) == gini_index([1, 1, 2, 0])


BAD = np.array([[0.1, np.nan, 0.2]])
LISTS = np.array([[0, 1], [2, 1]])


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (BAD, {"k": 1}, "scores must be finite, got NaN in row 0, column 1"),
        (sparse.csr_array(BAD), {"k": 1}, "finite, got NaN in row 0, column 1"),
        ([["a", "b"]], {"k": 1}, "must hold numbers, got text"),
        (np.empty((0, 3)), {}, r"0 sample\(s\)"),
        (sparse.csr_array((0, 3)), {}, r"0 sample\(s\)"),
        (np.eye(3), {"k": 4}, "k=4 is more than the gallery holds; expected at most 3"),
        (graph_of(LISTS, 3), {}, "k=10 is more than the gallery holds"),
        (
            graph_of(LISTS, 3),
            {"k": 1},
            "at most k=1 entries.* got 2 in row 0; pass k=2",
        ),
        (graph_of(LISTS, 3), {"n_gallery": 3}, "n_gallery=3 goes with gallery indices"),
        (LISTS, {"n_gallery": 3, "k": 4}, "k=4 is more than the gallery holds"),
        (LISTS, {"n_gallery": 3, "k": 0}, "k must be an integer >= 1, got 0"),
        (LISTS, {"n_gallery": 0}, "n_gallery must be an integer >= 1, got 0"),
        (
            LISTS,
            {"n_gallery": 2, "k": 2},
            r"must be in \[0, 1\], or -1 for none, got 2",
        ),
        (LISTS - 2, {"n_gallery": 3}, r"must be in \[0, 2\], or -1 for none, got -2"),
        ([[1, 1], [0, 2]], {"n_gallery": 3}, "index 1 more than once in row 0"),
        (LISTS * 1.0, {"n_gallery": 3}, "must be gallery indices, integers.*float64"),
        ([["a"]], {"n_gallery": 3}, "must be gallery indices, integers of shape"),
        ([0, 1], {"n_gallery": 3}, r"must be gallery indices.* shape \(2,\)"),
        (LISTS[:0], {"n_gallery": 3}, r"must be gallery indices.* shape \(0, 2\)"),
    ],
)
def test_what_is_no_retrieval_is_refused(scores, options, message):
    with pytest.raises(ValueError, match=message):
        k_occurrence(scores, **options)
    with pytest.raises(ValueError, match=message):
        gini_index(scores, **options)
    with pytest.raises(ValueError, match=message):
        hubness_report(scores, **options)


@each_measure
@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([0.5, 0.1], "scores with one axis must be counts.* float64"),
        (["a", "b"], "must be counts as of k_occurrence, integers >= 0"),
        ([True, False], "must be counts as of k_occurrence"),
        ([3, -1], "must be counts as of k_occurrence"),
        ([], "must be counts as of k_occurrence"),
        ([0, 0], "Nothing is retrieved"),
        (sparse.csr_array((2, 12)), "Nothing is retrieved"),
    ],
)
def test_what_are_no_counts_is_refused(measure, counts, message):
    with pytest.raises(ValueError, match=message):
        measure(counts)


def test_counts_are_no_scores():
    for function in (k_occurrence, hubness_report):
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
            function([1, 2, 3], k=1)


def test_nothing_retrieved_counts_as_zeros():
    assert k_occurrence(sparse.csr_array((2, 12))).tolist() == [0] * 12
    with pytest.raises(ValueError, match="Nothing is retrieved"):
        hubness_report(sparse.csr_array((2, 12)))
