"""Rank queries among the bank queries, and items by these ranks."""

import numpy as np

from ._jit import kernel
from ._threads import share

_COLUMNS = 16  # one cache line of float32, read once per row
_ROWS = 1024  # this many cache lines fit into the fast cache
_SEARCHED = 256  # rows of a tile whose ranks are in memory at once


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
    for first in range(0, sims.shape[0], _ROWS):
        last = min(first + _ROWS, sims.shape[0])
        for left in range(start, stop, _COLUMNS):
            for j in range(left, min(left + _COLUMNS, stop)):
                column = bank_columns[j]
                for i in range(first, last):
                    ranks[i, j] = column.size - _count_up_to(column, sims[i, j])


@kernel
def _count_up_to(column, value):
    """Bisect without branches, which the processor would often mispredict."""
    base, length = 0, column.size
    while length > 1:
        half = length // 2
        base += half if column[base + half - 1] <= value else 0
        length -= half
    return base + (1 if column[base] <= value else 0)


def row_places(ranks, sims, out, n_threads):
    """Write minus the place of each item: by smaller rank, then larger similarity.

    Parameters
    ----------
    ranks : ndarray of shape (n_queries, n_gallery), dtype int64
    sims, out : ndarray of shape (n_queries, n_gallery)
        `out` gets 0 for the best item, -1 for the next. Items with equal rank and
        equal similarity share the better place. `out` may be `sims` itself.
    n_threads : int
    """

    def place(start, stop):
        keys = np.empty(sims.shape[1], dtype=np.int64)
        for i in range(start, stop):
            # One key for both: the rank first, then the number of more similar items.
            _write_keys(np.argsort(-sims[i]), sims[i], ranks[i], keys)
            _write_places(np.argsort(keys), keys, out[i])

    share(place, sims.shape[0], n_threads)


@kernel
def _write_keys(order, sims, ranks, keys):
    above = 0
    for position in range(order.size):
        j = order[position]
        if position > 0 and sims[j] != sims[order[position - 1]]:
            above = position
        keys[j] = ranks[j] * order.size + above


@kernel
def _write_places(order, keys, out):
    place = 0
    for position in range(order.size):
        j = order[position]
        if position > 0 and keys[j] != keys[order[position - 1]]:
            place = position
        out[j] = -place


def item_ranks(sims, items, bank_columns):
    """Count the bank queries that are closer to each candidate than the query is.

    Parameters
    ----------
    sims : ndarray of shape (n_queries, k)
    items : ndarray of shape (n_queries, k), dtype int64
        -1 for no item, which gets rank 0.
    bank_columns : ndarray of shape (n_gallery, n_bank)
        The bank's similarities to each gallery item, ascending.

    Returns
    -------
    ranks : ndarray of shape (n_queries, k), dtype int64
    """
    ranks = np.zeros(sims.shape, dtype=np.int64)
    _item_ranks(sims, items, bank_columns, ranks)
    return ranks


@kernel
def _item_ranks(sims, items, bank_columns, ranks):
    for i in range(sims.shape[0]):
        for place in range(sims.shape[1]):
            if items[i, place] >= 0:
                column = bank_columns[items[i, place]]
                ranks[i, place] = column.size - _count_up_to(column, sims[i, place])


def add_row_least_ranks(tile, bank_columns, first_item, ranks, sims, items):
    """Keep the k items of each row with smallest rank, then largest similarity.

    Pass the tiles of a row in the order of their items: of equal items, the one with
    the smaller index is kept.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix and the bounds of the relevant rows and columns.
    bank_columns : ndarray of shape (n_columns, n_bank)
        The bank's similarities to the items of the tile, ascending.
    first_item : int
        The item of the first relevant column.
    ranks, items : ndarray of shape (n_rows, k), dtype int64
    sims : ndarray of shape (n_rows, k), in the dtype of the matrix
        Updated in place; each row is a heap with its worst item first. Start with
        ranks larger than n_bank, items of -1, and any similarities.
    """
    matrix, top, bottom, left, right = tile
    for first in range(top, bottom, _SEARCHED):
        last = min(first + _SEARCHED, bottom)
        part = np.ascontiguousarray(matrix[first:last, left:right])
        found = bank_ranks(part, bank_columns, 1)
        kept = slice(first - top, last - top)
        _keep_least(part, found, first_item, ranks[kept], sims[kept], items[kept])


@kernel
def _keep_least(part, found, first_item, ranks, sims, items):
    for i in range(part.shape[0]):
        kept_ranks, kept_sims, kept_items = ranks[i], sims[i], items[i]
        for j in range(part.shape[1]):
            rank, sim, worst = found[i, j], part[i, j], kept_ranks[0]
            if rank < worst or (rank == worst and sim > kept_sims[0]):
                _replace_worst(
                    rank, sim, first_item + j, kept_ranks, kept_sims, kept_items
                )


@kernel
def _replace_worst(rank, sim, item, ranks, sims, items):
    place, child = 0, 1
    while child < ranks.size:
        next_one = child + 1
        if next_one < ranks.size and _is_worse(
            ranks[next_one],
            sims[next_one],
            items[next_one],
            ranks[child],
            sims[child],
            items[child],
        ):
            child = next_one
        if not _is_worse(ranks[child], sims[child], items[child], rank, sim, item):
            break
        ranks[place], sims[place] = ranks[child], sims[child]
        items[place] = items[child]
        place, child = child, 2 * child + 1
    ranks[place], sims[place], items[place] = rank, sim, item


@kernel
def _is_worse(rank, sim, item, other_rank, other_sim, other_item):
    if rank != other_rank:
        return rank > other_rank
    return sim < other_sim or (sim == other_sim and item > other_item)
