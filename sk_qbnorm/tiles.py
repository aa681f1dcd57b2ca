"""The similarities of a bank to a gallery, tile by tile; never the whole matrix.

A *round* is some rows of the bank against the whole gallery; within a round every block
of columns is a tile of its own, and threads take tiles. The blocks depend on the data
alone and never on the number of threads, so neither does any sum.

What is handed out is what kernels want: a C-contiguous matrix and the bounds of the
part that counts.
"""

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from .similarity import row_lengths, similarity_of, unit_rows

_TILE_ROWS = 2048
_TILE_COLUMNS = 1024
_FEWEST_BLOCKS = 8  # of columns, so that some threads find work in a small gallery
_NARROWEST = 128
_BLOCK_BYTES = 2**25  # of what a callable metric is asked for at once


class Tile(NamedTuple):
    """A part of a C-contiguous matrix, by its bounds."""

    matrix: NDArray
    top: int
    bottom: int
    left: int
    right: int


class MatrixTiles:
    """Tiles of similarities that are there already."""

    def __init__(self, sims):
        self.shape, self.dtype = sims.shape, sims.dtype
        self._sims = sims

    def rounds(self):
        """Yield the rows of each round."""
        return gen_batches(self.shape[0], _TILE_ROWS)

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        if self._sims.flags.c_contiguous:
            return lambda columns: Tile(
                self._sims, rows.start, rows.stop, columns.start, columns.stop
            )
        return lambda columns: whole(np.ascontiguousarray(self._sims[rows, columns]))


class EmbeddingTiles:
    """Tiles of the products of embeddings, each made when it is asked for."""

    def __init__(self, queries, gallery, metric):
        self.shape = queries.shape[0], gallery.shape[0]
        self.dtype = np.result_type(queries, gallery)
        self._queries, self._gallery = queries, gallery
        self._lengths = None
        if metric == "cosine":
            self._lengths = row_lengths(queries), row_lengths(gallery)
        self._buffers = threading.local()

    def rounds(self):
        """Yield the rows of each round."""
        return gen_batches(self.shape[0], _TILE_ROWS)

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        queries = self._part(0, self._queries, rows)

        def tile(columns):
            gallery = self._part(1, self._gallery, columns)
            product = self._buffer(len(queries), len(gallery))
            return whole(np.matmul(queries, gallery.T, out=product))

        return tile

    def _part(self, side, embeddings, rows):
        part = embeddings[rows]
        if self._lengths is not None:
            part = unit_rows(part, self._lengths[side][rows])
        return part.astype(self.dtype, copy=False)

    def _buffer(self, n_rows, n_columns):
        """Return a matrix of this thread, over memory that it has used before."""
        if not hasattr(self._buffers, "memory"):
            size = min(_TILE_ROWS, self.shape[0]) * min(_TILE_COLUMNS, self.shape[1])
            self._buffers.memory = np.empty(size, dtype=self.dtype)
        return self._buffers.memory[: n_rows * n_columns].reshape(n_rows, n_columns)


class CallableTiles:
    """Tiles of what a callable says of some queries and the whole gallery."""

    def __init__(self, queries, gallery, metric):
        self.shape = queries.shape[0], gallery.shape[0]
        self.dtype = np.result_type(queries, gallery)
        self._queries, self._gallery, self._metric = queries, gallery, metric

    def rounds(self):
        """Yield the rows of each round."""
        n_rows = max(1, _BLOCK_BYTES // (self.dtype.itemsize * self.shape[1]))
        return gen_batches(self.shape[0], n_rows)

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        sims = similarity_of(self._queries[rows], self._gallery, self._metric)
        sims = np.ascontiguousarray(sims, dtype=self.dtype)
        return lambda columns: Tile(sims, 0, len(sims), columns.start, columns.stop)


def whole(matrix):
    """Return all of a C-contiguous matrix as a tile."""
    return Tile(matrix, 0, matrix.shape[0], 0, matrix.shape[1])


def column_blocks(n_gallery):
    """Cut the gallery into the blocks that tiles have."""
    width = min(_TILE_COLUMNS, max(_NARROWEST, -(-n_gallery // _FEWEST_BLOCKS)))
    return list(gen_batches(n_gallery, width))
