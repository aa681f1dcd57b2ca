"""Mean and spread of all entries of a tile."""

import numpy as np

from ._jit import kernel

_LANES = 32  # parallel sums, so that LLVM vectorizes


def moments(tile):
    """Return the sum of all entries of a tile, and the sum of squares about the mean.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix and the bounds of the relevant rows and columns.

    Returns
    -------
    total, squares : float
    """
    matrix, top, bottom, left, right = tile
    origin = float(matrix[top, left])  # close enough to the mean for float64
    n_entries = (bottom - top) * (right - left)
    with np.errstate(over="ignore", invalid="ignore"):  # the caller handles infinity
        total, squares = _sums(matrix, top, bottom, left, right, origin)
        squares -= total * total / n_entries
        return total + n_entries * origin, max(squares, 0.0)


@kernel
def _sums(sims, top, bottom, left, right, origin):
    totals, squares = np.zeros(_LANES), np.zeros(_LANES)
    whole = (right - left) // _LANES * _LANES
    for i in range(top, bottom):
        row = sims[i, left:right]
        for first in range(0, whole, _LANES):
            for lane in range(_LANES):
                entry = np.float64(row[first + lane]) - origin
                totals[lane] += entry
                squares[lane] += entry * entry
        for j in range(whole, row.size):
            entry = np.float64(row[j]) - origin
            totals[j - whole] += entry
            squares[j - whole] += entry * entry
    return totals.sum(), squares.sum()
