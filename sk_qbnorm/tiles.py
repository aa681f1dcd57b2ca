"""The similarities of a bank to a gallery, tile by tile; never the whole matrix.

A *round* is some rows of the bank against the whole gallery; within a round every block
of columns is a tile of its own, and threads take tiles. The blocks depend on the data
alone and never on the number of threads, so neither does any sum.

What is handed out is what kernels want: a C-contiguous matrix and the bounds of the
part that counts.
"""

import math
import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches, gen_even_slices

from ._validation import check_finite
from .similarity import similarity_of, unit_rows

_TILE_ROWS = 3400  # at most, of each side in even parts
_TILE_COLUMNS = 1280
_FEWEST_BLOCKS = 8  # of columns, so that threads find work in a small gallery too
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
        return _even_rounds(self.shape[0])

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
        self._to_unit_length = metric == "cosine"
        self._may_overflow = not self._to_unit_length and not _in_range(
            queries, gallery, self.dtype
        )
        self._memory = threading.local()

    def rounds(self):
        """Yield the rows of each round."""
        return _even_rounds(self.shape[0])

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        queries = self._queries[rows]
        if self._to_unit_length:
            units = self._reused("queries", queries.shape, queries.dtype)
            queries = unit_rows(queries, out=units)

        def tile(columns):
            gallery = self._gallery[columns]
            if self._to_unit_length:
                units = self._reused("gallery", gallery.shape, gallery.dtype)
                gallery = unit_rows(gallery, out=units)
            shape = len(queries), len(gallery)
            product = self._reused("product", shape, self.dtype)
            with np.errstate(over="ignore", invalid="ignore"):
                np.matmul(queries, gallery.T, out=product)
            if self._may_overflow:
                check_finite(product, "the similarities of these embeddings")
            return whole(product)

        return tile

    def _reused(self, name, shape, dtype):
        """Return a matrix over memory that this thread has used before.

        The pages of fresh memory cost more than what is written to them.
        """
        size = shape[0] * shape[1]
        memory = getattr(self._memory, name, None)
        if memory is None or memory.size < size:
            memory = np.empty(size, dtype=dtype)
            setattr(self._memory, name, memory)
        return memory[:size].reshape(shape)


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


def _in_range(queries, gallery, dtype):
    """Tell whether no product of the embeddings can leave the range of the dtype."""
    peaks = (max(float(each.max()), -float(each.min())) for each in (queries, gallery))
    return math.prod([queries.shape[1], *peaks]) < float(np.finfo(dtype).max)


def whole(matrix):
    """Return all of a C-contiguous matrix as a tile."""
    return Tile(matrix, 0, matrix.shape[0], 0, matrix.shape[1])


def column_blocks(n_gallery):
    """Cut the gallery into the blocks that tiles have."""
    narrow = min(_FEWEST_BLOCKS, -(-n_gallery // _NARROWEST))
    n_blocks = max(narrow, -(-n_gallery // _TILE_COLUMNS))
    return list(gen_even_slices(n_gallery, n_blocks))


def _even_rounds(n_bank):
    return gen_even_slices(n_bank, -(-n_bank // _TILE_ROWS))
