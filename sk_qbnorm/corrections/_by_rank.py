"""Rank items by the rank of the query among the bank queries."""

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestOfRows

from ._by_numpy import corrected_by_numpy


class ByRank:
    """Scores are minus the place by bank rank, then by similarity.

    Parameters
    ----------
    bank_columns : ndarray of shape (n_gallery, n_bank)
        The bank's similarities to each gallery item, ascending.
    """

    def __init__(self, bank_columns):
        self.bank_columns = bank_columns

    def apply(self, sims, scores, n_threads):
        """Correct C-contiguous `sims` and write to `scores`, which may be `sims`."""
        ranks = _kernels.bank_ranks(sims, self.bank_columns, n_threads)
        _kernels.row_places(ranks, sims, scores, n_threads)

    def corrected(self, sims):
        """Return the corrected similarities of another array library, by NumPy."""
        return corrected_by_numpy(self, sims)

    def searches(self, tiles, k):
        """Return visitors that find the candidates for the k best items per query."""
        return {"ranked": _LeastRanks(tiles, k, self.bank_columns)}

    def assemble_scores(self, found, k):
        """Combine the results of the visitors, as in `Additive.assemble_scores`."""
        ranks, sims, items = found["ranked"].found
        return _places(ranks, sims), items, np.zeros(len(items), dtype=bool)

    def rescore(self, sims, items):
        """Return the scores of some items per query; -1 means no item.

        Parameters
        ----------
        sims : ndarray of shape (n_queries, k)
            Minus infinity for no item.
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
        """Return the correction for a slice of the gallery, to call ``searches``."""
        return ByRank(self.bank_columns[items])

    def append_items(self, biases):
        """Raise: no bias says what rank a new item has."""
        raise ValueError(
            "added requires a normalizer that subtracts a bias per item, got one that "
            "corrects by rank; call fit with all items."
        )

    def ceiling(self, peak):
        """Return an upper bound of the scores: the first place has score 0."""
        return np.ones_like(peak)


class _LeastRanks(BestOfRows):
    """The k items per row with the smallest rank, then the largest similarity."""

    def __init__(self, tiles, k, bank_columns):
        self._columns = bank_columns
        self._no_rank = bank_columns.shape[1] + 1
        super().__init__(tiles, k)

    def end(self, n_threads):
        """Free memory that is no longer needed."""
        self._columns = None

    def _none(self, shape):
        ranks = np.full(shape, self._no_rank, dtype=np.int64)
        return ranks, np.zeros(shape, self._dtype), np.full(shape, -1, dtype=np.int64)

    def _look(self, tile, rows, columns, found):
        bank = self._columns[columns]
        _kernels.add_row_least_ranks(tile, bank, columns.start, *found)

    def _order(self, found):
        ranks, sims, items = found
        return np.lexsort((items, -sims, ranks))


def _places(ranks, sims):
    """Return minus the place of each item in sorted rows."""
    places = np.arange(ranks.shape[1])
    is_new = np.ones(ranks.shape, dtype=bool)
    same_rank = ranks[:, 1:] == ranks[:, :-1]
    is_new[:, 1:] = ~same_rank | (sims[:, 1:] != sims[:, :-1])
    first = np.maximum.accumulate(np.where(is_new, places, 0), axis=1)
    return -first.astype(sims.dtype)
