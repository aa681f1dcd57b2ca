"""Tiles of a matrix of similarities."""

import numpy as np

from sk_qbnorm import _arrays

from ._foreign import ForeignMatrixTiles
from ._tile import Tile, Tiles, whole


def matrix_tiles(sims):
    """Return the tiles of a matrix of any library."""
    is_foreign = _arrays.home_of(sims) is not None
    return ForeignMatrixTiles(sims) if is_foreign else MatrixTiles(sims)


class MatrixTiles(Tiles):
    """The tiles of a matrix, in any memory layout.

    Parameters
    ----------
    sims : ndarray of shape (n_rows, n_gallery)
    """

    def __init__(self, sims):
        self.shape, self.dtype = sims.shape, sims.dtype
        self._sims = sims

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        if self._sims.flags.c_contiguous:
            return lambda columns: Tile(
                self._sims, rows.start, rows.stop, columns.start, columns.stop
            )
        return lambda columns: whole(np.ascontiguousarray(self._sims[rows, columns]))
