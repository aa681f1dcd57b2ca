"""How far the bias of an item depends on which queries are in the bank."""

import math

import numpy as np

from sk_qbnorm.statistics import LogMeanExp
from sk_qbnorm.tiles import Visitor

_LARGE = 32  # groups: with more of them the outcome is the same, to some percent
_BATCH_ROWS = 3400  # that are shown together, as many as a tile has
_BATCH_ENTRIES = 2**22  # at most: rows that are shown together are copied
_DRAWS = 16  # banks that are drawn together
_TINY = 1e-280  # a sum of weights below this has lost digits


def groups_of(n_bank, random):
    """Return the rows of the bank in random groups of even size."""
    order = random.permutation(n_bank)
    groups = np.array_split(order, min(n_bank, _LARGE))
    return [np.sort(group) for group in groups]


def batches_of(groups, n_columns):
    """Yield groups that are small enough to be shown together, in order.

    Rows of `n_columns` entries are copied for it.
    """
    most = min(_BATCH_ROWS, _BATCH_ENTRIES // n_columns)
    n_together = max(1, most // len(groups[0]))  # the first is none of the smaller ones
    for first in range(0, len(groups), n_together):
        yield groups[first : first + n_together]


class LogMeanExpOfGroups(Visitor):
    """A visitor of tiles that finds `LogMeanExp` of each of some groups of rows.

    Parameters
    ----------
    tiles : MatrixTiles or what `Gallery.tiles` returns
        Of the rows of one group below those of the other.
    beta : float
    sizes : list of int
        Number of rows of each group.
    """

    def __init__(self, tiles, beta, sizes):
        self._ends = np.cumsum(sizes)
        self._starts = self._ends - sizes
        self._groups = [LogMeanExp(_Rows(size, tiles), beta) for size in sizes]

    def update(self, tile, rows, columns):
        """Add a tile, which may have rows of several groups."""
        matrix, top, _, left, right = tile
        first = np.searchsorted(self._ends, rows.start, side="right")
        last = np.searchsorted(self._starts, rows.stop)
        for group in range(first, last):
            begin = self._starts[group]
            start = max(rows.start, begin)
            stop = min(rows.stop, self._ends[group])
            above = top - rows.start
            part = matrix, above + start, above + stop, left, right
            own = slice(start - begin, stop - begin)
            self._groups[group].update(part, own, columns)

    def values(self):
        """Return the statistic of each group, a list."""
        return [group.value() for group in self._groups]


class _Rows:
    """What a statistic of some of the rows has to know of the tiles."""

    def __init__(self, n_rows, tiles):
        self.shape, self.dtype = (n_rows, tiles.shape[1]), tiles.dtype


class GroupedBias:
    r"""The bias of inverted softmax, known of each of some groups of bank queries.

    Any bank that is made of whole groups, of some more than once, has a bias that is
    known without another look at the bank: for groups of :math:`n_g` queries with
    biases :math:`b_g` of an item, taken :math:`c_g` times each,

    .. math::

        \frac{1}{\beta} \log
        \frac{\sum_g c_g n_g e^{\beta b_g}}{\sum_g c_g n_g}

    Parameters
    ----------
    biases : ndarray of shape (n_groups, n_gallery)
    sizes : ndarray of shape (n_groups,)
    beta : float
    """

    def __init__(self, biases, sizes, beta):
        self._biases, self._sizes, self._beta = biases, sizes, beta
        self._peak = biases.max(axis=0)
        self._weights = np.exp(beta * (biases - self._peak))

    def spread(self):
        """Return the standard deviation, over items, of the whole bank's bias."""
        return float(_centered(self._whole())[0].std())

    def standard_error(self, n_resamples, random):
        """Return the root mean square, over items, of the bootstrap's standard errors.

        What moves all items alike does not count, as it moves no ranking.
        """
        n_groups, n_gallery = self._biases.shape
        bias = self._whole()
        total, squares = np.zeros(n_gallery), np.zeros(n_gallery)
        even = np.full(n_groups, 1 / n_groups)
        for first in range(0, n_resamples, _DRAWS):
            n_draws = min(_DRAWS, n_resamples - first)
            times = random.multinomial(n_groups, even, size=n_draws)
            change = _centered(self._of(times) - bias)
            total += change.sum(axis=0)
            squares += np.einsum("ij,ij->j", change, change)
        variance = (squares - total**2 / n_resamples) / (n_resamples - 1)
        return math.sqrt(max(variance.mean(), 0.0))

    def _whole(self):
        return self._of(np.ones((1, len(self._sizes)), dtype=np.int64))

    def _of(self, times):
        """Return the bias under each of some banks, shape (n_banks, n_gallery)."""
        rows = (times * self._sizes).astype(np.float64)
        totals = rows @ self._weights
        vanished = np.flatnonzero((totals < _TINY).any(axis=0))
        totals[:, vanished] = 1.0
        np.log(totals, out=totals)
        totals -= np.log(rows.sum(axis=1, keepdims=True))
        totals /= self._beta
        totals += self._peak
        for bank, drawn in enumerate(times > 0):
            if vanished.size:
                totals[bank, vanished] = self._safely_of(
                    rows[bank, drawn], self._biases[np.ix_(drawn, vanished)]
                )
        return totals

    def _safely_of(self, rows, biases):
        """Return the bias under one bank of items whose largest it has not drawn."""
        peak = biases.max(axis=0)
        total = (rows / rows.sum()) @ np.exp(self._beta * (biases - peak))
        return peak + np.log(total) / self._beta


def _centered(values):
    """Return rows of values about their mean."""
    values = values - values[:, :1]  # so that the mean of what is equal is that
    values -= values.mean(axis=1, keepdims=True)
    return values
