"""Candidates of each query, dense or as a sparse matrix."""

import numpy as np
from scipy import sparse

from sk_qbnorm import _kernels
from sk_qbnorm._validation import check_finite, check_matrix


def check_shortlist(scores, indices, n_gallery):
    """Return candidates as two dense matrices, and the shape they came in if sparse.

    Returns
    -------
    sims : ndarray of shape (n_queries, n_candidates)
        Minus infinity for no candidate.
    items : ndarray of shape (n_queries, n_candidates), dtype int64
        -1 for no candidate.
    shape : tuple of two int or None
        That of the sparse matrix.
    """
    if sparse.issparse(scores):
        return _from_sparse(scores, indices, n_gallery)
    if indices is None:
        raise ValueError(
            "rescore needs the indices of the candidates, got None; pass the gallery "
            "item of every score, or a sparse matrix of scores."
        )
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
    sims = np.where(items < 0, 0, sims)  # whatever an engine says of no candidate
    check_finite(sims, "scores")
    _check_items(items, n_gallery)
    return np.where(items < 0, -np.inf, sims).astype(sims.dtype), items, None


def _from_sparse(scores, indices, n_gallery):
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
    counts = np.diff(sims.indptr)
    shape = sims.shape[0], max(1, counts.max())
    filled = np.arange(shape[1]) < counts[:, None]
    dense, items = _kernels.no_items(shape, sims.dtype)
    dense[filled], items[filled] = sims.data, sims.indices
    _check_items(items, n_gallery)
    return dense, items, sims.shape


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


def sorted_rows(scores, items, shape):
    """Return candidates best first; as a CSR array where they came as a sparse one."""
    scores, items = _kernels.best_first(scores, items, scores.shape[1])
    if shape is None:
        return scores, items
    filled = items >= 0
    indptr = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    return sparse.csr_array((scores[filled], items[filled], indptr), shape=shape)
