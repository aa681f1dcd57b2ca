"""Who is corrected, and for the better or the worse."""

import numpy as np
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


def ends(before, after):
    """Count what becomes of queries, one by one."""
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
def test_the_activation_diagram_counts_what_is_corrected(make):
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
        **ends(RAW, CORRECTED),
    }
    gained = display.counts_["better"] - display.counts_["worse"]
    gain = recall_at_k(DATA.relevant, CORRECTED) - recall_at_k(DATA.relevant, RAW)
    assert gained / 50 == pytest.approx(gain)
    widths = [bar[0].get_width() for bar in display.bars_]
    assert len(widths) == 12
    for start, stop in ((0, 2), (2, 4), (4, 12)):  # gallery, queries, results
        assert sum(widths[start:stop]) == pytest.approx(100)
    assert sum(widths[4:8]) == pytest.approx(100 * corrected.mean())
    catches = np.bincount(best, minlength=40) * NORMALIZER.activation_mask_
    assert catches[display.items_[0]] == catches.max()
    assert f"{NAMES[display.items_[0]]} ({catches.max()})" in texts(display)[4]


def test_the_diagram_of_scores_is_that_of_the_estimator():
    mask = NORMALIZER.activation_mask_
    display = ActivationDisplay.from_predictions(mask, RAW, CORRECTED, DATA.relevant)
    expected = ActivationDisplay.from_estimator(NORMALIZER, RAW, DATA.relevant)
    assert display.counts_ == expected.counts_
    assert [bar[0].get_width() for bar in display.bars_] == [
        bar[0].get_width() for bar in expected.bars_
    ]


def test_without_relevance_there_are_no_results():
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


def test_an_empty_activation_set_names_nothing():
    display = drawn(ActivationDisplay.from_predictions(np.zeros(40, dtype=bool), RAW))
    assert display.items_.size == 0
    assert display.counts_["n_corrected"] == 0


def test_masked_queries_and_labels_are_understood():
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


def test_every_gate_has_a_diagram():
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
def test_there_is_no_diagram_without_a_gate(normalizer):
    fitted = normalizer(metric="precomputed").fit(BANK_SIMS)
    with pytest.raises(ValueError, match="corrects every query"):
        ActivationDisplay.from_estimator(fitted, RAW)


def test_the_gate_of_what_a_search_chose_is_drawn():
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
    with pytest.raises(ValueError, match=r"chose .*alpha=0.0.*, which corrects no qu"):
        ActivationDisplay.from_estimator(search, RAW)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(40), RAW, RAW[:3]), "of the same queries and items"),
        ((np.ones(39), RAW, CORRECTED), "one entry an item"),
        ((np.arange(40), RAW, CORRECTED), "must hold booleans"),
        ((np.ones(40), RAW, None, DATA.relevant), "pass after too"),
    ],
)
def test_a_diagram_says_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        ActivationDisplay.from_predictions(*arguments)
