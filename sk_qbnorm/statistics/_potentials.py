"""The potentials of a balanced assignment of bank queries to gallery items."""

from copy import copy

import numpy as np

from sk_qbnorm.tiles import ConcatenatedTiles

from ._log_mean_exp import LogMeanExp
from ._row_log_mean_exp import RowLogMeanExp
from ._statistic import Statistic


class Potentials(Statistic):
    """Biases of gallery items and of bank queries in mutual balance (Sinkhorn).

    A step computes ``b_j = log(mean_i exp(beta * (p_ij - a_i))) / beta`` for every item
    and then ``a_i = log(mean_j exp(beta * (p_ij - b_j))) / beta`` for every query,
    starting from ``a = 0`` and ending on ``b``. Each half step is one pass over the
    bank by a statistic of its own. One more pass computes the noise of the biases, if
    asked for.

    Items that are appended later are weighed against the ``a_i`` of the last step,
    which stay as they are.
    """

    not_mergeable_reason = (
        "SinkhornNormalizer cannot be fitted in parts, because the biases of all items "
        "depend on each other and on the whole querybank; call fit with all of both, "
        "or use InvertedSoftmax."
    )

    takes_foreign = True

    def __init__(
        self, tiles, beta, max_iter, tol, memory_budget=0, *, with_noise=False
    ):
        self.settings = {
            "beta": beta,
            "max_iter": max_iter,
            "tol": tol,
            "with_noise": with_noise,
        }
        self.shape, self.dtype = tiles.shape, tiles.dtype
        self.n_gallery = tiles.shape[1]
        if isinstance(tiles, ConcatenatedTiles):  # items of a gallery bank are behind
            self.n_gallery = tiles.n_left
        self.memory_budget = memory_budget
        self.n_steps = 0
        self.change = np.inf
        self.of_queries = None  # a_i, with None for zeros
        self.bias = None
        self.second_moment = None
        self.stage = "items"
        self._is_last_step = False
        self._half = self.half_step(self)

    def start_from(self, known):
        """Keep the potentials of the bank queries: one half step for the new items."""
        if known.shape[0] != self.shape[0]:
            return  # another bank, which the bank that is joined refuses
        self.n_steps, self.change = known.n_steps, known.change
        self.of_queries, self._is_last_step = known.of_queries, True
        self._half = self.half_step(self)

    def half_step(self, tiles):
        """Return the statistic of the current stage for some tiles of the bank."""
        beta = self.settings["beta"]
        if self.stage == "queries":
            return RowLogMeanExp(tiles, beta, self.bias)
        shift = self.of_queries
        if shift is not None:
            shift = shift.astype(tiles.dtype)
        return LogMeanExp(tiles, beta, shift, order=2 if self.stage == "noise" else 1)

    def take_block(self, rows, columns):
        """Return what the current half step of a block of the bank needs."""
        block = copy(self)
        block._half = block.second_moment = None
        block.of_queries = block.bias = None
        if self.stage == "queries":
            block.bias = self.bias[columns]
        elif self.of_queries is not None:
            block.of_queries = self.of_queries[rows]
        return block

    def advance(self, potential):
        """Take the result of the current stage and go to the next one."""
        if self.stage == "queries":
            self.of_queries, self.stage = potential, "items"
        elif self.stage == "noise":
            self.second_moment, self.stage = potential[: self.n_gallery], None
        elif not self._take_step(potential):
            self.stage = "queries"
        else:
            self.stage = "noise" if self.settings["with_noise"] else None
            self.bias = self.bias[: self.n_gallery]

    def _take_step(self, bias):
        """Record the bias after a step; return whether it was the last step."""
        if self._is_last_step:
            self.bias = bias
            return True
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
        """Finish the current stage."""
        self.advance(self._half.value())
        self._half = self.half_step(self) if self.needs_another_pass() else None

    def needs_another_pass(self):
        """Return whether the querybank must be visited again."""
        return self.stage is not None

    def append_items(self, other):
        """Return the potentials with items that were weighed in the same balance."""
        both = copy(self)
        both.bias = np.concatenate([self.bias, other.bias])
        if self.second_moment is not None:
            moments = self.second_moment, other.second_moment
            both.second_moment = np.concatenate(moments)
        return both

    def take_items(self, items):
        """Return the potentials of some of the gallery items, in ascending order."""
        some = copy(self)
        some.bias = self.bias[items]
        if self.second_moment is not None:
            some.second_moment = self.second_moment[items]
        return some

    def value(self):
        """Return the bias of each item, shape (n_gallery,)."""
        return self.bias
