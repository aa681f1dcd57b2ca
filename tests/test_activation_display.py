"""ActivationDisplay."""

import numpy as np
import pandas as pd
import pytest

from sk_qbnorm import (
    CSLS,
    DualDynamicInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GloballyCorrected,
    InvertedSoftmax,
    QuerybankRetriever,
)
from sk_qbnorm.inspection import ActivationDisplay
from sk_qbnorm.metrics import recall_at_k
from sk_qbnorm.model_selection import NormalizerSearch

from .pictures import (
    BANK_SIMS,
    CORRECTED,
    DATA,
    NAMES,
    NORMALIZER,
    RAW,
    drawn,
    every_estimator,
    texts,
)


def count_outcomes(before, after):
    """Count the outcomes, query by query."""
    found = {"better": 0, "still_right": 0, "still_wrong": 0, "worse": 0}
    for relevant, first, second in zip(
        DATA.relevant, before.argmax(axis=1), after.argmax(axis=1), strict=True
    ):
        right = bool(first == relevant), bool(second == relevant)
        names = {
            (False, True): "better",
            (True, True): "still_right",
            (False, False): "still_wrong",
            (True, False): "worse",
        }
        found[names[right]] += 1
    return found


@every_estimator
def test_the_bars_count_corrected_queries_and_outcomes(make):
    estimator, queries = make()
    before = queries.copy()
    display = drawn(
        ActivationDisplay.from_estimator(estimator, queries, DATA.relevant, names=NAMES)
    )
    np.testing.assert_array_equal(queries, before)
    best = RAW.argmax(axis=1)
    corrected = NORMALIZER.activation_mask_[best]
    assert display.counts_ == {
        "n_gallery": 40,
        "n_active": NORMALIZER.activation_mask_.sum(),
        "n_queries": 50,
        "n_corrected": corrected.sum(),
        **count_outcomes(RAW, CORRECTED),
    }
    gained = display.counts_["better"] - display.counts_["worse"]
    gain = recall_at_k(DATA.relevant, CORRECTED) - recall_at_k(DATA.relevant, RAW)
    assert gained / 50 == pytest.approx(gain)
    widths = [bar[0].get_width() for bar in display.bars_]
    assert len(widths) == 12
    for start, stop in ((0, 2), (2, 4), (4, 12)):  # gallery, queries, results
        assert sum(widths[start:stop]) == pytest.approx(100)
    assert sum(widths[4:8]) == pytest.approx(100 * corrected.mean())
    n_top = np.bincount(best, minlength=40) * NORMALIZER.activation_mask_
    assert n_top[display.items_[0]] == n_top.max()
    assert f"{NAMES[display.items_[0]]} ({n_top.max()})" in texts(display)[4]


def test_scores_give_the_same_plot_as_the_estimator():
    mask = NORMALIZER.activation_mask_
    display = ActivationDisplay.from_predictions(mask, RAW, CORRECTED, DATA.relevant)
    expected = ActivationDisplay.from_estimator(NORMALIZER, RAW, DATA.relevant)
    assert display.counts_ == expected.counts_
    assert [bar[0].get_width() for bar in display.bars_] == [
        bar[0].get_width() for bar in expected.bars_
    ]


def test_without_relevant_items_there_are_no_outcomes():
    mask = NORMALIZER.activation_mask_
    display = drawn(ActivationDisplay.from_predictions(mask, RAW))
    assert list(display.counts_) == [
        "n_gallery",
        "n_active",
        "n_queries",
        "n_corrected",
    ]
    assert len(display.bars_) == 4
    assert display.ax_.get_legend() is None


def test_an_empty_activation_set_names_no_items():
    display = drawn(ActivationDisplay.from_predictions(np.zeros(40, dtype=bool), RAW))
    assert display.items_.size == 0
    assert display.counts_["n_corrected"] == 0


def test_class_labels_and_masked_queries_are_supported():
    kept = np.arange(50) < 30
    labels = np.arange(40) % 4
    display = ActivationDisplay.from_estimator(
        NORMALIZER,
        RAW,
        labels[DATA.relevant],
        gallery_labels=labels,
        query_mask=kept,
    )
    assert display.counts_["n_queries"] == 30
    right = labels[RAW.argmax(axis=1)] == labels[DATA.relevant]
    np.testing.assert_array_equal(display.right_before, right[kept])


def test_every_dynamic_normalizer_can_be_plotted():
    dual = DualDynamicInvertedSoftmax(metric="precomputed")
    dual.fit(BANK_SIMS, gallerybank=BANK_SIMS[:20])
    display = ActivationDisplay.from_estimator(dual, RAW)
    np.testing.assert_array_equal(
        display.activation_mask, dual.activation_mask_.any(axis=1)
    )
    csls = DynamicNormalizer(CSLS(), metric="precomputed").fit(BANK_SIMS)
    display = ActivationDisplay.from_estimator(csls, RAW)
    assert display.counts_["n_active"] == csls.activation_mask_.sum()


@pytest.mark.parametrize("normalizer", [InvertedSoftmax, GloballyCorrected])
def test_normalizers_without_an_activation_set_are_rejected(normalizer):
    fitted = normalizer(metric="precomputed").fit(BANK_SIMS)
    with pytest.raises(ValueError, match=normalizer.__name__):
        ActivationDisplay.from_estimator(fitted, RAW)


def test_the_activation_set_of_the_selected_normalizer_is_plotted():
    search = NormalizerSearch(DATA.queries, DATA.relevant, n_standard_errors=0)
    search.set_params(candidates=[DynamicInvertedSoftmax()])
    search.fit(DATA.bank_queries, DATA.gallery)
    mask = search.best_estimator_.activation_mask_
    display = ActivationDisplay.from_estimator(search, RAW, DATA.relevant)
    np.testing.assert_array_equal(display.activation_mask, mask)
    retriever = QuerybankRetriever(search).fit(DATA.bank_queries, DATA.gallery)
    display = ActivationDisplay.from_estimator(retriever, DATA.queries)
    np.testing.assert_array_equal(display.activation_mask, mask)
    search.set_params(candidates=[]).fit(DATA.bank_queries, DATA.gallery)
    with pytest.raises(ValueError, match=r"NormalizerSearch.*alpha=0\.0"):
        ActivationDisplay.from_estimator(search, RAW)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((np.ones(40), RAW, RAW[:3]), r"\(50, 40\), \(3, 40\)"),
        ((np.ones(39), RAW, CORRECTED), r"activation_mask.* \(39,\)"),
        ((np.arange(40), RAW, CORRECTED), "activation_mask.* int64"),
        ((np.ones(40), RAW, None, DATA.relevant), "after"),
    ],
)
def test_scores_that_do_not_match_are_rejected(arguments, match):
    with pytest.raises(ValueError, match=match):
        ActivationDisplay.from_predictions(*arguments)


def test_names_are_the_columns_of_a_frame_of_scores():
    named = pd.DataFrame(RAW, columns=NAMES)
    display = ActivationDisplay.from_predictions(NORMALIZER.activation_mask_, named)
    assert list(display.names) == NAMES
    assert NAMES[display.items_[0]] in " ".join(texts(display))
