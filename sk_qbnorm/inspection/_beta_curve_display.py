"""Recall against the strength of a correction, and how sure it is."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm._validation import check_count
from sk_qbnorm.metrics import Relevance, relevant_ranks
from sk_qbnorm.metrics._recall import warn_of_large_k

from ._canvas import axes_of
from ._curve import draw_curve, mark_present
from ._recall_curve import check_values, recall_curve, usual_values
from ._retrieval import scores_of_fits

_MEANINGS = {
    "beta": "beta, inverse temperature",
    "alpha": "alpha, strength of the correction",
}


class BetaCurveDisplay:
    """Recall at k over beta, or another parameter, with its confidence band.

    The band is that of the gain over the raw similarities on the same queries: where it
    is clear of the line of the raw recall, the difference is more than noise. Create
    one with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    param_range : ndarray of shape (n_values,)
        The values of the parameter, ascending.
    recall : ndarray of shape (n_values,)
        The recall at k with each of them, in [0, 1].
    low, high : ndarray of shape (n_values,)
        The ends of the band: the raw recall plus the ends of the interval of the gain.
    raw : float
        The recall without a correction, in [0, 1].
    param_name : str, default="beta"
        Name of the parameter.
    k : int, default=1
        How many items are looked at.
    confidence_level : float, default=0.95
        Share of the resamples that lie in an interval, in (0, 1).
    present : float, default=None
        The value that the estimator has, which is marked if it is a number.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve, in percent.
    band_ : matplotlib PolyCollection
        The confidence band.
    raw_line_ : matplotlib Line2D
        The recall without a correction.
    ax_ : matplotlib Axes
        What is drawn on.
    figure_ : matplotlib Figure
        What holds the axes.

    See Also
    --------
    sk_qbnorm.metrics.paired_bootstrap_report : The gain with one value, in numbers.
    sklearn.model_selection.ValidationCurveDisplay : The same by cross-validation.

    Notes
    -----
    The intervals are those of `paired_bootstrap_report`, pointwise and of the same
    resamples for all values. The highest point of a curve on few queries promises too
    much: it was chosen on them. Choose the value on other queries than those that you
    report.

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
        param_name: str = "beta",
        param_range: ArrayLike | None = None,
        k: int = 1,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Fit with each value of a parameter, and draw the recall.

        Parameters
        ----------
        estimator : normalizer, QuerybankRetriever or Pipeline
            What to fit: a clone for each value, of which all scores are held.
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            What `fit` takes first, but for an iterator.
        gallery : array-like of shape (n_gallery, n_features) or None
            What `fit` takes next: None for a Pipeline and for ``metric="precomputed"``.
        queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
            What the estimator is then given: similarities for a normalizer, else
            embeddings.
        relevant : array-like, list of array-like or sparse matrix
            The relevant items, in any form that `relevant_ranks` takes.
        param_name : str, default="beta"
            Which parameter is varied, of the normalizer, such as
            ``"normalizer__beta"`` for that of a retriever.
        param_range : array-like of shape (n_values,), default=None
            Its values, numbers. None for 13 values from 1 to 1000 of a beta, which is
            for cosines, or from 0 to 1.5 of an alpha.
        k : int, default=1
            How many items are looked at, >= 1.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.
        **options : dict
            Other keywords of `from_predictions`, such as `random_state`, and of
            `relevant_ranks`.

        Returns
        -------
        display : BetaCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If nothing in the estimator corrects, it does not go with the data, or a
            parameter is out of range.
        ImportError
            If matplotlib is not installed.
        """
        values = usual_values(param_name) if param_range is None else param_range
        scores = scores_of_fits(
            estimator, querybank, gallery, queries, param_name, check_values(values)
        )
        return cls.from_predictions(
            relevant,
            next(scores),
            scores,
            param_range=values,
            param_name=param_name,
            k=k,
            present=estimator.get_params().get(param_name),
            ax=ax,
            **options,
        )

    @classmethod
    def from_predictions(
        cls,
        relevant: Relevance,
        before: ArrayLike,
        after: Iterable[ArrayLike],
        *,
        param_range: ArrayLike,
        param_name: str = "beta",
        k: int = 1,
        n_resamples: int = 1000,
        confidence_level: float = 0.95,
        random_state: int | RandomState | None = None,
        present: float | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the recall of scores that were corrected with each value.

        Parameters
        ----------
        relevant : array-like, list of array-like or sparse matrix
            The relevant items, in any form that `relevant_ranks` takes.
        before : array-like of shape (n_queries, n_gallery)
            Raw similarities, larger for better, of 2 queries or more.
        after : iterable of array-like of shape (n_queries, n_gallery)
            The corrected scores for each of `param_range`; of a generator one is held
            at a time.
        param_range : array-like of shape (n_values,)
            The values of the parameter, ascending numbers.
        param_name : str, default="beta"
            Name of the parameter.
        k : int, default=1
            How many items are looked at, >= 1.
        n_resamples : int, default=1000
            As in `paired_bootstrap_report`.
        confidence_level : float, default=0.95
            Share of the resamples that lie in an interval, in (0, 1).
        random_state : int, RandomState instance or None, default=None
            What the draws are made from; an int for the same band at every call.
        present : float, default=None
            A value to mark.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.
        **options : dict
            Keywords of `relevant_ranks`: `gallery_labels`, `query_mask` and `ties`.

        Returns
        -------
        display : BetaCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the inputs do not match, or a parameter is out of range.
        ImportError
            If matplotlib is not installed.
        """
        values = check_values(param_range)
        check_count(k, "k")

        def hits(scores):
            return relevant_ranks(relevant, scores, **options) <= k

        sampling = n_resamples, confidence_level, random_state
        curve = recall_curve(hits, before, after, values.size, *sampling)
        warn_of_large_k(k, np.shape(before)[1])
        display = cls(
            **curve,
            param_range=values,
            param_name=param_name,
            k=k,
            confidence_level=confidence_level,
            present=present,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.

        Returns
        -------
        display : BetaCurveDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_of(ax, (6.0, 4.0), type(self).__name__)
        self.line_, self.band_, self.raw_line_ = draw_curve(
            ax,
            self.param_range,
            100 * np.array([self.recall, self.low, self.high]),
            100 * self.raw,
            f"{100 * self.confidence_level:.4g}% interval of the gain over raw",
        )
        kind = self.param_name.rpartition("__")[2]
        mark_present(ax, kind, self.present, self.param_range)
        ax.set_xlabel(_MEANINGS.get(kind, kind))
        ax.set_ylabel(f"recall at {self.k}, % of queries")
        self.ax_, self.figure_ = ax, ax.figure
        return self
