"""Ranks among the bank's similarities, and places by them."""

import numpy as np

from ._jit import kernel
from ._threads import share


def bank_ranks(sims, bank_columns, n_threads):
    """Count the bank queries that each gallery item is more similar to.

    Parameters
    ----------
    sims : ndarray of shape (n_queries, n_gallery)
    bank_columns : ndarray of shape (n_gallery, n_bank)
        The bank's similarities to each gallery item, ascending.
    n_threads : int

    Returns
    -------
    ranks : ndarray of shape (n_queries, n_gallery), dtype int64
        ``#{i : p_ij > s_qj}``, in [0, n_bank].
    """
    ranks = np.empty(sims.shape, dtype=np.int64)
    share(
        lambda start, stop: _bank_ranks(sims, bank_columns, ranks, start, stop),
        sims.shape[1],
        n_threads,
    )
    return ranks


@kernel
def _bank_ranks(sims, bank_columns, ranks, start, stop):
    n_bank = bank_columns.shape[1]
    for j in range(start, stop):
        for i in range(sims.shape[0]):
            low, high = 0, n_bank
            while low < high:
                middle = (low + high) // 2
                if bank_columns[j, middle] > sims[i, j]:
                    high = middle
                else:
                    low = middle + 1
            ranks[i, j] = n_bank - low


def row_places(ranks, sims, out, n_threads):
    """Write minus each item's place in its row: rank up, then similarity down.

    Parameters
    ----------
    ranks : ndarray of shape (n_queries, n_gallery), dtype int64
    sims, out : ndarray of shape (n_queries, n_gallery)
        ``out`` gets 0 for the best item, -1 for the next; items that are equal in
        rank and in similarity share the better place. It may be ``sims`` itself.
    n_threads : int
    """

    def place(start, stop):
        for i in range(start, stop):
            order = np.lexsort((-sims[i], ranks[i]))
            _write_places(order, ranks[i], sims[i].copy(), out[i])

    share(place, sims.shape[0], n_threads)


@kernel
def _write_places(order, ranks, sims, out):
    place = 0
    for position in range(order.size):
        j = order[position]
        if position > 0:
            before = order[position - 1]
            if ranks[j] != ranks[before] or sims[j] != sims[before]:
                place = position
        out[j] = -place
