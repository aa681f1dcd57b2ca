"""The sorted similarities of the whole querybank to each gallery item."""

from copy import copy

import numpy as np

from sk_qbnorm import _kernels

from ._statistic import Statistic


class SortedColumns(Statistic):
    """The bank's similarities to every item, ascending; it stores the whole matrix."""

    stores_bank = True

    def __init__(self, tiles):
        self.settings = {}
        self.banks = [np.empty(tiles.shape[::-1], dtype=tiles.dtype)]

    def update(self, tile, rows, columns):
        """Add a tile."""
        matrix, top, bottom, left, right = tile
        self.banks[0][columns, rows] = matrix[top:bottom, left:right].T

    def end(self, n_threads):
        """Sort each column."""
        _kernels.share(self._sort, len(self.banks[0]), n_threads)

    def _sort(self, start, stop):
        self.banks[0][start:stop].sort(axis=1)

    def merge(self, other):
        """Return the statistic of both querybanks; `value` sorts them together."""
        return self._with([*self.banks, *other.banks])

    def append_items(self, other):
        """Return the statistic of the same querybank on both galleries."""
        return self._with([np.vstack([self.value(), other.value()])])

    def take_items(self, items):
        """Return the statistic of some of the gallery items, in ascending order."""
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
