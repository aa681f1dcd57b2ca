"""The log-mean-exp of the corrected similarities of each bank query."""

from copy import copy

import numpy as np

from ._statistic import Statistic


class RowLogMeanExp(Statistic):
    """``log(mean_j exp(beta * (p_ij - bias[j]))) / beta`` of every row.

    The only statistic of rows instead of columns; it appends items, but does not merge.
    """

    takes_foreign = True

    def __init__(self, tiles, beta, bias):
        self.settings = {"beta": beta}
        self.n_gallery = tiles.shape[1]
        self.sums = np.empty(tiles.shape[0])
        self._bias = bias.astype(tiles.dtype)
        self._of_blocks = {}

    def update(self, tile, rows, columns):
        """Add a tile."""
        beta, bias = self.settings["beta"], self._bias[columns]
        self._of_blocks[columns.start] = tile.kernels.row_log_sum_exp(tile, beta, bias)

    def end_round(self, rows):
        """Combine the column blocks of some rows, in the order of the items."""
        of_blocks = [self._of_blocks[first] for first in sorted(self._of_blocks)]
        self.sums[rows] = self._log_sum_exp(of_blocks)
        self._of_blocks = {}

    def append_items(self, other):
        """Return the statistic of the same querybank on both galleries."""
        both = copy(self)
        both.sums = self._log_sum_exp([self.sums, other.sums])
        both.n_gallery += other.n_gallery
        return both

    def value(self):
        """Return the statistic, shape (n_bank,)."""
        return self.sums - np.log(self.n_gallery) / self.settings["beta"]

    def _log_sum_exp(self, parts):
        beta, sums = self.settings["beta"], np.stack(parts)
        peak = sums.max(axis=0)
        return peak + np.log(np.exp(beta * (sums - peak)).sum(axis=0)) / beta
