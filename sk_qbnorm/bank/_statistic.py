"""What every statistic of a bank is."""


class Statistic:
    """A visitor of the tiles of a bank, that keeps a few numbers of each item.

    Its ``update(tile, rows, columns)`` is called from several threads, each with
    columns of its own. ``merged(other)`` returns the statistic of two banks,
    ``extended(other)`` of two galleries, ``kept(items)`` of some of the items; none is
    changed once it has seen its bank. ``value()`` is what it says of each item, and
    `settings` is what has to be the same for two to be joined.
    """

    why_whole = ""  # why what is known of parts does not tell what is known of all

    @property
    def joinable(self):
        """Whether what is known of parts tells what is known of all."""
        return not self.why_whole

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
