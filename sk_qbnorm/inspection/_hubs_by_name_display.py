"""Plot the largest hubs by name."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm._validation import check_choice, check_count, column_names
from sk_qbnorm.metrics import Retrieved, k_occurrence_pair
from sk_qbnorm.model_selection import BeforeAfter

from ._axes import AFTER, BEFORE, REFERENCE, draw_legend, get_axes
from ._names import check_names, text_of


class HubsByNameDisplay:
    """Plot how often the largest hubs are retrieved, before and after a correction.

    Each hub has a pair of bars and its name. Use `from_estimator` or
    `from_predictions` to create a display.

    Parameters
    ----------
    before : ndarray of shape (n_gallery,), dtype int64
        The `k_occurrence` of every item before the correction, in [0, n_queries].
    after : ndarray of shape (n_gallery,), dtype int64, default=None
        The same after the correction.
    names : array-like of shape (n_gallery,), default=None
        Names of all gallery items; None for "item 0", "item 1" and so on.
    n_queries : int
        Number of queries.
    k : int, default=10
        Length of the counted lists.
    name : str, default="corrected"
        Legend label of `after`.

    Attributes
    ----------
    items_ : ndarray of shape (n_hubs,), dtype int64
        The gallery items in the plot, largest hub first.
    bars_ : list of matplotlib BarContainer
        Bars of `before` and, if given, `after`, in the order of `items_`.
    reference_ : matplotlib Line2D
        The mean k-occurrence of all items, which each would have without hubs.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    KOccurrenceDisplay : The distribution over all items.
    sk_qbnorm.metrics.k_occurrence : The counts.

    Notes
    -----
    If the fonts of matplotlib lack a character of a name, the plot shows the number of
    the item instead. Add a font that has it:
    ``plt.rcParams["font.family"] = ["sans-serif", "Noto Sans Devanagari"]``.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.inspection import HubsByNameDisplay
    >>> data = load_emoji_names_hi_en()
    >>> normalizer = DynamicInvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> display = HubsByNameDisplay.from_estimator(
    ...     normalizer, sims, names=data.gallery_text
    ... )
    >>> print(display.names[display.items_[0]])
    eight-spoked asterisk
    """

    def __init__(
        self,
        before: NDArray,
        after: NDArray | None = None,
        *,
        names: ArrayLike | None = None,
        n_queries: int,
        k: int = 10,
        name: str = "corrected",
    ) -> None:
        self.before = before
        self.after = after
        self.names = names
        self.n_queries = n_queries
        self.k = k
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        queries: ArrayLike,
        *,
        names: ArrayLike | None = None,
        k: int = 10,
        n_hubs: int = 10,
        by: str = "before",
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Plot the largest hubs before and after a fitted correction.

        Parameters
        ----------
        estimator : normalizer, QuerybankRetriever or Pipeline
            A fitted estimator; of a Pipeline, the first normalizer or retriever.
        queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
            Similarities for a normalizer, otherwise embeddings.
        names : array-like of shape (n_gallery,), default=None
            Names of all gallery items, such as the index of a frame. None for the
            column names of `queries` or the names seen in `fit`, if any.
        k : int, default=10
            Length of the lists to count, in [1, n_gallery].
        n_hubs : int, default=10
            Number of hubs in the plot, >= 1; all items if there are fewer.
        by : {"before", "after"}, default="before"
            Whether to rank hubs by their count before or after the correction.
        name : str, default=None
            Legend label of the corrected lists; None for the class of the normalizer.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.

        Returns
        -------
        display : HubsByNameDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the estimator has no normalizer, the inputs do not match, or a parameter
            is out of range.
        ImportError
            If matplotlib is not installed.
        """
        results = BeforeAfter(estimator, queries)
        before, after = results.top_k(k)
        counts, n_queries = k_occurrence_pair(before, after, k, results.n_gallery)
        names = results.gallery_names if names is None else names
        name = type(results.normalizer).__name__ if name is None else name
        display = cls(*counts, names=names, n_queries=n_queries, k=k, name=name)
        return display.plot(ax, n_hubs=n_hubs, by=by)

    @classmethod
    def from_predictions(
        cls,
        before: Retrieved,
        after: Retrieved | None = None,
        *,
        names: ArrayLike | None = None,
        k: int = 10,
        n_gallery: int | None = None,
        n_hubs: int = 10,
        by: str = "before",
        name: str = "corrected",
        ax: Any = None,
    ) -> Self:
        """Plot the largest hubs of retrieval results.

        Parameters
        ----------
        before : array-like or sparse matrix
            A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
            `k_occurrence`.
        after : array-like or sparse matrix, default=None
            Corrected results of the same queries and gallery.
        names : array-like of shape (n_gallery,), default=None
            Names of all gallery items, such as the index of a frame. None for the
            column names of a frame of scores, if any.
        k : int, default=10
            Length of the lists to count, as in `k_occurrence`.
        n_gallery : int, default=None
            Number of gallery items, only for indices.
        n_hubs : int, default=10
            Number of hubs in the plot, >= 1; all items if there are fewer.
        by : {"before", "after"}, default="before"
            Whether to rank hubs by their count before or after the correction.
        name : str, default="corrected"
            Legend label of `after`.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.

        Returns
        -------
        display : HubsByNameDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If `k_occurrence` rejects an input, `before` and `after` differ in the
            number of queries or gallery items, or a parameter is out of range.
        ImportError
            If matplotlib is not installed.
        """
        counts, n_queries = k_occurrence_pair(before, after, k, n_gallery)
        if names is None and n_gallery is None:
            names = column_names(before)
        display = cls(*counts, names=names, n_queries=n_queries, k=k, name=name)
        return display.plot(ax, n_hubs=n_hubs, by=by)

    def plot(
        self, ax: Any = None, *, n_hubs: int = 10, by: str = "before", width: int = 28
    ) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        n_hubs : int, default=10
            Number of hubs in the plot, >= 1; all items if there are fewer.
        by : {"before", "after"}, default="before"
            Whether to rank hubs by their count before or after the correction.
        width : int, default=28
            Maximum length of a name in columns, >= 1; wide characters take two.

        Returns
        -------
        display : HubsByNameDisplay
            The display itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, or `names` does not have one entry per
            gallery item.
        ImportError
            If matplotlib is not installed.
        """
        n_hubs = min(check_count(n_hubs, "n_hubs"), self.before.size)
        check_count(width, "width")
        check_choice(by, "by", ("before", "after"))
        counts = self.after if by == "after" else self.before
        if counts is None:
            raise ValueError(
                "by='after' ranks hubs by their count after the correction, but after "
                "is None; pass after too."
            )
        names = check_names(self.names, self.before.size)
        ax = get_axes(ax, (6.4, 1.2 + 0.36 * n_hubs), type(self).__name__)
        self.items_ = np.argsort(-counts, kind="stable")[:n_hubs]
        series = [("raw", self.before, {"facecolor": BEFORE})]
        if self.after is not None:
            style = {"facecolor": "white", "edgecolor": AFTER, "hatch": "////"}
            series.append((self.name, self.after, style))
        height = 0.8 / len(series)
        y = np.arange(n_hubs) - 0.4 + height / 2
        self.bars_ = []
        for label, occurrence, style in series:
            shown = occurrence[self.items_]
            bars = ax.barh(y, shown, 0.9 * height, label=label, **style)
            ax.bar_label(bars, [f"{count:,}" for count in shown], padding=3, size=9)
            self.bars_.append(bars)
            y = y + height
        labels = text_of(names, self.items_, width)
        ax.set_yticks(np.arange(n_hubs), labels, parse_math=False)
        ax.tick_params(axis="y", length=0)
        mean = self.before.mean()
        label = f"mean of all: {mean:.3g}"
        self.reference_ = ax.axvline(
            mean, color=REFERENCE, linestyle=":", linewidth=2, label=label
        )
        ax.margins(x=0.1)
        last = max(shown[self.items_[-2:]].max() for _, shown, _ in series)
        needs_space = last > 0.4 * counts.max()  # for the legend
        ax.set_ylim(n_hubs + (1.4 if needs_space else -0.3), -0.6)
        ax.set_xlabel(
            f"queries (of {self.n_queries:,}) with the item in their top {self.k}"
        )
        draw_legend(ax, loc="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self
