"""The whole bank, for the one normalizer that needs it."""

from copy import copy

import numpy as np

from sk_qbnorm import _kernels

from ._statistic import Statistic


class SortedColumns(Statistic):
    """The bank's similarities to every item, ascending; it holds the whole bank."""

    def __init__(self, tiles):
        self.settings = {}
        self.banks = [np.empty(tiles.shape[::-1], dtype=tiles.dtype)]

    def update(self, tile, rows, columns):
        """Add a tile."""
        matrix, top, bottom, left, right = tile
        self.banks[0][columns, rows] = matrix[top:bottom, left:right].T

    def end(self, n_threads):
        """Sort."""
        _kernels.share(self._sort, len(self.banks[0]), n_threads)

    def _sort(self, start, stop):
        self.banks[0][start:stop].sort(axis=1)

    def merged(self, other):
        """Return the statistic of both banks; they are sorted in when it is wanted."""
        return self._with([*self.banks, *other.banks])

    def extended(self, other):
        """Return the statistic of both galleries."""
        return self._with([np.vstack([self.value(), other.value()])])

    def kept(self, items):
        """Return the statistic of some of the items."""
        return self._with([self.value()[items]])

    def _with(self, banks):
        twin = copy(self)
        twin.banks = banks
        return twin

    def value(self):
        """Return the statistic, shape (n_gallery, n_bank)."""
        if len(self.banks) > 1:
            columns = np.concatenate(self.banks, axis=1)
            columns.sort(axis=1)
            self.banks = [columns]
        return self.banks[0]
