"""Split rows and columns of a matrix into tiles."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from numpy.typing import NDArray
from sklearn.utils import gen_even_slices

from sk_qbnorm import _arrays, _kernels

_TILE_ROWS = 3400  # at most; rows and columns are split evenly
_TILE_COLUMNS = 1280
_FEWEST_BLOCKS = 8  # of columns, so that a small gallery occupies several threads
_NARROWEST = 128


class Tile(NamedTuple):
    """A C-contiguous matrix and the bounds of the relevant part."""

    matrix: NDArray
    top: int
    bottom: int
    left: int
    right: int

    @property
    def kernels(self):
        """The primitives that take this tile."""
        return _kernels

    def first_rows(self, n):
        """Return the first rows, as a NumPy array."""
        matrix, top, bottom, left, right = self
        return matrix[top : min(top + n, bottom), left:right]


class ForeignTile(Tile):
    """An array of another library, all of which is relevant."""

    matrix: Any

    @property
    def kernels(self):
        """The primitives that take this tile."""
        return _arrays.kernels

    def first_rows(self, n):
        """Return the first rows, as a NumPy array."""
        return _arrays.to_numpy(_arrays.take_rows(self.matrix, slice(n)))

    def as_numpy(self):
        """Return the tile as a NumPy array, for visitors that take nothing else."""
        return whole(_arrays.to_numpy(self.matrix))


class Tiles(ABC):
    """The similarities of some rows to a gallery, tile by tile.

    Attributes
    ----------
    shape : tuple of int
        Number of rows and of gallery items.
    dtype : dtype
        NumPy dtype of the tiles.
    home : Home or None
        Where the tiles are computed, if they are not NumPy arrays.
    """

    shape: tuple
    home = None

    def rounds(self):
        """Yield the rows of each round."""
        return even_rounds(self.shape[0])

    def column_blocks(self):
        """Return the columns of each tile of a round."""
        return column_blocks(self.shape[1])

    @abstractmethod
    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""


def whole(matrix):
    """Return all of a C-contiguous matrix as a tile."""
    return Tile(matrix, 0, matrix.shape[0], 0, matrix.shape[1])


def column_blocks(n_gallery):
    """Split the gallery into the column blocks of tiles."""
    narrow = min(_FEWEST_BLOCKS, -(-n_gallery // _NARROWEST))
    n_blocks = max(narrow, -(-n_gallery // _TILE_COLUMNS))
    return list(gen_even_slices(n_gallery, n_blocks))


def even_rounds(n_rows, most=None):
    """Split the rows into rounds of equal size."""
    return gen_even_slices(n_rows, -(-n_rows // (most or _TILE_ROWS)))
