"""All statistics of a querybank on a gallery."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sk_qbnorm.tiles import ConcatenatedTiles, MatrixTiles, walk, whole_matrix


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
        Parameters that two banks must share to be joined.
    spread : float or None
        Standard deviation of the similarities, if a statistic asked for it.
    n_features : int or None
        Number of features of embeddings; None for similarities.
    title : str
        Name of the bank in error messages.
    """

    n_bank: int
    n_gallery: int
    statistics: dict
    names: NDArray | None = None
    settings: dict = field(default_factory=dict)
    spread: float | None = None
    n_features: int | None = None
    title: str = "querybank"

    @classmethod
    def accumulate(cls, tiles, statistics, n_jobs, progress=None, **attributes):
        """Visit all tiles of a querybank, as many times as the statistics need."""
        n_bank, n_gallery = tiles.shape
        if isinstance(tiles, ConcatenatedTiles):
            n_gallery = tiles.n_left
        visitors = list(statistics.values())
        if not isinstance(tiles, MatrixTiles) and _fits_budget(tiles, visitors):
            tiles = MatrixTiles(whole_matrix(tiles, n_jobs, progress))
        while visitors:
            walk(tiles, visitors, n_jobs, progress)
            visitors = [each for each in visitors if each.needs_another_pass()]
        settings = dict(attributes.pop("settings", {}))
        for statistic in statistics.values():
            settings |= statistic.settings
        return cls(n_bank, n_gallery, statistics, settings=settings, **attributes)

    def __getitem__(self, name):
        return self.statistics[name]

    def merge(self, other):
        """Return the statistics of both banks on the same gallery."""
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
        return self._combined(
            lambda name, known: known.take_items(items),
            n_gallery=len(items),
            names=None if self.names is None else self.names[items],
        )

    def incomplete_rows(self):
        """Return the bank queries that must be compared again after `take_items`."""
        rows = [np.asarray(s.incomplete_rows(), int) for s in self.statistics.values()]
        return np.unique(np.concatenate([np.empty(0, int), *rows]))

    def complete_rows(self, rows, other):
        """Return the statistics with some bank queries replaced by those of `other`."""
        self._check_settings(other)
        return self._combined(
            lambda name, known: (
                known.complete_rows(rows, other[name])
                if len(known.incomplete_rows())
                else known
            )
        )

    def with_statistic(self, name, statistic):
        """Return the bank with one statistic replaced."""
        return replace(self, statistics={**self.statistics, name: statistic})

    def check_mergeable(self):
        """Raise if the bank cannot be combined with another part."""
        check_mergeable(self.statistics)

    def _combined(self, combine, **changes):
        self.check_mergeable()
        pairs = self.statistics.items()
        statistics = {name: combine(name, known) for name, known in pairs}
        return replace(self, statistics=statistics, **changes)

    def _check_settings(self, other):
        self.check_mergeable()
        if other.statistics.keys() != self.statistics.keys():
            raise ValueError(
                f"{self.title} was fitted for {', '.join(self.statistics)}, but the "
                f"normalizer now needs {', '.join(other.statistics)}; call fit again."
            )
        for setting, value in other.settings.items():
            if value != self.settings[setting]:
                raise ValueError(
                    f"{setting} was {self.settings[setting]!r} when {self.title} was "
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
