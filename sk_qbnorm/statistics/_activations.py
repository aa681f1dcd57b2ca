"""The gallery items that the querybank retrieves."""

from copy import copy

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestItems

from ._statistic import Statistic


class Activations(Statistic):
    """The `n_activation` best items of every bank query, and their counts per item.

    It stores a few numbers per bank query, so that the counts can be updated when the
    gallery changes.
    """

    def __init__(self, tiles, n_activation):
        self.settings = {"n_activation": n_activation}
        self.n_gallery = tiles.shape[1]
        self._best = BestItems(tiles, n_activation)

    def update(self, tile, rows, columns):
        """Search a tile for better items."""
        self._best.update(tile, rows, columns)

    def end_round(self, rows):
        """Finish some rows: all of their columns have been visited."""
        self._best.end_round(rows)

    def end(self, n_threads):
        """Store the best items."""
        self.keys, self.items = self._best.found
        del self._best

    def merge(self, other):
        """Return the statistic of both querybanks on the same gallery."""
        keys = np.vstack([self.keys, other.keys])
        return self._with(keys, np.vstack([self.items, other.items]), self.n_gallery)

    def append_items(self, other):
        """Return the statistic of the same querybank on both galleries."""
        keys = np.hstack([self.keys, other.keys])
        items = np.hstack([self.items, other.items + self.n_gallery])
        best = _kernels.best_first(keys, items, self.settings["n_activation"])
        return self._with(*best, self.n_gallery + other.n_gallery)

    def take_items(self, items):
        """Return the statistic of some items; queries that lose one are incomplete."""
        places = np.full(self.n_gallery, -1)
        places[items] = np.arange(len(items))
        left = places[self.items]
        keys = np.where(left < 0, -np.inf, self.keys).astype(self.keys.dtype)
        k = min(self.settings["n_activation"], len(items))
        return self._with(*_kernels.best_first(keys, left, k), len(items))

    def incomplete_rows(self):
        """Return the bank queries that must be compared again after `take_items`."""
        return np.flatnonzero((self.items < 0).any(axis=1))

    def complete_rows(self, rows, other):
        """Return the statistic with some rows replaced by those of `other`."""
        keys, items = self.keys.copy(), self.items.copy()
        keys[rows], items[rows] = other.keys, other.items
        return self._with(keys, items, self.n_gallery)

    def _with(self, keys, items, n_gallery):
        twin = copy(self)
        twin.keys, twin.items, twin.n_gallery = keys, items, n_gallery
        return twin

    def value(self):
        """Return the number of bank queries that retrieve each item."""
        return np.bincount(self.items.ravel(), minlength=self.n_gallery)
