"""KOccurrenceDisplay."""

import numpy as np
import pytest

from sk_qbnorm.inspection import (
    HubsByNameDisplay,
    KOccurrenceDisplay,
)
from sk_qbnorm.metrics import (
    antihub_rate,
    hubness_report,
)

from .pictures import (
    CORRECTED,
    COUNTS,
    DATA,
    NORMALIZER,
    RAW,
    drawn,
    every_estimator,
    retriever,
    texts,
)


@every_estimator
def test_counts_are_those_of_k_occurrence(make):
    estimator, queries = make()
    before = queries.copy()
    display = drawn(KOccurrenceDisplay.from_estimator(estimator, queries, k=3))
    np.testing.assert_array_equal(display.before, COUNTS[0])
    np.testing.assert_array_equal(display.after, COUNTS[1])
    assert (display.n_queries, display.name) == (50, "DynamicInvertedSoftmax")
    np.testing.assert_array_equal(queries, before)


def test_the_curve_counts_items_retrieved_by_at_least_n_queries():
    display = drawn(KOccurrenceDisplay.from_predictions(RAW, CORRECTED, k=3))
    for line, counts in zip(display.lines_, COUNTS, strict=True):
        reached, items = line.get_data()
        assert reached[0] == 0
        assert reached[-1] == counts.max()
        np.testing.assert_array_equal(
            items, [np.sum(counts >= times) for times in reached]
        )
    assert f"{antihub_rate(RAW, k=3):.0%} never" in texts(display)[0]
    assert f"up to {COUNTS[1].max()}, " in texts(display)[1]


@pytest.mark.parametrize("display", [KOccurrenceDisplay, HubsByNameDisplay])
def test_the_legend_label_can_be_chosen(display):
    found = display.from_estimator(NORMALIZER, RAW, name="DIS")
    assert any(text.startswith("DIS") for text in texts(found))
    found = display.from_predictions(RAW, CORRECTED, name="DIS")
    assert any(text.startswith("DIS") for text in texts(found))


def test_the_reference_is_expected_by_chance():
    display = KOccurrenceDisplay.from_predictions(RAW, k=3)
    reached, items = display.reference_.get_data()
    expected = hubness_report(RAW, k=3)
    assert items[0] == 40
    # Summed over N it is the sum of all counts, except the tail that is cut off.
    assert items[1:].sum() / 40 == pytest.approx(50 * 3 / 40, rel=1e-2)
    never = 1 - items[1] / 40
    assert never == pytest.approx(expected["antihub_rate"]["no_hubs"])
    assert reached[-1] < expected["max_k_occurrence"]["no_hubs"] + 3


def test_indices_and_graphs_give_the_same_plot():
    estimator = retriever()
    indices = estimator.kneighbors(DATA.queries, 3, return_score=False)
    graph = estimator.kneighbors_graph(DATA.queries, 3)
    of_graph = KOccurrenceDisplay.from_predictions(graph, k=3)
    of_indices = KOccurrenceDisplay.from_predictions(indices, k=3, n_gallery=40)
    for display in (of_graph, of_indices):
        assert display.after is None
        assert len(display.lines_) == 1
        np.testing.assert_array_equal(display.before, COUNTS[1])


def test_large_counts_have_a_logarithmic_axis():
    few = KOccurrenceDisplay(np.array([1, 2, 3, 4, 5]), n_queries=15, k=1).plot()
    many = KOccurrenceDisplay(np.array([0, 0, 5, 95]), n_queries=100, k=1).plot()
    assert few.ax_.get_xscale() == "linear"
    assert many.ax_.get_xscale() == "symlog"
    drawn(few), drawn(many)
