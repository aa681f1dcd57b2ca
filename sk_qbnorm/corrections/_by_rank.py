"""Places by how the bank ranks the query."""

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestOfRows


class ByRank:
    """Scores are minus the place by rank among the bank, then by similarity.

    Parameters
    ----------
    bank_columns : ndarray of shape (n_gallery, n_bank)
        The bank's similarities to each gallery item, ascending.
    """

    def __init__(self, bank_columns):
        self.bank_columns = bank_columns

    def apply(self, sims, scores, n_threads):
        """Write corrected C-contiguous `sims` to `scores`, which may be `sims`."""
        ranks = _kernels.bank_ranks(sims, self.bank_columns, n_threads)
        _kernels.row_places(ranks, sims, scores, n_threads)

    def searches(self, tiles, k):
        """Return visitors that find all that the k best items of each query need."""
        return {"ranked": _LeastRanks(tiles, k, self.bank_columns)}

    def assemble_scores(self, found, k):
        """Make scores of what was found, as in `Additive.assemble_scores`."""
        ranks, sims, items = found["ranked"].found
        return _places(ranks, sims), items, np.zeros(len(items), dtype=bool)

    def rescore(self, sims, items):
        """Return the scores of some items a query, of which -1 is none.

        Parameters
        ----------
        sims : ndarray of shape (n_queries, k)
            Minus infinity for none.
        items : ndarray of shape (n_queries, k), dtype int64
        """
        ranks = _kernels.item_ranks(sims, items, self.bank_columns)
        ranks[items < 0] = self.bank_columns.shape[1] + 1
        order = np.lexsort((items, -sims, ranks))
        scores = np.empty_like(sims)
        places = _places(
            np.take_along_axis(ranks, order, 1), np.take_along_axis(sims, order, 1)
        )
        np.put_along_axis(scores, order, places, 1)
        return np.where(items < 0, -np.inf, scores).astype(sims.dtype, copy=False)

    def take_items(self, items):
        """Return the correction of a slice of the gallery, for its ``searches``."""
        return ByRank(self.bank_columns[items])

    def append_items(self, biases):
        """Raise: no bias says what rank a new item has."""
        raise ValueError(
            "added requires a normalizer that subtracts a bias per item, got one that "
            "corrects by rank; call fit with all items."
        )

    def ceiling(self, peak):
        """Return what no score exceeds: the first place is 0, and none is at 1."""
        return np.ones_like(peak)


class _LeastRanks(BestOfRows):
    """The k items of every row with the least rank, then the largest similarity."""

    def __init__(self, tiles, k, bank_columns):
        self._columns = bank_columns
        self._beyond = bank_columns.shape[1] + 1
        super().__init__(tiles, k)

    def end(self, n_threads):
        """Let go of what is of no more use."""
        self._columns = None

    def _none(self, shape):
        ranks = np.full(shape, self._beyond, dtype=np.int64)
        return ranks, np.zeros(shape, self._dtype), np.full(shape, -1, dtype=np.int64)

    def _look(self, tile, rows, columns, found):
        bank = self._columns[columns]
        _kernels.add_row_least_ranks(tile, bank, columns.start, *found)

    def _order(self, found):
        ranks, sims, items = found
        return np.lexsort((items, -sims, ranks))


def _places(ranks, sims):
    """Return minus the place of each item of rows that are in order."""
    places = np.arange(ranks.shape[1])
    is_new = np.ones(ranks.shape, dtype=bool)
    same_rank = ranks[:, 1:] == ranks[:, :-1]
    is_new[:, 1:] = ~same_rank | (sims[:, 1:] != sims[:, :-1])
    first = np.maximum.accumulate(np.where(is_new, places, 0), axis=1)
    return -first.astype(sims.dtype)
