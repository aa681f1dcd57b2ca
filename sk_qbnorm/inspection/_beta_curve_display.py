"""Plot recall over beta, or over another parameter."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any, Self

from numpy.typing import ArrayLike, NDArray

from sk_qbnorm.metrics import Relevance
from sk_qbnorm.model_selection import beta_curve, recall_curve

from ._axes import AFTER, BEFORE, REFERENCE, draw_legend, get_axes, plain_number

_AXIS_LABELS = {
    "beta": "beta, inverse temperature",
    "alpha": "alpha, strength of the correction",
}


class BetaCurveDisplay:
    """Plot recall at k over beta, or another parameter, with a confidence band.

    The band is the interval of the gain over raw similarities on the same queries. If
    it does not touch the line of the raw recall, the difference is more than noise. Use
    `from_estimator` or `from_predictions` to create a display, or pass the result of
    `beta_curve`: ``BetaCurveDisplay(**curve).plot()``.

    Parameters
    ----------
    param_range : ndarray of shape (n_values,)
        Values of the parameter, ascending.
    recall : ndarray of shape (n_values,)
        Recall at k with each value, in [0, 1].
    low, high : ndarray of shape (n_values,)
        Ends of the band: the raw recall plus the ends of the interval of the gain.
    raw : float
        Recall without correction, in [0, 1].
    param_name : str, default="beta"
        Name of the parameter.
    k : int, default=1
        Number of top items for recall.
    confidence_level : float, default=0.95
        Share of the resamples inside an interval, in (0, 1).
    present : float, default=None
        Value that the estimator has. It is marked if it is a number in the range.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve, in percent.
    band_ : matplotlib PolyCollection
        The confidence band.
    raw_line_ : matplotlib Line2D
        The recall without correction.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    sk_qbnorm.model_selection.beta_curve : The numbers of this plot.
    sk_qbnorm.metrics.paired_bootstrap_report : The gain for a single value.
    sklearn.model_selection.ValidationCurveDisplay : A similar plot, cross-validated.

    Notes
    -----
    The intervals are those of `paired_bootstrap_report`. All values share the same
    resamples, and each interval describes one value. The maximum of the curve is too
    optimistic, as it was chosen on these queries. Choose the value on other queries
    than those that you report.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.inspection import BetaCurveDisplay
    >>> data = load_emoji_names_hi_en()
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> display = BetaCurveDisplay.from_estimator(
    ...     DynamicInvertedSoftmax(), data.bank_queries, data.gallery, sims,
    ...     data.relevant, param_range=[2, 20, 100], random_state=0,
    ... )
    >>> display.raw, display.recall.round(3)
    (0.483..., array([0.615, 0.615, 0.637]))
    """

    def __init__(
        self,
        *,
        param_range: NDArray,
        recall: NDArray,
        low: NDArray,
        high: NDArray,
        raw: float,
        param_name: str = "beta",
        k: int = 1,
        confidence_level: float = 0.95,
        present: float | None = None,
    ) -> None:
        self.param_range = param_range
        self.recall = recall
        self.low = low
        self.high = high
        self.raw = raw
        self.param_name = param_name
        self.k = k
        self.confidence_level = confidence_level
        self.present = present

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        querybank: ArrayLike,
        gallery: ArrayLike | None,
        queries: ArrayLike,
        relevant: Relevance,
        *,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Compute `beta_curve` and plot it.

        Parameters
        ----------
        estimator : normalizer, QuerybankRetriever or Pipeline
            A clone is fitted for each value.
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            First argument of `fit`; not an iterator.
        gallery : array-like of shape (n_gallery, n_features) or None
            Second argument of `fit`: None for a Pipeline and for similarities.
        queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
            Similarities for a normalizer, otherwise embeddings.
        relevant : array-like, list of array-like or sparse matrix
            The relevant items, in any form that `relevant_ranks` accepts.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **options : dict
            Other keyword arguments of `beta_curve`, such as `param_name`,
            `param_range`, `k` and `random_state`.

        Returns
        -------
        display : BetaCurveDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If `beta_curve` rejects an input.
        ImportError
            If matplotlib is not installed.
        """
        curve = beta_curve(estimator, querybank, gallery, queries, relevant, **options)
        return cls(**curve).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        relevant: Relevance,
        before: ArrayLike,
        after: Iterable[ArrayLike],
        *,
        param_range: ArrayLike,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Plot the recall of scores that were corrected with each value.

        Parameters
        ----------
        relevant : array-like, list of array-like or sparse matrix
            The relevant items, in any form that `relevant_ranks` accepts.
        before : array-like of shape (n_queries, n_gallery)
            Raw similarities of at least 2 queries; larger is better.
        after : iterable of array-like of shape (n_queries, n_gallery)
            Corrected scores for each value of `param_range`. Pass a generator to have
            one matrix in memory at a time.
        param_range : array-like of shape (n_values,)
            Values of the parameter: numbers in ascending order.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **options : dict
            `present`, a value to mark, and other keyword arguments as in `beta_curve`:
            `param_name`, `k`, `n_resamples`, `confidence_level`, `random_state`,
            `gallery_labels`, `gallery_ids`, `query_mask` and `ties`.

        Returns
        -------
        display : BetaCurveDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the inputs do not match, or a parameter is out of range.
        ImportError
            If matplotlib is not installed.
        """
        options = {"param_range": param_range, **options}
        curve = recall_curve(relevant, before, after, **options)
        return cls(**curve).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.

        Returns
        -------
        display : BetaCurveDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = get_axes(ax, (6.0, 4.0), type(self).__name__)
        values, kind = self.param_range, self.param_name.rpartition("__")[2]
        first, last = values[0], values[-1]
        self.band_ = ax.fill_between(
            values,
            100 * self.low,
            100 * self.high,
            color=AFTER,
            alpha=0.2,
            linewidth=0,
            label=f"{100 * self.confidence_level:.4g}% interval of the gain over raw",
        )
        style = {"color": AFTER, "marker": "o", "markersize": 4, "linewidth": 2}
        (self.line_,) = ax.plot(values, 100 * self.recall, **style, label="corrected")
        style = {"color": BEFORE, "linestyle": "--", "linewidth": 2}
        self.raw_line_ = ax.axhline(100 * self.raw, **style, label="raw")
        if first > 0 and last >= 20 * first:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(plain_number)
        bottom, top = ax.get_ylim()
        ax.set_ylim(bottom - 0.4 * (top - bottom), top)  # space for the legend
        if isinstance(self.present, Real) and first <= self.present <= last:
            label = f"{kind} = {self.present:g} (current)"
            style = {"color": REFERENCE, "linestyle": ":", "label": label}
            ax.axvline(self.present, ymin=0.3, **style)
        draw_legend(ax, loc="lower left")
        ax.set_xlabel(_AXIS_LABELS.get(kind, kind))
        ax.set_ylabel(f"recall at {self.k}, % of queries")
        self.ax_, self.figure_ = ax, ax.figure
        return self
