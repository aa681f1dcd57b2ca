"""The floor of the bias that keeps every gallery item within its share of the bank."""

from collections.abc import Mapping
from copy import copy
from numbers import Integral, Real

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestItems

from ._statistic import Statistic

USUAL_CAPS = {1: 0.01, 10: 0.05}
_MOST_ROUNDS = 5
_BATCH_ENTRIES = 2**24  # similarities of the items whose floor is computed at once
_MARGIN = 4  # roundings by which a floor exceeds the order statistic


def largest_count(share, n_bank):
    """Return the largest number of bank queries that is within a share of them."""
    return int(np.floor(share * n_bank + 1e-9))  # 0.29 * 100 is below 29


def check_caps(caps):
    """Return the caps as a dict of int to float, in ascending order."""
    caps = USUAL_CAPS if caps is None else caps
    if not isinstance(caps, Mapping) or not caps:
        raise ValueError(
            "caps must map numbers of best items to shares of the bank queries, such "
            f"as {USUAL_CAPS}, got {caps!r}."
        )
    for k, share in caps.items():
        is_count = isinstance(k, Integral) and not isinstance(k, bool) and k >= 1
        is_share = isinstance(share, Real) and 0 < share < 1
        if not (is_count and is_share):
            raise ValueError(
                "caps must map integers >= 1 to shares between 0 and 1, such as "
                f"{USUAL_CAPS}, got {k!r}: {share!r}."
            )
    return {int(k): float(caps[k]) for k in sorted(caps)}


class Caps(Statistic):
    r"""The least bias with which no item is among the k best of too many bank queries.

    With :math:`r_k` the largest number of bank queries within the share of the cap
    (k, share), and :math:`T_i^{(k)}` the k-th best corrected score of bank query i over
    the other items that are within their shares, the floor of item j is

    .. math::

        \max_k \; (r_k + 1)\text{-th largest over } i \text{ of } p_{ij} - T_i^{(k)}

    The statistic starts once those that it waits for are complete, and with the biases
    that follow from them. A round takes two passes to find the items above their share
    among all items, two to compare all items with those within, and one or more for the
    floors. Rounds end if all items are within, at the latest after five.

    A tie with a threshold counts as a win of the item, so that copies of an item count
    as often as the item itself. Floors exceed the order statistic by a few roundings.

    Parameters
    ----------
    tiles : MatrixTiles or result of `Gallery.tiles`
    caps : dict of int to float
        Largest share of the bank queries per k.
    waits_for : list of Statistic
        Visited before this one in each pass.
    bias_of : callable
        Returns the biases in units of the similarities, once these are complete.

    Attributes
    ----------
    thresholds : ndarray of shape (n_bank, n_caps), dtype float64
        Infinity for a cap whose k is not below the number of items.
    floors : ndarray of shape (n_gallery,), dtype float64
        Minus infinity for items that need none.
    shares : ndarray of shape (n_gallery, n_caps), dtype float64
        Share of the bank queries that each item wins without its floor.
    """

    not_mergeable_reason = (
        "CappedNormalizer cannot be fitted in parts, because its thresholds depend on "
        "the whole querybank and the whole gallery; call fit with all of both, which "
        "may be numpy.memmap or Dask arrays."
    )

    def __init__(self, tiles, caps, waits_for, bias_of):
        self.settings = {"caps": tuple(sorted(caps.items()))}
        self.shape, self.dtype = tiles.shape, tiles.dtype
        n_bank, n_gallery = tiles.shape
        self.thresholds = np.full((n_bank, len(caps)), np.inf)
        self.floors = np.full(n_gallery, -np.inf)
        self.shares = np.zeros((n_gallery, len(caps)))
        self.n_rounds = 0
        self._waits_for, self._bias_of = waits_for, bias_of
        self._is_known = False  # whether the thresholds are those of a fitted gallery
        self._over = np.zeros(n_gallery, dtype=bool)
        self._stage = "wait"

    @property
    def _most(self):
        """The caps that can be exceeded: column, k, and largest number of wins."""
        n_bank, n_gallery = self.shape
        caps = enumerate(self.settings["caps"])
        return [
            (column, k, largest_count(share, n_bank))
            for column, (k, share) in caps
            if self._is_known or k < n_gallery
        ]

    def start_from(self, known):
        """Keep the thresholds: they give the floors of the new items."""
        if known.shape[0] == self.shape[0]:  # otherwise another bank, refused later
            self.thresholds, self._is_known = known.thresholds, True

    def update(self, tile, rows, columns):
        """Add a tile."""
        if self._stage in ("all", "within"):
            self._best.update(tile, rows, columns)
        elif self._stage in ("share", "count"):
            bias = self._cast_bias[columns]
            for column, *_ in self._most:
                cuts = np.ascontiguousarray(self._cuts[rows, column])
                counts = self._counts[column, columns]
                _kernels.add_wins(tile, bias, cuts, counts)
        elif self._stage == "floor":
            matrix, top, bottom, left, right = tile
            first, last = np.searchsorted(self._batch, [columns.start, columns.stop])
            places = self._batch[first:last] - columns.start
            self._sims[rows, first:last] = matrix[top:bottom, left:right][:, places]

    def end_round(self, rows):
        """Finish some rows: all of their columns have been visited."""
        if self._stage in ("all", "within"):
            self._best.end_round(rows)

    def end(self, n_threads):
        """Finish the current pass and prepare the next one."""
        getattr(self, f"_end_{self._stage}")()
        if self._stage is None:
            self._waits_for = self._bias_of = self._over = self._cast_bias = None
            self._bias = self._best = self._cuts = self._next = self._counts = None
            self._queue = self._batch = self._sims = None

    def needs_another_pass(self):
        """Return whether the querybank must be visited again."""
        return self._stage is not None

    def _end_wait(self):
        if any(each.needs_another_pass() for each in self._waits_for):
            return
        self._base = self._bias_of()
        self._bias = self._base.copy()
        if self._is_known:
            self._cuts = self.thresholds.astype(self.dtype)
            self._next = self._cuts
            self._start_counts("count")
        elif self._most:
            self._start_best("all")
        else:
            self._stage = None

    def _start_best(self, stage):
        """Look for the best items, all of them or those within their shares."""
        self._stage = stage
        bias = self._bias.copy()
        if stage == "within":
            bias[self._over] = np.inf
        n_best = max(k for _, k, _ in self._most) + 1
        self._best = BestItems(self, n_best, bias=bias)

    def _take_cuts(self):
        """Store the k-th and the next best score of each bank query."""
        keys = self._best.found[0]
        self._cuts = np.full(self.thresholds.shape, np.inf, dtype=self.dtype)
        self._next = self._cuts.copy()
        for column, k, _ in self._most:
            self._cuts[:, column], self._next[:, column] = keys[:, k - 1], keys[:, k]
        self.thresholds = self._cuts.astype(np.float64)

    def _start_counts(self, stage):
        self._stage, self._cast_bias = stage, self._bias.astype(self.dtype)
        self._counts = np.zeros((len(self.settings["caps"]), self.shape[1]), np.int64)

    def _exceeding(self):
        """Return which items win more bank queries than a cap allows."""
        exceeds = [self._counts[column] > most for column, _, most in self._most]
        return np.any(exceeds, axis=0)

    def _end_all(self):
        self._take_cuts()
        self._start_counts("share")

    def _end_share(self):
        if self.n_rounds == 0:
            self.shares = self._counts.T / self.shape[0]
        self._over |= self._exceeding()
        if not self._over.any():
            self._stage = None
            return
        if (~self._over).sum() <= max(k for _, k, _ in self._most):
            self._over[:] = False  # too few items are left to compare with
        self._start_best("within")

    def _end_within(self):
        self._take_cuts()
        if self.n_rounds == _MOST_ROUNDS:
            self._stage = None
        else:
            self._start_counts("count")

    def _end_count(self):
        if self._is_known:
            self.shares = self._counts.T / self.shape[0]
            items = np.arange(self.shape[1])
        else:
            items = np.flatnonzero(self._exceeding())
        if items.size == 0:
            self._stage = None
            return
        n_batches = -(-items.size * self.shape[0] // _BATCH_ENTRIES)
        self._queue = np.array_split(items, min(n_batches, items.size))
        self._start_floors()

    def _start_floors(self):
        self._stage, self._batch = "floor", self._queue.pop()
        self._sims = np.empty((self.shape[0], self._batch.size), dtype=self.dtype)

    def _end_floor(self):
        floors = self._floors_of_batch()
        self.floors[self._batch] = np.maximum(self.floors[self._batch], floors)
        if self._queue:
            self._start_floors()
            return
        np.maximum(self._base, self.floors, out=self._bias)
        self.n_rounds += 1
        if self._is_known:
            self._stage = None
        elif self.n_rounds == _MOST_ROUNDS:
            self._start_best("within")  # thresholds that agree with the last floors
        else:
            self._start_best("all")

    def _floors_of_batch(self):
        sims, batch = self._sims, self._batch
        scores = sims - self._bias[batch].astype(self.dtype)
        is_within = np.zeros(batch.size, bool) if self._is_known else ~self._over[batch]
        floors = np.full(batch.size, -np.inf)
        eps = float(np.finfo(self.dtype).eps)
        for column, _, most in self._most:
            cuts, others = self._cuts[:, [column]], self._next[:, [column]]
            if np.isinf(cuts).any():
                continue
            cuts = np.where(is_within & (scores >= cuts), others, cuts)
            leads = sims.astype(np.float64) - cuts
            place = len(leads) - 1 - most
            found = np.partition(leads, place, axis=0)[place]
            size = np.abs(found) + np.abs(cuts).max()
            np.maximum(floors, found + _MARGIN * eps * size, out=floors)
        return floors

    def append_items(self, other):
        """Return the statistic with items that were compared to the same thresholds."""
        return self._with(
            np.concatenate([self.floors, other.floors]),
            np.concatenate([self.shares, other.shares]),
        )

    def take_items(self, items):
        """Return the statistic of some of the gallery items, in ascending order."""
        return self._with(self.floors[items], self.shares[items])

    def _with(self, floors, shares):
        twin = copy(self)
        twin.floors, twin.shares = floors, shares
        twin.shape = self.shape[0], len(floors)
        return twin

    def value(self):
        """Return the floor of the bias of each item, shape (n_gallery,)."""
        return self.floors
