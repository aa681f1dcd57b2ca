"""Standard error of the bias over random querybanks, by bootstrap."""

import math

import numpy as np

from sk_qbnorm.statistics import LogMeanExp
from sk_qbnorm.tiles import Visitor

_MAX_GROUPS = 32  # more groups change the result by a few percent only
_BATCH_ROWS = 3400  # rows visited together, at most; a tile has as many
_BATCH_ENTRIES = 2**22  # entries copied at once, at most
_DRAWS = 16  # banks drawn at once
_TINY = 1e-280  # a sum of weights below this has lost digits


def groups_of(n_bank, random):
    """Split the rows of the bank into random groups of equal size."""
    order = random.permutation(n_bank)
    groups = np.array_split(order, min(n_bank, _MAX_GROUPS))
    return [np.sort(group) for group in groups]


def batches_of(groups, n_columns):
    """Yield batches of groups that are visited together, in order.

    The rows of a batch, with `n_columns` entries each, are copied.
    """
    most = min(_BATCH_ROWS, _BATCH_ENTRIES // n_columns)
    n_together = max(1, most // len(groups[0]))  # the first group is one of the largest
    for first in range(0, len(groups), n_together):
        yield groups[first : first + n_together]


class LogMeanExpOfGroups(Visitor):
    """A visitor of tiles that computes `LogMeanExp` for each group of rows.

    Parameters
    ----------
    tiles : MatrixTiles or result of `Gallery.tiles`
        The rows of the groups, one group after the other.
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
        first = np.searchsorted(self._ends, rows.start, side="right")
        last = np.searchsorted(self._starts, rows.stop)
        for group in range(first, last):
            begin = self._starts[group]
            start = max(rows.start, begin)
            stop = min(rows.stop, self._ends[group])
            above = tile.top - rows.start
            part = tile._replace(top=above + start, bottom=above + stop)
            own = slice(start - begin, stop - begin)
            self._groups[group].update(part, own, columns)

    def values(self):
        """Return a list with the statistic of each group."""
        return [group.value() for group in self._groups]


class _Rows:
    """The shape and dtype of some rows of tiles, as needed by a statistic."""

    def __init__(self, n_rows, tiles):
        self.shape, self.dtype = (n_rows, tiles.shape[1]), tiles.dtype


class GroupedBias:
    r"""The bias of inverted softmax for each group of bank queries.

    These biases determine the bias of any bank that consists of whole groups, some of
    them repeated. For groups of :math:`n_g` queries with biases :math:`b_g` of an item,
    each drawn :math:`c_g` times, it is

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
        """Return the standard deviation over items of the bias of the whole bank."""
        return float(_centered(self._whole())[0].std())

    def standard_error(self, n_resamples, random):
        """Return the root mean square over items of the bootstrap standard errors.

        Shifts that all items share are removed, as they do not change rankings.
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
        """Return the bias of each bank, shape (n_banks, n_gallery)."""
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
                totals[bank, vanished] = self._stable_bias(
                    rows[bank, drawn], self._biases[np.ix_(drawn, vanished)]
                )
        return totals

    def _stable_bias(self, rows, biases):
        """Return the bias of one bank for items whose weights underflow."""
        peak = biases.max(axis=0)
        total = (rows / rows.sum()) @ np.exp(self._beta * (biases - peak))
        return peak + np.log(total) / self._beta


def _centered(values):
    """Subtract the mean of each row."""
    values = values - values[:, :1]  # so that equal values give exactly 0
    values -= values.mean(axis=1, keepdims=True)
    return values
