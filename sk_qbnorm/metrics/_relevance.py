"""Which gallery items are relevant to which queries, in whatever form it is told."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from sk_qbnorm._validation import check_finite, check_matrix, check_unmasked

Relevance: TypeAlias = (
    ArrayLike | Sequence[ArrayLike] | sparse.sparray | sparse.spmatrix
)


def check_relevance(
    relevant, scores, gallery_labels, query_mask, name="scores", *, by=" by query_mask"
) -> tuple[NDArray, NDArray, NDArray]:
    """Return scores and the relevant items in CSR form, of the kept queries only.

    Parameters
    ----------
    relevant : index array, list of index arrays, indicator or labels
        As in `relevant_ranks`.
    scores : array-like of shape (n_queries, n_gallery)
    gallery_labels : array-like of shape (n_gallery,) or None
    query_mask : array-like of shape (n_queries,) or None
    name : str, default="scores"
        What the caller's caller calls the scores.
    by : str, default=" by query_mask"
        What the caller's caller can leave queries out by, for errors to say.

    Returns
    -------
    scores : ndarray of shape (n_kept, n_gallery)
    indptr, indices : ndarray, dtype int64
        Sorted, without repetition, at least one a query.
    """
    scores = check_matrix(scores, name, finite=False)
    kept = kept_queries(query_mask, scores.shape[0])
    check_finite(scores[kept], name)
    indicator = relevant_items(relevant, scores.shape, gallery_labels, kept, by)
    indptr, indices = indicator.indptr, indicator.indices
    return scores[kept], indptr.astype(np.int64), indices.astype(np.int64)


def kept_queries(query_mask, n_queries):
    """Return what picks the queries that are not masked, a mask or a slice of all."""
    return slice(None) if query_mask is None else _check_mask(query_mask, n_queries)


def relevant_items(relevant, shape, gallery_labels, kept, by=" by query_mask"):
    """Return the relevant items of the kept queries, a CSR indicator, checked.

    Its columns are sorted, without repetition, at least one a row.
    """
    check_unmasked(relevant, "relevant")
    check_unmasked(gallery_labels, "gallery_labels")
    if gallery_labels is not None:
        indicator = _from_labels(relevant, gallery_labels, shape)
    elif sparse.issparse(relevant) or np.ndim(_peek(relevant)) == 2:
        indicator = _from_indicator(relevant, shape)
    else:
        indicator = _from_indices(relevant, shape, kept, by)
    indicator = indicator[kept]
    indicator.sum_duplicates()
    without = np.flatnonzero(np.diff(indicator.indptr) == 0)
    if without.size:
        among = "" if isinstance(kept, slice) else " among those kept"
        raise ValueError(
            f"Every query must have a relevant item, got none for {without.size} "
            f"queries, the first is {without[0]}{among}; leave such queries out{by}."
        )
    return indicator


def _peek(relevant):
    """Return what numpy sees in an array or dataframe; lists are lists of indices."""
    listed = isinstance(relevant, (list, tuple))
    return np.empty(len(relevant)) if listed else np.asarray(relevant)


def _from_labels(query_labels, gallery_labels, shape):
    query_labels, gallery_labels = np.asarray(query_labels), np.asarray(gallery_labels)
    for labels, name, size in (
        (query_labels, "relevant, as labels of the queries,", shape[0]),
        (gallery_labels, "gallery_labels", shape[1]),
    ):
        if labels.shape != (size,):
            raise ValueError(
                f"{name} must have shape ({size},) to match scores of shape {shape}, "
                f"got {labels.shape}."
            )
    classes, codes = np.unique(gallery_labels, return_inverse=True)
    members = sparse.csr_array(
        (np.ones(codes.size, dtype=bool), (codes, np.arange(codes.size))),
        shape=(classes.size, codes.size),
    )
    places = np.searchsorted(classes, query_labels).clip(max=classes.size - 1)
    known = classes[places] == query_labels
    indicator = members[places]
    return indicator if known.all() else _drop_rows(indicator, ~known)


def _drop_rows(indicator, rows):
    indicator = indicator.tolil()
    indicator[rows] = False
    return indicator.tocsr()


def _from_indicator(relevant, shape):
    if not sparse.issparse(relevant):
        relevant = _peek(relevant)
        if not np.isin(relevant, (0, 1)).all():
            raise ValueError(
                "relevant, as a matrix, must hold 0 and 1 alone; pass indices as one "
                "index array, or a list of them."
            )
    if relevant.shape != shape:
        raise ValueError(
            "relevant, as a matrix, must have the shape of scores, "
            f"expected {shape}, got {relevant.shape}."
        )
    indicator = sparse.csr_array(relevant).astype(bool)
    indicator.eliminate_zeros()
    return indicator


def _from_indices(relevant, shape, kept, by):
    if np.ndim(_peek(relevant)) == 0:
        raise ValueError(
            "relevant must say what is relevant to each query, got "
            f"{relevant!r}; pass one gallery index a query, lists of them, or a matrix."
        )
    rows = [np.atleast_1d(np.asarray(items)).ravel() for items in relevant]
    if len(rows) != shape[0]:
        raise ValueError(
            f"relevant must have one entry a query, expected {shape[0]}, "
            f"got {len(rows)}."
        )
    counts = np.array([row.size for row in rows])
    indices = np.concatenate([row for row in rows if row.size] or [np.empty(0, int)])
    if indices.dtype.kind not in "iu":
        raise ValueError(
            f"relevant must hold gallery indices, got values of dtype {indices.dtype}; "
            "for class labels pass gallery_labels too."
        )
    if shape[1] > 2 and (counts == shape[1]).all() and indices.max() <= 1:
        raise ValueError(
            "relevant is a list of lists of 0 and 1, and lists hold gallery indices; "
            "pass a matrix of 0 and 1 as an array."
        )
    used = np.zeros(shape[0], dtype=bool)
    used[kept] = True  # what stands for a missing query is nobody's concern
    used = np.repeat(used, counts)
    outside = used & ((indices < 0) | (indices >= shape[1]))
    if outside.any():
        raise ValueError(
            f"relevant must hold gallery indices in [0, {shape[1]}), got "
            f"{indices[outside][0]}; leave queries without a relevant item out{by}."
        )
    indices = np.where(used, indices, 0).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    data = np.ones(indices.size, dtype=bool)
    return sparse.csr_array((data, indices, indptr), shape=shape)


def _check_mask(query_mask, n_queries):
    check_unmasked(query_mask, "query_mask")
    mask = np.asarray(query_mask)
    if mask.shape != (n_queries,) or not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"query_mask must hold {n_queries} booleans, one a query, got an array of "
            f"shape {mask.shape} and dtype {mask.dtype}."
        )
    mask = mask.astype(bool)
    if not mask.any():
        raise ValueError("query_mask leaves no query; expected at least one True.")
    return mask
