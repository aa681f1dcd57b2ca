"""All statistics of a querybank on a gallery."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sk_qbnorm._arrays import Home
from sk_qbnorm.tiles import (
    ConcatenatedTiles,
    MatrixTiles,
    matrix_tiles,
    walk,
    whole_matrix,
)


@dataclass(frozen=True)
class Bank:
    """The statistics of some bank queries on some gallery items.

    Parameters
    ----------
    n_bank : int
        Number of bank queries.
    n_gallery : int
        Number of gallery items.
    statistics : dict of Statistic
    names : ndarray of shape (n_gallery,) or None
        Names of the gallery items.
    settings : dict
        Parameters that two banks must share to be joined, besides those of their
        statistics.
    spread : float or None
        Standard deviation of the similarities, if a statistic asked for it.
    n_features : int or None
        Number of features of embeddings; None for similarities.
    title : str
        Name of the bank in error messages.
    home : Home or None
        Where the similarities were computed, if these were not NumPy arrays. All
        statistics are NumPy arrays.
    """

    n_bank: int
    n_gallery: int
    statistics: dict
    names: NDArray | None = None
    settings: dict = field(default_factory=dict)
    spread: float | None = None
    n_features: int | None = None
    title: str = "querybank"
    home: Home | None = None

    @classmethod
    def accumulate(cls, tiles, statistics, n_jobs, progress=None, **attributes):
        """Visit all tiles of a querybank, as many times as the statistics need."""
        n_bank, n_gallery = tiles.shape
        if isinstance(tiles, ConcatenatedTiles):
            n_gallery = tiles.n_left
        visitors = list(statistics.values())
        if not isinstance(tiles, MatrixTiles) and _fits_budget(tiles, visitors):
            tiles = matrix_tiles(whole_matrix(tiles, n_jobs, progress))
        while visitors:
            walk(tiles, visitors, n_jobs, progress)
            visitors = [each for each in visitors if each.needs_another_pass()]
        return cls(n_bank, n_gallery, statistics, home=tiles.home, **attributes)

    def __getitem__(self, name):
        return self.statistics[name]

    def merge(self, other):
        """Return the statistics of both banks on the same gallery."""
        self.check_mergeable()
        self._check_settings(other)
        if not self.has_gallery_of(other):
            raise ValueError(
                f"gallery must be the gallery of the first call, with "
                f"{self.n_gallery} items, got {other.n_gallery} items or other names; "
                "call fit for another gallery."
            )
        return self._combined(
            lambda name, known: known.merge(other[name]),
            n_bank=self.n_bank + other.n_bank,
        )

    def has_gallery_of(self, other):
        """Return whether both galleries have the same size and no different names."""
        both_named = self.names is not None and other.names is not None
        other_names = both_named and not np.array_equal(self.names, other.names)
        return self.n_gallery == other.n_gallery and not other_names

    def append_items(self, other):
        """Return the statistics of the same bank on both galleries."""
        self.check_takes_items()
        self._check_settings(other)
        if other.n_bank != self.n_bank:
            raise ValueError(
                f"{self.title} must be the complete bank that was fitted, with "
                f"{self.n_bank} rows, got {other.n_bank}; pass all of it, in the same "
                "order."
            )
        if (self.names is None) != (other.names is None):
            named, unnamed = "known", "new"
            if self.names is None:
                named, unnamed = unnamed, named
            raise ValueError(
                f"The {named} gallery items have names and the {unnamed} ones do not; "
                "name all items or none."
            )
        return self._combined(
            lambda name, known: known.append_items(other[name]),
            n_gallery=self.n_gallery + other.n_gallery,
            names=None if self.names is None else np.r_[self.names, other.names],
        )

    def take_items(self, items):
        """Return the statistics of some gallery items, given in ascending order."""
        self.check_takes_items()
        return self._combined(
            lambda name, known: known.take_items(items),
            n_gallery=len(items),
            names=None if self.names is None else self.names[items],
        )

    def incomplete_rows(self):
        """Return the bank queries that must be compared again after `take_items`."""
        rows = [np.asarray(s.incomplete_rows(), int) for s in self.statistics.values()]
        return np.unique(np.concatenate([np.empty(0, int), *rows]))

    def incomplete_statistics(self):
        """Return the names of the statistics with incomplete rows."""
        pairs = self.statistics.items()
        return [name for name, each in pairs if len(each.incomplete_rows())]

    def complete_rows(self, rows, other):
        """Return the bank with the incomplete rows replaced by those of `other`."""
        self._check_settings(other, self.incomplete_statistics())
        return self._combined(
            lambda name, known: (
                known.complete_rows(rows, other[name])
                if name in other.statistics
                else known
            )
        )

    def with_statistic(self, name, statistic):
        """Return the bank with one statistic replaced."""
        return replace(self, statistics={**self.statistics, name: statistic})

    def check_mergeable(self):
        """Raise if the bank cannot be merged with other queries."""
        check_mergeable(self.statistics)

    def check_takes_items(self):
        """Raise if no items can be appended or removed."""
        for statistic in self.statistics.values():
            if not statistic.takes_items:
                raise ValueError(statistic.not_mergeable_reason)

    def _combined(self, combine, **changes):
        pairs = self.statistics.items()
        statistics = {name: combine(name, known) for name, known in pairs}
        return replace(self, statistics=statistics, **changes)

    def _moved_to(self, home):
        """Return the bank for an estimator that has moved."""
        return replace(self, home=home)

    def _check_settings(self, other, names=None):
        if self.home != other.home:
            here, there = (each or "NumPy" for each in (other.home, self.home))
            raise ValueError(
                f"{self.title} must use the same namespace and device as in fit, got "
                f"{here}, expected {there}; convert it, or move the estimator by "
                "sk_qbnorm.move_estimator."
            )
        needed = self.statistics.keys() if names is None else set(names)
        if other.statistics.keys() != needed:
            raise ValueError(
                f"{self.title} was fitted for {', '.join(self.statistics)}, but the "
                f"normalizer now needs {', '.join(other.statistics)}; call fit again."
            )
        pairs = [(self.settings, other.settings)]
        pairs += [(self[name].settings, other[name].settings) for name in needed]
        for known, now in pairs:
            for setting, value in now.items():
                if value != known[setting]:
                    raise ValueError(
                        f"{setting} was {known[setting]!r} when {self.title} was "
                        f"fitted and is {value!r} now; call fit again."
                    )


def check_mergeable(statistics):
    """Raise if one of the statistics cannot be computed from parts."""
    for statistic in statistics.values():
        if not statistic.mergeable:
            raise ValueError(statistic.not_mergeable_reason)


def _fits_budget(tiles, visitors):
    size = tiles.shape[0] * tiles.shape[1] * tiles.dtype.itemsize
    return size <= max(
        (getattr(each, "memory_budget", 0) for each in visitors), default=0
    )
