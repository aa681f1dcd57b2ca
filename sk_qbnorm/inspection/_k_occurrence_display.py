"""Plot the distribution of the k-occurrence."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from sk_qbnorm.metrics import Retrieved, k_occurrence_pair
from sk_qbnorm.model_selection import BeforeAfter

from ._axes import AFTER, BEFORE, REFERENCE, draw_legend, get_axes, plain_number


class KOccurrenceDisplay:
    r"""Plot how many items are retrieved how often, before and after a correction.

    The curve shows how many items are retrieved by at least N queries. Its right end is
    the largest hub; its drop from 0 to 1 the items that are never retrieved. Both axes
    are logarithmic, which shows a few hubs among a million items as well as the rest.
    Use `from_estimator` or `from_predictions` to create a display.

    Parameters
    ----------
    before : ndarray of shape (n_gallery,), dtype int64
        The `k_occurrence` of every item before the correction, in [0, n_queries].
    after : ndarray of shape (n_gallery,), dtype int64, default=None
        The same after the correction.
    n_queries : int
        Number of queries.
    k : int, default=10
        Length of the counted lists.
    name : str, default="corrected"
        Legend label of `after`.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        Curves of `before` and, if given, `after`: the number of items that at least N
        queries retrieve, over N.
    reference_ : matplotlib Line2D
        The curve expected by chance, if all items are equally likely to be retrieved.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    sk_qbnorm.metrics.hubness_report : Hubness in numbers.
    HubsByNameDisplay : The largest hubs by name.

    Notes
    -----
    The curve is :math:`|\{j : N_j \ge N\}|` over N, with :math:`N_j` the k-occurrence
    of gallery item j. Without hubs it is :math:`n P(B \ge N)` on average, for n items
    and B binomial with one trial per query and the mean of `before`. Items to the right
    of that reference are hubs.

    References
    ----------
    .. [1] Clauset, Shalizi, Newman. Power-Law Distributions in Empirical Data. SIAM
       Review 51, 2009, on how to draw such a tail,
       https://doi.org/10.1137/070710111.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.inspection import KOccurrenceDisplay
    >>> data = load_emoji_names_hi_en()
    >>> normalizer = DynamicInvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> display = KOccurrenceDisplay.from_estimator(normalizer, sims)
    >>> display.before.max(), display.after.max()
    (np.int64(348), np.int64(85))
    """

    def __init__(
        self,
        before: NDArray,
        after: NDArray | None = None,
        *,
        n_queries: int,
        k: int = 10,
        name: str = "corrected",
    ) -> None:
        self.before = before
        self.after = after
        self.n_queries = n_queries
        self.k = k
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        queries: ArrayLike,
        *,
        k: int = 10,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Plot the k-occurrence before and after a fitted correction.

        Parameters
        ----------
        estimator : normalizer, QuerybankRetriever or Pipeline
            A fitted estimator; of a Pipeline, the first normalizer or retriever.
        queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
            Similarities for a normalizer, otherwise embeddings.
        k : int, default=10
            Length of the lists to count, in [1, n_gallery].
        name : str, default=None
            Legend label of the corrected lists; None for the class of the normalizer.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.

        Returns
        -------
        display : KOccurrenceDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the estimator has no normalizer, the inputs do not match, or `k` is out
            of range.
        ImportError
            If matplotlib is not installed.
        """
        results = BeforeAfter(estimator, queries)
        before, after = results.top_k(k)
        counts, n_queries = k_occurrence_pair(before, after, k, results.n_gallery)
        name = type(results.normalizer).__name__ if name is None else name
        return cls(*counts, n_queries=n_queries, k=k, name=name).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        before: Retrieved,
        after: Retrieved | None = None,
        *,
        k: int = 10,
        n_gallery: int | None = None,
        name: str = "corrected",
        ax: Any = None,
    ) -> Self:
        """Plot the k-occurrence of retrieval results.

        Parameters
        ----------
        before : array-like or sparse matrix
            A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
            `k_occurrence`.
        after : array-like or sparse matrix, default=None
            Corrected results of the same queries and gallery.
        k : int, default=10
            Length of the lists to count, as in `k_occurrence`.
        n_gallery : int, default=None
            Number of gallery items, only for indices.
        name : str, default="corrected"
            Legend label of `after`.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.

        Returns
        -------
        display : KOccurrenceDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If `k_occurrence` rejects an input, or `before` and `after` differ in the
            number of queries or gallery items.
        ImportError
            If matplotlib is not installed.
        """
        counts, n_queries = k_occurrence_pair(before, after, k, n_gallery)
        return cls(*counts, n_queries=n_queries, k=k, name=name).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.

        Returns
        -------
        display : KOccurrenceDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = get_axes(ax, (6.0, 4.0), type(self).__name__)
        style = {"color": BEFORE, "linestyle": "-", "marker": "o"}
        self.lines_ = [_draw_curve(ax, self.before, "raw", **style)]
        if self.after is not None:
            style = {"color": AFTER, "linestyle": "--", "marker": "s"}
            self.lines_.append(_draw_curve(ax, self.after, self.name, **style))
        (self.reference_,) = ax.plot(
            *_expected_by_chance(self.before, self.n_queries),
            color=REFERENCE,
            linestyle=":",
            linewidth=2,
            drawstyle="steps-pre",
            label="no hubs, by chance alone",
        )
        lines = [*self.lines_, self.reference_]
        largest = max(line.get_xdata()[-1] for line in lines)
        _set_scales(ax, largest, self.before.size)
        ax.set_xlabel(f"N, of {self.n_queries:,} queries")
        ax.set_ylabel(f"items in the top {self.k} of at least N queries")
        draw_legend(ax, loc="upper right")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _draw_curve(ax, counts, name, **style):
    largest, never = counts.max(), np.mean(counts == 0)
    ordered = np.sort(counts)
    steps = np.union1d(0, ordered)
    items = counts.size - np.searchsorted(ordered, steps)
    (line,) = ax.plot(
        steps,
        items,
        drawstyle="steps-pre",
        linewidth=2,
        markevery=[-1],  # the largest hub
        markersize=7,
        label=f"{name}: up to {largest:,}, {never:.0%} never",
        **style,
    )
    return line


def _expected_by_chance(counts, n_queries):
    """Return N, and the expected number of items that at least N queries retrieve."""
    chance = counts.sum() / (counts.size * n_queries)
    last = int(binom.isf(0.5 / counts.size, n_queries, chance))
    steps = np.arange(last + 2)
    return steps, counts.size * binom.sf(steps - 1, n_queries, chance)


def _set_scales(ax, largest, n_gallery):
    from matplotlib.ticker import MaxNLocator, SymmetricalLogLocator

    ax.set_yscale("log")
    height = np.log10(n_gallery / 0.6)
    ax.set_ylim(0.6, n_gallery * 10 ** (0.4 * height))  # space for the legend
    powers = 10 ** np.arange(int(np.log10(n_gallery)) + 1)
    minor = np.outer(powers, np.arange(2, 10)).ravel()
    ax.set_yticks(powers)
    ax.set_yticks(minor[minor <= n_gallery], minor=True)
    ax.yaxis.set_major_formatter(plain_number)
    ax.yaxis.set_minor_formatter("")
    if largest > 20:
        ax.set_xscale("symlog", linthresh=1, linscale=0.4)
        ticks = {"base": 10, "linthresh": 1}
        ax.xaxis.set_minor_locator(SymmetricalLogLocator(subs=range(2, 10), **ticks))
        ax.xaxis.set_major_formatter(plain_number)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(-0.1, 1.2 * largest)
