"""What a querybank tells about each gallery item: statistics that merge.

A statistic is fed blocks of the bank's similarities (``update``), is joined with
that of another part of the bank (``merge``), and never holds the bank itself,
`SortedColumns` excepted. All have one number, or a few, for each gallery item.
"""

import numpy as np

from . import _kernels


class LogMeanExp:
    """``log(mean_i exp(beta * p_ij)) / beta`` of every column, in similarity units.

    A smooth maximum of what the bank thinks of an item: the mean for small `beta`,
    the maximum for large.
    """

    def __init__(self, n_gallery, beta):
        self.settings = {"beta": beta}
        self.n_bank = 0
        self.peak = np.full(n_gallery, -np.inf)
        self.total = np.zeros(n_gallery)

    def update(self, sims, n_threads):
        """Add a block of bank rows."""
        beta = self.settings["beta"]
        _kernels.add_log_sum_exp(sims, beta, self.peak, self.total, n_threads)
        self.n_bank += sims.shape[0]

    def merge(self, other):
        """Add what another part of the bank found."""
        beta = self.settings["beta"]
        peak = np.maximum(self.peak, other.peak)
        self.total = self.total * np.exp(beta * (self.peak - peak))
        self.total += other.total * np.exp(beta * (other.peak - peak))
        self.peak = peak
        self.n_bank += other.n_bank

    def value(self):
        """Return the statistic, shape (n_gallery,)."""
        return self.peak + np.log(self.total / self.n_bank) / self.settings["beta"]


class TopMean:
    """Mean of the k largest similarities of every column."""

    def __init__(self, n_gallery, n_neighbors):
        self.settings = {"n_neighbors": n_neighbors}
        self.n_bank = 0
        self.top = np.full((n_gallery, n_neighbors), -np.inf)

    @property
    def n_neighbors(self):
        """How many there are to average: k, or the bank where it is smaller."""
        return min(self.top.shape[1], self.n_bank)

    def update(self, sims, n_threads):
        """Add a block of bank rows."""
        _kernels.add_top_k(sims, self.top, n_threads)
        self.n_bank += sims.shape[0]

    def merge(self, other):
        """Add what another part of the bank found."""
        k = self.top.shape[1]
        both = np.sort(np.hstack([self.top, other.top]), axis=1)
        self.top = np.ascontiguousarray(both[:, : -k - 1 : -1])
        self.n_bank += other.n_bank

    def value(self):
        """Return the statistic, shape (n_gallery,)."""
        return self.top[:, : self.n_neighbors].mean(axis=1)


class ActivationCounts:
    """How many bank queries have each item among their `n_activation` best."""

    def __init__(self, n_gallery, n_activation):
        self.settings = {"n_activation": n_activation}
        self.counts = np.zeros(n_gallery, dtype=np.int64)

    def update(self, sims, n_threads):
        """Add a block of bank rows."""
        k = min(self.settings["n_activation"], self.counts.size)
        best = _kernels.row_top_k(sims, k, n_threads)
        self.counts += np.bincount(best.ravel(), minlength=self.counts.size)

    def merge(self, other):
        """Add what another part of the bank found."""
        self.counts = self.counts + other.counts

    def value(self):
        """Return the statistic, shape (n_gallery,)."""
        return self.counts


class SortedColumns:
    """The bank's similarities to every item, ascending; it holds the whole bank."""

    def __init__(self, n_gallery):
        self.settings = {}
        self.parts = [np.empty((n_gallery, 0), dtype=np.float32)]

    def update(self, sims, n_threads):
        """Add a block of bank rows."""
        self.parts.append(sims.T)

    def merge(self, other):
        """Add what another part of the bank found."""
        self.parts = self.parts + other.parts

    def value(self):
        """Return the statistic, shape (n_gallery, n_bank)."""
        columns = np.concatenate(self.parts, axis=1)
        columns.sort(axis=1)
        self.parts = [columns]
        return columns
