"""The primitives of `sk_qbnorm._kernels`, as expressions of the Python array API.

Tiles hold arrays in the dtype of the statistics. What is updated in place, and what is
returned for a tile, are NumPy arrays. The work on a tile is done on its device, in a
few expressions, each of the size of the tile.
"""

import math

import numpy as np

from ._home import home_of, take_rows, to_numpy

_BLOCK = 2**24  # entries of a matrix that are compared at once


def add_log_sum_exp(tile, beta, peak, total, shift=None):
    """Add a tile to the running log-sum-exp of its columns, as the compiled kernel."""
    sims, home = tile.matrix, home_of(tile.matrix)
    xp = home.xp
    if shift is not None:
        sims = sims - home.asarray(shift)[:, None]
    largest = xp.max(sims, axis=0)
    sums = xp.sum(xp.exp((sims - largest) * _bounded(beta, sims)), axis=0)
    largest, sums = (to_numpy(each).astype(np.float64) for each in (largest, sums))
    top = np.maximum(peak, largest)
    total *= np.exp(beta * (peak - top))
    total += sums * np.exp(beta * (largest - top))
    peak[:] = top


def row_log_sum_exp(tile, beta, bias):
    """Return ``log(sum_j exp(beta * (s_ij - bias[j]))) / beta`` for each row."""
    home = home_of(tile.matrix)
    xp, keys = home.xp, tile.matrix - home.asarray(bias)
    peaks = xp.max(keys, axis=1)
    sums = xp.sum(xp.exp((keys - peaks[:, None]) * _bounded(beta, keys)), axis=1)
    peaks, sums = (to_numpy(each).astype(np.float64) for each in (peaks, sums))
    return peaks + np.log(sums) / beta


def _bounded(beta, sims):
    """Return beta in the range of the dtype, so that it does not become infinite."""
    return min(beta, float(home_of(sims).xp.finfo(sims.dtype).max))


def add_top_k(tile, top):
    """Keep the k largest values of every column of a tile, largest first."""
    values = to_numpy(_largest(tile.matrix, top.shape[1], axis=0)).T
    both = np.sort(np.hstack([top, values.astype(top.dtype)]), axis=1)
    top[:] = both[:, : -top.shape[1] - 1 : -1]


def add_row_top_k(tile, scale, bias, first_item, keys, items):
    """Keep the k items of each row with the largest ``scale * s_qj - bias[j]``.

    The kept ones of each row are in ascending order of their keys.
    """
    home, k = home_of(tile.matrix), keys.shape[1]
    found = tile.matrix if scale == 1 else tile.matrix * scale
    if bias is not None:
        found = found - home.asarray(bias)
    values, columns = _row_top_k(found, min(k, found.shape[1]))
    keys_of_both = np.hstack([keys, values.astype(keys.dtype)])
    items_of_both = np.hstack([items, columns + first_item])
    order = np.lexsort((items_of_both, -keys_of_both))[:, :k]
    keys[:] = np.take_along_axis(keys_of_both, order, 1)
    items[:] = np.take_along_axis(items_of_both, order, 1)


def best_items(scores, k, n_threads):
    """Return the k largest entries of each row of a matrix, best first."""
    n_rows = max(1, _BLOCK // scores.shape[1])
    parts = [
        _row_top_k(take_rows(scores, slice(first, first + n_rows)), k)
        for first in range(0, scores.shape[0], n_rows)
    ]
    return tuple(map(np.concatenate, zip(*parts, strict=True)))


def moments(tile):
    """Return the sum of all entries of a tile, and the squares about the mean."""
    xp, sims = home_of(tile.matrix).xp, tile.matrix
    mean = xp.mean(sims)
    rest = float(xp.sum(sims - mean))  # what rounding of the mean left
    squares = float(xp.sum((sims - mean) ** 2))
    n_entries = math.prod(sims.shape)
    return float(mean) * n_entries + rest, max(squares - rest * rest / n_entries, 0.0)


def first_relevant(scores, indptr, indices, n_threads):
    """Count the items above each query's best relevant item, and those tied with it."""
    home = home_of(scores)
    xp, lengths = home.xp, np.diff(indptr)
    n_rows = max(1, _BLOCK // scores.shape[1])
    counts = np.empty((scores.shape[0], 3), dtype=np.int64)
    for first in range(0, scores.shape[0], n_rows):
        rows = slice(first, min(first + n_rows, scores.shape[0]))
        block, some = scores[rows, :], slice(indptr[rows.start], indptr[rows.stop])
        queries = np.repeat(np.arange(rows.stop - first), lengths[rows])
        flat = home.asarray(queries * scores.shape[1] + indices[some])
        values = to_numpy(xp.take(xp.reshape(block, (-1,)), flat))
        starts = indptr[rows] - indptr[rows.start]
        best = np.maximum.reduceat(values, starts)
        bars = home.asarray(best)[:, None]
        above = xp.sum(xp.astype(block > bars, xp.int64), axis=1)
        tied = to_numpy(xp.sum(xp.astype(block == bars, xp.int64), axis=1))
        hits = np.add.reduceat((values == best[queries]).astype(np.int64), starts)
        counts[rows] = np.column_stack([to_numpy(above), tied - hits, hits])
    return counts


def average_precision(scores, indptr, indices, ties, n_threads):
    """Return the average precision of each query, computed by the compiled kernel."""
    from sk_qbnorm import _kernels

    rest = indptr, indices, ties, n_threads
    return _kernels.average_precision(to_numpy(scores), *rest)


def subtract_bias(sims, biases, choice):
    """Return ``s_qj - biases[c - 1, j]`` with c the choice of row q; ``s_qj`` for 0.

    Parameters
    ----------
    sims : array of shape (n_queries, n_gallery)
    biases : array of shape (n_choices, n_gallery), of the library and dtype of `sims`
    choice : ndarray of shape (n_gallery,), or None
        As for the compiled kernel, of which this is the counterpart.
    """
    if choice is None:
        return sims - biases[0, :]
    home = home_of(sims)
    xp, chosen = home.xp, _chosen(sims, choice)
    corrected = sims
    for number in range(1, biases.shape[0] + 1):
        is_chosen = home.asarray(chosen == number)[:, None]
        corrected = xp.where(is_chosen, sims - biases[number - 1, :], corrected)
    return corrected


def subtract_neighborhoods(sims, k, bias, active):
    """Return ``(2 s_qj - bias[j]) - r_q``, with r_q the mean of the row's k largest.

    Rows that are not corrected stay unchanged; the arguments are as in `subtract_bias`.
    """
    home = home_of(sims)
    means = home.xp.mean(_largest(sims, k, axis=1), axis=1)
    scores = (2 * sims - bias) - means[:, None]
    if active is None:
        return scores
    is_active = home.asarray(_chosen(sims, active))[:, None]
    return home.xp.where(is_active, scores, sims)


def _chosen(sims, choice):
    """Return the choice at the largest similarity of each row, the first of equals."""
    return choice[best_items(sims, 1, 1)[1][:, 0]]


def _largest(matrix, k, axis):
    """Return the k largest entries along an axis, or all, in descending order."""
    home, k = home_of(matrix), min(k, matrix.shape[axis])
    if k == 1:
        return home.xp.max(matrix, axis=axis, keepdims=True)
    return home.top_k.largest(matrix, k, axis)


def _row_top_k(matrix, k):
    """Return the k largest entries of each row: larger first, then smaller column."""
    home = home_of(matrix)
    if k > 1:
        return home.top_k.row_top_k(matrix, k)
    columns = to_numpy(home.xp.argmax(matrix, axis=1))[:, None]  # the first of equals
    return to_numpy(home.xp.max(matrix, axis=1))[:, None], columns.astype(np.int64)
