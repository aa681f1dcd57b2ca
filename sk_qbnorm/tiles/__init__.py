"""Similarities tile by tile: from embeddings or a matrix, never all at once.

`SimilaritySource` validates inputs and returns tiles; `walk` shows them to visitors. A
*round* is some rows against the whole gallery. Within a round every block of columns is
one tile, and threads share the tiles. The blocks depend on the data alone and not on
the number of threads, so the order of every sum is fixed.

A tile is what kernels take: a C-contiguous matrix and the bounds of the relevant part.
"""

from ._best import BestItems, BestOfRows
from ._concatenated import ConcatenatedTiles
from ._gallery import Gallery, row_lengths
from ._matrix import MatrixTiles
from ._sample import SAMPLE_ITEMS, SAMPLE_ROWS, sample_tiles
from ._source import (
    METRICS,
    SimilaritySource,
    check_any_metric,
    check_no_iterator,
    check_same_items,
    resolve_metric,
)
from ._tile import whole
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
    "Visitor",
    "check_any_metric",
    "check_no_iterator",
    "check_same_items",
    "resolve_metric",
    "row_lengths",
    "sample_tiles",
    "walk",
    "whole",
    "whole_matrix",
]
