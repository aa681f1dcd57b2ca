"""From similarities to corrected similarities, row by row; ``out`` may be ``sims``."""

import numpy as np

from ._jit import kernel
from ._row_top_k import find_top_k
from ._threads import share

_BLOCK = 2**16  # entries of a block of rows that stays in the fast cache


def subtract_bias(sims, bias, active, out, n_threads):
    """Write ``s_qj - bias[j]`` for rows that are corrected, ``s_qj`` for the others.

    Parameters
    ----------
    sims, out : ndarray of shape (n_queries, n_gallery)
    bias : ndarray of shape (n_gallery,), dtype float64
    active : ndarray of shape (n_gallery,), dtype bool, or None
        A row is corrected if its largest entry, the first among equals, is at an active
        item; every row if there is None.
    n_threads : int
    """
    bias = bias.astype(sims.dtype)
    gated = active is not None
    active = active if gated else np.empty(0, dtype=bool)

    def correct(start, stop):
        if out is sims:
            _subtract_bias_in_place(sims, bias, gated, active, start, stop)
        else:
            _subtract_bias(sims, bias, gated, active, out, start, stop)

    share(correct, sims.shape[0], n_threads)


# Into the matrix itself and into another are kernels of their own: LLVM does not
# vectorise a loop over two matrices that may be one.


@kernel
def _subtract_bias_in_place(sims, bias, gated, active, start, stop):
    for i in range(start, stop):
        row = sims[i]
        if not gated or active[_argmax(row)]:
            _subtract(row, bias, row)


@kernel
def _subtract_bias(sims, bias, gated, active, out, start, stop):
    for i in range(start, stop):
        row = sims[i]
        if not gated or active[_argmax(row)]:
            _subtract(row, bias, out[i])
        else:
            out[i] = row


@kernel
def _subtract(row, bias, out):
    for j in range(row.size):
        out[j] = row[j] - bias[j]


@kernel
def _argmax(row):
    largest = row[0]
    for j in range(row.size):
        largest = max(largest, row[j])
    for j in range(row.size):
        if row[j] == largest:
            return j
    return 0


def subtract_neighborhoods(sims, k, bias, out, n_threads):
    """Write ``2 s_qj - r_q - bias[j]``, with r_q the mean of the row's k largest.

    Parameters
    ----------
    sims, out : ndarray of shape (n_queries, n_gallery)
    k : int
        At most n_gallery.
    bias : ndarray of shape (n_gallery,), dtype float64
    n_threads : int
    """
    bias = bias.astype(sims.dtype)

    def correct(start, stop):
        best = np.empty((1, k), dtype=sims.dtype), np.empty((1, k), dtype=np.int64)
        if out is sims:
            _subtract_neighborhoods_in_place(sims, *best, bias, start, stop)
        else:
            _subtract_neighborhoods(sims, *best, bias, out, start, stop)

    share(correct, sims.shape[0], n_threads)


@kernel
def _subtract_neighborhoods_in_place(sims, values, columns, bias, start, stop):
    for i in range(start, stop):
        find_top_k(sims, i, i + 1, 0, sims.shape[1], values, columns)
        _double_and_subtract(sims[i], _mean(values[0]), bias, sims[i])


@kernel
def _subtract_neighborhoods(sims, values, columns, bias, out, start, stop):
    for i in range(start, stop):
        find_top_k(sims, i, i + 1, 0, sims.shape[1], values, columns)
        _double_and_subtract(sims[i], _mean(values[0]), bias, out[i])


@kernel
def _mean(values):
    total = 0.0
    for value in values:
        total += value
    return total / values.size


@kernel
def _double_and_subtract(row, mean, bias, out):
    for j in range(row.size):
        out[j] = 2 * row[j] - (mean + bias[j])


def exponential_ratio(sims, bias, beta, offset, active, out, n_threads):
    """Write ``exp(beta * (s_qj - bias[j]) - offset)`` for the rows that are corrected.

    Parameters
    ----------
    sims, out : ndarray of shape (n_queries, n_gallery)
        What is beyond the largest number of `out` is written as this number.
    bias : ndarray of shape (n_gallery,), dtype float64
    beta, offset : float
    active : ndarray of shape (n_gallery,), dtype bool, or None
        As in `subtract_bias`.
    n_threads : int
    """
    n_rows = max(1, _BLOCK // sims.shape[1])
    largest = np.finfo(out.dtype).max

    def correct(start, stop):
        for first in range(start, stop, n_rows):
            rows = slice(first, min(first + n_rows, stop))
            with np.errstate(over="ignore", under="ignore"):
                ratio = np.exp(beta * (sims[rows] - bias) - offset)
            np.minimum(ratio, largest, out=ratio)
            if active is not None:
                closed = ~active[sims[rows].argmax(axis=1)]
                ratio[closed] = sims[rows][closed]
            out[rows] = ratio

    share(correct, sims.shape[0], n_threads)
