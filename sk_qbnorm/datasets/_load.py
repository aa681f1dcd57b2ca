"""Real retrieval data that ships with the package."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from scipy import sparse
from sklearn.utils import Bunch


def load_emoji_names_hi_en() -> Bunch:
    """Load Hindi and English names of emoji: text to text, with strong hubs.

    Returns
    -------
    data : Bunch
        ``bank_queries`` (700, 128), ``queries`` (600, 128) and ``gallery`` (600, 128),
        float32; ``relevant`` (600,), the gallery index of each query; ``bank_text``,
        ``query_text``, ``gallery_text``; and ``DESCR``, the source and license.

    See Also
    --------
    load_emoji_names_ja_en : The same with Japanese names.

    Examples
    --------
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> data = load_emoji_names_hi_en()
    >>> data.query_text[0], data.gallery_text[data.relevant[0]]
    (np.str_('पेजर'), np.str_('pager'))
    """
    return _load("emoji_names_hi_en")


def load_emoji_names_ja_en() -> Bunch:
    """Load Japanese and English names of emoji: text to text, with strong hubs.

    Returns
    -------
    data : Bunch
        As from `load_emoji_names_hi_en`.

    See Also
    --------
    load_emoji_names_hi_en : The same with Hindi names.

    Examples
    --------
    >>> from sk_qbnorm.datasets import load_emoji_names_ja_en
    >>> load_emoji_names_ja_en().gallery.shape
    (600, 128)
    """
    return _load("emoji_names_ja_en")


def load_emoji_name_to_keywords() -> Bunch:
    """Load names and keyword lists of emoji: text to text, with hubs.

    Returns
    -------
    data : Bunch
        As from `load_emoji_names_hi_en`.

    See Also
    --------
    load_emoji_names_hi_en : Another pair of texts.

    Examples
    --------
    >>> from sk_qbnorm.datasets import load_emoji_name_to_keywords
    >>> load_emoji_name_to_keywords().gallery_text[2]
    np.str_('accessibility, motorized, wheelchair, woman')
    """
    return _load("emoji_name_to_keywords")


def load_emoji_noto_to_twemoji() -> Bunch:
    """Load the pictures of emoji by two vendors: image to image, with mild hubs.

    Returns
    -------
    data : Bunch
        As from `load_emoji_names_hi_en`, without ``bank_text``. The texts are the names
        of the emoji, and ``codepoints`` their Unicode.

    See Also
    --------
    load_emoji_vendor_nohub : Pictures without hubs.

    Examples
    --------
    >>> from sk_qbnorm.datasets import load_emoji_noto_to_twemoji
    >>> load_emoji_noto_to_twemoji().queries.shape
    (600, 128)
    """
    data = _load("emoji_noto_to_twemoji")
    data.gallery_text = data.query_text.copy()  # query i and item i show one emoji
    return data


def load_emoji_vendor_nohub() -> Bunch:
    """Load pictures of emoji in 12 dimensions: a control without hubs.

    With so few dimensions there are no hubs, and a correction can do harm.

    Returns
    -------
    data : Bunch
        ``bank_queries`` (900, 12), ``queries`` (1006, 12) and ``gallery`` (1006, 12),
        float32; ``relevant`` (1006,), the gallery index of each query; and ``DESCR``.

    See Also
    --------
    load_emoji_noto_to_twemoji : Pictures with hubs.

    Examples
    --------
    >>> from sk_qbnorm.datasets import load_emoji_vendor_nohub
    >>> load_emoji_vendor_nohub().gallery.shape
    (1006, 12)
    """
    return _load("emoji_vendor_nohub")


def load_digits_halves() -> Bunch:
    """Load halves of handwritten digits: image to image, a control with few hubs.

    Returns
    -------
    data : Bunch
        ``bank_queries`` (600, 8), ``queries`` (500, 8) and ``gallery`` (500, 8),
        float32; ``relevant`` (500,), the gallery index of each query; and ``DESCR``.

    See Also
    --------
    load_digits_labels : Whole digits, by their class.

    Examples
    --------
    >>> from sk_qbnorm.datasets import load_digits_halves
    >>> load_digits_halves().queries.shape
    (500, 8)
    """
    return _load("digits_halves")


def load_digits_labels() -> Bunch:
    """Load handwritten digits by their class: an easy control.

    All digits of a query's class are relevant. Raw similarities are almost perfect, so
    a correction cannot gain.

    Returns
    -------
    data : Bunch
        ``bank_queries`` (600, 64), ``queries`` (500, 64) and ``gallery`` (697, 64),
        float32; ``relevant`` (500, 697), a sparse indicator of the items of the same
        class; ``bank_labels``, ``query_labels``, ``gallery_labels``; and ``DESCR``.

    See Also
    --------
    load_digits_halves : One relevant item per query.

    Examples
    --------
    >>> from sk_qbnorm.datasets import load_digits_labels
    >>> data = load_digits_labels()
    >>> data.relevant.shape
    (500, 697)
    """
    data = _load("digits_labels")
    same = data.query_labels[:, None] == data.gallery_labels
    data.relevant = sparse.csr_array(same)
    return data


def _load(name):
    folder = files(__package__) / "data"
    with (folder / f"{name}.npz").open("rb") as file:
        stored = dict(np.load(file, allow_pickle=False))
    for part in ("bank_queries", "queries", "gallery"):
        stored[part] = stored[part].astype(np.float32)
    if "relevant" in stored:
        stored["relevant"] = stored["relevant"].astype(np.int64)
    description = (folder / "DESCR.md").read_text(encoding="utf-8")
    return Bunch(**stored, DESCR=_section(description, name))


def _section(description, name):
    """Return the section ``## name`` of the description and the common part."""
    shared, *parts = description.split("\n## ")
    own = next(part for part in parts if part.startswith(f"{name}\n"))
    return f"{own.removeprefix(name).strip()}\n\n{shared.strip()}\n"
