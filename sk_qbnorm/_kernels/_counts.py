"""How many rows each column of a tile wins."""

import numpy as np

from ._jit import kernel


def add_wins(tile, bias, cuts, counts):
    """Count the rows in which ``s_ij - bias[j] >= cuts[i]``, per column.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix and the bounds of the relevant rows and columns.
    bias : ndarray of shape (n_columns,), in the dtype of the matrix
    cuts : ndarray of shape (n_rows,), in the dtype of the matrix
    counts : ndarray of shape (n_columns,), dtype int64
        Updated in place.
    """
    _add(*tile, bias, cuts, counts)


@kernel
def _add(sims, top, bottom, left, right, bias, cuts, counts):
    for i in range(top, bottom):
        row, cut = sims[i, left:right], cuts[i - top]
        for j in range(row.size):
            counts[j] += np.int64(row[j] - bias[j] >= cut)
