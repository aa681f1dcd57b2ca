"""Tiles of a matrix of similarities."""

import numpy as np

from ._tile import Tile, even_rounds, whole


class MatrixTiles:
    """The tiles of a matrix, in any memory layout.

    Parameters
    ----------
    sims : ndarray of shape (n_rows, n_gallery)
    """

    def __init__(self, sims):
        self.shape, self.dtype = sims.shape, sims.dtype
        self._sims = sims

    def rounds(self):
        """Yield the rows of each round."""
        return even_rounds(self.shape[0])

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        if self._sims.flags.c_contiguous:
            return lambda columns: Tile(
                self._sims, rows.start, rows.stop, columns.start, columns.stop
            )
        return lambda columns: whole(np.ascontiguousarray(self._sims[rows, columns]))
