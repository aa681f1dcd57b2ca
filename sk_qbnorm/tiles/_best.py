"""Find the best items of each row, tile by tile."""

import threading
from abc import ABC, abstractmethod
from copy import copy

import numpy as np

from sk_qbnorm import _kernels

from ._walk import Visitor


class BestOfRows(Visitor, ABC):
    """A visitor of tiles that keeps the k best items of every row.

    Each thread keeps the best of its tiles, and the end of a round combines them.
    Subclasses define what is better, with ties broken by the smaller item, so that the
    result does not depend on which thread visits which tile.

    Attributes
    ----------
    found : tuple of ndarray of shape (n_rows, k)
        Sort keys and, last, the indices of the best items so far, best first.
    """

    def __init__(self, tiles, k):
        n_rows, n_gallery = tiles.shape
        self._dtype = tiles.dtype
        self._k = k
        self._width = min(k, n_gallery)
        self.found = self._none((n_rows, self._width))
        self._by_thread = {}

    @property
    def items(self):
        """Indices of the best items."""
        return self.found[-1]

    def update(self, tile, rows, columns):
        """Look for better items in a tile."""
        thread = threading.get_ident()
        if thread not in self._by_thread:
            self._by_thread[thread] = self._none((rows.stop - rows.start, self._width))
        self._look(tile, rows, columns, self._by_thread[thread])

    def end_round(self, rows):
        """Merge the results of the threads."""
        merged = map(np.hstack, zip(*self._by_thread.values(), strict=True))
        for kept, best in zip(self.found, self._best(tuple(merged)), strict=True):
            kept[rows] = best[:, : self._width]
        self._by_thread = {}

    @abstractmethod
    def end(self, n_threads):
        """Free memory that is no longer needed."""

    def shift_items(self, n_before):
        """Return a copy whose item indices are larger by `n_before`."""
        return self._with((*self.found[:-1], self.items + n_before))

    def joined(self, other):
        """Return the best of these items and those of another part of the gallery."""
        both = tuple(map(np.hstack, zip(self.found, other.found, strict=True)))
        return self._with(tuple(each[:, : self._k] for each in self._best(both)))

    def stacked(self, other):
        """Return the results of these rows followed by those of other rows."""
        blocks = zip(self.found, other.found, strict=True)
        return self._with(tuple(map(np.vstack, blocks)))

    def _with(self, found):
        twin = copy(self)
        twin.found = found
        return twin

    def _best(self, found):
        order = self._order(found)
        return tuple(np.take_along_axis(each, order, 1) for each in found)

    @abstractmethod
    def _none(self, shape):
        """Return the sort keys and items before the first tile."""

    @abstractmethod
    def _look(self, tile, rows, columns, found):
        """Update the kept items from a tile."""

    @abstractmethod
    def _order(self, found):
        """Return the order of the kept items per row, best first."""


class BestItems(BestOfRows):
    """The k items per row with the largest ``scale * s_qj - bias[j]``.

    Parameters
    ----------
    tiles : MatrixTiles or result of `Gallery.tiles`
    k : int
        At most the number of items is used.
    scale : float, default=1.0
        A power of two.
    bias : ndarray of shape (n_gallery,), default=None
        None means no bias.
    """

    takes_foreign = True

    def __init__(self, tiles, k, scale=1.0, bias=None):
        super().__init__(tiles, k)
        self._scale = scale
        self._bias = None if bias is None else bias.astype(tiles.dtype)

    def end(self, n_threads):
        """Free memory that is no longer needed."""
        self._bias = None

    def _none(self, shape):
        return _kernels.empty_top_k(shape, self._dtype)

    def _look(self, tile, rows, columns, found):
        bias = None if self._bias is None else self._bias[columns]
        tile.kernels.add_row_top_k(tile, self._scale, bias, columns.start, *found)

    def _order(self, found):
        keys, items = found
        return np.lexsort((items, -keys))
