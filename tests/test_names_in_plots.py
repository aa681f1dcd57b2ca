"""Names of gallery items as text in plots."""

import numpy as np
import pytest

from sk_qbnorm.inspection import HubsByNameDisplay

from .pictures import drawn, plt


def labels_of(names, **options):
    """Return the tick labels of a plot of these items."""
    counts = np.arange(len(names), 0, -1)
    display = HubsByNameDisplay(counts, n_queries=9, names=names).plot(**options)
    return [label.get_text() for label in drawn(display).ax_.get_yticklabels()]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("short", "short"),
        ("two\nlines\tand  more", "two lines and more"),
        (
            "a name that is far too long for the label of an axis",
            "a name that is far too long…",
        ),
        ("costs $5 or $6", "costs $5 or $6"),
        ("zero\u200dwidth", "zerowidth"),
        ("\u200d", "item 0"),
        ("", "item 0"),
    ],
)
def test_names_are_shortened_to_one_line(name, label):
    assert labels_of([name]) == [label]


@pytest.mark.parametrize(
    ("width", "expected"), [(7, "ＡＢＣ…"), (6, "ＡＢ…"), (10, "ＡＢＣＤＥ")]
)
def test_wide_characters_take_two_columns(width, expected, monkeypatch):
    class AnyFont:
        def get_char_index(self, character):
            return 1

    monkeypatch.setattr("matplotlib.font_manager.get_font", lambda path: AnyFont())
    display = HubsByNameDisplay(np.array([3]), n_queries=3, names=["ＡＢＣＤＥ"])
    (label,) = display.plot(width=width).ax_.get_yticklabels()
    assert label.get_text() == expected


def test_names_that_no_font_can_draw_are_item_numbers():
    assert labels_of(["पेजर", "pager"]) == ["item 0", "pager"]


def test_every_font_of_the_matplotlib_settings_is_used():
    names = ["Жук"]  # in DejaVu Sans, but not in cmss10
    with plt.rc_context({"font.family": ["cmss10"]}):
        assert labels_of(names) == ["item 0"]
    with plt.rc_context({"font.family": ["cmss10", "DejaVu Sans"]}):
        assert labels_of(names) == names
