"""How far measures of retrieval are to be trusted: bootstrap over queries."""

from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike

from sk_qbnorm._validation import check_choice

from ._draws import Draws
from ._frame import as_table
from ._ranks import TIES
from ._recall import RECALL_AT, warn_of_large_k
from ._relevance import Relevance, check_relevance
from ._report import measures_of, query_results


def bootstrap_report(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
    gallery_labels: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    ties: str = "average",
    as_frame: bool = False,
) -> Any:
    """Measure a ranking in every way, with confidence intervals over queries.

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` takes.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores, larger for better, of 2 queries or more.
    n_resamples : int, default=1000
        How often as many queries are drawn from the given ones, with replacement, >= 1.
    confidence_level : float, default=0.95
        Share of the resamples that lie in an interval, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        What the draws are made from; an int for the same intervals at every call.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for missing queries, which are left out.
    groups : array-like of shape (n_queries,), default=None
        Which queries belong together, such as the captions of one image, by any labels:
        those of a group are drawn together, or not at all. None draws every query by
        itself.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        As in `retrieval_report`.
    as_frame : bool, default=False
        Whether to return a DataFrame, for which pandas has to be installed.

    Returns
    -------
    report : dict of str to dict, or DataFrame
        Of each measure of `retrieval_report` its ``value`` there and the ends of the
        interval, ``low`` and ``high``, all float. A DataFrame has a row for each.

    Raises
    ------
    ValueError
        If the inputs do not match, a query has no relevant item, there is one query
        or one group alone, or a parameter is out of range.
    ImportError
        If a DataFrame is asked for and pandas is not installed.

    Warns
    -----
    UndefinedMetricWarning
        If the gallery has 10 items or fewer, so that a recall is 1 whatever the scores.

    See Also
    --------
    paired_bootstrap_report : Whether one of two rankings is the better.

    Notes
    -----
    The intervals are percentile intervals [1]_: the measure is made anew of every
    resample of the queries, and the same share of the outcomes is cut off at either
    end. They say how far the value would move with other queries of the same kind; the
    gallery, and a fitted correction, stay as they are. Queries are taken as independent
    of each other: where several of them describe one item the interval is too narrow,
    unless `groups` says so. With few queries, below 50 or so, it is somewhat too narrow
    as well, and it has no width where all queries have the same result, as where recall
    is 0 or 1.

    Ranks are computed once; of the resamples about a million drawn queries are held at
    a time.

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
    checked = check_relevance(relevant, scores, gallery_labels, query_mask)
    warn_of_large_k(max(RECALL_AT), checked[0].shape[1])
    results = query_results(checked, ties)

    def measure(queries):
        return measures_of(*(result[queries] for result in results))

    draws = Draws(results[0].size, n_resamples, random_state, groups, query_mask)
    return as_table(draws.intervals(measure, confidence_level), as_frame)


def paired_bootstrap_report(
    relevant: Relevance,
    before: ArrayLike,
    after: ArrayLike,
    *,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
    gallery_labels: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    ties: str = "average",
    as_frame: bool = False,
) -> Any:
    """Measure what is gained from one ranking to another, with confidence intervals.

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` takes.
    before : array-like of shape (n_queries, n_gallery)
        Scores to compare with, larger for better, of 2 queries or more.
    after : array-like of shape (n_queries, n_gallery)
        Other scores of the same queries and items, as those corrected.
    n_resamples : int, default=1000
        How often as many queries are drawn from the given ones, with replacement, >= 1.
    confidence_level : float, default=0.95
        Share of the resamples that lie in an interval, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        What the draws are made from; an int for the same intervals at every call.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for missing queries, which are left out.
    groups : array-like of shape (n_queries,), default=None
        Which queries belong together, such as the captions of one image, by any labels:
        those of a group are drawn together, or not at all. None draws every query by
        itself.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        As in `retrieval_report`.
    as_frame : bool, default=False
        Whether to return a DataFrame, for which pandas has to be installed.

    Returns
    -------
    report : dict of str to dict, or DataFrame
        Of each measure of `retrieval_report` the difference of `after` from `before`,
        ``value``, and the ends of its interval, ``low`` and ``high``, all float. Ranks
        are better where smaller, so that a gain in ``median_rank`` and ``mean_rank`` is
        below 0. Where 0 lies in the interval, the difference may be noise.

    Raises
    ------
    ValueError
        If the inputs do not match, a query has no relevant item, there is one query
        or one group alone, or a parameter is out of range.
    ImportError
        If a DataFrame is asked for and pandas is not installed.

    Warns
    -----
    UndefinedMetricWarning
        If the gallery has 10 items or fewer, so that a recall is 1 whatever the scores.

    See Also
    --------
    bootstrap_report : Intervals of one ranking.

    Notes
    -----
    In every resample both rankings are measured on the same queries. What makes a query
    hard for both falls out, so that the interval is narrower than those of the two
    rankings suggest: these may overlap where the difference is beyond doubt. For the
    rest see the notes of `bootstrap_report`.

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
    {'value': 0.131..., 'low': 0.10..., 'high': 0.16...}
    """
    check_choice(ties, "ties", TIES)
    if np.shape(before) != np.shape(after):
        raise ValueError(
            "before and after must be scores of the same queries and items, got "
            f"matrices of shape {np.shape(before)} and {np.shape(after)}."
        )
    results = []
    for scores, name in ((before, "before"), (after, "after")):
        checked = check_relevance(relevant, scores, gallery_labels, query_mask, name)
        results.append(query_results(checked, ties))
    warn_of_large_k(max(RECALL_AT), checked[0].shape[1])

    def gain(queries):
        first, second = (measures_of(*(r[queries] for r in pair)) for pair in results)
        return {name: second[name] - value for name, value in first.items()}

    draws = Draws(results[0][0].size, n_resamples, random_state, groups, query_mask)
    return as_table(draws.intervals(gain, confidence_level), as_frame)
