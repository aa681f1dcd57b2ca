"""The best gallery items of each query."""

import numpy as np

from ._jit import kernel
from ._threads import share

_CHUNK = 64  # entries that are skipped together if none is good enough
_BLOCK = 2**20  # entries that are copied at once if they are not contiguous


def add_row_top_k(tile, scale, bias, first_item, keys, items):
    """Keep the k items of each row with the largest ``scale * s_qj - bias[j]``.

    Pass the tiles of a row in the order of their items: of equal keys, the smaller item
    is kept. After some entries, almost none is among the k best. A vectorized
    comparison with the worst of these skips a chunk in which no entry is better.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix and the bounds of the relevant rows and columns.
    scale : float
        A power of two, so that each key is rounded once.
    bias : ndarray of shape (n_columns,), in the dtype of the matrix, or None
    first_item : int
        The item of the first relevant column.
    keys : ndarray of shape (n_rows, k), in the dtype of the matrix
    items : ndarray of shape (n_rows, k), dtype int64
        Updated in place; each row is a heap with its worst item first. Start with
        `empty_top_k`.
    """
    matrix, top, bottom, left, right = tile
    if bias is None and keys.shape[1] == 1:
        _keep_largest(matrix[top:bottom, left:right], scale, first_item, keys, items)
        return
    scale = matrix.dtype.type(scale)
    _add(matrix, top, bottom, left, right, scale, bias, first_item, keys, items)


def _keep_largest(part, scale, first_item, keys, items):
    columns = part.argmax(axis=1)[:, None]
    found = np.take_along_axis(part, columns, axis=1) * part.dtype.type(scale)
    better = found > keys
    keys[better], items[better] = found[better], columns[better] + first_item


@kernel
def _add(sims, top, bottom, left, right, scale, bias, first_item, keys, items):
    for i in range(top, bottom):
        row, best, places = sims[i, left:right], keys[i - top], items[i - top]
        for chunk in range(0, row.size, _CHUNK):
            end = min(chunk + _CHUNK, row.size)
            if bias is None:  # numba compiles a separate kernel for None
                found = _any_above(row[chunk:end], scale, best[0])
            else:
                biases = bias[chunk:end]
                found = _any_above_biased(row[chunk:end], scale, biases, best[0])
            if found:
                for j in range(chunk, end):
                    key = scale * row[j]
                    if bias is not None:
                        key = scale * row[j] - bias[j]
                    if key > best[0]:
                        _replace_worst(key, first_item + j, best, places)


@kernel
def _any_above(chunk, scale, bar):
    found = np.int32(0)  # as wide as a float32, so that LLVM vectorizes
    for j in range(chunk.size):
        found |= np.int32(scale * chunk[j] > bar)
    return found != 0


@kernel
def _any_above_biased(chunk, scale, bias, bar):
    found = np.int32(0)
    for j in range(chunk.size):
        found |= np.int32(scale * chunk[j] - bias[j] > bar)
    return found != 0


@kernel
def _replace_worst(key, item, keys, items):
    place, child = 0, 1
    while child < keys.size:
        if child + 1 < keys.size and _is_worse(
            keys[child + 1], items[child + 1], keys[child], items[child]
        ):
            child += 1
        if not _is_worse(keys[child], items[child], key, item):
            break
        keys[place], items[place] = keys[child], items[child]
        place, child = child, 2 * child + 1
    keys[place], items[place] = key, item


@kernel
def _is_worse(key, item, other_key, other_item):
    return key < other_key or (key == other_key and item > other_item)


def best_first(keys, items, k):
    """Sort the k best of each row: larger key first, then smaller item."""
    order = np.lexsort((items, -keys))[:, :k]
    return np.take_along_axis(keys, order, 1), np.take_along_axis(items, order, 1)


def row_top_k(tile, k):
    """Return the k largest entries of each row of a tile, best first.

    Ties: larger score first, then the smaller column.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix and the bounds of the relevant rows and columns.
    k : int
        At most the number of relevant columns.

    Returns
    -------
    values : ndarray of shape (n_rows, k), in the dtype of the matrix
    columns : ndarray of shape (n_rows, k), dtype int64
        Counted from the first relevant column.
    """
    values, columns = empty_top_k((tile[2] - tile[1], k), tile[0].dtype)
    add_row_top_k(tile, 1.0, None, 0, values, columns)
    return best_first(values, columns, k)


def empty_top_k(shape, dtype):
    """Return the keys and items that `add_row_top_k` starts with."""
    return np.full(shape, -np.inf, dtype=dtype), np.full(shape, -1, dtype=np.int64)


def best_items(scores, k, n_threads):
    """Return the k largest entries of each row of a matrix, best first.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, n_gallery), in any memory layout
    k : int
        At most n_gallery.
    n_threads : int

    Returns
    -------
    values : ndarray of shape (n_queries, k), in the dtype of `scores`
    indices : ndarray of shape (n_queries, k), dtype int64
    """
    values, indices = empty_top_k((scores.shape[0], k), scores.dtype)
    n_rows = max(1, _BLOCK // scores.shape[1])

    def find(start, stop):
        for first in range(start, stop, n_rows):
            rows = slice(first, min(first + n_rows, stop))
            block = np.ascontiguousarray(scores[rows])
            tile = block, 0, block.shape[0], 0, block.shape[1]
            values[rows], indices[rows] = row_top_k(tile, k)

    share(find, scores.shape[0], n_threads)
    return values, indices
