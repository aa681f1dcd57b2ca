"""Similarities tile by tile: from embeddings or a matrix, never all at once.

`SimilaritySource` validates inputs and returns tiles; `walk` passes them to visitors. A
*round* compares some rows with the whole gallery. Each block of columns in a round is
one tile, and threads share the tiles. The blocks depend only on the data, not on the
number of threads, so the order of every sum is fixed.

A tile is a C-contiguous matrix and the bounds of its relevant part; kernels accept it.
"""

from ._best import BestItems, BestOfRows
from ._concatenated import ConcatenatedTiles
from ._gallery import Gallery, prepared_gallery, row_lengths
from ._matrix import MatrixTiles, matrix_tiles
from ._products import rows_per_call
from ._sample import SAMPLE_ITEMS, SAMPLE_ROWS, sample_step, sample_tiles
from ._source import (
    METRICS,
    SimilaritySource,
    check_any_metric,
    check_no_iterator,
    check_same_items,
    resolve_metric,
)
from ._tile import Tiles, even_rounds, whole
from ._walk import Visitor, walk, whole_matrix

__all__ = [
    "METRICS",
    "SAMPLE_ITEMS",
    "SAMPLE_ROWS",
    "BestItems",
    "BestOfRows",
    "ConcatenatedTiles",
    "Gallery",
    "MatrixTiles",
    "SimilaritySource",
    "Tiles",
    "Visitor",
    "check_any_metric",
    "check_no_iterator",
    "check_same_items",
    "even_rounds",
    "matrix_tiles",
    "prepared_gallery",
    "resolve_metric",
    "row_lengths",
    "rows_per_call",
    "sample_step",
    "sample_tiles",
    "walk",
    "whole",
    "whole_matrix",
]
