"""The worst hubs by name, and the names themselves."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    DynamicInvertedSoftmax,
    GallerySimilarity,
)
from sk_qbnorm.inspection import HubsByNameDisplay

from .pictures import (
    BANK_SIMS,
    CORRECTED,
    COUNTS,
    DATA,
    NAMES,
    NORMALIZER,
    RAW,
    drawn,
    every_estimator,
    font_manager,
    plt,
    retriever,
)


def test_the_worst_hubs_are_named():
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


def test_the_worst_that_are_left_are_named():
    display = HubsByNameDisplay.from_predictions(
        RAW, CORRECTED, k=3, n_hubs=2, by="after"
    )
    np.testing.assert_array_equal(
        display.items_, np.argsort(-COUNTS[1], kind="stable")[:2]
    )
    with pytest.raises(ValueError, match="pass after too"):
        HubsByNameDisplay.from_predictions(RAW, by="after")
    with pytest.raises(ValueError, match="by must be one of 'before', 'after'"):
        HubsByNameDisplay.from_predictions(RAW, by="worst")


@every_estimator
def test_hubs_of_an_estimator_are_those_of_its_scores(make):
    estimator, queries = make()
    display = HubsByNameDisplay.from_estimator(estimator, queries, k=3)
    expected = HubsByNameDisplay.from_predictions(RAW, CORRECTED, k=3)
    np.testing.assert_array_equal(display.items_, expected.items_)
    for bars, others in zip(display.bars_, expected.bars_, strict=True):
        assert [bar.get_width() for bar in bars] == [bar.get_width() for bar in others]
    assert display.names is None
    assert display.name == "DynamicInvertedSoftmax"
    assert display.ax_.get_yticklabels()[0].get_text() == f"item {display.items_[0]}"


def test_names_come_from_where_they_are_known():
    gallery = pd.DataFrame(DATA.gallery, index=NAMES)
    named = pd.DataFrame(RAW, columns=NAMES)
    bank = pd.DataFrame(BANK_SIMS, columns=NAMES)
    steps = GallerySimilarity(gallery), DynamicInvertedSoftmax(metric="precomputed")
    cases = [
        (clone(NORMALIZER).fit(bank), named),
        (DynamicInvertedSoftmax().fit(DATA.bank_queries, gallery), RAW),
        (retriever().fit(DATA.bank_queries, gallery), DATA.queries),
        (make_pipeline(*steps).fit(DATA.bank_queries), DATA.queries),
    ]
    for estimator, queries in cases:
        display = HubsByNameDisplay.from_estimator(estimator, queries)
        assert list(display.names) == NAMES
    display = HubsByNameDisplay.from_predictions(named)
    assert list(display.names) == NAMES
    display = HubsByNameDisplay.from_estimator(*cases[0], names=range(40))
    assert display.ax_.get_yticklabels()[0].get_text() == str(display.items_[0])


def test_there_is_a_name_for_each_item():
    with pytest.raises(ValueError, match="expected 40, got 2"):
        HubsByNameDisplay.from_predictions(RAW, names=["one", "two"])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("short", "short"),
        ("two\nlines\tand  more", "two lines and more"),
        (
            "a name that is far too long to stand beside an axis",
            "a name that is far too long…",
        ),
        ("costs $5 or $6", "costs $5 or $6"),
        ("zero\u200dwidth", "zerowidth"),
        ("\u200d", "item 0"),
        ("", "item 0"),
    ],
)
def test_names_are_shortened_and_drawn_as_they_are(name, written):
    display = HubsByNameDisplay(np.array([3]), n_queries=3, names=[name]).plot()
    assert drawn(display).ax_.get_yticklabels()[0].get_text() == written


def test_wide_characters_count_twice():
    from sk_qbnorm.inspection._names import shortened

    assert shortened("絵文字の名前", 7) == "絵文字…"
    assert shortened("絵文字", 6) == "絵文字"


def fonts(*names):
    entries = font_manager.fontManager.ttflist
    return [entry for name in names for entry in entries if entry.name == name]


def test_another_font_writes_what_the_first_one_lacks(monkeypatch):
    boxes = [font_manager.FontEntry(fname="none", name="Last Resort High-Efficiency")]
    found = fonts("cmss10", "DejaVu Sans", "DejaVu Sans Mono")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", boxes + found)
    # The letter is in DejaVu Sans, which is not in the settings.
    with plt.rc_context({"font.family": ["cmss10"]}):
        display = HubsByNameDisplay(np.array([3]), n_queries=3, names=["Жук"]).plot()
        label = display.ax_.get_yticklabels()[0]
        assert label.get_text() == "Жук"
        assert label.get_fontfamily() == ["cmss10", "DejaVu Sans"]


def test_what_no_font_can_write_has_its_number(monkeypatch):
    found = fonts("DejaVu Sans", "DejaVu Sans Mono")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", found)
    names = ["पेजर", "pager"]
    display = HubsByNameDisplay(np.array([3, 2]), n_queries=3, names=names).plot()
    labels = drawn(display).ax_.get_yticklabels()
    assert [label.get_text() for label in labels] == ["item 0", "pager"]
