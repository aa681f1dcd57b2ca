"""The k largest similarities of every column."""

import numpy as np

from ._jit import kernel

_WINDOW = 64  # columns that are compared together


def add_top_k(tile, top):
    """Keep the k largest values of every column of a tile, largest first.

    After some rows, almost no value is among the k largest. A vectorized comparison
    with the smallest of these skips a window in which no value is larger.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix and the bounds of the relevant rows and columns.
    top : ndarray of shape (n_columns, k), in the dtype of the matrix
        Updated in place. Start with minus infinity.
    """
    smallest = top[:, -1].copy()
    _add_tile(*tile, top, smallest)


@kernel
def _add_tile(sims, first, last, left, right, top, smallest):
    for i in range(first, last):
        for j in range(left, right, _WINDOW):
            end = min(j + _WINDOW, right)
            window = sims[i, j:end]
            bar = smallest[j - left : end - left]
            if _any_above(window, bar):
                _insert(window, bar, top[j - left : end - left])


@kernel
def _any_above(window, bar):
    found = np.int32(0)  # as wide as a float32, so that LLVM vectorizes
    for j in range(window.size):
        found |= np.int32(window[j] > bar[j])
    return found != 0


@kernel
def _insert(window, bar, top):
    last = top.shape[1] - 1
    for j in range(window.size):
        value = window[j]
        if value > bar[j]:
            place = last
            while place > 0 and value > top[j, place - 1]:
                top[j, place] = top[j, place - 1]
                place -= 1
            top[j, place] = value
            bar[j] = top[j, last]
