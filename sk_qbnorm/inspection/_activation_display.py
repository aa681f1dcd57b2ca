"""Plot which queries a dynamic normalizer corrects, and with what outcome."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_matrix, column_names
from sk_qbnorm.metrics import Relevance, kept_queries, relevant_items
from sk_qbnorm.model_selection import BeforeAfter

from ._axes import (
    ACTIVE,
    AFTER,
    BEFORE,
    FAINT,
    REFERENCE,
    UNCHANGED,
    draw_legend,
    get_axes,
)
from ._names import check_names, text_of

_N_NAMED = 3  # gallery items named in the plot
_GALLERY, _QUERIES, _RESULTS = 2.0, 1.0, 0.0  # vertical positions of the bars
_HEIGHT = 0.3
_TEXT_OFFSET = 0.55 * _HEIGHT  # from the middle of a bar
_OUTCOMES = {  # label and style of each outcome
    "better": ("becomes right", {"facecolor": AFTER}),
    "still_right": (
        "stays right",
        {"facecolor": UNCHANGED, "edgecolor": AFTER, "hatch": "..."},
    ),
    "still_wrong": ("stays wrong", {"facecolor": FAINT}),
    "worse": (
        "becomes wrong",
        {"facecolor": "white", "edgecolor": BEFORE, "hatch": "xxxx"},
    ),
}


class ActivationDisplay:
    """Plot the activation set, the queries that it corrects, and their outcome.

    The activation set holds the gallery items that the querybank retrieves. Queries
    whose top item is in the set are corrected; the others are not. If relevant items
    are given, the plot also shows how many queries become right or wrong. Use
    `from_estimator` or `from_predictions` to create a display.

    Parameters
    ----------
    activation_mask : ndarray of shape (n_gallery,), dtype bool
        Which items are in the activation set.
    best : ndarray of shape (n_queries,), dtype int64
        Top item of each query before the correction.
    right_before, right_after : ndarray of shape (n_queries,), dtype bool, default=None
        Whether the top item of each query is relevant before and after the correction.
        None if unknown.
    names : array-like of shape (n_gallery,), default=None
        Names of all gallery items; None for "item 0", "item 1" and so on.

    Attributes
    ----------
    counts_ : dict of str to int
        Counts that the bars show: ``n_gallery``, ``n_active`` items, ``n_queries``,
        ``n_corrected`` queries and, if relevant items are given, the queries that
        become ``better`` or ``worse`` and those ``still_right`` or ``still_wrong``.
    items_ : ndarray of int64
        Up to 3 items of the activation set that are the top item of most queries, in
        descending order. The plot names them.
    bars_ : list of matplotlib BarContainer
        Segments of the bars from left to right, those of the gallery first.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    sk_qbnorm.DynamicInvertedSoftmax : The dynamic normalizer of the paper.
    sk_qbnorm.DynamicNormalizer : The same activation set for other corrections.

    Notes
    -----
    A query is right if its top item is relevant; among equal scores the smallest index
    is the top item. `recall_at_k` counts ties as misses, so it may be lower. The text
    needs axes at least 5 inches wide.

    References
    ----------
    .. [1] Bogolin, Croitoru, Jin, Liu, Albanie. Cross Modal Retrieval with Querybank
       Normalisation. CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.00513, https://arxiv.org/abs/2112.12777.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.inspection import ActivationDisplay
    >>> data = load_emoji_names_hi_en()
    >>> normalizer = DynamicInvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> display = ActivationDisplay.from_estimator(normalizer, sims, data.relevant)
    >>> display.counts_["better"], display.counts_["worse"]
    (103, 13)
    """

    def __init__(
        self,
        activation_mask: NDArray,
        best: NDArray,
        right_before: NDArray | None = None,
        right_after: NDArray | None = None,
        *,
        names: ArrayLike | None = None,
    ) -> None:
        self.activation_mask = activation_mask
        self.best = best
        self.right_before = right_before
        self.right_after = right_after
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        queries: ArrayLike,
        relevant: Relevance | None = None,
        *,
        gallery_labels: ArrayLike | None = None,
        gallery_ids: ArrayLike | None = None,
        query_mask: ArrayLike | None = None,
        names: ArrayLike | None = None,
        ax: Any = None,
    ) -> Self:
        """Plot which queries a fitted dynamic normalizer corrects.

        Parameters
        ----------
        estimator : normalizer, QuerybankRetriever or Pipeline
            A fitted estimator whose normalizer has an ``activation_mask_``. Of a
            Pipeline, the first normalizer or retriever is used. With two banks, an
            item is active if it is active for one of them.
        queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
            Similarities for a normalizer, otherwise embeddings.
        relevant : array-like, list of array-like or sparse matrix, default=None
            The relevant items, in any form that `relevant_ranks` accepts.
        gallery_labels : array-like of shape (n_gallery,), default=None
            Class labels of the gallery, as in `relevant_ranks`.
        gallery_ids : array-like of shape (n_gallery,), default=None
            Names of the gallery items, as in `relevant_ranks`. None for the names of
            the estimator.
        query_mask : array-like of shape (n_queries,), default=None
            False for queries to leave out.
        names : array-like of shape (n_gallery,), default=None
            Names of all gallery items, such as the index of a frame. None for the
            column names of `queries` or the names seen in `fit`, if any.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.

        Returns
        -------
        display : ActivationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the estimator has no activation set, or the inputs do not match.
        ImportError
            If matplotlib is not installed.
        """
        results = BeforeAfter(estimator, queries)
        mask = _activation_mask(results.normalizer)
        if gallery_labels is None and gallery_ids is None:
            gallery_ids = results.gallery_names
        names = results.gallery_names if names is None else names
        top_items = [lists[:, 0] for lists in results.top_k(1)]
        known = gallery_labels, gallery_ids, query_mask
        return cls._from_top_items(mask, top_items, relevant, *known, names).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        activation_mask: ArrayLike,
        before: ArrayLike,
        after: ArrayLike | None = None,
        relevant: Relevance | None = None,
        *,
        gallery_labels: ArrayLike | None = None,
        gallery_ids: ArrayLike | None = None,
        query_mask: ArrayLike | None = None,
        names: ArrayLike | None = None,
        ax: Any = None,
    ) -> Self:
        """Plot which queries an activation set corrects, from scores.

        Parameters
        ----------
        activation_mask : array-like of bool of shape (n_gallery,)
            Which items are in the activation set.
        before : array-like of shape (n_queries, n_gallery)
            Raw similarities; larger is more similar.
        after : array-like of shape (n_queries, n_gallery), default=None
            Corrected scores; required with `relevant`.
        relevant : array-like, list of array-like or sparse matrix, default=None
            The relevant items, in any form that `relevant_ranks` accepts.
        gallery_labels : array-like of shape (n_gallery,), default=None
            Class labels of the gallery, as in `relevant_ranks`.
        gallery_ids : array-like of shape (n_gallery,), default=None
            Names of the gallery items, as in `relevant_ranks`.
        query_mask : array-like of shape (n_queries,), default=None
            False for queries to leave out.
        names : array-like of shape (n_gallery,), default=None
            Names of all gallery items, such as the index of a frame. None for the
            column names of `before`, if any.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.

        Returns
        -------
        display : ActivationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the inputs do not match.
        ImportError
            If matplotlib is not installed.
        """
        if relevant is not None and after is None:
            raise ValueError(
                "relevant was passed without after; pass the corrected scores as after "
                "to show outcomes."
            )
        if gallery_labels is None and gallery_ids is None:
            gallery_ids = column_names(before)
        names = column_names(before) if names is None else names
        raw = check_matrix(before, "before")
        corrected = raw if after is None else check_matrix(after, "after")
        mask = np.asarray(activation_mask)
        if corrected.shape != raw.shape or mask.shape != raw.shape[1:]:
            raise ValueError(
                "before and after must have the same shape, and activation_mask one "
                f"entry per column, got shapes {raw.shape}, {corrected.shape} and "
                f"{mask.shape}."
            )
        if not np.isin(mask, (0, 1)).all():
            raise ValueError(
                f"activation_mask must hold booleans, got dtype {mask.dtype}; compare "
                "activation counts with min_count."
            )
        top_items = [
            _kernels.best_items(scores, 1, count_threads(None))[1][:, 0]
            for scores in (raw, corrected)
        ]
        mask = mask.astype(bool)
        known = gallery_labels, gallery_ids, query_mask
        return cls._from_top_items(mask, top_items, relevant, *known, names).plot(ax)

    @classmethod
    def _from_top_items(
        cls, mask, top_items, relevant, gallery_labels, gallery_ids, query_mask, names
    ):
        """Create a display from the top item of each query before and after."""
        before, after = top_items
        kept = kept_queries(query_mask, before.size)
        if relevant is None:
            return cls(mask, before[kept], names=names)
        shape = before.size, mask.size
        indicator = relevant_items(relevant, shape, gallery_labels, gallery_ids, kept)
        before, after = before[kept], after[kept]
        queries = np.arange(before.size)
        top1_correct = (
            np.asarray(indicator[queries, items], dtype=bool).ravel()
            for items in (before, after)
        )
        return cls(mask, before, *top1_correct, names=names)

    def plot(self, ax: Any = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.

        Returns
        -------
        display : ActivationDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `names` does not have one entry per gallery item.
        ImportError
            If matplotlib is not installed.
        """
        has_outcomes = self.right_before is not None
        names = check_names(self.names, self.activation_mask.size)
        corrected = self.activation_mask[self.best]
        n_top = np.bincount(self.best, minlength=names.size) * self.activation_mask
        order = np.argsort(-n_top, kind="stable")
        self.items_ = order[: min(_N_NAMED, np.count_nonzero(n_top))]
        self.counts_ = {
            "n_gallery": names.size,
            "n_active": int(np.count_nonzero(self.activation_mask)),
            "n_queries": self.best.size,
            "n_corrected": int(np.count_nonzero(corrected)),
        }
        ax = get_axes(ax, (6.4, 4.4 if has_outcomes else 2.8), type(self).__name__)
        self.bars_ = _draw_activation(ax, **self.counts_)
        if self.items_.size:
            _draw_names(ax, text_of(names, self.items_, 20), n_top[self.items_])
        if has_outcomes:
            masks = _outcome_masks(self.right_before, self.right_after)
            self.counts_ |= {name: int(mask.sum()) for name, mask in masks.items()}
            self.bars_ += _draw_outcomes(ax, masks, corrected)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _activation_mask(normalizer):
    """Return the activation set of a normalizer, or of the one that it selected."""
    subject = type(normalizer).__name__
    while hasattr(normalizer, "best_estimator_"):
        normalizer = normalizer.best_estimator_
        subject = f"{subject} selected {normalizer!r}, which"
    mask = getattr(normalizer, "activation_mask_", None)
    if mask is None:
        which = "no query" if getattr(normalizer, "alpha", 1) == 0 else "every query"
        raise ValueError(
            f"{subject} corrects {which} and has no activation set; pass a dynamic "
            "normalizer such as DynamicInvertedSoftmax()."
        )
    return mask.any(axis=1) if mask.ndim == 2 else mask


def _outcome_masks(right_before, right_after):
    """Return a mask of queries for each outcome."""
    return {
        "better": ~right_before & right_after,
        "still_right": right_before & right_after,
        "still_wrong": ~right_before & ~right_after,
        "worse": right_before & ~right_after,
    }


def _draw_activation(ax, n_gallery, n_active, n_queries, n_corrected):
    """Draw the bars of the gallery and of the queries, each in two segments."""
    bars = []
    for y, n_first, n_all, first, second in (
        (_GALLERY, n_active, n_gallery, "in the activation set", "not in it"),
        (
            _QUERIES,
            n_corrected,
            n_queries,
            "corrected: best item in the set",
            "not corrected",
        ),
    ):
        share = 100 * n_first / n_all
        for label, count, start, width, color, x, side in (
            (first, n_first, 0, share, ACTIVE, 0, "left"),
            (second, n_all - n_first, share, 100 - share, FAINT, 100, "right"),
        ):
            bars.append(ax.barh(y, width, _HEIGHT, left=start, color=color))
            text = f"{label}: {count:,} ({width:.0f}%)"
            ax.text(x, y + _TEXT_OFFSET, text, ha=side, va="bottom", in_layout=False)
    top, bottom = _GALLERY - _HEIGHT / 2, _QUERIES + _HEIGHT / 2
    x = [0, 100 * n_active / n_gallery, 100 * n_corrected / n_queries, 0]
    ax.fill(x, [top, top, bottom, bottom], color=ACTIVE, alpha=0.15, linewidth=0)
    ax.set_yticks(
        [_GALLERY, _QUERIES],
        [f"{n_gallery:,}\ngallery items", f"{n_queries:,} queries,\nby best item"],
    )
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlim(0, 100)
    ax.set_ylim(_QUERIES - _HEIGHT, _GALLERY + 0.5)
    ax.set_xlabel("share, %")
    return bars


def _draw_names(ax, names, counts):
    """Write the names of items below the gallery, each with its count."""
    listed = [f"{name} ({n:,})" for name, n in zip(names, counts, strict=True)]
    ax.text(
        0.8,
        _GALLERY - _TEXT_OFFSET,
        f"best item of most queries:\n{', '.join(listed)}",
        va="top",
        size="small",
        parse_math=False,
        in_layout=False,
    )


def _draw_outcomes(ax, masks, corrected):
    """Draw the outcomes of the corrected queries, then those of the other queries."""
    bars, start = [], 0
    for group in (corrected, ~corrected):
        for outcome, mask in masks.items():
            width = 100 * np.count_nonzero(mask & group) / corrected.size
            style = {"left": start, "linewidth": 0, **_OUTCOMES[outcome][1]}
            bars.append(ax.barh(_RESULTS, width, _HEIGHT, **style))
            start += width
    edge = 100 * corrected.mean()
    y = [_RESULTS - _HEIGHT, _QUERIES - _HEIGHT / 2]
    ax.plot([edge, edge], y, color=REFERENCE, linestyle=":")
    share = {outcome: mask.mean() for outcome, mask in masks.items()}
    before = share["still_right"] + share["worse"]
    after = share["still_right"] + share["better"]
    text = f"first result right: {before:.1%} before, {after:.1%} after"
    ax.text(0, _RESULTS + _TEXT_OFFSET, text, va="bottom", in_layout=False)
    labels = [
        f"{_OUTCOMES[outcome][0]}: {mask.sum():,} ({share[outcome]:.1%})"
        for outcome, mask in masks.items()
    ]
    compact = {"ncols": 2, "columnspacing": 1, "handlelength": 1.5}
    draw_legend(ax, bars[: len(masks)], labels, loc="lower left", **compact)
    ticks = [label.get_text() for label in ax.get_yticklabels()]
    ax.set_yticks(
        [_GALLERY, _QUERIES, _RESULTS], [*ticks, "the queries,\nby first result"]
    )
    ax.set_ylim(-1.15, _GALLERY + 0.5)
    return bars
