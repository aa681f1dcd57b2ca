"""All that a querybank has told about a gallery."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sk_qbnorm.tiles import walk


@dataclass(frozen=True)
class Bank:
    """The statistics of some bank queries and some gallery items.

    Parameters
    ----------
    n_bank : int
        Number of queries.
    n_gallery : int
        Number of items.
    statistics : dict of statistics
    names : ndarray of shape (n_gallery,) or None
        Names of the items.
    settings : dict
        What has to be the same for two banks to be joined.
    title : str
        What errors call it.
    """

    n_bank: int
    n_gallery: int
    statistics: dict
    names: NDArray | None = None
    settings: dict = field(default_factory=dict)
    title: str = "querybank"

    @classmethod
    def probe(cls, tiles, make_statistics, n_jobs, progress, names=None, **settings):
        """Show a whole bank to the statistics that ``make_statistics(tiles)`` gives."""
        statistics = make_statistics(tiles)
        shown = list(statistics.values())
        while shown:
            walk(tiles, shown, n_jobs, progress)
            shown = [each for each in shown if each.wants_more()]
        statistics = {name: each.settled() for name, each in statistics.items()}
        for statistic in statistics.values():
            settings |= statistic.settings
        return cls(*tiles.shape, statistics, names, settings)

    def __getitem__(self, name):
        return self.statistics[name]

    def merged(self, other):
        """Return what this bank and another tell about the same gallery."""
        self._check_settings(other)
        if not self.has_gallery_of(other):
            raise ValueError(
                f"The gallery must be the one of the first call, with "
                f"{self.n_gallery} items, got {other.n_gallery} or other names; fit "
                "anew for another gallery."
            )
        statistics = {
            name: statistic.merged(other[name])
            for name, statistic in self.statistics.items()
        }
        n_bank = self.n_bank + other.n_bank
        return replace(self, n_bank=n_bank, statistics=statistics)

    def has_gallery_of(self, other):
        """Tell whether another bank was shown as many items, of no other names."""
        both_named = self.names is not None and other.names is not None
        other_names = both_named and not np.array_equal(self.names, other.names)
        return self.n_gallery == other.n_gallery and not other_names

    def extended(self, other):
        """Return what the same bank tells about this gallery and more items."""
        self._check_settings(other)
        if other.n_bank != self.n_bank:
            raise ValueError(
                f"{self.title} must be the one that the gallery was probed with, of "
                f"{self.n_bank} rows, got {other.n_bank}; pass all of it, in the same "
                "order."
            )
        if (self.names is None) != (other.names is None):
            named, unnamed = "known", "new"
            if self.names is None:
                named, unnamed = unnamed, named
            raise ValueError(
                f"The {named} gallery items have names and the {unnamed} ones have "
                "none; name all of them or none."
            )
        statistics = {
            name: statistic.extended(other[name])
            for name, statistic in self.statistics.items()
        }
        names = None if self.names is None else np.r_[self.names, other.names]
        n_gallery = self.n_gallery + other.n_gallery
        return replace(self, n_gallery=n_gallery, statistics=statistics, names=names)

    def kept(self, items):
        """Return what the bank tells about some of the items, ascending, alone."""
        self.check_joinable()
        statistics = {
            name: statistic.kept(items) for name, statistic in self.statistics.items()
        }
        names = None if self.names is None else self.names[items]
        return replace(self, n_gallery=len(items), statistics=statistics, names=names)

    def with_statistic(self, name, statistic):
        """Return the same with one of the statistics replaced."""
        return replace(self, statistics={**self.statistics, name: statistic})

    @property
    def is_joinable(self):
        """Whether what the bank tells can be made of what parts of it tell."""
        return not any(each.not_mergeable_reason for each in self.statistics.values())

    def check_joinable(self):
        """Raise if what the bank tells cannot be made of what parts of it tell."""
        for statistic in self.statistics.values():
            if statistic.not_mergeable_reason:
                raise ValueError(statistic.not_mergeable_reason)

    def _check_settings(self, other):
        self.check_joinable()
        if other.statistics.keys() != self.statistics.keys():
            raise ValueError(
                f"The {self.title} was first probed for {', '.join(self.statistics)}, "
                f"and is probed for {', '.join(other.statistics)} now, by another "
                "normalizer; call fit to start anew."
            )
        for setting, value in other.settings.items():
            if value != self.settings[setting]:
                raise ValueError(
                    f"{setting} was {self.settings[setting]!r} when the {self.title} "
                    f"was first probed and is {value!r} now; call fit to start anew."
                )
