"""Correct the candidates of each query, dense or as a sparse matrix."""

from __future__ import annotations

from numbers import Integral

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


def rescored(correction, scores, indices, n_gallery, names=None, return_names=False):
    """Return candidates sorted by corrected score, in the form they were passed in.

    Parameters
    ----------
    correction : one of those in `corrections`
    scores : array-like of shape (n_queries, n_candidates) or sparse matrix
    indices : array-like of shape (n_queries, n_candidates) or None
    n_gallery : int
    names : ndarray of shape (n_gallery,) or None
    return_names : bool
        Whether to return names in place of gallery indices.
    """
    if return_names and (names is None or sparse.issparse(scores)):
        raise ValueError(
            "return_names=True requires names of the gallery items and dense scores, "
            "got a gallery without or a sparse matrix; fit a dataframe whose index "
            "names the items."
        )
    if sparse.issparse(scores):
        return _rescored_sparse(correction, scores, indices, n_gallery)
    sims, items = _check_dense(scores, indices, n_gallery, names)
    corrected = correction.rescore(sims, items)
    found, items = _kernels.best_first(corrected, items, items.shape[1])
    if not return_names:
        return found, items
    return found, np.where(items < 0, None, names[items])


def with_added_names(names, n_gallery, added):
    """Return the names of the gallery items, followed by those of added items.

    An item of the gallery that is replaced loses its name to the one that is added.
    """
    if names is None:
        names = np.arange(n_gallery).astype(object)
    new = np.empty(len(added), dtype=object)
    new[:] = [*added]
    left = np.array([object() if name in added else name for name in names], object)
    return np.concatenate([left, new])


def _check_dense(scores, indices, n_gallery, names):
    if indices is None:
        raise ValueError(
            "indices must hold the gallery item of each score, got None; pass them, or "
            "a sparse matrix of scores."
        )
    check_unmasked(indices, "indices")
    scores, indices = _filled_up(scores, indices)
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


def padded(scores, indices):
    """Return rows of different lengths as arrays that are filled up with no candidates.

    Parameters
    ----------
    scores : list of n_queries lists of numbers
    indices : list of n_queries lists of gallery indices or names

    Returns
    -------
    values : ndarray of shape (n_queries, n_longest)
        NaN for no candidate.
    items : ndarray of shape (n_queries, n_longest)
        -1 or None for no candidate.
    """
    lengths = np.array([len(row) for row in indices])
    there = np.arange(lengths.max(initial=0)) < lengths[:, None]
    values, items = np.full(there.shape, np.nan), np.full(there.shape, None)
    values[there] = [value for row in scores for value in row]
    items[there] = [item for row in indices for item in row]
    if all(isinstance(item, Integral) for item in items[there]):
        items = np.where(there, items, -1).astype(np.int64)
    return values, items


def _filled_up(scores, indices):
    """Return dense arrays of lists of rows that have different lengths."""
    if isinstance(scores, (list, tuple)) and isinstance(indices, (list, tuple)):
        lengths = [np.size(row) for row in scores]
        if len({*lengths}) > 1 and lengths == [np.size(row) for row in indices]:
            return padded(scores, indices)
    return scores, indices


def _named_items(items, names):
    """Return gallery indices in place of names, -1 for None (and for -1 itself)."""
    if isinstance(names[-1], str) and items.dtype.kind in "iu":
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
