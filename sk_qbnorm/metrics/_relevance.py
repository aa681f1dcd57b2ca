"""Check relevance judgments and convert them to CSR form."""

from __future__ import annotations

from numbers import Integral
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sk_qbnorm import _arrays
from sk_qbnorm._validation import (
    check_finite,
    check_matrix,
    check_unmasked,
    column_names,
    item_positions,
)

Relevance: TypeAlias = object  # the forms are listed in `relevant_ranks`


def check_relevance(
    relevant,
    scores,
    gallery_labels,
    gallery_ids,
    query_mask,
    name="scores",
    *,
    by=" with query_mask",
) -> tuple[NDArray, NDArray, NDArray]:
    """Check scores and relevance, and drop the masked queries from both.

    Parameters
    ----------
    relevant : index array, list of index arrays, indicator or labels
        As in `relevant_ranks`.
    scores : array-like of shape (n_queries, n_gallery)
    gallery_labels, gallery_ids : array-like of shape (n_gallery,) or None
    query_mask : array-like of shape (n_queries,) or None
    name : str, default="scores"
        Public name of `scores`, for error messages.
    by : str, default=" with query_mask"
        How users can leave out queries, for error messages.

    Returns
    -------
    scores : array of shape (n_kept, n_gallery)
    indptr, indices : ndarray, dtype int64
        Relevant items in CSR form: sorted, unique, at least one per query.
    """
    if gallery_labels is None and gallery_ids is None:
        gallery_ids = column_names(scores)
    scores = check_matrix(scores, name, finite=False, keep_foreign=True)
    kept = kept_queries(query_mask, scores.shape[0])
    kept_scores = _arrays.take_rows(scores, kept)
    check_finite(kept_scores, name)
    known = _arrays.to_numpy(gallery_labels), gallery_ids, kept
    relevant = _arrays.to_numpy(relevant)
    indicator = relevant_items(relevant, tuple(scores.shape), *known, by)
    indptr, indices = indicator.indptr, indicator.indices
    return kept_scores, indptr.astype(np.int64), indices.astype(np.int64)


def kept_queries(query_mask, n_queries):
    """Return an index for the queries that are not masked: a mask or a full slice."""
    if query_mask is None:
        return slice(None)
    check_unmasked(query_mask, "query_mask")
    mask = np.asarray(_arrays.to_numpy(query_mask))
    if mask.shape != (n_queries,) or not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"query_mask must hold {n_queries} booleans, one per query, got an array "
            f"of shape {mask.shape} and dtype {mask.dtype}."
        )
    if not mask.any():
        raise ValueError("query_mask masks every query; expected at least one True.")
    return mask.astype(bool)


def relevant_items(
    relevant, shape, gallery_labels, gallery_ids, kept, by=" with query_mask"
):
    """Return a CSR indicator of the relevant items of the kept queries.

    Column indices are sorted and unique, with at least one per row.
    """
    check_unmasked(relevant, "relevant")
    check_unmasked(gallery_labels, "gallery_labels")
    if gallery_labels is not None:
        if gallery_ids is not None:
            raise ValueError(
                "gallery_labels and gallery_ids must not be passed together, because "
                "relevant holds either class labels or names; pass one of them."
            )
        indicator = _from_labels(relevant, gallery_labels, shape)
    elif sparse.issparse(relevant) or np.ndim(_as_array(relevant)) == 2:
        indicator = _from_indicator(relevant, shape)
    else:
        relevant = indices_of_names(relevant, gallery_ids, shape, kept)
        indicator = _from_indices(relevant, shape, kept, by)
    indicator = indicator[kept]
    indicator.sum_duplicates()
    without = np.flatnonzero(np.diff(indicator.indptr) == 0)
    if without.size:
        among = "" if isinstance(kept, slice) else " of the kept queries"
        raise ValueError(
            "Every query needs a relevant item in relevant, but "
            f"{without.size} queries have none, the first is number {without[0]}"
            f"{among}; leave such queries out{by}."
        )
    return indicator


def indices_of_names(relevant, gallery_ids, shape, kept=slice(None)):
    """Return `relevant` with gallery indices in place of the names of items.

    What does not list items by name, as `item_positions` tells, is returned as it is.

    Parameters
    ----------
    relevant : index array, list of index arrays, indicator or labels
        As in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,) or None
        Names of the gallery items.
    shape : tuple of int
        Number of queries and of gallery items.
    kept : slice or ndarray of shape (n_queries,), dtype bool, default=slice(None)
        Queries whose names are looked up; the entries of the others become empty.

    Returns
    -------
    relevant : index array or list of index arrays, or as it was passed
    """
    if gallery_ids is None:
        return relevant
    ids = _check_ids(gallery_ids, shape[1])
    is_list = not sparse.issparse(relevant) and np.ndim(_as_array(relevant)) == 1
    if not is_list or len(relevant) != shape[0]:
        return relevant
    used = np.zeros(shape[0], dtype=bool)
    used[kept] = True
    rows = [
        np.atleast_1d(np.asarray(items)).ravel() if is_used else np.empty(0)
        for items, is_used in zip(relevant, used, strict=True)
    ]
    sizes = np.array([row.size for row in rows])
    items = np.concatenate([row for row in rows if row.size] or rows[:1])
    positions = item_positions(items, ids, "relevant items")
    if positions is items:
        return relevant
    if (sizes == 1).all():
        return positions
    return np.split(positions, sizes.cumsum()[:-1])


def _check_ids(gallery_ids, n_gallery):
    check_unmasked(gallery_ids, "gallery_ids")
    ids = np.asarray(gallery_ids, dtype=object)
    if ids.shape != (n_gallery,):
        raise ValueError(
            f"gallery_ids must have one name per gallery item, expected shape "
            f"({n_gallery},), got {ids.shape}."
        )
    if not any(all(isinstance(name, kind) for name in ids) for kind in (str, Integral)):
        raise ValueError(
            "gallery_ids must be strings or integers, got "
            f"{' and '.join(sorted({type(name).__name__ for name in ids}))}; convert "
            "them to strings."
        )
    return ids


def _as_array(relevant):
    """Convert an array or dataframe; treat a list as a list of indices."""
    listed = isinstance(relevant, (list, tuple))
    return np.empty(len(relevant)) if listed else np.asarray(relevant)


def _from_labels(query_labels, gallery_labels, shape):
    query_labels, gallery_labels = np.asarray(query_labels), np.asarray(gallery_labels)
    for labels, name, size in (
        (query_labels, "relevant (class labels of the queries)", shape[0]),
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
        shape=(classes.size + 1, codes.size),  # the last row is for unknown labels
    )
    rows = np.searchsorted(classes, query_labels).clip(max=classes.size - 1)
    return members[np.where(classes[rows] == query_labels, rows, classes.size)]


def _from_indicator(relevant, shape):
    if not sparse.issparse(relevant):
        relevant = _as_array(relevant)
        if not np.isin(relevant, (0, 1)).all():
            raise ValueError(
                "relevant is a matrix with values other than 0 and 1; pass gallery "
                "indices as one array of shape (n_queries,) or as a list of arrays."
            )
    if relevant.shape != shape:
        raise ValueError(
            f"relevant has shape {relevant.shape} but scores have shape {shape}; a "
            "matrix of relevance needs one column per gallery item."
        )
    indicator = sparse.csr_array(relevant).astype(bool)
    indicator.eliminate_zeros()
    return indicator


def _from_indices(relevant, shape, kept, by):
    if np.ndim(_as_array(relevant)) == 0:
        raise ValueError(
            f"relevant must list the relevant items of each query, got {relevant!r}; "
            "pass one gallery index per query, a list of indices per query, or a "
            "matrix of 0 and 1."
        )
    rows = [np.atleast_1d(np.asarray(items)).ravel() for items in relevant]
    if len(rows) != shape[0]:
        raise ValueError(
            f"relevant must have one entry per query, expected {shape[0]}, got "
            f"{len(rows)}."
        )
    counts = np.array([row.size for row in rows])
    indices = np.concatenate([row for row in rows if row.size] or [np.empty(0, int)])
    if indices.dtype.kind not in "iu":
        raise ValueError(
            f"relevant must hold gallery indices, got values of dtype {indices.dtype}; "
            "for names pass gallery_ids too, for class labels gallery_labels."
        )
    if shape[1] > 2 and (counts == shape[1]).all() and indices.max() <= 1:
        raise ValueError(
            "relevant is a list of lists of 0 and 1, but lists hold gallery indices; "
            "pass a matrix of 0 and 1 as an array."
        )
    used = np.zeros(shape[0], dtype=bool)
    used[kept] = True  # entries of masked queries may hold anything
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
