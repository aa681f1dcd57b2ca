"""The log-mean-exp in which no bank query counts more than a limit."""

from copy import copy

import numpy as np

from sk_qbnorm.tiles import whole

from ._log_mean_exp import LogMeanExp
from ._statistic import Statistic

_MOST_PASSES = 100
_LEAST_REST = 1e-9  # share of the sum below the limit
_FAR = 100.0  # below the smallest similarity, in units of 1 / beta


class LimitedLogMeanExp(Statistic):
    r"""The bias b with ``mean_i min(exp(beta * (p_ij - b)), limit) = 1``, per item.

    Without the limit, this is `LogMeanExp`. Starting there, each pass finds the bank
    queries over the limit and solves the equation for the others,

    .. math::

        b_j = \frac{1}{\beta} \log
        \frac{\sum_{i \text{ below}} e^{\beta p_{ij}}}{n_{bank} - \kappa c_j}

    with :math:`\kappa` the limit and :math:`c_j` the number of queries over it. The
    biases decrease and the sets of queries over the limit grow, until no set changes
    any more. Then the biases solve the equation, up to rounding.
    """

    not_mergeable_reason = (
        "InvertedSoftmax with an influence_limit cannot be fitted in parts, because "
        "the bank queries over the limit depend on the whole querybank; call fit with "
        "all of it, which may be a numpy.memmap or a Dask array, or set "
        "influence_limit=None."
    )

    def __init__(self, tiles, beta, limit, beta_name="beta"):
        self.settings = {"beta": beta, "influence_limit": limit}
        self.shape, self.dtype = tiles.shape, tiles.dtype
        self.bias = None
        self._counts = np.zeros(tiles.shape[1], dtype=np.int64)
        self._smallest = np.full(tiles.shape[1], np.inf, dtype=tiles.dtype)
        self._part = LogMeanExp(tiles, beta, beta_name=beta_name)
        self._n_passes = 0

    def update(self, tile, rows, columns):
        """Add a tile."""
        matrix, top, bottom, left, right = tile
        sims = matrix[top:bottom, left:right]
        if self.bias is None:
            smallest = self._smallest[columns]
            np.minimum(smallest, sims.min(axis=0), out=smallest)
        else:
            is_over = sims > self._cuts[columns]
            self._new_counts[columns] += is_over.sum(axis=0)
            tile = whole(np.where(is_over, self._nothing[columns], sims))
        self._part.update(tile, rows, columns)

    def end(self, n_threads):
        """Finish a pass: solve for the queries that are not over the limit."""
        beta, limit = self.settings["beta"], self.settings["influence_limit"]
        n_bank = self.shape[0]
        self._n_passes += 1
        if self.bias is None:
            self.bias = self._part.value()
            is_done = n_bank <= limit
        else:
            is_done = np.array_equal(self._counts, self._new_counts)
            self._counts = self._new_counts
            # If the queries over the limit fill the sum alone, the bias is found: it
            # is the largest of many solutions.
            rest = 1 - self._counts * (limit / n_bank)
            is_found = rest < _LEAST_REST
            solved = self._part.value() - np.log(np.where(is_found, 1, rest)) / beta
            np.minimum(self.bias, solved, out=self.bias, where=~is_found)
        if is_done or self._n_passes == _MOST_PASSES:
            self._part = self._cuts = self._nothing = None
            self._counts = self._new_counts = self._smallest = None
            return
        self._cuts = (self.bias + np.log(limit) / beta).astype(self.dtype)
        nothing = self._smallest.astype(np.float64) - _FAR / beta
        self._nothing = nothing.astype(self.dtype)
        self._new_counts = np.zeros_like(self._counts)
        # Rounding has been checked in the first pass.
        self._part = LogMeanExp(self, beta, np.zeros(n_bank, dtype=self.dtype))

    def needs_another_pass(self):
        """Return whether the querybank must be visited again."""
        return self._part is not None

    def append_items(self, other):
        """Return the statistic of the same querybank on both galleries."""
        return self._with(np.concatenate([self.bias, other.bias]))

    def take_items(self, items):
        """Return the statistic of some of the gallery items, in ascending order."""
        return self._with(self.bias[items])

    def _with(self, bias):
        twin = copy(self)
        twin.bias, twin.shape = bias, (self.shape[0], len(bias))
        return twin

    def value(self):
        """Return the bias of each item, shape (n_gallery,)."""
        return self.bias
