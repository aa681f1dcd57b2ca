"""Tiles of two galleries, side by side."""

import numpy as np

from sk_qbnorm._validation import check_finite

from ._foreign import foreign_tile
from ._tile import Tiles, whole


class ConcatenatedTiles(Tiles):
    """The tiles of the same rows to two galleries, as if they were one gallery.

    Parameters
    ----------
    left, right : MatrixTiles or result of `Gallery.tiles`
        Both have the same number of rows.

    Attributes
    ----------
    n_left : int
        Number of items of the left gallery, which come first.
    """

    def __init__(self, left, right):
        self._left, self._right = left, right
        self.n_left = left.shape[1]
        self.shape = left.shape[0], self.n_left + right.shape[1]
        self.dtype, self.home = left.dtype, left.home

    def rounds(self):
        """Yield the rows of each round."""
        # The shorter rounds of the two: a callable metric may limit their length.
        return max(list(self._left.rounds()), list(self._right.rounds()), key=len)

    def column_blocks(self):
        """Return the columns of each tile of a round."""
        if self.home is None:
            return super().column_blocks()
        right = self._right.column_blocks()
        shifted = [slice(s.start + self.n_left, s.stop + self.n_left) for s in right]
        return self._left.column_blocks() + shifted

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        left, right = self._left.prepare(rows), self._right.prepare(rows)

        def tile(columns):
            first = columns.start - self.n_left
            last = columns.stop - self.n_left
            if last <= 0:
                return left(columns)
            if first >= 0:
                return self._as_left(right(slice(first, last)))
            left_part = left(slice(columns.start, self.n_left))
            right_part = self._as_left(right(slice(0, last)))
            return whole(np.hstack([_matrix(left_part), _matrix(right_part)]))

        return tile

    def _as_left(self, tile):
        if self.home is not None:
            return foreign_tile(self.home.cast(tile.matrix, self.dtype))
        if tile.matrix.dtype == self.dtype:
            return tile
        with np.errstate(over="ignore"):
            matrix = _matrix(tile).astype(self.dtype)
        check_finite(matrix, f"the similarities to the gallery bank, in {self.dtype},")
        return whole(matrix)


def _matrix(tile):
    matrix, top, bottom, left, right = tile
    return matrix[top:bottom, left:right]
