"""Tiles of products of embeddings, each computed on request."""

import threading

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from sk_qbnorm._embeddings import unit_rows
from sk_qbnorm._validation import check_finite, check_matrix, float_dtype

from ._tile import Tile, Tiles, even_rounds, whole

_BLOCK_BYTES = 2**25  # of similarities per call of a callable metric


class DenseTiles(Tiles):
    """The tiles of the products of dense embeddings.

    Parameters
    ----------
    queries, gallery : ndarray of shape (n_rows, n_features)
        Of any numeric dtype; each tile converts its part to floats.
    to_unit_length : tuple of two bool
        Whether to scale the rows of queries and of the gallery to length 1.
    may_overflow : bool
        Whether products can leave the range of the dtype.
    """

    def __init__(self, queries, gallery, to_unit_length, may_overflow):
        self.shape = queries.shape[0], gallery.shape[0]
        self.dtype = float_dtype(queries, gallery)
        self._queries, self._gallery = queries, gallery
        self._to_unit_length = to_unit_length
        self._may_overflow = may_overflow
        self._memory = threading.local()

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        scale_queries, scale_gallery = self._to_unit_length
        queries = self._floats("queries", self._queries[rows], scale_queries)

        def tile(columns):
            gallery = self._floats("gallery", self._gallery[columns], scale_gallery)
            shape = len(queries), len(gallery)
            product = self._reused("product", shape)
            with np.errstate(over="ignore", invalid="ignore"):
                np.matmul(queries, gallery.T, out=product)
            if self._may_overflow:
                check_finite(product, "the similarities of these embeddings")
            return whole(product)

        return tile

    def _floats(self, name, embeddings, to_unit_length):
        embeddings = np.asarray(embeddings, dtype=self.dtype)
        if not to_unit_length:
            return embeddings
        return unit_rows(embeddings, out=self._reused(name, embeddings.shape))

    def _reused(self, name, shape):
        """Return a matrix in memory that this thread has used before.

        Allocating new memory takes longer than writing to it.
        """
        size = shape[0] * shape[1]
        memory = getattr(self._memory, name, None)
        if memory is None or memory.size < size:
            memory = np.empty(size, dtype=self.dtype)
            setattr(self._memory, name, memory)
        return memory[:size].reshape(shape)


class SparseTiles(Tiles):
    """The tiles of products of embeddings, some or all of which are sparse.

    Parameters
    ----------
    queries, gallery : ndarray or CSR matrix of shape (n_rows, n_features)
    to_unit_length : tuple of two bool
        As in `DenseTiles`.
    """

    def __init__(self, queries, gallery, to_unit_length):
        self.shape = queries.shape[0], gallery.shape[0]
        self.dtype = float_dtype(queries, gallery)
        self._queries, self._gallery = queries, gallery
        self._to_unit_length = to_unit_length

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        scale_queries, scale_gallery = self._to_unit_length
        queries = self._floats(self._queries[rows], scale_queries)

        def tile(columns):
            gallery = self._floats(self._gallery[columns], scale_gallery)
            product = safe_sparse_dot(queries, gallery.T, dense_output=True)
            product = np.ascontiguousarray(product, dtype=self.dtype)
            check_finite(product, "the similarities of these embeddings")
            return whole(product)

        return tile

    def _floats(self, embeddings, to_unit_length):
        embeddings = embeddings.astype(self.dtype, copy=False)
        return unit_rows(embeddings) if to_unit_length else embeddings


class CallableTiles(Tiles):
    """The tiles of the result of a callable metric, which gets the whole gallery.

    Parameters
    ----------
    queries, gallery : ndarray or CSR matrix of shape (n_rows, n_features)
    metric : callable
    """

    def __init__(self, queries, gallery, metric):
        self.shape = queries.shape[0], gallery.shape[0]
        self.dtype = float_dtype(queries, gallery)
        self._queries, self._metric = queries, metric
        self._gallery = gallery.astype(self.dtype, copy=False)

    def rounds(self):
        """Yield the rows of each round."""
        return even_rounds(self.shape[0], rows_per_call(self.dtype, self.shape[1]))

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        queries = self._queries[rows].astype(self.dtype, copy=False)
        sims = np.ascontiguousarray(_call_metric(self._metric, queries, self._gallery))
        return lambda columns: Tile(sims, 0, len(sims), columns.start, columns.stop)


def rows_per_call(dtype, n_gallery):
    """Return the number of queries that a callable metric gets at once."""
    return max(1, _BLOCK_BYTES // (dtype.itemsize * n_gallery))


def _call_metric(metric, queries, gallery):
    """Call the metric and check the similarities that it returns."""
    sims = metric(queries, gallery)
    if sparse.issparse(sims):  # such as a product of sparse embeddings
        sims = sims.toarray()
    expected = queries.shape[0], gallery.shape[0]
    if np.shape(sims) != expected:
        raise ValueError(
            "metric must return one row per query and one column per gallery item, "
            f"expected shape {expected}, got {type(sims).__name__} of {np.shape(sims)}."
        )
    sims = check_matrix(sims, "what the metric returned")
    return sims.astype(float_dtype(queries, gallery), copy=False)
