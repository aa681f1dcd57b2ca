"""The rank of each query's best relevant item, and its averages."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_choice

from ._relevance import Relevance, check_relevance

# What a group of equal scores means for the first relevant item among
# `relevant` of them, with `others` irrelevant: how many of these stand before it.
TIES = {
    "average": lambda others, relevant: others / (relevant + 1),
    "pessimistic": lambda others, relevant: others,
    "optimistic": lambda others, relevant: 0 * others,
}


def relevant_ranks(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> NDArray:
    """Rank the best relevant item of each query.

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        One gallery index a query, shape (n_queries,); or a list of arrays of
        indices; or an indicator, dense or sparse, of shape (n_queries, n_gallery); or,
        with `gallery_labels`, the class label of each query.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores, larger for better.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery; items with the label of a query are relevant.
    query_mask : array-like of shape (n_queries,), default=None
        False for missing queries, which are left out.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        Where items that are not relevant have the same score as the best relevant
        one: the expected rank over all their orders, the last, or the first. For one
        relevant item the average is the literature's, the mean of the tied ranks.

    Returns
    -------
    ranks : ndarray of shape (n_kept,), dtype float64
        Ranks in [1, n_gallery] of the queries that are not masked, in their order.

    Raises
    ------
    ValueError
        If the inputs do not match, or a query has no relevant item.

    See Also
    --------
    retrieval_report : All measures made of these ranks.

    Examples
    --------
    >>> from sk_qbnorm.metrics import relevant_ranks
    >>> relevant_ranks([0, 1], [[0.9, 0.1, 0.2], [0.8, 0.3, 0.3]])
    array([1. , 2.5])
    """
    check_choice(ties, "ties", TIES)
    checked = check_relevance(relevant, scores, gallery_labels, query_mask)
    return first_ranks(*checked, ties)


def first_ranks(scores, indptr, indices, ties):
    """Rank the best relevant item of each query, given what `check_relevance` says."""
    n_threads = count_threads(None)
    counts = _kernels.first_relevant(scores, indptr, indices, n_threads)
    above, others, relevant = counts.T
    return 1.0 + above + TIES[ties](others, relevant)


def median_rank(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Median over queries of the rank of the best relevant item (MdR).

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` takes.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores, larger for better.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for missing queries, which are left out.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        As in `relevant_ranks`.

    Returns
    -------
    rank : float
        In [1, n_gallery].

    Raises
    ------
    ValueError
        If the inputs do not match, or a query has no relevant item.

    See Also
    --------
    mean_rank : More telling of the queries that fail badly.

    Examples
    --------
    >>> from sk_qbnorm.metrics import median_rank
    >>> median_rank([0, 1], [[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]])
    1.5
    """
    options = {"gallery_labels": gallery_labels, "query_mask": query_mask}
    return float(np.median(relevant_ranks(relevant, scores, ties=ties, **options)))


def mean_rank(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Mean over queries of the rank of the best relevant item (MnR).

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` takes.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores, larger for better.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for missing queries, which are left out.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        As in `relevant_ranks`.

    Returns
    -------
    rank : float
        In [1, n_gallery].

    Raises
    ------
    ValueError
        If the inputs do not match, or a query has no relevant item.

    See Also
    --------
    median_rank : Not moved by a few bad queries.

    Examples
    --------
    >>> from sk_qbnorm.metrics import mean_rank
    >>> mean_rank([0, 1], [[0.9, 0.1, 0.2], [0.8, 0.1, 0.3]])
    2.0
    """
    options = {"gallery_labels": gallery_labels, "query_mask": query_mask}
    return float(np.mean(relevant_ranks(relevant, scores, ties=ties, **options)))


def mean_reciprocal_rank(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Mean over queries of 1 / rank of the best relevant item (MRR).

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` takes.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores, larger for better.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for missing queries, which are left out.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        As in `relevant_ranks`.

    Returns
    -------
    reciprocal_rank : float
        In (0, 1].

    Raises
    ------
    ValueError
        If the inputs do not match, or a query has no relevant item.

    See Also
    --------
    average_precision : Counts every relevant item.

    Examples
    --------
    >>> from sk_qbnorm.metrics import mean_reciprocal_rank
    >>> mean_reciprocal_rank([0, 1], [[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]])
    0.75
    """
    options = {"gallery_labels": gallery_labels, "query_mask": query_mask}
    return float(np.mean(1 / relevant_ranks(relevant, scores, ties=ties, **options)))
