"""Which items the bank retrieves."""

from copy import copy

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestItems

from ._statistic import Statistic


class Activations(Statistic):
    """The `n_activation` best items of every bank query, and how often each is one.

    The one statistic that keeps a few numbers a bank query: with them the counts stay
    right when the gallery changes.
    """

    def __init__(self, tiles, n_activation):
        self.settings = {"n_activation": n_activation}
        self.n_gallery = tiles.shape[1]
        self._best = BestItems(tiles, n_activation)

    def update(self, tile, rows, columns):
        """Look for the best items in a tile."""
        self._best.update(tile, rows, columns)

    def end_round(self, rows):
        """Take note that all columns of some rows have been shown."""
        self._best.end_round(rows)

    def end(self, n_threads):
        """Keep what has been found."""
        self.keys, self.items = self._best.found
        del self._best

    def merged(self, other):
        """Return the statistic of both banks."""
        keys = np.vstack([self.keys, other.keys])
        return self._with(keys, np.vstack([self.items, other.items]), self.n_gallery)

    def extended(self, other):
        """Return the statistic of both galleries."""
        return self._joined(other.keys, other.items + self.n_gallery, other.n_gallery)

    def _joined(self, keys, items, n_more):
        keys, items = np.hstack([self.keys, keys]), np.hstack([self.items, items])
        best = _kernels.best_first(keys, items, self.settings["n_activation"])
        return self._with(*best, self.n_gallery + n_more)

    def kept(self, items):
        """Return the statistic of some of the items.

        A bank query that loses one of its best items does not know the next: it is one
        of `incomplete_rows`.
        """
        places = np.full(self.n_gallery, -1)
        places[items] = np.arange(len(items))
        left = places[self.items]
        keys = np.where(left < 0, -np.inf, self.keys).astype(self.keys.dtype)
        k = min(self.settings["n_activation"], len(items))
        return self._with(*_kernels.best_first(keys, left, k), len(items))

    def incomplete_rows(self):
        """Return the bank queries of which a best item is unknown."""
        return np.flatnonzero((self.items < 0).any(axis=1))

    def completed(self, rows, other):
        """Return the statistic with some rows taken from that of these queries."""
        keys, items = self.keys.copy(), self.items.copy()
        keys[rows], items[rows] = other.keys, other.items
        return self._with(keys, items, self.n_gallery)

    def _with(self, keys, items, n_gallery):
        twin = copy(self)
        twin.keys, twin.items, twin.n_gallery = keys, items, n_gallery
        return twin

    def value(self):
        """Return how many bank queries have each item among their best."""
        return np.bincount(self.items.ravel(), minlength=self.n_gallery)
