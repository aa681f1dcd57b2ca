"""Names of gallery items as text for a plot."""

from unicodedata import east_asian_width

import numpy as np


def check_names(names, n_gallery):
    """Return the names as str, or "item 0", "item 1" and so on if there are none."""
    if names is None:
        names = [f"item {item}" for item in range(n_gallery)]
    names = np.array([str(name) for name in names], dtype=object)
    if names.size != n_gallery:
        raise ValueError(
            f"names must have one entry per gallery item, expected {n_gallery}, got "
            f"{names.size}."
        )
    return names


def text_of(names, items, width):
    """Return the names of some items, shortened to at most `width` columns.

    Items are named by number if the fonts of ``rcParams["font.family"]`` lack a
    character of the name.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont, get_font

    paths = [findfont(FontProperties(family=[f])) for f in rcParams["font.family"]]
    fonts = [get_font(path) for path in paths]

    def is_drawable(character):
        return any(font.get_char_index(ord(character)) for font in fonts)

    texts = [shorten(names[item], width) for item in items]
    return [
        text if text and all(map(is_drawable, text)) else f"item {item}"
        for item, text in zip(items, texts, strict=True)
    ]


def shorten(name, width):
    """Return a name in one line of at most `width` columns.

    Wide characters, such as Chinese ones, take two columns. Control and formatting
    characters are removed.
    """
    visible = "".join(c for c in name if c.isprintable() or c.isspace())
    name = " ".join(visible.split())
    columns = np.cumsum([1 + (east_asian_width(c) in "WF") for c in name])
    if np.searchsorted(columns, width, side="right") == len(name):
        return name
    return f"{name[: np.searchsorted(columns, width - 1, side='right')].rstrip()}…"
