"""The potentials of a balanced assignment of bank queries to gallery items."""

import numpy as np

from ._log_mean_exp import LogMeanExp
from ._row_log_mean_exp import RowLogMeanExp
from ._statistic import Statistic


def half_step(tiles, beta, shift=None, bias=None):
    """Return the statistic that computes one potential from the other."""
    if bias is not None:
        return RowLogMeanExp(tiles, beta, bias)
    return LogMeanExp(tiles, beta, None if shift is None else shift.astype(tiles.dtype))


class Potentials(Statistic):
    """Biases of gallery items and of bank queries in mutual balance (Sinkhorn).

    A step computes ``b_j = log(mean_i exp(beta * (p_ij - a_i))) / beta`` for every item
    and then ``a_i = log(mean_j exp(beta * (p_ij - b_j))) / beta`` for every query,
    starting from ``a = 0`` and ending on ``b``. Each half step is one pass over the
    bank by a statistic of its own.
    """

    not_mergeable_reason = (
        "SinkhornNormalizer cannot be fitted in parts, because the biases of all items "
        "depend on each other and on the whole querybank; call fit with all of both, "
        "or use InvertedSoftmax."
    )

    def __init__(self, tiles, beta, max_iter, tol, memory_budget=0):
        self.settings = {"beta": beta, "max_iter": max_iter, "tol": tol}
        self.shape, self.dtype = tiles.shape, tiles.dtype
        self.memory_budget = memory_budget
        self.n_steps = 0
        self.change = np.inf
        self.bias = None
        self._half = half_step(self, beta)

    def take_step(self, bias):
        """Record the bias after a step; return whether it was the last step."""
        self.n_steps += 1
        if self.n_steps > 1:  # a constant shifts all scores alike: it is no change
            self.change = float(np.ptp(bias - self.bias)) * self.settings["beta"]
        self.bias = bias
        max_iter, tol = self.settings["max_iter"], self.settings["tol"]
        return self.n_steps >= max_iter or 0 < tol >= self.change

    def update(self, tile, rows, columns):
        """Add a tile."""
        self._half.update(tile, rows, columns)

    def end_round(self, rows):
        """Finish some rows: all of their columns have been visited."""
        self._half.end_round(rows)

    def end(self, n_threads):
        """Finish half a step."""
        beta, potential = self.settings["beta"], self._half.value()
        if isinstance(self._half, RowLogMeanExp):
            self._half = half_step(self, beta, shift=potential)
        elif self.take_step(potential):
            self._half = None
        else:
            self._half = half_step(self, beta, bias=potential)

    def needs_another_pass(self):
        """Return whether the querybank must be visited again."""
        return self._half is not None

    def value(self):
        """Return the bias of each item, shape (n_gallery,)."""
        return self.bias
