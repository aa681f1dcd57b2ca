"""The mean similarity of each gallery item to its nearest bank queries."""

from copy import copy

import numpy as np

from ._statistic import Statistic


class TopMean(Statistic):
    """Mean of the k largest similarities of every column."""

    takes_foreign = True

    def __init__(self, tiles, n_neighbors):
        self.settings = {"n_neighbors": n_neighbors}
        n_bank, n_gallery = tiles.shape
        k = min(n_neighbors, n_bank)
        self.top = np.full((n_gallery, k), -np.inf, dtype=tiles.dtype)

    @property
    def n_neighbors(self):
        """Number of similarities in each mean: k, or the bank size if smaller."""
        return self.top.shape[1]

    def update(self, tile, rows, columns):
        """Add a tile."""
        tile.kernels.add_top_k(tile, self.top[columns])

    def merge(self, other):
        """Return the statistic of both querybanks on the same gallery."""
        k = self.settings["n_neighbors"]
        top = np.sort(np.hstack([self.top, other.top]), axis=1)
        return self._with(np.ascontiguousarray(top[:, : -k - 1 : -1]))

    def append_items(self, other):
        """Return the statistic of the same querybank on both galleries."""
        return self._with(np.vstack([self.top, other.top]))

    def take_items(self, items):
        """Return the statistic of some of the gallery items, in ascending order."""
        return self._with(self.top[items])

    def _with(self, top):
        twin = copy(self)
        twin.top = top
        return twin

    def value(self):
        """Return the statistic, shape (n_gallery,)."""
        return (self.top / self.n_neighbors).sum(axis=1, dtype=np.float64)
