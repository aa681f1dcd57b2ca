"""What every statistic of a bank is."""


class Statistic:
    """A visitor of the tiles of a bank, that keeps a few numbers of each item.

    Its ``update(tile, rows, columns)`` is called from several threads, each with
    columns of its own. ``merged(other)`` returns the statistic of two banks,
    ``extended(other)`` of two galleries, ``kept(items)`` of some of the items; none is
    changed once it has seen its bank. ``value()`` is what it says of each item, and
    `settings` is what has to be the same for two to be joined.

    A statistic that cannot be computed from parts says why, and what to do, in
    ``not_mergeable_reason``: the error that users see. It then needs none of the three.
    """

    not_mergeable_reason = ""

    def merged(self, other):
        """Return the statistic of two banks."""
        raise self._undefined("merged")

    def extended(self, other):
        """Return the statistic of two galleries."""
        raise self._undefined("extended")

    def kept(self, items):
        """Return the statistic of some of the items."""
        raise self._undefined("kept")

    def _undefined(self, method):
        return NotImplementedError(
            f"{type(self).__name__} must define {method}(), or say in "
            "not_mergeable_reason why parts do not determine it and what to do; got "
            "neither."
        )

    def end_round(self, rows):
        """Take note that all columns of some rows have been shown."""

    def end(self, n_threads):
        """Take note that the whole bank has been shown."""

    def wants_more(self):
        """Tell whether the bank has to be shown again."""
        return False

    def settled(self):
        """Return what is to be kept, once the bank has been shown often enough."""
        return self
