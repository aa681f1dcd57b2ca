"""The rank of each query's best relevant item, and averages of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm._arrays import kernels_of, like
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_choice

from ._relevance import Relevance, check_relevance

# In a group of equal scores: how many of the `others`, the irrelevant items, rank
# before the first of the `relevant` items.
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
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> NDArray:
    """Rank the best relevant item of each query.

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in one of four forms:

        - one gallery index per query, shape (n_queries,);
        - a list with an array of gallery indices per query;
        - an indicator of 0 and 1, dense or sparse, of shape (n_queries, n_gallery);
        - with `gallery_labels`, the class label of each query.

        In the first two, names may stand in place of indices, as `gallery_ids` says.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores; larger is better.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery; items with the label of a query are relevant.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, unique strings or integers, by which `relevant` may
        refer to them. If they are integers, integers in `relevant` are names, not
        indices. None uses the column names of a dataframe `scores`, if all are strings.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        Which rank to return if irrelevant items have the same score as the best
        relevant one: the expected rank over all orders, the last, or the first. With
        one relevant item the average is the mean of the tied ranks.

    Returns
    -------
    ranks : array of shape (n_kept,), dtype float64
        Ranks in [1, n_gallery] of the queries that are not masked, in their order.

    Raises
    ------
    ValueError
        If the inputs do not match, or a query has no relevant item.

    See Also
    --------
    retrieval_report : All measures computed from these ranks.

    Examples
    --------
    >>> from sk_qbnorm.metrics import relevant_ranks
    >>> relevant_ranks([0, 1], [[0.9, 0.1, 0.2], [0.8, 0.3, 0.3]])
    array([1. , 2.5])
    >>> relevant_ranks(["dog"], [[0.9, 0.1, 0.2]], gallery_ids=["cat", "dog", "owl"])
    array([3.])
    """
    options = {
        "gallery_labels": gallery_labels,
        "gallery_ids": gallery_ids,
        "query_mask": query_mask,
    }
    return like(ranks_of_relevant(relevant, scores, ties=ties, **options), scores)


def ranks_of_relevant(
    relevant, scores, *, gallery_labels, gallery_ids, query_mask, ties
):
    """Return the result of `relevant_ranks` as a NumPy array."""
    check_choice(ties, "ties", TIES)
    checked = check_relevance(relevant, scores, gallery_labels, gallery_ids, query_mask)
    return first_ranks(*checked, ties)


def first_ranks(scores, indptr, indices, ties):
    """Rank the best relevant item of each query from checked inputs."""
    n_threads = count_threads(None)
    kernels = kernels_of(scores)
    counts = kernels.first_relevant(scores, indptr, indices, n_threads)
    above, others, relevant = counts.T
    return 1.0 + above + TIES[ties](others, relevant)


def median_rank(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Compute the median rank of the best relevant item over queries (MdR).

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` accepts.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores; larger is better.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
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
    mean_rank : Reacts more to queries with very bad ranks.

    Examples
    --------
    >>> from sk_qbnorm.metrics import median_rank
    >>> median_rank([0, 1], [[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]])
    1.5
    """
    options = {
        "gallery_labels": gallery_labels,
        "gallery_ids": gallery_ids,
        "query_mask": query_mask,
    }
    return float(np.median(ranks_of_relevant(relevant, scores, ties=ties, **options)))


def mean_rank(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Compute the mean rank of the best relevant item over queries (MnR).

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` accepts.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores; larger is better.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
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
    median_rank : Not affected by a few very bad ranks.

    Examples
    --------
    >>> from sk_qbnorm.metrics import mean_rank
    >>> mean_rank([0, 1], [[0.9, 0.1, 0.2], [0.8, 0.1, 0.3]])
    2.0
    """
    options = {
        "gallery_labels": gallery_labels,
        "gallery_ids": gallery_ids,
        "query_mask": query_mask,
    }
    return float(np.mean(ranks_of_relevant(relevant, scores, ties=ties, **options)))


def mean_reciprocal_rank(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Compute the mean over queries of 1 / rank of the best relevant item (MRR).

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` accepts.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores; larger is better.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
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
    options = {
        "gallery_labels": gallery_labels,
        "gallery_ids": gallery_ids,
        "query_mask": query_mask,
    }
    ranks = ranks_of_relevant(relevant, scores, ties=ties, **options)
    return float(np.mean(1 / ranks))
