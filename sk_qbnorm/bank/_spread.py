"""How far similarities are spread."""

from copy import copy

import numpy as np

from sk_qbnorm import _kernels

from ._statistic import Statistic


class Spread(Statistic):
    """The standard deviation of all similarities of a bank to a gallery."""

    def __init__(self, tiles):
        self.settings = {}
        self._of_tiles = {}

    def update(self, tile, rows, columns):
        """Add a tile."""
        _, top, bottom, left, right = tile
        size = (bottom - top) * (right - left)
        self._of_tiles[rows.start, columns.start] = size, *_kernels.moments(tile)

    def end(self, n_threads):
        """Put the tiles together, in their order and not that of the threads."""
        parts = [self._of_tiles[key] for key in sorted(self._of_tiles)]
        self._of_tiles = {}
        self.moments = _together(parts)

    def merged(self, other):
        """Return the statistic of both banks."""
        both = copy(self)
        both.moments = _together([self.moments, other.moments])
        return both

    extended = merged  # an entry is an entry, whoever's

    def value(self):
        """Return the statistic, a float; 1 where all similarities are equal."""
        size, _, squares = self.moments
        return float(np.sqrt(squares / size)) or 1.0


def _together(parts):
    """Return size, sum and squares about the mean of all parts."""
    sizes, totals, squares = np.array(parts, dtype=np.float64).T
    size, mean = sizes.sum(), totals.sum() / sizes.sum()
    between = sizes @ np.square(totals / sizes - mean)
    return size, totals.sum(), squares.sum() + between
