"""Confidence intervals of retrieval measures: bootstrap over queries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state, gen_batches

from sk_qbnorm._validation import (
    check_choice,
    check_count,
    check_number,
    check_unmasked,
)

from ._frame import as_table
from ._ranks import TIES
from ._recall import RECALL_AT, warn_of_large_k
from ._relevance import Relevance, check_relevance, kept_queries
from ._report import average_over_queries, results_per_query

_BLOCK = 2**20  # drawn queries in memory at once, over all resamples


def bootstrap_report(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    ties: str = "average",
    as_frame: bool = False,
) -> Any:
    """Compute all retrieval measures with bootstrap confidence intervals.

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` accepts.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores of at least 2 queries; larger is better.
    n_resamples : int, default=1000
        Number of resamples, >= 1. Each draws n_queries queries with replacement.
    confidence_level : float, default=0.95
        Share of the resamples inside an interval, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Seed of the resamples; pass an int for reproducible intervals.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
    groups : array-like of shape (n_queries,), default=None
        Group label of each query, such as the image that a caption describes. The
        queries of a group are drawn together. None draws each query separately.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        As in `retrieval_report`.
    as_frame : bool, default=False
        Whether to return a DataFrame. Requires pandas.

    Returns
    -------
    report : dict of str to dict, or DataFrame
        For each measure of `retrieval_report` its ``value`` and the ends of the
        interval, ``low`` and ``high``, as floats. A DataFrame has one row per measure.

    Raises
    ------
    ValueError
        If the inputs do not match, a query has no relevant item, there is only one
        query or group, or a parameter is out of range.
    ImportError
        If `as_frame` is True and pandas is not installed.

    Warns
    -----
    UndefinedMetricWarning
        If the gallery has 10 items or fewer: a recall is then 1 for any scores.

    See Also
    --------
    paired_bootstrap_report : Intervals of the difference of two rankings.

    Notes
    -----
    These are percentile intervals [1]_: each measure is computed on every resample of
    the queries, and the same share of resamples is cut off at both ends. They show how
    much the value varies with other queries of the same kind; the gallery and a fitted
    correction stay fixed.

    Queries are assumed to be independent. If several queries describe the same item,
    the intervals are too narrow, unless you pass `groups`. With fewer than about 50
    queries they are slightly too narrow as well. An interval has no width if all
    queries have the same result, as with a recall of 0 or 1.

    Ranks are computed once. About a million drawn queries are in memory at a time.

    References
    ----------
    .. [1] Efron, Tibshirani. An Introduction to the Bootstrap. 1993,
       https://doi.org/10.1201/9780429246593.

    Examples
    --------
    >>> from sk_qbnorm import pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.metrics import bootstrap_report
    >>> data = load_emoji_names_hi_en()
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> bootstrap_report(data.relevant, sims, random_state=0)["recall@1"]
    {'value': 0.483..., 'low': 0.44..., 'high': 0.52...}
    """
    check_choice(ties, "ties", TIES)
    checked = check_relevance(relevant, scores, gallery_labels, gallery_ids, query_mask)
    warn_of_large_k(max(RECALL_AT), checked[0].shape[1])
    results = results_per_query(checked, ties)

    def measure(queries):
        return average_over_queries(*(result[queries] for result in results))

    sampling = n_resamples, random_state, groups, query_mask
    bootstrap = QueryBootstrap(results[0].size, *sampling)
    return as_table(bootstrap.intervals(measure, confidence_level), as_frame)


def paired_bootstrap_report(
    relevant: Relevance,
    before: ArrayLike,
    after: ArrayLike,
    *,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    ties: str = "average",
    as_frame: bool = False,
) -> Any:
    """Compute the gain of one ranking over another with confidence intervals.

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` accepts.
    before : array-like of shape (n_queries, n_gallery)
        Baseline scores of at least 2 queries, such as raw similarities; larger is
        better.
    after : array-like of shape (n_queries, n_gallery)
        Scores of the same queries and items to compare, such as corrected ones.
    n_resamples : int, default=1000
        Number of resamples, >= 1. Each draws n_queries queries with replacement.
    confidence_level : float, default=0.95
        Share of the resamples inside an interval, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Seed of the resamples; pass an int for reproducible intervals.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
    groups : array-like of shape (n_queries,), default=None
        Group label of each query, such as the image that a caption describes. The
        queries of a group are drawn together. None draws each query separately.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        As in `retrieval_report`.
    as_frame : bool, default=False
        Whether to return a DataFrame. Requires pandas.

    Returns
    -------
    report : dict of str to dict, or DataFrame
        For each measure of `retrieval_report` the difference ``after - before`` as
        ``value``, and the ends of its interval, ``low`` and ``high``, as floats. For
        ``median_rank`` and ``mean_rank`` a gain is negative, as smaller ranks are
        better. If 0 lies in the interval, the difference may be noise.

    Raises
    ------
    ValueError
        If the inputs do not match, a query has no relevant item, there is only one
        query or group, or a parameter is out of range.
    ImportError
        If `as_frame` is True and pandas is not installed.

    Warns
    -----
    UndefinedMetricWarning
        If the gallery has 10 items or fewer: a recall is then 1 for any scores.

    See Also
    --------
    bootstrap_report : Intervals of a single ranking.

    Notes
    -----
    Each resample evaluates both rankings on the same queries, so the difficulty that
    they share cancels. The interval of the difference is therefore narrower than the
    two separate intervals suggest: these may overlap although the difference is clear.
    The notes of `bootstrap_report` apply here too.

    References
    ----------
    .. [1] Efron, Tibshirani. An Introduction to the Bootstrap. 1993,
       https://doi.org/10.1201/9780429246593.
    .. [2] Sakai. Evaluating evaluation metrics based on the bootstrap. SIGIR 2006,
       https://doi.org/10.1145/1148170.1148261.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.metrics import paired_bootstrap_report
    >>> data = load_emoji_names_hi_en()
    >>> normalizer = DynamicInvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> scores = normalizer.transform(sims)
    >>> report = paired_bootstrap_report(data.relevant, sims, scores, random_state=0)
    >>> report["recall@1"]
    {'value': 0.149..., 'low': 0.116..., 'high': 0.183...}
    """
    check_choice(ties, "ties", TIES)
    check_same_shape(before, after)
    results, known = [], (gallery_labels, gallery_ids, query_mask)
    for scores, name in ((before, "before"), (after, "after")):
        checked = check_relevance(relevant, scores, *known, name)
        results.append(results_per_query(checked, ties))
    warn_of_large_k(max(RECALL_AT), checked[0].shape[1])

    def gain(queries):
        first, second = (
            average_over_queries(*(result[queries] for result in pair))
            for pair in results
        )
        return {name: second[name] - value for name, value in first.items()}

    sampling = n_resamples, random_state, groups, query_mask
    bootstrap = QueryBootstrap(results[0][0].size, *sampling)
    return as_table(bootstrap.intervals(gain, confidence_level), as_frame)


def check_same_shape(before, after):
    """Raise if two score matrices differ in shape."""
    if np.shape(before) != np.shape(after):
        raise ValueError(
            f"before has shape {np.shape(before)} but after has shape "
            f"{np.shape(after)}; pass scores of the same queries and gallery items."
        )


class QueryBootstrap:
    """Resample queries with replacement, one by one or in groups.

    Parameters
    ----------
    n_queries : int
        Number of queries, without masked ones.
    n_resamples : int
    random_state : int, RandomState instance or None
    groups : array-like or None, default=None
        Group label of each query, masked queries included.
    query_mask : array-like or None, default=None
    """

    def __init__(
        self, n_queries, n_resamples, random_state, groups=None, query_mask=None
    ):
        self._n_resamples = check_count(n_resamples, "n_resamples")
        self._random_state = random_state
        self._n_queries = self._n_units = n_queries
        self._groups = None
        if groups is not None:
            self._groups = _group_members(groups, n_queries, query_mask)
            self._n_units = len(self._groups)
        if self._n_units < 2:
            unit = "groups" if n_queries > 1 else "queries"
            raise ValueError(
                f"A confidence interval needs at least 2 {unit}, got 1; use "
                "retrieval_report for the values without intervals."
            )

    def intervals(self, measure, confidence_level):
        """Return the value and the percentile interval of each measure.

        Parameters
        ----------
        measure : callable
            Takes indices of queries, of shape (..., n_drawn), and returns a dict from
            the name of each measure to its values over the last axis.
        confidence_level : float
            In (0, 1).

        Returns
        -------
        report : dict of str to dict
            ``value``, ``low`` and ``high`` of each measure, as floats.
        """
        advice = "0.95 is usual"
        level = check_number(
            confidence_level, "confidence_level", positive=True, advice=advice
        )
        if level >= 1:
            raise ValueError(
                f"confidence_level must be below 1, got {level}; {advice}."
            )
        resampled = [measure(queries) for queries in self._resamples()]
        tail = (1 - level) / 2
        report = {}
        for name, value in measure(slice(None)).items():
            values = np.concatenate([block[name] for block in resampled])
            low, high = (float(end) for end in np.quantile(values, [tail, 1 - tail]))
            report[name] = {"value": float(value), "low": low, "high": high}
        return report

    def _resamples(self):
        """Yield indices of queries, of shape (n_resamples in a block, n_drawn).

        With groups, resamples differ in length, so each is a block of its own.
        """
        random = check_random_state(self._random_state)
        n_rows = max(1, _BLOCK // self._n_queries)
        for rows in gen_batches(self._n_resamples, n_rows):
            size = (rows.stop - rows.start, self._n_units)
            drawn = random.randint(self._n_units, size=size)
            if self._groups is None:
                yield drawn
            else:
                for row in drawn:
                    yield np.concatenate([self._groups[group] for group in row])[None]


def _group_members(groups, n_queries, query_mask):
    """Return an array with the queries of each group."""
    check_unmasked(groups, "groups")
    groups = np.asarray(groups)
    n_given = n_queries if query_mask is None else np.size(query_mask)
    if groups.shape != (n_given,):
        raise ValueError(
            f"groups must have one label per query, shape ({n_given},), got shape "
            f"{groups.shape}."
        )
    _, codes = np.unique(groups[kept_queries(query_mask, n_given)], return_inverse=True)
    sizes = np.bincount(codes)
    return np.split(codes.argsort(kind="stable"), sizes.cumsum()[:-1])
