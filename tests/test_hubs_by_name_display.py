"""HubsByNameDisplay."""

import numpy as np
import pandas as pd
import pytest

from sk_qbnorm.inspection import HubsByNameDisplay

from .pictures import (
    CORRECTED,
    COUNTS,
    DATA,
    NAMES,
    RAW,
    drawn,
    every_estimator,
    retriever,
)


def test_the_largest_hubs_are_plotted_in_descending_order():
    display = drawn(
        HubsByNameDisplay.from_predictions(RAW, CORRECTED, names=NAMES, k=3, n_hubs=4)
    )
    order = np.argsort(-COUNTS[0], kind="stable")[:4]
    np.testing.assert_array_equal(display.items_, order)
    shown = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert shown == [NAMES[item] for item in order]
    for bars, counts in zip(display.bars_, COUNTS, strict=True):
        widths = [bar.get_width() for bar in bars]
        np.testing.assert_array_equal(widths, counts[order])
    assert display.reference_.get_xdata()[0] == COUNTS[0].mean()


def test_hubs_can_be_ranked_by_their_count_after_the_correction():
    display = HubsByNameDisplay.from_predictions(
        RAW, CORRECTED, k=3, n_hubs=2, by="after"
    )
    np.testing.assert_array_equal(
        display.items_, np.argsort(-COUNTS[1], kind="stable")[:2]
    )
    with pytest.raises(ValueError, match="after"):
        HubsByNameDisplay.from_predictions(RAW, by="after")
    with pytest.raises(ValueError, match="by .* 'worst'"):
        HubsByNameDisplay.from_predictions(RAW, by="worst")


@every_estimator
def test_estimators_give_the_same_plot_as_their_scores(make):
    estimator, queries = make()
    display = HubsByNameDisplay.from_estimator(estimator, queries, k=3)
    expected = HubsByNameDisplay.from_predictions(RAW, CORRECTED, k=3)
    np.testing.assert_array_equal(display.items_, expected.items_)
    for bars, others in zip(display.bars_, expected.bars_, strict=True):
        assert [bar.get_width() for bar in bars] == [bar.get_width() for bar in others]
    assert display.names is None
    assert display.name == "DynamicInvertedSoftmax"
    assert display.ax_.get_yticklabels()[0].get_text() == f"item {display.items_[0]}"


def test_names_are_the_columns_of_a_frame_of_scores():
    named = pd.DataFrame(RAW, columns=NAMES)
    display = HubsByNameDisplay.from_predictions(named)
    assert list(display.names) == NAMES


def test_names_seen_in_fit_are_used():
    gallery = pd.DataFrame(DATA.gallery, index=NAMES)
    estimator = retriever().fit(DATA.bank_queries, gallery)
    display = HubsByNameDisplay.from_estimator(estimator, DATA.queries)
    assert list(display.names) == NAMES


def test_names_may_be_an_index_of_integers():
    gallery = pd.DataFrame(DATA.gallery, index=range(1000, 1040))
    estimator = retriever().fit(DATA.bank_queries, gallery)
    display = HubsByNameDisplay.from_estimator(
        estimator, DATA.queries, names=gallery.index
    )
    largest = display.names[display.items_[0]]
    assert largest == 1000 + display.items_[0]
    assert display.ax_.get_yticklabels()[0].get_text() == str(largest)


def test_the_number_of_names_must_be_the_number_of_items():
    with pytest.raises(ValueError, match="names.* 40, got 2"):
        HubsByNameDisplay.from_predictions(RAW, names=["one", "two"])
