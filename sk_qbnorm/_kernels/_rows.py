"""The best gallery items of each query."""

import numpy as np

from ._jit import kernel
from ._threads import share

# Insertion costs k moves for a new entry; beyond this a whole sort is cheaper.
_LONGEST_INSERTION = 64


def row_top_k(scores, k, n_threads):
    """Return the columns of the k largest entries of each row, best first.

    Ties: larger score first, then the smaller column.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, n_gallery)
    k : int
        At most n_gallery.
    n_threads : int

    Returns
    -------
    indices : ndarray of shape (n_queries, k), dtype int64
    """
    indices = np.empty((scores.shape[0], k), dtype=np.int64)
    find = _insert_top_k if k <= _LONGEST_INSERTION else _sort_top_k
    share(
        lambda start, stop: find(scores, indices, start, stop),
        scores.shape[0],
        n_threads,
    )
    return indices


@kernel
def _insert_top_k(scores, indices, start, stop):
    k = indices.shape[1]
    for i in range(start, stop):
        found = 0
        for j in range(scores.shape[1]):
            s = scores[i, j]
            if found < k:
                place = found
                found += 1
            elif s > scores[i, indices[i, k - 1]]:
                place = k - 1
            else:
                continue
            while place > 0 and s > scores[i, indices[i, place - 1]]:
                indices[i, place] = indices[i, place - 1]
                place -= 1
            indices[i, place] = j


def _sort_top_k(scores, indices, start, stop):
    for i in range(start, stop):
        order = np.argsort(-scores[i], kind="stable")
        indices[i] = order[: indices.shape[1]]
