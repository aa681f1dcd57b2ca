"""Recall at k and its geometric mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from sk_qbnorm._validation import check_count, warn_caller

from ._ranks import ranks_of_relevant
from ._relevance import Relevance

RECALL_AT = (1, 5, 10)  # the values of k in reports


def recall_at_k(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    k: int = 1,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Compute the share of queries with a relevant item in the top k.

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` accepts.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores; larger is better.
    k : int, default=1
        Number of top items, >= 1.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        As in `relevant_ranks`; a query counts if its rank is at most `k`. At ``k=1``
        a tie with an irrelevant item is a miss, unless optimistic.

    Returns
    -------
    recall : float
        In [0, 1].

    Raises
    ------
    ValueError
        If the inputs do not match, or a query has no relevant item.

    Warns
    -----
    UndefinedMetricWarning
        If `k` is at least the size of the gallery: recall is then 1 for any scores.

    See Also
    --------
    recall_scorer : The same for `GridSearchCV`.

    Examples
    --------
    >>> from sk_qbnorm.metrics import recall_at_k
    >>> recall_at_k([0, 1], [[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]])
    0.5
    """
    check_count(k, "k")
    options = {
        "gallery_labels": gallery_labels,
        "gallery_ids": gallery_ids,
        "query_mask": query_mask,
    }
    ranks = ranks_of_relevant(relevant, scores, ties=ties, **options)
    warn_of_large_k(k, np.shape(scores)[1])
    return float(recall(ranks, k))


def geometric_mean_recall(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Compute the geometric mean of recall at 1, 5 and 10.

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
        As in `recall_at_k`.

    Returns
    -------
    recall : float
        In [0, 1]; 0 if one of the three is 0.

    Raises
    ------
    ValueError
        If the inputs do not match, or a query has no relevant item.

    Warns
    -----
    UndefinedMetricWarning
        If the gallery has 10 items or fewer: a recall is then 1 for any scores.

    See Also
    --------
    recall_at_k : Recall at a single k.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_qbnorm.metrics import geometric_mean_recall
    >>> scores = np.eye(11)[[0, 1, 3, 2]]
    >>> geometric_mean_recall([0, 1, 2, 3], scores)
    0.629...
    """
    options = {
        "gallery_labels": gallery_labels,
        "gallery_ids": gallery_ids,
        "query_mask": query_mask,
    }
    ranks = ranks_of_relevant(relevant, scores, ties=ties, **options)
    warn_of_large_k(max(RECALL_AT), np.shape(scores)[1])
    return float(geometric_mean([recall(ranks, k) for k in RECALL_AT]))


def recall(ranks, k):
    """Return the share of ranks, over the last axis, that are at most `k`."""
    return np.mean(ranks <= k, axis=-1)


def geometric_mean(values):
    """Return the geometric mean of numbers >= 0 over the first axis."""
    return np.prod(values, axis=0) ** (1 / len(values))


def warn_of_large_k(k, n_gallery):
    """Warn the caller if recall at `k` is 1 for any scores."""
    if k >= n_gallery:
        warn_caller(
            f"recall at k={k} is 1 for any scores, as the gallery has {n_gallery} "
            "items; choose a smaller k.",
            UndefinedMetricWarning,
        )
