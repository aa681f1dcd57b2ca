"""The gallery items that each bank query retrieves, and what follows from them."""

from copy import copy

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestItems

from ._statistic import Statistic

_N_STEPS = 3
_LARGEST_EXPONENT = 50.0
_LEAST_VARIANCE = 1e-9


class BestOfQueries(Statistic):
    """The k best items of every bank query, in descending order.

    It stores a few numbers per bank query, so that it can follow a gallery that
    changes. Subclasses compute numbers per item from them, and name k as their
    normalizer does.
    """

    takes_foreign = True
    _k_name = "n_listed"
    _is_complete = True  # whether the best of all items are known, not only lists

    def __init__(self, tiles, k):
        self.settings = {self._k_name: k}
        self.n_gallery = tiles.shape[1]
        self._best = BestItems(tiles, k)

    def of_lists(self, lists):
        """Return the statistic of result lists, with the settings of this one."""
        twin = copy(self)
        del twin._best
        twin.n_gallery, twin._is_complete = lists.n_gallery, False
        k = min(self.settings[self._k_name], lists.n_gallery)
        twin.keys, twin.items = lists.first(k)
        return twin

    def update(self, tile, rows, columns):
        """Search a tile for better items."""
        self._best.update(tile, rows, columns)

    def end_round(self, rows):
        """Finish some rows: all of their columns have been visited."""
        self._best.end_round(rows)

    def end(self, n_threads):
        """Store the best items."""
        self.keys, self.items = self._best.found
        del self._best

    def merge(self, other):
        """Return the statistic of both querybanks on the same gallery."""
        keys = np.vstack([self.keys, other.keys])
        return self._with(keys, np.vstack([self.items, other.items]), self.n_gallery)

    def counts(self):
        """Return the number of bank queries that list each item."""
        return _occurrences(self.items, self.n_gallery)

    def append_items(self, other):
        """Return the statistic of the same querybank on both galleries."""
        keys = np.hstack([self.keys, other.keys])
        shifted = np.where(other.items < 0, -1, other.items + self.n_gallery)
        items = np.hstack([self.items, shifted])
        best = _kernels.best_first(keys, items, self.settings[self._k_name])
        return self._with(*best, self.n_gallery + other.n_gallery)

    def take_items(self, items):
        """Return the statistic of some items; queries that lose one are incomplete."""
        places = np.full(self.n_gallery, -1)
        places[items] = np.arange(len(items))
        left = np.where(self.items < 0, -1, places[self.items])
        keys = np.where(left < 0, -np.inf, self.keys).astype(self.keys.dtype)
        k = min(self.settings[self._k_name], len(items))
        return self._with(*_kernels.best_first(keys, left, k), len(items))

    def incomplete_rows(self):
        """Return the bank queries that must be compared again after `take_items`."""
        if not self._is_complete:  # a list gets shorter
            return ()
        return np.flatnonzero((self.items < 0).any(axis=1))

    def complete_rows(self, rows, other):
        """Return the statistic with some rows replaced by those of `other`."""
        keys, items = self.keys.copy(), self.items.copy()
        keys[rows], items[rows] = other.keys, other.items
        return self._with(keys, items, self.n_gallery)

    def _with(self, keys, items, n_gallery):
        twin = copy(self)
        twin.keys, twin.items, twin.n_gallery = keys, items, n_gallery
        return twin


class Activations(BestOfQueries):
    """How many bank queries retrieve each item among their `n_activation` best."""

    _k_name = "n_activation"

    def value(self):
        """Return the number of bank queries that retrieve each item."""
        return self.counts()


class ListPotentials(BestOfQueries):
    """Biases of items in balance with the bank queries that list them.

    At most a tenth of the gallery counts for each query, but at least 2 items: if the
    lists contain most items, they tell nothing about these.
    """

    def __init__(self, tiles, n_listed, weights="scores", temperature=None):
        super().__init__(tiles, n_listed)
        self.settings |= {"weights": weights, "temperature": temperature}

    def value(self):
        """Return the bias of each item, shape (n_gallery,)."""
        return self.balance()[0]

    def balance(self):
        """Return the bias of each item, shape (n_gallery,), and the temperature.

        The temperature is the mean excess of scores, if it is not set.
        """
        n = max(2, self.n_gallery // 10)
        scores, items = self.keys[:, :n], np.ascontiguousarray(self.items[:, :n])
        temperature = self.settings["temperature"]
        weights = self.settings["weights"]
        if temperature is None or weights == "scores":
            excess, mean = _excess(scores, items)
            temperature = mean if temperature is None else temperature
        if temperature == 0:  # all listed items are alike
            return np.zeros(self.n_gallery), temperature
        if weights == "scores":
            excess /= temperature
            weights = np.exp(np.minimum(excess, _LARGEST_EXPONENT, out=excess), excess)
        else:
            ranks = np.arange(1.0, items.shape[1] + 1)
            one_row = 1 / ranks if weights == "ranks" else np.ones_like(ranks)
            weights = np.tile(one_row, (len(items), 1))
        potentials = balanced_lists(weights, items, self.n_gallery)
        return temperature * potentials, temperature


def _excess(scores, items):
    """Return the score of each listed item in excess of the last, and its mean.

    The last items themselves do not count in the mean.
    """
    is_listed = items >= 0
    lengths = is_listed.sum(axis=1)
    last = scores[np.arange(len(scores)), np.maximum(lengths, 1) - 1]
    excess = np.zeros(items.shape)
    np.subtract(scores, last[:, None], out=excess, where=is_listed)
    n_before_last = lengths.sum() - (lengths > 0).sum()
    return excess, float(excess.sum() / max(1, n_before_last))


def balanced_lists(weights, items, n_gallery):
    r"""Return a potential per item from the best items of bank queries (List-Sinkhorn).

    With :math:`c_j` the number of lists with item j,

    .. math::

        L_j = \sum_i \frac{w_{ij}}{\sum_k w_{ik} e^{-l_k}}, \qquad
        l_j = \log \frac{L_j + s \bar L}{\bar L + s \bar L}, \qquad
        s = \frac{\bar c}{\mathrm{var}_j \, c_j - \bar c}

    where :math:`L_j` and :math:`l_j` are computed three times from l = 0. The
    pseudo-count s is the empirical Bayes estimate of a gamma-Poisson model; it is large
    if the counts vary no more than by chance.

    Parameters
    ----------
    weights : ndarray of shape (n_bank, n_listed), dtype float64
        Weights of the listed items.
    items : ndarray of shape (n_bank, n_listed), dtype int64
        Their gallery indices, -1 for none.
    n_gallery : int

    Returns
    -------
    potentials : ndarray of shape (n_gallery,), dtype float64
    """
    counts = _occurrences(items, n_gallery)
    mean = counts.mean()
    pseudo_count = mean / max(counts.var() - mean, _LEAST_VARIANCE)
    potentials = np.zeros(n_gallery)
    for _ in range(_N_STEPS):
        loads = _kernels.list_loads(weights, items, np.exp(-potentials))
        prior = pseudo_count * loads.mean()
        potentials = np.log((loads + prior) / (loads.mean() + prior))
    return potentials


def _occurrences(items, n_gallery):
    items = items.ravel()
    if items.size and items.min() < 0:
        items = items[items >= 0]
    return np.bincount(items, minlength=n_gallery)
