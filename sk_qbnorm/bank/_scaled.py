"""A statistic whose inverse temperature goes with the spread of the similarities."""

import numpy as np

from ._spread import Spread
from ._statistic import Statistic

SOFTMAX_FACTOR = 1.5  # what beta="scale" is of a log-mean-exp, over the spread


def beta_at(factor, spread):
    """Return the inverse temperature for similarities of this spread."""
    if not 0 < factor / spread < np.inf:
        raise ValueError(
            "beta='scale' needs similarities whose spread is a number of float64, got "
            f"{spread}; scale them, or give a number for beta."
        )
    return factor / spread


class Scaled(Statistic):
    """Another statistic, at ``beta = factor / spread``.

    The bank is shown once more, to begin with; what is kept is the other statistic.

    Parameters
    ----------
    tiles : MatrixTiles or what `Gallery.tiles` returns
    factor : float
    make : callable
        From tiles and `beta` to the other statistic.
    """

    not_mergeable_reason = (
        "beta='scale' goes by the spread of all similarities, which parts do not tell; "
        "call fit with all of both, or give a number for beta, such as the beta_ of a "
        "fit to some of them."
    )

    def __init__(self, tiles, factor, make):
        self.settings = {}
        self.shape, self.dtype = tiles.shape, tiles.dtype
        self._factor, self._make = factor, make
        self._shown = Spread(tiles)
        self._is_scaled = False

    def at(self, tiles, spread):
        """Return the other statistic of some tiles, where the spread is known."""
        return self._make(tiles, beta_at(self._factor, spread))

    def update(self, tile, rows, columns):
        """Add a tile."""
        self._shown.update(tile, rows, columns)

    def end_round(self, rows):
        """Take note that all columns of some rows have been shown."""
        self._shown.end_round(rows)

    def end(self, n_threads):
        """Take note that the whole bank has been shown."""
        self._shown.end(n_threads)
        if not self._is_scaled:
            self._shown = self.at(self, self._shown.value())

    def wants_more(self):
        """Tell whether the bank has to be shown again."""
        was_scaled, self._is_scaled = self._is_scaled, True
        return not was_scaled or self._shown.wants_more()

    def settled(self):
        """Return the other statistic."""
        return self._shown
