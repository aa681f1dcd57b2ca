"""The worst hubs by name, and what becomes of them."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm._validation import check_choice, check_count, column_names
from sk_qbnorm.metrics._occurrence import Retrieved

from ._before_and_after import counts_of, counts_of_estimator
from ._canvas import AFTER, BEFORE, REFERENCE, axes_of, draw_legend
from ._names import check_names, writable

_ORDERS = ("before", "after")


class HubsByNameDisplay:
    """The gallery items that are retrieved most, by name, before and after.

    Each has a pair of bars. It is recommended to use `from_estimator` or
    `from_predictions` to create one.

    Parameters
    ----------
    before : ndarray of shape (n_gallery,), dtype int64
        The `k_occurrence` of every item without a correction, in [0, n_queries].
    after : ndarray of shape (n_gallery,), dtype int64, default=None
        The same with it.
    names : array-like of shape (n_gallery,), default=None
        Names of all gallery items; None for "item 0", "item 1" and so on.
    n_queries : int
        Number of queries.
    k : int, default=10
        Length of the lists that are counted.
    name : str, default="corrected"
        What the legend calls `after`.

    Attributes
    ----------
    items_ : ndarray of shape (n_hubs,), dtype int64
        The gallery items shown, the worst first.
    bars_ : list of matplotlib BarContainer
        The bars of `before` and, if given, `after`, in the order of `items_`.
    reference_ : matplotlib Line2D
        The mean k-occurrence of all items: what each would have if none were preferred.
    ax_ : matplotlib Axes
        What is drawn on.
    figure_ : matplotlib Figure
        What holds the axes.

    See Also
    --------
    KOccurrenceDisplay : All items, without names.
    sk_qbnorm.metrics.k_occurrence : The counts.

    Notes
    -----
    Names that the fonts of matplotlib's settings cannot write are written in another
    font of this machine that can; where there is none, the number of the item stands
    for its name. Install a font such as Noto Sans to see more of them.

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
        """Draw what a fitted estimator does to the worst hubs.

        Parameters
        ----------
        estimator : normalizer, QuerybankRetriever or Pipeline
            A fitted one. Of a Pipeline the first normalizer or retriever counts.
        queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
            What the estimator takes: similarities for a normalizer, else embeddings.
        names : array-like of shape (n_gallery,), default=None
            Names of all gallery items. None for the columns of `queries`, the
            normalizer's ``feature_names_in_`` or the index of a gallery, whichever
            there is.
        k : int, default=10
            Length of the lists that are counted, in [1, n_gallery].
        n_hubs : int, default=10
            How many hubs are shown, >= 1, or all items where there are fewer.
        by : {"before", "after"}, default="before"
            Whether the hubs are the worst without the correction or the worst with it.
        name : str, default=None
            What the legend calls the corrected lists; None for the normalizer's class.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.

        Returns
        -------
        display : HubsByNameDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If nothing in the estimator corrects, it does not go with the queries, or a
            parameter is out of range.
        ImportError
            If matplotlib is not installed.
        """
        counts, n_queries, retrieval = counts_of_estimator(estimator, queries, k)
        names = retrieval.gallery_names if names is None else names
        name = retrieval.name if name is None else name
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
        """Draw the worst hubs of one retrieval, or of two.

        Parameters
        ----------
        before : array-like or sparse matrix
            A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
            `k_occurrence`.
        after : array-like or sparse matrix, default=None
            The same for the same queries and gallery, corrected.
        names : array-like of shape (n_gallery,), default=None
            Names of all gallery items; None for the columns of a dataframe.
        k : int, default=10
            Length of the lists that are counted, as in `k_occurrence`.
        n_gallery : int, default=None
            Number of gallery items, for indices alone.
        n_hubs : int, default=10
            How many hubs are shown, >= 1, or all items where there are fewer.
        by : {"before", "after"}, default="before"
            Whether the hubs are the worst without the correction or the worst with it.
        name : str, default="corrected"
            What the legend calls `after`.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.

        Returns
        -------
        display : HubsByNameDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If an input is refused by `k_occurrence`, `before` and `after` are not of as
            many queries and gallery items, or a parameter is out of range.
        ImportError
            If matplotlib is not installed.
        """
        counts, n_queries = counts_of(before, after, k, n_gallery)
        if names is None and n_gallery is None:
            names = column_names(before)
        display = cls(*counts, names=names, n_queries=n_queries, k=k, name=name)
        return display.plot(ax, n_hubs=n_hubs, by=by)

    def plot(
        self,
        ax: Any = None,
        *,
        n_hubs: int = 10,
        by: str = "before",
        width: int = 28,
    ) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.
        n_hubs : int, default=10
            How many hubs are shown, >= 1, or all items where there are fewer.
        by : {"before", "after"}, default="before"
            Whether the hubs are the worst without the correction or the worst with it.
        width : int, default=28
            How many characters of a name are shown, >= 1.

        Returns
        -------
        display : HubsByNameDisplay
            The display itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, or there is no name for each item.
        ImportError
            If matplotlib is not installed.
        """
        n_hubs = min(check_count(n_hubs, "n_hubs"), self.before.size)
        check_count(width, "width")
        check_choice(by, "by", _ORDERS)
        counts = self.after if by == "after" else self.before
        if counts is None:
            raise ValueError(
                "by='after' needs what is retrieved after a correction, got None; pass "
                "after too."
            )
        all_names = check_names(self.names, self.before.size)
        ax = axes_of(ax, (6.4, 1.2 + 0.36 * n_hubs), type(self).__name__)
        self.items_ = np.argsort(-counts, kind="stable")[:n_hubs]
        sides = [("raw", self.before, {"facecolor": BEFORE})]
        if self.after is not None:
            style = {"facecolor": "white", "edgecolor": AFTER, "hatch": "////"}
            sides.append((self.name, self.after, style))
        height = 0.8 / len(sides)
        places = np.arange(n_hubs) - 0.4 + height / 2
        self.bars_ = []
        for label, side, style in sides:
            shown = side[self.items_]
            bars = ax.barh(places, shown, 0.9 * height, label=label, **style)
            ax.bar_label(bars, [f"{count:,}" for count in shown], padding=3, size=9)
            self.bars_.append(bars)
            places = places + height
        names, families = writable(all_names, self.items_, width)
        ax.set_yticks(np.arange(n_hubs), names, fontfamily=families, parse_math=False)
        ax.tick_params(axis="y", length=0)
        mean = self.before.mean()
        label = f"mean of all: {mean:.3g}"
        self.reference_ = ax.axvline(
            mean, color=REFERENCE, linestyle=":", linewidth=2, label=label
        )
        ax.margins(x=0.1)
        last = max(side[self.items_[-2:]].max() for _, side, _ in sides)
        crowded = last > 0.4 * counts.max()
        ax.set_ylim(n_hubs + (1.4 if crowded else -0.3), -0.6)  # the worst on top
        ax.set_xlabel(
            f"queries (of {self.n_queries:,}) with it in their first {self.k}"
        )
        draw_legend(ax, loc="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self
