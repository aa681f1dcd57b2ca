"""Average precision: every relevant item counts, not the best alone."""

import numpy as np
from numpy.typing import ArrayLike

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_choice

from ._relevance import Relevance, check_relevance

_LUCK = {"average": 0, "pessimistic": -1, "optimistic": 1}


def average_precision(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
) -> float:
    """Mean over queries of the average precision (mAP).

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
        Among equal scores: the expectation over all their orders [1]_, the relevant
        items last, or first.

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
    mean_reciprocal_rank : The same for the best relevant item alone.

    Notes
    -----
    The average precision of a query is the mean, over its relevant items, of the share
    of relevant items from the top of the ranking down to that one.

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
    check_choice(ties, "ties", _LUCK)
    checked = check_relevance(relevant, scores, gallery_labels, query_mask)
    return float(np.mean(query_precision(*checked, ties)))


def query_precision(scores, indptr, indices, ties):
    """Average precision of each query, given what `check_relevance` says."""
    n_threads = count_threads(None)
    return _kernels.average_precision(scores, indptr, indices, _LUCK[ties], n_threads)
