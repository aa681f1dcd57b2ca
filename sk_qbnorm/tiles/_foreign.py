"""Tiles of arrays of other libraries, computed where these live."""

from copy import copy

import numpy as np

from sk_qbnorm import _arrays

from ._tile import ForeignTile, Tiles, even_rounds

_TILE_ROWS = 4096
_TILE_COLUMNS = 8192
_ROW_BLOCK = 65536  # rows whose lengths are computed at once


class ForeignTiles(Tiles):
    """Tiles of arrays of another library, larger and in the order of their columns."""

    def rounds(self):
        """Yield the rows of each round."""
        return even_rounds(self.shape[0], _TILE_ROWS)

    def column_blocks(self):
        """Return the columns of each tile of a round."""
        return list(even_rounds(self.shape[1], _TILE_COLUMNS))

    def whole(self):
        """Return all similarities as one array."""
        parts = []
        for rows in self.rounds():
            tile = self.prepare(rows)
            blocks = [tile(columns).matrix for columns in self.column_blocks()]
            parts.append(_arrays.concat(blocks, axis=1))
        return _arrays.concat(parts)


class ForeignMatrixTiles(ForeignTiles):
    """The tiles of a matrix of another library.

    Parameters
    ----------
    sims : array of shape (n_rows, n_gallery)
        Finite. Shorter floats than float32 are converted tile by tile.
    """

    def __init__(self, sims):
        self.shape, self.home = tuple(sims.shape), _arrays.home_of(sims)
        self.dtype = self.home.dtype_of(sims)
        self._sims = sims

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        home, sims = self.home, self._sims
        return lambda columns: foreign_tile(
            home.in_order(home.cast(sims[rows, columns], self.dtype))
        )


class ForeignProductTiles(ForeignTiles):
    """The tiles of products of embeddings, or of the results of a callable metric.

    Parameters
    ----------
    queries, gallery : array of shape (n_rows, n_features)
        Of one library. Products of half floats are computed in half floats, and then
        converted to float32.
    metric : {"cosine", "dot"} or callable
    are_units : bool
        Whether the rows of the gallery have length 1.
    """

    def __init__(self, queries, gallery, metric, are_units):
        self.shape = queries.shape[0], gallery.shape[0]
        self.home = _arrays.home_of(gallery)
        self.dtype = self.home.dtype_of(queries, gallery)
        self._queries, self._gallery = queries, gallery
        self._metric, self._are_units = metric, are_units

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        queries = self._queries[rows, :]
        if callable(self._metric):
            sims = self._call(queries)
            return lambda columns: foreign_tile(sims[:, columns])
        if self._metric == "cosine":
            queries = unit_rows_of(queries)

        def tile(columns):
            items = self._gallery[columns, :]
            if self._metric == "cosine" and not self._are_units:
                items = unit_rows_of(items)
            left, right = self._same_dtype(queries, items)
            product = left @ self.home.xp.matrix_transpose(right)
            product = self.home.cast(product, self.dtype)
            is_finite = self._metric == "cosine"
            return foreign_tile(product if is_finite else self._finite(product))

        return tile

    def _same_dtype(self, queries, items):
        if queries.dtype == items.dtype:
            return queries, items
        return self.home.cast(queries, self.dtype), self.home.cast(items, self.dtype)

    def _call(self, queries):
        """Call the metric and check the similarities that it returns."""
        sims = self._metric(queries, self._gallery)
        expected = queries.shape[0], self.shape[1]
        if _arrays.home_of(sims) != self.home or tuple(sims.shape) != expected:
            raise ValueError(
                "metric must return one row per query and one column per gallery item, "
                f"expected an array of shape {expected} in {self.home}, got "
                f"{type(sims).__name__} of shape {tuple(np.shape(sims))}."
            )
        return self._finite(self.home.cast(sims, self.dtype))

    def _finite(self, sims):
        xp = self.home.xp
        if not bool(xp.all(xp.isfinite(sims))):
            raise ValueError(
                "The similarities of these embeddings must be finite, got NaN or "
                "infinity; scale the embeddings down, or use metric='cosine'."
            )
        return sims


class ForeignGallery:
    """A gallery of another library, prepared for a metric; as `Gallery`.

    Parameters
    ----------
    embeddings : array of shape (n_gallery, n_features)
    metric : {"cosine", "dot"} or callable
    keep_units : bool, default=False
        As in `Gallery`.
    """

    def __init__(self, embeddings, metric, *, keep_units=False):
        self.metric, self.home = metric, _arrays.home_of(embeddings)
        self._are_units = metric == "cosine" and keep_units
        self.embeddings = unit_rows_of(embeddings) if self._are_units else embeddings

    def tiles(self, queries):
        """Return the similarities of queries, tile by tile."""
        settings = self.metric, self._are_units
        return ForeignProductTiles(queries, self.embeddings, *settings)

    def append_items(self, embeddings):
        """Return the gallery with more items at its end."""
        more = self.home.asarray(embeddings)
        if self._are_units:
            more = unit_rows_of(more)
        parts = [self.embeddings, more]
        if more.dtype != self.embeddings.dtype:
            dtype = self.home.dtype_of(*parts)
            parts = [self.home.cast(part, dtype) for part in parts]
        return self._with(_arrays.concat(parts))

    def take_items(self, items):
        """Return a gallery of some of the items."""
        return self._with(_arrays.take_rows(self.embeddings, items))

    def longest(self):
        """Return the length of the longest item."""
        return max(
            float(self.home.xp.max(lengths_of(self.embeddings[rows, :])))
            for rows in even_rounds(self.embeddings.shape[0], _ROW_BLOCK)
        )

    def _moved_to(self, home):
        from ._gallery import Gallery  # which imports this module

        if home is None:
            embeddings = _arrays.to_numpy(self.embeddings)
            twin = Gallery(embeddings, self.metric)
            twin._are_units = self._are_units
            return twin
        return self._with(home.asarray(self.embeddings))

    def _with(self, embeddings):
        twin = copy(self)
        twin.embeddings, twin.home = embeddings, _arrays.home_of(embeddings)
        return twin


def foreign_tile(matrix):
    """Return an array of another library as a tile."""
    return ForeignTile(matrix, 0, matrix.shape[0], 0, matrix.shape[1])


def lengths_of(rows):
    """Return the lengths of the rows as a column, in the dtype of statistics."""
    home = _arrays.home_of(rows)
    xp, rows = home.xp, home.cast(rows, home.dtype_of(rows))
    peak = xp.max(xp.abs(rows))
    peak = xp.where(peak > 0, peak, xp.ones_like(peak))  # no square overflows
    return xp.sqrt(xp.sum((rows / peak) ** 2, axis=1, keepdims=True)) * peak


def unit_rows_of(embeddings):
    """Scale the rows to length 1, in their dtype; rows of zeros stay zero."""
    home = _arrays.home_of(embeddings)
    xp = home.xp
    floats = home.cast(embeddings, home.dtype_of(embeddings))
    peaks = xp.max(xp.abs(floats), axis=1, keepdims=True)
    floats = floats / xp.where(peaks > 0, peaks, xp.ones_like(peaks))
    lengths = xp.sqrt(xp.sum(floats * floats, axis=1, keepdims=True))
    units = floats / xp.where(lengths > 0, lengths, xp.ones_like(lengths))
    is_float = xp.isdtype(embeddings.dtype, "real floating")
    return xp.astype(units, embeddings.dtype) if is_float else units
