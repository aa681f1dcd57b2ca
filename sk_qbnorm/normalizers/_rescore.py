"""Correct the candidates of each query, dense or as a sparse matrix."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sk_qbnorm import _kernels
from sk_qbnorm._validation import (
    check_finite,
    check_matrix,
    check_unmasked,
    positions_of,
)

_BLOCK_ENTRIES = 2**18  # of sparse rows that are made dense at once


def rescored(correction, scores, indices, n_gallery, names=None):
    """Return candidates sorted by corrected score, in the form they were passed in.

    Parameters
    ----------
    correction : one of those in `corrections`
    scores : array-like of shape (n_queries, n_candidates) or sparse matrix
    indices : array-like of shape (n_queries, n_candidates) or None
    n_gallery : int
    names : ndarray of shape (n_gallery,) or None
    """
    if sparse.issparse(scores):
        return _rescored_sparse(correction, scores, indices, n_gallery)
    sims, items = _check_dense(scores, indices, n_gallery, names)
    corrected = correction.rescore(sims, items)
    return _kernels.best_first(corrected, items, items.shape[1])


def _check_dense(scores, indices, n_gallery, names):
    if indices is None:
        raise ValueError(
            "indices must hold the gallery item of each score, got None; pass them, or "
            "a sparse matrix of scores."
        )
    check_unmasked(indices, "indices")
    items = np.asarray(indices)
    if names is not None:
        items = _named_items(items, names)
    if items.dtype.kind not in "iu":
        raise ValueError(
            f"indices must be integers, got dtype {items.dtype}; pass the gallery "
            "index of each score, -1 for no candidate."
        )
    sims = check_matrix(scores, "scores", finite=False)
    if items.shape != sims.shape:
        raise ValueError(
            f"scores and indices must have the same shape, got {sims.shape} and "
            f"{items.shape}; pass one gallery item per score."
        )
    items = items.astype(np.int64)
    _check_items(items, n_gallery)
    missing = items < 0
    sims = np.where(missing, 0, sims)  # whatever an engine says of no candidate
    check_finite(sims, "scores")
    sims[missing] = -np.inf
    return sims, items


def _named_items(items, names):
    """Return gallery indices in place of names, -1 for None (and for -1 itself)."""
    if isinstance(names[0], str) and items.dtype.kind in "iu":
        return items
    positions = positions_of(items, names)
    missing = np.isin(items, (None, -1)) if items.dtype == object else items == -1
    unknown = (positions < 0) & ~missing
    if unknown.any():
        raise ValueError(
            f"indices must name gallery items, got {items[unknown][0]!r} and "
            f"{unknown.sum() - 1} others that are not in the gallery."
        )
    return positions


def _check_items(items, n_gallery):
    if items.max() >= n_gallery or items.min() < -1:
        raise ValueError(
            f"indices must be gallery items in [0, {n_gallery - 1}], or -1 for none, "
            f"got {items.min()} to {items.max()}; pass candidates from the fitted "
            "gallery."
        )
    in_order = np.sort(items, axis=1)
    twice = (in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] >= 0)
    if twice.any():
        row = np.flatnonzero(twice.any(axis=1))[0]
        raise ValueError(
            f"indices must not repeat an item within a query, got a repeated item in "
            f"row {row}; drop the duplicates."
        )


def _rescored_sparse(correction, scores, indices, n_gallery):
    if indices is not None:
        raise ValueError(
            "indices must be None for a sparse matrix of scores, whose columns are the "
            "items; leave it out."
        )
    sims = check_matrix(scores, "scores", accept_sparse=True)
    if sims.shape[1] != n_gallery:
        raise ValueError(
            f"scores must have one column per gallery item if sparse, expected "
            f"{n_gallery}, got {sims.shape[1]}."
        )
    corrected = sparse.csr_array(
        (np.empty_like(sims.data), np.empty_like(sims.indices), sims.indptr.copy()),
        shape=sims.shape,
    )
    for rows in _rows_of_like_length(np.diff(sims.indptr)):
        places = _places(sims.indptr, rows)
        there = places >= 0
        keys, items = _kernels.empty_top_k(places.shape, sims.dtype)
        keys[there], items[there] = (
            sims.data[places[there]],
            sims.indices[places[there]],
        )
        _check_items(items, n_gallery)
        found = correction.rescore(keys, items)
        found, items = _kernels.best_first(found, items, items.shape[1])
        corrected.data[places[there]] = found[there]
        corrected.indices[places[there]] = items[there]
    return corrected


def _rows_of_like_length(lengths):
    """Yield groups of rows of similar length, to convert each group to dense."""
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    first = 0
    while first < order.size:
        n_rows = max(1, _BLOCK_ENTRIES // lengths[order[first]])
        yield order[first : first + n_rows]
        first += n_rows


def _places(indptr, rows):
    """Return the positions of the entries of each row, -1 behind its end."""
    lengths = (indptr[1:] - indptr[:-1])[rows]
    steps = np.arange(lengths.max())
    return np.where(steps < lengths[:, None], indptr[rows][:, None] + steps, -1)
