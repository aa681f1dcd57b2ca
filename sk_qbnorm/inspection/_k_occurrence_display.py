"""How often items are retrieved: the whole distribution, with its tail."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from sk_qbnorm.metrics._occurrence import Retrieved

from ._before_and_after import counts_of, counts_of_estimator
from ._canvas import AFTER, BEFORE, REFERENCE, axes_of, draw_legend, plain_number


class KOccurrenceDisplay:
    r"""How many gallery items are retrieved how often, before and after a correction.

    A curve says how many items at least N queries retrieve. Its right end is the
    largest hub, its fall from 0 to 1 the items that are never retrieved. Both axes are
    logarithmic, so that a few hubs among a million items are seen as well as the rest.
    It is recommended to use `from_estimator` or `from_predictions` to create one.

    Parameters
    ----------
    before : ndarray of shape (n_gallery,), dtype int64
        The `k_occurrence` of every item without a correction, in [0, n_queries].
    after : ndarray of shape (n_gallery,), dtype int64, default=None
        The same with it.
    n_queries : int
        Number of queries.
    k : int, default=10
        Length of the lists that are counted.
    name : str, default="corrected"
        What the legend calls `after`.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The curves of `before` and, if given, `after`: over N, the number of items that
        at least N queries retrieve.
    reference_ : matplotlib Line2D
        The same by chance, where all items are equally likely to be retrieved.
    ax_ : matplotlib Axes
        What is drawn on.
    figure_ : matplotlib Figure
        What holds the axes.

    See Also
    --------
    sk_qbnorm.metrics.hubness_report : The same in numbers.
    HubsByNameDisplay : Which items the hubs are.

    Notes
    -----
    The curve is :math:`|\{j : N_j \ge N\}|` over N, with :math:`N_j` the
    k-occurrence of gallery item j. Where there are no hubs it is
    :math:`n P(B \ge N)` on average, with n items and B binomial, of as many draws as
    there are queries and the mean of `before`. What lies to the right of it are hubs.

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
    (np.int64(348), np.int64(82))
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
        """Draw what a fitted estimator does to the k-occurrence.

        Parameters
        ----------
        estimator : normalizer, QuerybankRetriever or Pipeline
            A fitted one. Of a Pipeline the first normalizer or retriever counts.
        queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
            What the estimator takes: similarities for a normalizer, else embeddings.
        k : int, default=10
            Length of the lists that are counted, in [1, n_gallery].
        name : str, default=None
            What the legend calls the corrected lists; None for the normalizer's class.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.

        Returns
        -------
        display : KOccurrenceDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If nothing in the estimator corrects, or it or `k` does not go with the
            queries.
        ImportError
            If matplotlib is not installed.
        """
        counts, n_queries, retrieval = counts_of_estimator(estimator, queries, k)
        name = retrieval.name if name is None else name
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
        """Draw the k-occurrence of one retrieval, or of two.

        Parameters
        ----------
        before : array-like or sparse matrix
            A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
            `k_occurrence`.
        after : array-like or sparse matrix, default=None
            The same for the same queries and gallery, corrected.
        k : int, default=10
            Length of the lists that are counted, as in `k_occurrence`.
        n_gallery : int, default=None
            Number of gallery items, for indices alone.
        name : str, default="corrected"
            What the legend calls `after`.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.

        Returns
        -------
        display : KOccurrenceDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If an input is refused by `k_occurrence`, or `before` and `after` are not of
            as many queries and gallery items.
        ImportError
            If matplotlib is not installed.
        """
        counts, n_queries = counts_of(before, after, k, n_gallery)
        return cls(*counts, n_queries=n_queries, k=k, name=name).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.

        Returns
        -------
        display : KOccurrenceDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_of(ax, (6.0, 4.0), type(self).__name__)
        n_gallery = self.before.size
        self.lines_ = [
            _draw(ax, self.before, "raw", color=BEFORE, linestyle="-", marker="o")
        ]
        if self.after is not None:
            style = {"color": AFTER, "linestyle": "--", "marker": "s"}
            self.lines_.append(_draw(ax, self.after, self.name, **style))
        (self.reference_,) = ax.plot(
            *_no_hubs(self.before.sum(), n_gallery, self.n_queries),
            color=REFERENCE,
            linestyle=":",
            linewidth=2,
            drawstyle="steps-pre",
            label="no hubs, by chance alone",
        )
        lines = [*self.lines_, self.reference_]
        _scale(ax, max(line.get_xdata()[-1] for line in lines), n_gallery)
        ax.set_xlabel(f"N, of {self.n_queries:,} queries")
        ax.set_ylabel(f"items in the first {self.k} of N queries or more")
        draw_legend(ax, loc="upper right")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _draw(ax, counts, name, **style):
    largest, never = counts.max(), np.mean(counts == 0)
    label = f"{name}: up to {largest:,}, {never:.0%} never"
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
        label=label,
        **style,
    )
    return line


def _no_hubs(n_retrieved, n_gallery, n_queries):
    """Return N, and how many items at least N queries retrieve by chance."""
    chance = n_retrieved / (n_gallery * n_queries)
    last = int(binom.isf(0.5 / n_gallery, n_queries, chance))
    queries = np.arange(last + 2)
    return queries, n_gallery * binom.sf(queries - 1, n_queries, chance)


def _scale(ax, largest, n_gallery):
    from matplotlib.ticker import MaxNLocator, SymmetricalLogLocator

    ax.set_yscale("log")
    height = np.log10(n_gallery / 0.6)
    ax.set_ylim(0.6, n_gallery * 10 ** (0.4 * height))  # the legend above the curves
    powers = 10 ** np.arange(int(np.log10(n_gallery)) + 1)
    between = np.outer(powers, np.arange(2, 10)).ravel()
    ax.set_yticks(powers)
    ax.set_yticks(between[between <= n_gallery], minor=True)
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
