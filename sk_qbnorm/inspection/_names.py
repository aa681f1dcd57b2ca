"""Names of gallery items, as far as they can be written in a picture."""

import unicodedata

import numpy as np


def check_names(names, n_gallery):
    """Return a name for each item, as str: its number where there are no names."""
    if names is None:
        return np.array([f"item {item}" for item in range(n_gallery)], dtype=object)
    listed = [str(name) for name in names]
    if len(listed) != n_gallery:
        raise ValueError(
            f"names must be those of all gallery items, expected {n_gallery}, got "
            f"{len(listed)}."
        )
    return np.array(listed, dtype=object)


def shortened(name, width):
    """Return a name of at most `width` columns, in one line, of visible characters.

    Characters of Chinese, Japanese and Korean take two columns.
    """
    # Joiners, marks of direction and control characters have no shape of their own.
    visible = "".join(" " if c.isspace() else c for c in name if not _hidden(c))
    name = " ".join(visible.split())
    if sum(map(_columns, name)) <= width:
        return name
    name = name[:width]
    while sum(map(_columns, name)) > width - 1:
        name = name[:-1]
    return f"{name.rstrip()}…"


def _hidden(character):
    return unicodedata.category(character) in ("Cc", "Cf") and not character.isspace()


def _columns(character):
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def writable(names, items, width):
    """Return names that the fonts of this machine can write, and these fonts.

    Parameters
    ----------
    names : ndarray of shape (n_gallery,), dtype object
    items : ndarray of shape (n_shown,)
        Which of the items are shown.
    width : int
        The most columns that a name may take.

    Returns
    -------
    written : list of str
        A name that no font has the characters of is the number of its item.
    families : list of str
        The fonts of matplotlib's settings and, where they lack characters that
        another one has, this one.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont, fontManager

    texts = [shortened(names[item], width) for item in items]
    families = list(rcParams["font.family"])
    missing = set("".join(texts))
    for family in families:
        missing = _lacking(findfont(FontProperties(family=[family])), missing)
    if missing:
        # One more font is asked for, that with the most of what is missing.
        lacking = {}
        for entry in fontManager.ttflist:
            boxes = entry.name.startswith("Last Resort")  # for any character
            if not boxes and entry.name not in lacking:
                lacking[entry.name] = _lacking(entry.fname, missing)
        best = min(lacking, key=lambda name: len(lacking[name]))
        if len(lacking[best]) < len(missing):
            families.append(best)
            missing = lacking[best]
    written = [
        f"item {item}" if missing.intersection(text) or not text else text
        for item, text in zip(items, texts, strict=True)
    ]
    return written, families


def _lacking(path, characters):
    """Return the characters that the font of a file has no shape for."""
    from matplotlib.font_manager import get_font

    font = get_font(path)
    return {c for c in characters if not font.get_char_index(ord(c))}
