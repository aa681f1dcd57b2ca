"""Ranks of the relevant gallery items of each query, by counting."""

import numpy as np

from ._jit import kernel
from ._threads import share

# Up to this many relevant items, one pass over the row per item is cheaper than a sort.
_FEW = 16
_BLOCK = 2**20  # entries that are copied at once if they are not contiguous


def first_relevant(scores, indptr, indices, n_threads):
    """Count the items above each query's best relevant item, and those tied with it.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, n_gallery), in any memory layout
    indptr, indices : ndarray, dtype int64
        The relevant items of each query in CSR form, at least one per query.
    n_threads : int

    Returns
    -------
    counts : ndarray of shape (n_queries, 3), dtype int64
        Items with a larger score; irrelevant items with the same score; relevant items
        with the same score (including the item itself).
    """
    counts = np.empty((scores.shape[0], 3), dtype=np.int64)
    n_rows = max(1, _BLOCK // scores.shape[1])

    def count(start, stop):
        for first in range(start, stop, n_rows):
            last = min(first + n_rows, stop)
            block = np.ascontiguousarray(scores[first:last])
            ends = indptr[first : last + 1]
            _first_relevant(block, ends, indices, counts[first:last])

    share(count, scores.shape[0], n_threads)
    return counts


@kernel
def _first_relevant(scores, indptr, indices, counts):
    for i in range(scores.shape[0]):
        row, relevant = scores[i], indices[indptr[i] : indptr[i + 1]]
        best = row[relevant[0]]
        for j in relevant:
            best = max(best, row[j])
        above, tied = _count(row, best)
        hits = 0
        for j in relevant:
            hits += row[j] == best
        counts[i, 0], counts[i, 1], counts[i, 2] = above, tied - hits, hits


@kernel
def _count(row, value):
    """Count the entries that are larger than `value`, and those that equal it."""
    above, tied = np.int32(0), np.int32(0)  # as wide as float32: LLVM vectorizes
    for j in range(row.size):
        above += np.int32(row[j] > value)
        tied += np.int32(row[j] == value)
    return above, tied


def average_precision(scores, indptr, indices, ties, n_threads):
    """Return the average precision of each query.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, n_gallery), in any memory layout
    indptr, indices : ndarray, dtype int64
        The relevant items of each query in CSR form, at least one per query.
    ties : {-1, 0, 1}
        Among equal scores: relevant items last, the mean over all orders, or first.
    n_threads : int

    Returns
    -------
    precision : ndarray of shape (n_queries,), dtype float64
    """
    precision = np.empty(scores.shape[0])

    def measure(start, stop):
        for i in range(start, stop):
            row = np.ascontiguousarray(scores[i])
            relevant = np.sort(row[indices[indptr[i] : indptr[i + 1]]])[::-1]
            if relevant.size > _FEW:
                row = np.sort(row)
            precision[i] = _average_precision(row, relevant.copy(), ties)

    share(measure, scores.shape[0], n_threads)
    return precision


@kernel
def _average_precision(row, relevant, ties):
    """Visit the groups of equal relevant scores, best first.

    `row` is sorted if there are more than `_FEW` relevant items.
    """
    total, first = 0.0, 0
    while first < relevant.size:
        last = first
        while last < relevant.size and relevant[last] == relevant[first]:
            last += 1
        if relevant.size > _FEW:
            start = np.searchsorted(row, relevant[first])
            end = np.searchsorted(row, relevant[first], side="right")
            above, tied = row.size - end, end - start
        else:
            above, tied = _count(row, relevant[first])
        total += _group_precision(above, first, tied, last - first, ties)
        first = last
    return total / relevant.size


@kernel
def _group_precision(above, relevant_above, tied, hits, ties):
    """Sum the precision at the relevant items of one group of equal scores."""
    total = 0.0
    if ties == 0:  # McSherry & Najork 2008: the mean over all orders of the group
        others = (hits - 1) / (tied - 1) if tied > 1 else 0.0
        for place in range(tied):
            expected = relevant_above + 1 + place * others
            total += hits / tied * expected / (above + place + 1)
        return total
    before = tied - hits if ties < 0 else 0
    for place in range(hits):
        total += (relevant_above + place + 1) / (above + before + place + 1)
    return total
