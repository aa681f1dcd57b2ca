"""Split rows and columns of a matrix into tiles."""

from typing import NamedTuple

from numpy.typing import NDArray
from sklearn.utils import gen_even_slices

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
