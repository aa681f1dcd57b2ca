"""The interface of every statistic."""

from abc import ABC, abstractmethod

from sk_qbnorm.tiles import Visitor


class Statistic(Visitor, ABC):
    """Accumulate a few numbers per gallery item over the tiles of a querybank.

    A statistic is a visitor of `tiles.walk`. A subclass that can be computed from parts
    of the bank overrides `merge`, and one that can follow a gallery overrides
    `append_items` and `take_items`; each returns a new statistic and leaves the old
    ones unchanged.

    Attributes
    ----------
    settings : dict
        Parameters that two statistics must share to be merged.
    stores_bank : bool
        Whether it stores all n_bank x n_gallery similarities.
    """

    settings: dict
    stores_bank = False
    not_mergeable_reason = (
        "The normalizer depends on the whole querybank and the whole gallery at once; "
        "call fit with all of both."
    )

    @property
    def mergeable(self):
        """Whether the statistics of parts determine the statistic of the whole."""
        return type(self).merge is not Statistic.merge

    @property
    def takes_items(self):
        """Whether gallery items can be appended to the statistic and removed."""
        return type(self).append_items is not Statistic.append_items

    def start_from(self, known):
        """Prepare for items that are to be appended to those of a known statistic."""

    @abstractmethod
    def update(self, tile, rows, columns):
        """Add a tile; threads call this concurrently, with disjoint columns."""

    def needs_another_pass(self):
        """Return whether the querybank must be visited again."""
        return False

    def merge(self, other):
        """Return the statistic of both querybanks on the same gallery."""
        raise ValueError(self.not_mergeable_reason)

    def append_items(self, other):
        """Return the statistic of the same querybank on both galleries."""
        raise ValueError(self.not_mergeable_reason)

    def take_items(self, items):
        """Return the statistic of some of the gallery items, in ascending order."""
        raise ValueError(self.not_mergeable_reason)

    def incomplete_rows(self):
        """Return the bank queries that must be compared again after `take_items`."""
        return ()

    @abstractmethod
    def value(self):
        """Return the statistic, usually an array of shape (n_gallery,)."""
