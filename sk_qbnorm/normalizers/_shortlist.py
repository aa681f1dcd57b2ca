"""Candidates of each query, dense or as a sparse matrix."""

import numpy as np
from scipy import sparse

from sk_qbnorm import _kernels
from sk_qbnorm._validation import check_finite, check_matrix, check_unmasked

_BLOCK_ENTRIES = 2**18  # of sparse rows that are made dense at once


def rescored(correction, scores, indices, n_gallery):
    """Return candidates by corrected score, in the form in which they came.

    Parameters
    ----------
    correction : one of those in `corrections`
    scores : array-like of shape (n_queries, n_candidates) or sparse matrix
    indices : array-like of int of shape (n_queries, n_candidates) or None
    n_gallery : int
    """
    if sparse.issparse(scores):
        return _rescored_sparse(correction, scores, indices, n_gallery)
    sims, items = _check_dense(scores, indices, n_gallery)
    corrected = correction.rescore(sims, items)
    return _kernels.best_first(corrected, items, items.shape[1])


def _check_dense(scores, indices, n_gallery):
    if indices is None:
        raise ValueError(
            "rescore needs the indices of the candidates, got None; pass the gallery "
            "item of every score, or a sparse matrix of scores."
        )
    check_unmasked(indices, "indices")
    items = np.asarray(indices)
    if items.dtype.kind not in "iu":
        raise ValueError(
            f"indices must be whole numbers, got dtype {items.dtype}; pass the gallery "
            "item of every score, -1 for none."
        )
    sims = check_matrix(scores, "scores", finite=False)
    if items.shape != sims.shape:
        raise ValueError(
            f"scores and indices must have the same shape, got {sims.shape} and "
            f"{items.shape}; pass one gallery item a score."
        )
    items = items.astype(np.int64)
    _check_items(items, n_gallery)
    missing = items < 0
    sims = np.where(missing, 0, sims)  # whatever an engine says of no candidate
    check_finite(sims, "scores")
    sims[missing] = -np.inf
    return sims, items


def _check_items(items, n_gallery):
    if items.max() >= n_gallery or items.min() < -1:
        raise ValueError(
            f"indices must be gallery items in [0, {n_gallery - 1}], or -1 for none, "
            f"got {items.min()} to {items.max()}; the candidates are of another "
            "gallery than the one fitted."
        )
    in_order = np.sort(items, axis=1)
    twice = (in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] >= 0)
    if twice.any():
        row = np.flatnonzero(twice.any(axis=1))[0]
        raise ValueError(
            f"indices must name a candidate once, got one twice in row {row}; drop "
            "what is repeated."
        )


def _rescored_sparse(correction, scores, indices, n_gallery):
    if indices is not None:
        raise ValueError(
            "A sparse matrix of scores says itself which items they are of, got "
            "indices too; pass one or the other."
        )
    sims = check_matrix(scores, "scores", accept_sparse=True)
    if sims.shape[1] != n_gallery:
        raise ValueError(
            f"A sparse matrix of scores must have one column a gallery item, expected "
            f"{n_gallery}, got {sims.shape[1]}."
        )
    corrected = sparse.csr_array(
        (np.empty_like(sims.data), np.empty_like(sims.indices), sims.indptr.copy()),
        shape=sims.shape,
    )
    for rows in _rows_of_like_length(np.diff(sims.indptr)):
        places = _places(sims.indptr, rows)
        there = places >= 0
        keys, items = _kernels.no_items(places.shape, sims.dtype)
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
    """Yield rows that can be made dense together, all that are not empty once."""
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    first = 0
    while first < order.size:
        n_rows = max(1, _BLOCK_ENTRIES // lengths[order[first]])
        yield order[first : first + n_rows]
        first += n_rows


def _places(indptr, rows):
    """Return where the entries of each row stand, -1 behind the end of a row."""
    lengths = (indptr[1:] - indptr[:-1])[rows]
    steps = np.arange(lengths.max())
    return np.where(steps < lengths[:, None], indptr[rows][:, None] + steps, -1)
