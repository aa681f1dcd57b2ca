"""Recall as a function of beta, or of another parameter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import clone

from sk_qbnorm._arrays import to_numpy
from sk_qbnorm._validation import check_count
from sk_qbnorm.metrics import (
    QueryBootstrap,
    Relevance,
    check_same_shape,
    relevant_ranks,
    warn_of_large_k,
)

from ._before_after import BeforeAfter

_ALPHAS = np.linspace(0, 1.5, 13)
_BETA_FACTORS = np.geomspace(1 / 16, 16, 13)  # of the value that "scale" gives


def beta_curve(
    estimator: Any,
    querybank: ArrayLike,
    gallery: ArrayLike | None,
    queries: ArrayLike,
    relevant: Relevance,
    *,
    param_name: str = "beta",
    param_range: ArrayLike | None = None,
    k: int = 1,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Fit with each value of beta, or another parameter, and compute recall.

    Parameters
    ----------
    estimator : normalizer, QuerybankRetriever or Pipeline
        A clone is fitted for each value.
    querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
        First argument of `fit`; not an iterator.
    gallery : array-like of shape (n_gallery, n_features) or None
        Second argument of `fit`: None for a Pipeline and for similarities.
    queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
        At least 2 labeled queries: similarities for a normalizer, otherwise embeddings.
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` accepts.
    param_name : str, default="beta"
        Parameter to vary, such as ``"normalizer__beta"`` of a retriever.
    param_range : array-like of shape (n_values,), default=None
        Its values: numbers in ascending order. None means 13 values from 0 to 1.5 for
        an alpha. For a beta it means 13 values from 1/16 to 16 times the value that
        ``"scale"`` gives, which takes one more fit.
    k : int, default=1
        Number of top items for recall, >= 1.
    n_resamples : int, default=1000
        Number of resamples, as in `paired_bootstrap_report`.
    confidence_level : float, default=0.95
        Share of the resamples inside an interval, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Seed of the resamples; pass an int for reproducible intervals.
    **options : dict
        `gallery_labels`, `gallery_ids`, `query_mask` and `ties`, as in
        `relevant_ranks`. Without `gallery_ids`, the names that the estimator learned
        are used.

    Returns
    -------
    curve : dict
        The keyword arguments of `BetaCurveDisplay`. ``recall``, ``low`` and ``high``
        are arrays of shape (n_values,): the recall with each value, and the raw recall
        plus the ends of the confidence interval of the gain. ``raw`` is the recall
        without correction, ``param_range`` the values, ``present`` the value that
        `estimator` has; for a beta of ``"scale"``, the number that ``"scale"`` gives.
        ``param_name``, ``k`` and ``confidence_level`` are as passed.

    Raises
    ------
    ValueError
        If the estimator has no normalizer, the inputs do not match, or a parameter is
        out of range.

    See Also
    --------
    sk_qbnorm.inspection.BetaCurveDisplay : Plots the curve.
    NormalizerSearch : Chooses a normalizer and its parameters with labeled queries.
    sk_qbnorm.metrics.paired_bootstrap_report : The gain for a single value.

    Notes
    -----
    The scores of one fit are in memory at a time. All values share the same resamples
    of the queries, so the intervals do not jump from value to value. Each interval
    describes one value; together they are no confidence band. The warnings of `fit`
    about a beta that is small or large for the similarities are not shown.

    The maximum of the curve is too optimistic, as it was chosen on these queries.
    Choose the value on other queries than those that you report.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.model_selection import beta_curve
    >>> data = load_emoji_names_hi_en()
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> curve = beta_curve(
    ...     DynamicInvertedSoftmax(), data.bank_queries, data.gallery, sims,
    ...     data.relevant, param_range=[2, 20, 100], random_state=0,
    ... )
    >>> curve["raw"], curve["recall"].round(3)
    (0.483..., array([0.615, 0.615, 0.637]))
    """
    if isinstance(querybank, Iterator) or isinstance(gallery, Iterator):
        raise ValueError(
            "querybank and gallery must be matrices, got an iterator, but each value "
            "of param_range needs a fit of its own; pass a matrix or a numpy.memmap."
        )

    def fit(value):
        fitted = clone(estimator).set_params(**{param_name: value})
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"\w*beta\w*=")
            return fitted.fit(querybank, gallery)

    present = estimator.get_params().get(param_name)
    kind = param_name.rpartition("__")[2]
    if kind == "beta" and (param_range is None or present == "scale"):
        scale = _learned_value(fit("scale"), param_name)
        present = scale if present == "scale" else present
        param_range = scale * _BETA_FACTORS if param_range is None else param_range
    if param_range is None and kind == "alpha":
        param_range = _ALPHAS
    if param_range is None:
        raise ValueError(
            f"param_range=None has no default for param_name={param_name!r}; pass "
            "the values to try."
        )
    values = _check_values(param_range)
    fits = (BeforeAfter(fit(value), queries) for value in values.tolist())
    first = next(fits)
    if not options.keys() & {"gallery_labels", "gallery_ids"}:
        options["gallery_ids"] = first.gallery_names
    return recall_curve(
        relevant,
        first.scores_before(),
        (results.scores_after() for results in chain([first], fits)),
        param_range=values,
        param_name=param_name,
        k=k,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=random_state,
        present=present,
        **options,
    )


def _learned_value(fitted, param_name):
    """Return what a fitted estimator, or a nested one, has learned for a parameter."""
    *path, name = param_name.split("__")
    for part in path:
        learned = getattr(fitted, f"{part}_", None)
        fitted = fitted.get_params()[part] if learned is None else learned
    return getattr(fitted, f"{name}_")


def recall_curve(
    relevant,
    before,
    after,
    *,
    param_range,
    param_name="beta",
    k=1,
    n_resamples=1000,
    confidence_level=0.95,
    random_state=None,
    present=None,
    **options,
):
    """Compute the curve of `beta_curve` from raw scores and those for each value.

    Parameters
    ----------
    relevant : in any form that `relevant_ranks` accepts
    before : array-like of shape (n_queries, n_gallery)
    after : iterable of array-like of shape (n_queries, n_gallery)
        One matrix per value of `param_range`.
    param_range, param_name, k, n_resamples, confidence_level, random_state, present
        As in `beta_curve` and its result.
    **options : dict
        Keyword arguments of `relevant_ranks`.

    Returns
    -------
    curve : dict
    """
    values = _check_values(param_range)
    check_count(k, "k")

    def hits(scores):
        return relevant_ranks(relevant, to_numpy(scores), **options) <= k

    hits_before = hits(before)
    gains = []
    for scores in after:
        check_same_shape(before, scores)
        gains.append(hits(scores).astype(np.int8) - hits_before)
    if len(gains) != values.size:
        raise ValueError(
            "after must have one score matrix per value of param_range, expected "
            f"{values.size}, got {len(gains)}."
        )

    def mean_gains(queries):
        return {place: gain[queries].mean(axis=-1) for place, gain in enumerate(gains)}

    bootstrap = QueryBootstrap(hits_before.size, n_resamples, random_state)
    report = bootstrap.intervals(mean_gains, confidence_level).values()
    raw = float(hits_before.mean())
    warn_of_large_k(k, np.shape(before)[1])
    return {
        "param_range": values,
        "recall": raw + np.array([gain["value"] for gain in report]),
        "low": raw + np.array([gain["low"] for gain in report]),
        "high": raw + np.array([gain["high"] for gain in report]),
        "raw": raw,
        "param_name": param_name,
        "k": k,
        "confidence_level": confidence_level,
        "present": present,
    }


def _check_values(param_range):
    """Return the values as an array of ascending numbers."""
    values = np.asarray(param_range)
    numeric = values.dtype.kind in "iuf" and values.ndim == 1 and values.size > 0
    if not (numeric and np.isfinite(values).all() and (np.diff(values) > 0).all()):
        raise ValueError(
            "param_range must hold finite numbers in ascending order, got "
            f"{param_range!r}; pass values such as [5, 10, 20, 40]."
        )
    return values
