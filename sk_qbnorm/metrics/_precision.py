"""Average precision over all relevant items."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sk_qbnorm._arrays import kernels_of
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_choice

from ._relevance import Relevance, check_relevance

_TIES = {"average": 0, "pessimistic": -1, "optimistic": 1}  # codes of the kernel


def average_precision(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Compute the mean average precision over queries (mAP).

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
        How to order equal scores: the expectation over all orders [1]_, relevant items
        last, or relevant items first.

    Returns
    -------
    precision : float
        In (0, 1].

    Raises
    ------
    ValueError
        If the inputs do not match, or a query has no relevant item.

    See Also
    --------
    mean_reciprocal_rank : Counts only the best relevant item.

    Notes
    -----
    The average precision of a query is the mean of the precision at the rank of each
    of its relevant items. The precision at a rank is the share of relevant items from
    the top down to that rank.

    References
    ----------
    .. [1] McSherry, Najork. Computing Information Retrieval Performance Measures
       Efficiently in the Presence of Tied Scores. ECIR 2008,
       https://doi.org/10.1007/978-3-540-78646-7_38.

    Examples
    --------
    >>> from sk_qbnorm.metrics import average_precision
    >>> average_precision([[0, 2]], [[0.9, 0.5, 0.1]])
    0.8333...
    """
    check_choice(ties, "ties", _TIES)
    checked = check_relevance(relevant, scores, gallery_labels, gallery_ids, query_mask)
    return float(np.mean(precision_per_query(*checked, ties)))


def precision_per_query(scores, indptr, indices, ties):
    """Compute the average precision of each query from checked inputs."""
    n_threads = count_threads(None)
    settings = _TIES[ties], n_threads
    return kernels_of(scores).average_precision(scores, indptr, indices, *settings)
