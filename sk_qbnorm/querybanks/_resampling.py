"""How far the bias of an item depends on which queries are in the bank."""

import math

import numpy as np

_LARGE = 32  # groups: with more of them the outcome is the same, to some percent


def groups_of(n_bank, random):
    """Return the rows of the bank in random groups of even size."""
    order = random.permutation(n_bank)
    groups = np.array_split(order, min(n_bank, _LARGE))
    return [np.sort(group) for group in groups]


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

    def spread(self):
        """Return the standard deviation, over items, of the whole bank's bias."""
        return float(_centered(self._whole()).std())

    def standard_error(self, n_resamples, random):
        """Return the root mean square, over items, of the bootstrap's standard errors.

        What moves all items alike does not count, as it moves no ranking.
        """
        n_groups, n_gallery = self._biases.shape
        bias = self._whole()
        total, squares = np.zeros(n_gallery), np.zeros(n_gallery)
        even = np.full(n_groups, 1 / n_groups)
        for _ in range(n_resamples):
            change = _centered(self._of(random.multinomial(n_groups, even)) - bias)
            total += change
            squares += change**2
        variance = (squares - total**2 / n_resamples) / (n_resamples - 1)
        return math.sqrt(max(variance.mean(), 0.0))

    def _whole(self):
        return self._of(np.ones(len(self._sizes), dtype=np.int64))

    def _of(self, times):
        drawn = np.flatnonzero(times)
        biases = self._biases[drawn]
        weights = times[drawn] * self._sizes[drawn]
        peak = biases.max(axis=0)
        total = (weights / weights.sum()) @ np.exp(self._beta * (biases - peak))
        return peak + np.log(total) / self._beta


def _centered(values):
    values = values - values[0]  # so that the mean of what is equal is exactly that
    return values - values.mean()
