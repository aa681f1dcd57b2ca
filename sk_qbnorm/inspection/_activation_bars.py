"""The bars of an activation diagram, of 100 % each: gallery, queries, results."""

import numpy as np

from ._canvas import ACTIVE, AFTER, BEFORE, FAINT, REFERENCE, SAME, draw_legend
from ._names import writable

_GALLERY, _QUERIES, _RESULTS = 2.0, 1.0, 0.0  # where the bars are, from below
_HEIGHT = 0.3
_ABOVE = 0.55 * _HEIGHT  # where words begin, from the middle of a bar
_OUTCOMES = {  # of queries: name, and what the pieces look like
    "better": ("becomes right", {"facecolor": AFTER}),
    "still_right": (
        "stays right",
        {"facecolor": SAME, "edgecolor": AFTER, "hatch": "..."},
    ),
    "still_wrong": ("stays wrong", {"facecolor": FAINT}),
    "worse": (
        "becomes wrong",
        {"facecolor": "white", "edgecolor": BEFORE, "hatch": "xxxx"},
    ),
}


def draw_gate(ax, n_gallery, n_active, n_queries, n_corrected):
    """Draw which part of the gallery catches which part of the queries.

    Returns
    -------
    bars : list of matplotlib BarContainer
        Two pieces of the gallery, two of the queries.
    """
    items = _split(
        ax, _GALLERY, n_active, n_gallery, "in the activation set", "not in it"
    )
    corrected = "corrected: best item in the set"
    queries = _split(ax, _QUERIES, n_corrected, n_queries, corrected, "left alone")
    active, caught = 100 * n_active / n_gallery, 100 * n_corrected / n_queries
    top, bottom = _GALLERY - _HEIGHT / 2, _QUERIES + _HEIGHT / 2
    corners = [0, active, caught, 0], [top, top, bottom, bottom]
    ax.fill(*corners, color=ACTIVE, alpha=0.15, linewidth=0)
    ax.set_yticks(
        [_GALLERY, _QUERIES],
        [f"{n_gallery:,}\ngallery items", f"{n_queries:,} queries,\nby best item"],
    )
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlim(0, 100)
    ax.set_ylim(_QUERIES - _HEIGHT, _GALLERY + 0.5)
    ax.set_xlabel("share, %")
    return items + queries


def _split(ax, place, n_first, n_all, first, second):
    """Draw a bar of two pieces, with what they are above it."""
    share = 100 * n_first / n_all
    bars = []
    for words, count, start, width, color, x, side in (
        (first, n_first, 0, share, ACTIVE, 0, "left"),
        (second, n_all - n_first, share, 100 - share, FAINT, 100, "right"),
    ):
        bars.append(ax.barh(place, width, _HEIGHT, left=start, color=color))
        text = f"{words}: {count:,} ({width:.0f}%)"
        ax.text(x, place + _ABOVE, text, ha=side, va="bottom", in_layout=False)
    return bars


def name_items(ax, names, items, catches):
    """Name some items of the set, and how many queries have each as their best."""
    if items.size == 0:
        return
    written, families = writable(names, items, 20)
    shown = [
        f"{name} ({catches[item]:,})" for name, item in zip(written, items, strict=True)
    ]
    ax.text(
        0.8,
        _GALLERY - _ABOVE,
        f"best item of most queries:\n{', '.join(shown)}",
        va="top",
        size="small",
        fontfamily=families,
        parse_math=False,
        in_layout=False,
    )


def draw_outcomes(ax, ends, corrected):
    """Draw what becomes of the queries, below the piece that they belong to.

    Parameters
    ----------
    ax : matplotlib Axes
        With the bars of the gate.
    ends : dict of str to ndarray of shape (n_queries,), dtype bool
        As of `outcomes`.
    corrected : ndarray of shape (n_queries,), dtype bool

    Returns
    -------
    bars : list of matplotlib BarContainer
        A piece for each end of the corrected queries, then of the others.
    """
    n_queries = corrected.size
    bars, start = [], 0
    for group in (corrected, ~corrected):
        for end, queries in ends.items():
            width = 100 * np.count_nonzero(queries & group) / n_queries
            style = {"left": start, "linewidth": 0, **_OUTCOMES[end][1]}
            bars.append(ax.barh(_RESULTS, width, _HEIGHT, **style))
            start += width
    edge = 100 * corrected.mean()
    places = [_RESULTS - _HEIGHT, _QUERIES - _HEIGHT / 2]
    ax.plot([edge, edge], places, color=REFERENCE, linestyle=":")
    share = {end: queries.mean() for end, queries in ends.items()}
    before = share["still_right"] + share["worse"]
    after = share["still_right"] + share["better"]
    text = f"first result right: {before:.1%} before, {after:.1%} after"
    ax.text(0, _RESULTS + _ABOVE, text, va="bottom", in_layout=False)
    labels = [
        f"{_OUTCOMES[end][0]}: {queries.sum():,} ({share[end]:.1%})"
        for end, queries in ends.items()
    ]
    compact = {"ncols": 2, "columnspacing": 1, "handlelength": 1.5}
    draw_legend(ax, bars[: len(ends)], labels, loc="lower left", **compact)
    ticks = [label.get_text() for label in ax.get_yticklabels()]
    ax.set_yticks(
        [_GALLERY, _QUERIES, _RESULTS], [*ticks, "the queries,\nby first result"]
    )
    ax.set_ylim(-1.15, _GALLERY + 0.5)
    return bars
