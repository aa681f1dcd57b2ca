"""Where the relevant gallery items of each query stand, by counting."""

import numpy as np

from ._jit import kernel
from ._threads import share


def first_relevant(scores, indptr, indices, n_threads):
    """Count what stands above, and level with, each query's best relevant item.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, n_gallery)
    indptr, indices : ndarray, dtype int64
        The relevant items of each query in CSR form, at least one a query.
    n_threads : int

    Returns
    -------
    counts : ndarray of shape (n_queries, 3), dtype int64
        Items with a larger score; irrelevant items with the same score; relevant
        items with the same score (the item itself among them).
    """
    counts = np.zeros((scores.shape[0], 3), dtype=np.int64)
    share(
        lambda start, stop: _first_relevant(
            scores, indptr, indices, counts, start, stop
        ),
        scores.shape[0],
        n_threads,
    )
    return counts


@kernel
def _first_relevant(scores, indptr, indices, counts, start, stop):
    for i in range(start, stop):
        best = scores[i, indices[indptr[i]]]
        for at in range(indptr[i], indptr[i + 1]):
            best = max(best, scores[i, indices[at]])
        above, level, level_relevant = 0, 0, 0
        for j in range(scores.shape[1]):
            above += scores[i, j] > best
            level += scores[i, j] == best
        for at in range(indptr[i], indptr[i + 1]):
            level_relevant += scores[i, indices[at]] == best
        counts[i, 0] = above
        counts[i, 1] = level - level_relevant
        counts[i, 2] = level_relevant


def average_precision(scores, indptr, indices, luck, n_threads):
    """Return the average precision of each query.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, n_gallery)
    indptr, indices : ndarray, dtype int64
        The relevant items of each query in CSR form, at least one a query.
    luck : {-1, 0, 1}
        Among equal scores: relevant items last, any order alike, or first.
    n_threads : int

    Returns
    -------
    precision : ndarray of shape (n_queries,), dtype float64
    """
    precision = np.empty(scores.shape[0])

    def measure(start, stop):
        for i in range(start, stop):
            relevant = indices[indptr[i] : indptr[i + 1]]
            precision[i] = _average_precision(
                np.sort(scores[i]), np.sort(scores[i, relevant]), luck
            )

    share(measure, scores.shape[0], n_threads)
    return precision


@kernel
def _average_precision(scores, relevant, luck):
    """Walk down the groups of equal scores; both arrays ascend."""
    total = 0.0
    at, relevant_at = scores.size - 1, relevant.size - 1
    while relevant_at >= 0:
        value = relevant[relevant_at]
        while scores[at] > value:
            at -= 1
        above, relevant_above = scores.size - 1 - at, relevant.size - 1 - relevant_at
        level, level_relevant = 0, 0
        while at >= 0 and scores[at] == value:
            level += 1
            at -= 1
        while relevant_at >= 0 and relevant[relevant_at] == value:
            level_relevant += 1
            relevant_at -= 1
        total += _level_precision(above, relevant_above, level, level_relevant, luck)
    return total / relevant.size


@kernel
def _level_precision(above, relevant_above, level, level_relevant, luck):
    """Sum the precision at the relevant items of one group of equal scores."""
    total = 0.0
    if luck == 0:  # McSherry & Najork 2008: the mean over all orders of the group
        others = (level_relevant - 1) / (level - 1) if level > 1 else 0.0
        for place in range(level):
            expected = relevant_above + 1 + place * others
            total += level_relevant / level * expected / (above + place + 1)
        return total
    before = level - level_relevant if luck < 0 else 0
    for place in range(level_relevant):
        total += (relevant_above + place + 1) / (above + before + place + 1)
    return total
