"""The measures of hubness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from scipy.stats import skew

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
from .retrievals import graph_of, scores_and_k, top_k

REFERENCES = {
    hubness_skewness: reference.skewness,
    robin_hood_index: reference.robin_hood,
    gini_index: reference.gini,
    antihub_rate: reference.antihub_rate,
    hub_rate: reference.hub_rate,
    max_k_occurrence: max,
}
each_measure = pytest.mark.parametrize(
    "measure", REFERENCES, ids=[measure.__name__ for measure in REFERENCES]
)
some_counts = hnp.arrays(
    np.int64, st.integers(1, 250), elements=st.integers(0, 30)
).filter(np.any)


@each_measure
@given(counts=some_counts)
def test_measures_match_the_reference(measure, counts):
    expected = REFERENCES[measure](counts.tolist())
    # The third moment is a small difference of large numbers if it is near 0.
    assert measure(counts) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert type(measure(counts)) is (int if measure is max_k_occurrence else float)


@given(drawn=scores_and_k())
def test_scores_indices_and_graphs_have_the_same_hubness(drawn):
    scores, k = drawn
    n_gallery = scores.shape[1]
    counts = k_occurrence(scores, k=k)
    lists = top_k(scores, k)
    for form, options in (
        (scores, {}),
        (lists, {"n_gallery": n_gallery}),
        (graph_of(lists, n_gallery), {}),
    ):
        report = hubness_report(form, k=k, **options)
        for measure in REFERENCES:
            expected = measure(counts)
            assert measure(form, k=k, **options) == expected
            assert report[measure.__name__]["before"] == expected


@each_measure
@given(counts=some_counts, seed=st.integers(0, 99))
def test_the_order_of_items_does_not_matter(measure, counts, seed):
    shuffled = np.random.default_rng(seed).permutation(counts)
    assert measure(shuffled) == pytest.approx(measure(counts), rel=1e-9, abs=1e-9)


@given(drawn=scores_and_k(), seed=st.integers(0, 99))
def test_the_order_of_queries_does_not_matter(drawn, seed):
    scores, k = drawn
    shuffled = np.random.default_rng(seed).permutation(scores)
    assert hubness_report(shuffled, k=k) == hubness_report(scores, k=k)


@given(drawn=scores_and_k())
def test_measures_stay_in_their_ranges(drawn):
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
def test_equal_counts_have_no_hubness(n_gallery):
    counts = np.full(n_gallery, 3)
    for measure in (hubness_skewness, robin_hood_index, gini_index, antihub_rate):
        assert measure(counts) == 0
    assert hub_rate(counts) == pytest.approx(-(-n_gallery // 100) / n_gallery)
    assert max_k_occurrence(counts) == 3


def test_items_in_every_list_have_maximal_hubness():
    counts = k_occurrence(np.tile(np.arange(20.0), (9, 1)), k=4)
    for measure in (robin_hood_index, gini_index, antihub_rate):
        assert measure(counts) == pytest.approx(1 - 4 / 20)
    assert max_k_occurrence(counts) == 9
    one = np.r_[9, np.zeros(19, dtype=int)]
    assert hubness_skewness(one) == pytest.approx(18 / np.sqrt(19))
    assert hub_rate(one) == 1


def test_skewness_includes_items_that_are_never_retrieved():
    scores = np.zeros((5, 40))
    scores[:, 0] = 1
    expected = skew(np.r_[5, np.zeros(39)])
    assert hubness_skewness(scores, k=1) == pytest.approx(expected)


def test_counts_may_be_read_only_or_a_series():
    pandas = pytest.importorskip("pandas")
    counts = np.array([0, 5, 2])
    counts.setflags(write=False)
    for measure in REFERENCES:
        assert measure(pandas.Series(counts)) == measure(counts)


@each_measure
@pytest.mark.parametrize(
    ("counts", "match"),
    [
        ([0.5, 0.1], "scores.* float64"),
        (["a", "b"], "scores"),
        ([True, False], "scores.* bool"),
        ([3, -1], "scores"),
        ([], "scores"),
        ([0, 0], "scores"),
        (sparse.csr_array((2, 12)), "scores"),
    ],
)
def test_invalid_or_zero_counts_are_rejected(measure, counts, match):
    with pytest.raises(ValueError, match=match):
        measure(counts)


def test_a_report_of_no_retrieved_items_is_rejected():
    with pytest.raises(ValueError, match="scores"):
        hubness_report(sparse.csr_array((2, 12)))
