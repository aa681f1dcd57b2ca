"""The potentials of a balanced assignment between bank queries and gallery items."""

import numpy as np

from ._log_mean_exp import LogMeanExp
from ._row_log_mean_exp import RowLogMeanExp
from ._statistic import Statistic


def half_step(tiles, beta, shift=None, bias=None):
    """Return the statistic of the half that follows from one of the potentials."""
    if bias is not None:
        return RowLogMeanExp(tiles, beta, bias)
    return LogMeanExp(tiles, beta, None if shift is None else shift.astype(tiles.dtype))


class Potentials(Statistic):
    """Biases of items and of bank queries that explain each other (Sinkhorn).

    Half a step makes ``b_j = log(mean_i exp(beta * (p_ij - a_i))) / beta`` of every
    item, the other half ``a_i = log(mean_j exp(beta * (p_ij - b_j))) / beta`` of every
    query, from a that is zero; it ends on b. Each half is a walk over the bank, and a
    statistic of its own, that of parts of the bank and of the gallery.
    """

    why_whole = (
        "The biases of all items depend on each other and on the whole bank, so that "
        "they cannot be learnt in parts; call fit with all of both."
    )

    def __init__(self, tiles, beta, n_iter, tol):
        self.settings = {"beta": beta, "n_iter": n_iter, "tol": tol}
        self.shape, self.dtype = tiles.shape, tiles.dtype
        self.n_steps = 0
        self.change = np.inf
        self.bias = None
        self._half = half_step(self, beta)

    def take(self, bias):
        """Take note of the bias after a step, and tell whether it was the last."""
        self.n_steps += 1
        if self.n_steps > 1:  # constants do not count: they move all scores alike
            self.change = float(np.ptp(bias - self.bias)) * self.settings["beta"]
        self.bias = bias
        n_iter, tol = self.settings["n_iter"], self.settings["tol"]
        return self.n_steps >= n_iter or 0 < tol >= self.change

    def update(self, tile, rows, columns):
        """Add a tile."""
        self._half.update(tile, rows, columns)

    def end_round(self, rows):
        """Take note that all columns of some rows have been shown."""
        self._half.end_round(rows)

    def end(self, n_threads):
        """Take half a step."""
        beta, potential = self.settings["beta"], self._half.value()
        if isinstance(self._half, RowLogMeanExp):
            self._half = half_step(self, beta, shift=potential)
        elif self.take(potential):
            self._half = None
        else:
            self._half = half_step(self, beta, bias=potential)

    def wants_more(self):
        """Tell whether the bank has to be shown again."""
        return self._half is not None

    def value(self):
        """Return the bias of each item, shape (n_gallery,)."""
        return self.bias
