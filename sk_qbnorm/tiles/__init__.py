"""Similarities tile by tile: from embeddings or a matrix, never the whole at once.

A *round* is some rows against the whole gallery; within a round every block of columns
is a tile of its own, and threads take tiles. The blocks depend on the data alone and
never on the number of threads, so neither does any sum.

What is handed out is what kernels want: a C-contiguous matrix and the bounds of the
part that counts.
"""

from ._beside import Beside
from ._best import BestItems, BestOfRows
from ._gallery import Gallery, row_lengths
from ._matrix import MatrixTiles
from ._tile import whole
from ._walk import walk, whole_matrix

__all__ = [
    "Beside",
    "BestItems",
    "BestOfRows",
    "Gallery",
    "MatrixTiles",
    "row_lengths",
    "walk",
    "whole",
    "whole_matrix",
]
