"""The potentials of a balanced assignment between bank queries and gallery items."""

import numpy as np

from sk_qbnorm import _kernels

from ._log_mean_exp import LogMeanExp
from ._statistic import Statistic


class Potentials(Statistic):
    """Biases of items and of bank queries that explain each other (Sinkhorn).

    Half a step makes ``b_j = log(mean_i exp(beta * (p_ij - a_i))) / beta`` of every
    item, the other half ``a_i = log(mean_j exp(beta * (p_ij - b_j))) / beta`` of every
    query, from a that is zero; it ends on b. Each half is a walk over the bank.
    """

    joinable = False

    def __init__(self, tiles, beta, n_iter, tol):
        self.settings = {"beta": beta, "n_iter": n_iter, "tol": tol}
        self.shape, self.dtype = tiles.shape, tiles.dtype
        self.n_steps = 0
        self.change = np.inf
        self.bias = np.zeros(self.shape[1])
        self._columns = LogMeanExp(self, beta)
        self._of_queries = None
        self._of_blocks = {}

    def update(self, tile, rows, columns):
        """Add a tile."""
        if self._columns is not None:
            self._columns.update(tile, rows, columns)
            return
        bias = self.bias[columns].astype(self.dtype)
        sums = _kernels.row_log_sum_exp(tile, self.settings["beta"], bias)
        self._of_blocks[columns.start] = sums

    def end_round(self, rows):
        """Put together what the blocks say of the queries, in the order of items."""
        if self._columns is None:
            beta, blocks = self.settings["beta"], self._of_blocks
            sums = np.stack([blocks[first] for first in sorted(blocks)])
            peak = sums.max(axis=0)
            total = np.exp(beta * (sums - peak)).sum(axis=0)
            self._of_queries[rows] = peak + np.log(total / self.shape[1]) / beta
            self._of_blocks = {}

    def end(self, n_threads):
        """Take half a step."""
        beta = self.settings["beta"]
        if self._columns is None:
            self._columns = LogMeanExp(self, beta, self._of_queries)
            return
        bias, before = self._columns.value(), self.bias
        self.bias, self._columns = bias, None
        self.n_steps += 1
        if self.n_steps > 1:  # constants do not count: they move all scores alike
            self.change = float(np.ptp(bias - before))
        self._of_queries = np.empty(self.shape[0], dtype=self.dtype)

    def wants_more(self):
        """Tell whether the bank has to be shown again."""
        if self._columns is not None or not self._is_done():
            return True
        self._of_queries = None
        return False

    def _is_done(self):
        return self.n_steps >= self.settings["n_iter"] or (
            self.change <= self.settings["tol"]
        )

    def value(self):
        """Return the bias of each item, shape (n_gallery,)."""
        return self.bias
