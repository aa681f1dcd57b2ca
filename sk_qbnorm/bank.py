"""What a querybank tells about each gallery item: statistics that merge.

A statistic is shown a bank tile by tile (``update``, from several threads, each with
columns of its own), is told when a round of tiles and the bank are at their end
(``end_round``, ``end``), is joined with that of another bank (``merge``, which sets its
attributes anew and changes none in place), and never holds a bank itself,
`SortedColumns` excepted.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sk_qbnorm import _kernels

from ._threads import count_threads, own_threads
from .tiles import column_blocks

_FIRST_ROWS = 8


def probe(tiles, statistics, n_jobs):
    """Show a whole bank to statistics.

    Parameters
    ----------
    tiles : MatrixTiles, EmbeddingTiles or CallableTiles
    statistics : list of statistics
        Updated in place.
    n_jobs : int or None
    """
    n_threads = count_threads(n_jobs)
    blocks = column_blocks(tiles.shape[1])
    with own_threads(n_jobs), ThreadPoolExecutor(n_threads) as pool:
        for rows in tiles.rounds():
            tile = tiles.prepare(rows)

            def show(columns, rows=rows, tile=tile):
                shown = tile(columns)
                for statistic in statistics:
                    statistic.update(shown, rows, columns)

            run = map if n_threads == 1 else pool.map
            list(run(show, blocks))
            for statistic in statistics:
                statistic.end_round()
        for statistic in statistics:
            statistic.end(n_threads)


class Statistic:
    """What all statistics share: they need not do anything at an end."""

    def end_round(self):
        """Take note that all columns of some rows have been shown."""

    def end(self, n_threads):
        """Take note that the whole bank has been shown."""


class LogMeanExp(Statistic):
    """``log(mean_i exp(beta * p_ij)) / beta`` of every column, in similarity units.

    A smooth maximum of what the bank thinks of an item: near the mean for small `beta`,
    near the maximum for large. Rounding is of the order of that of the dtype, divided
    by `beta`.
    """

    def __init__(self, tiles, beta):
        self.settings = {"beta": beta}
        self.n_bank, n_gallery = tiles.shape
        self.peak = np.empty(n_gallery, dtype=tiles.dtype)
        self.total = np.zeros(n_gallery)

    def update(self, tile, rows, columns):
        """Add a tile."""
        if rows.start == 0:
            matrix, top, bottom, left, right = tile
            first_rows = matrix[top : min(top + _FIRST_ROWS, bottom), left:right]
            self.peak[columns] = first_rows.max(axis=0)
        beta, peak, total = self.settings["beta"], self.peak, self.total
        _kernels.add_log_sum_exp(tile, beta, peak[columns], total[columns])

    def merge(self, other):
        """Add what another bank found."""
        beta = self.settings["beta"]
        peaks = self.peak.astype(np.float64), other.peak.astype(np.float64)
        self.peak = np.maximum(*peaks)
        self.total = self.total * np.exp(beta * (peaks[0] - self.peak))
        self.total += other.total * np.exp(beta * (peaks[1] - self.peak))
        self.n_bank += other.n_bank

    def value(self):
        """Return the statistic, shape (n_gallery,)."""
        bias = self.total / self.n_bank
        np.log(bias, out=bias)  # in place, as a gallery may be large
        bias /= self.settings["beta"]
        bias += self.peak
        return bias


class TopMean(Statistic):
    """Mean of the k largest similarities of every column."""

    def __init__(self, tiles, n_neighbors):
        self.settings = {"n_neighbors": n_neighbors}
        n_bank, n_gallery = tiles.shape
        k = min(n_neighbors, n_bank)
        self.top = np.full((n_gallery, k), -np.inf, dtype=tiles.dtype)

    @property
    def n_neighbors(self):
        """How many there are to average: k, or the bank where it is smaller."""
        return self.top.shape[1]

    def update(self, tile, rows, columns):
        """Add a tile."""
        _kernels.add_top_k(tile, self.top[columns])

    def merge(self, other):
        """Add what another bank found."""
        k = self.settings["n_neighbors"]
        both = np.sort(np.hstack([self.top, other.top]), axis=1)
        self.top = np.ascontiguousarray(both[:, : -k - 1 : -1])

    def value(self):
        """Return the statistic, shape (n_gallery,)."""
        return (self.top / self.n_neighbors).sum(axis=1, dtype=np.float64)


class ActivationCounts(Statistic):
    """How many bank queries have each item among their `n_activation` best."""

    def __init__(self, tiles, n_activation):
        self.settings = {"n_activation": n_activation}
        self.counts = np.zeros(tiles.shape[1], dtype=np.int64)
        self._best = None  # values and items of the rows of this round, so far
        self._one_at_a_time = threading.Lock()

    def update(self, tile, rows, columns):
        """Find the best of each row among this tile and those before."""
        k = min(self.settings["n_activation"], tile.right - tile.left)
        values, places = _kernels.row_top_k(tile, k)
        items = places + columns.start
        with self._one_at_a_time:  # rows belong to all tiles of a round
            if self._best is not None:
                values, items = self._better(values, items)
            self._best = values, items

    def _better(self, values, items):
        """Return the best of what is known and what is new, tiles in any order."""
        values = np.hstack([self._best[0], values])
        items = np.hstack([self._best[1], items])
        if self.settings["n_activation"] == 1:  # of two, which needs no sort
            first, second = values.T
            level = (second == first) & (items[:, 1] < items[:, 0])
            best = ((second > first) | level).astype(np.intp)[:, None]
        else:
            best = np.lexsort((items, -values))[:, : self.settings["n_activation"]]
        return (
            np.take_along_axis(values, best, axis=1),
            np.take_along_axis(items, best, axis=1),
        )

    def end_round(self):
        """Count the best of each row."""
        items, self._best = self._best[1], None
        found, times = np.unique(items, return_counts=True)
        self.counts[found] += times

    def end(self, n_threads):
        """Forget the lock, which cannot be pickled and is of no more use."""
        self._one_at_a_time = None

    def merge(self, other):
        """Add what another bank found."""
        self.counts = self.counts + other.counts

    def value(self):
        """Return the statistic, shape (n_gallery,)."""
        return self.counts.copy()


class SortedColumns(Statistic):
    """The bank's similarities to every item, ascending; it holds the whole bank."""

    def __init__(self, tiles):
        self.settings = {}
        self.banks = [np.empty(tiles.shape[::-1], dtype=tiles.dtype)]

    def update(self, tile, rows, columns):
        """Add a tile."""
        matrix, top, bottom, left, right = tile
        self.banks[0][columns, rows] = matrix[top:bottom, left:right].T

    def end(self, n_threads):
        """Sort."""
        _kernels.share(self._sort, len(self.banks[0]), n_threads)

    def _sort(self, start, stop):
        self.banks[0][start:stop].sort(axis=1)

    def merge(self, other):
        """Add what another bank found; it is sorted in when it is wanted."""
        self.banks = self.banks + other.banks

    def value(self):
        """Return the statistic, shape (n_gallery, n_bank)."""
        if len(self.banks) > 1:
            columns = np.concatenate(self.banks, axis=1)
            columns.sort(axis=1)
            self.banks = [columns]
        return self.banks[0]
