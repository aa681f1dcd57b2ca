"""The best gallery items of each query."""

import numpy as np

from ._jit import kernel
from ._threads import share

# Insertion costs up to k moves for each entry found; beyond this a sort is cheaper.
_LONGEST_INSERTION = 128
_CHUNK = 64  # entries that are passed over together if none is good enough
_BLOCK = 2**20  # entries of rows that are copied together, where they are not in order


def row_top_k(tile, k):
    """Return the k largest entries of each row of a tile, best first.

    Ties: larger score first, then the smaller column.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix; the first and last row, first and last column that count.
    k : int
        At most the number of columns that count.

    Returns
    -------
    values : ndarray of shape (n_rows, k), in the dtype of the matrix
    columns : ndarray of shape (n_rows, k), dtype int64
        Counted from the first column that counts.
    """
    scores, top, bottom, left, right = tile
    values = np.empty((bottom - top, k), dtype=scores.dtype)
    columns = np.empty((bottom - top, k), dtype=np.int64)
    if k == 1:
        part = scores[top:bottom, left:right]
        columns[:, 0] = part.argmax(axis=1)
        values[:] = np.take_along_axis(part, columns, axis=1)
    elif k <= _LONGEST_INSERTION:
        _find(scores, top, bottom, left, right, values, columns)
    else:
        for i in range(top, bottom):
            row = scores[i, left:right]
            columns[i - top] = np.argsort(-row, kind="stable")[:k]
            values[i - top] = row[columns[i - top]]
    return values, columns


@kernel
def _find(scores, top, bottom, left, right, values, columns):
    for i in range(top, bottom):
        row, best, places = scores[i, left:right], values[i - top], columns[i - top]
        _fill(row, best, places)
        for chunk in range(best.size, row.size, _CHUNK):
            end = min(chunk + _CHUNK, row.size)
            if _any_above(row[chunk:end], best[-1]):
                for j in range(chunk, end):
                    if row[j] > best[-1]:
                        _insert(row[j], j, best.size - 1, best, places)


@kernel
def _fill(row, best, places):
    for j in range(best.size):
        _insert(row[j], j, j, best, places)


@kernel
def _insert(value, j, place, best, places):
    while place > 0 and value > best[place - 1]:
        best[place] = best[place - 1]
        places[place] = places[place - 1]
        place -= 1
    best[place] = value
    places[place] = j


@kernel
def _any_above(chunk, bar):
    found = np.int32(0)  # as wide as a float32, to be vectorised
    for j in range(chunk.size):
        found |= np.int32(chunk[j] > bar)
    return found != 0


def best_items(scores, k, n_threads):
    """Return the k largest entries of each row of a matrix, best first.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, n_gallery), in any order
    k : int
        At most n_gallery.
    n_threads : int

    Returns
    -------
    values : ndarray of shape (n_queries, k), in the dtype of `scores`
    indices : ndarray of shape (n_queries, k), dtype int64
    """
    values = np.empty((scores.shape[0], k), dtype=scores.dtype)
    indices = np.empty((scores.shape[0], k), dtype=np.int64)
    n_rows = max(1, _BLOCK // scores.shape[1])

    def find(start, stop):
        for first in range(start, stop, n_rows):
            rows = slice(first, min(first + n_rows, stop))
            block = np.ascontiguousarray(scores[rows])
            tile = block, 0, block.shape[0], 0, block.shape[1]
            values[rows], indices[rows] = row_top_k(tile, k)

    share(find, scores.shape[0], n_threads)
    return values, indices
