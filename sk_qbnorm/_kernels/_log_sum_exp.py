"""The log-sum-exp of every column, in one pass."""

import math

import numpy as np

from ._exp2 import exp2
from ._jit import kernel

_ROWS = 64  # of this height and
_COLUMNS = 4096  # this width, a block stays in the fast cache
_LIMIT = {np.dtype(np.float32): np.float32(2.0**100), np.dtype(np.float64): 2.0**900}


def add_log_sum_exp(tile, beta, peak, total, shift=None):
    """Add a tile of bank rows to the running log-sum-exp of its columns.

    ``log(sum_i exp(beta * p_ij)) = beta * peak[j] + log(total[j])``, where `peak` is
    near the largest similarity so far. The pass is an optimistic one: it trusts that no
    similarity exceeds the peak by so much that a sum grows past its limit, and where
    one does, that block is done again from a new peak. Sums are in the dtype of the
    tile within a block of 64 rows, in float64 from block to block.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix; the first and last row, first and last column that count.
    beta : float
    peak : ndarray of shape (n_columns,), in the dtype of the matrix
    total : ndarray of shape (n_columns,), dtype float64
        Both are updated in place. They start as any row of the tile, and as zero.
    shift : ndarray of shape (n_rows,), in the dtype of the matrix, or None
        What is taken off the similarities of each row.
    """
    dtype = tile[0].dtype
    if shift is None:
        shift = np.zeros(tile[2] - tile[1], dtype=dtype)
    # Held to the range, as beta may be a float64 that is beyond it.
    scale = dtype.type(min(beta * math.log2(math.e), float(np.finfo(dtype).max)))
    sums = np.zeros(peak.size, dtype=dtype)
    _add_tile(*tile, shift, scale, beta, _LIMIT[dtype], peak, total, sums)


@kernel
def _add_tile(
    sims, top, bottom, left, right, shift, scale, beta, limit, peak, total, sums
):
    for i in range(top, bottom, _ROWS):
        last = min(i + _ROWS, bottom)
        block_shift = shift[i - top : last - top]
        for j in range(left, right, _COLUMNS):
            end = min(j + _COLUMNS, right)
            block_peak = peak[j - left : end - left]
            block_total = total[j - left : end - left]
            block_sums = sums[j - left : end - left]
            _add_rows(sims, i, last, j, end, block_shift, scale, block_peak, block_sums)
            if _largest(block_sums) > limit:
                new_peak = _peak(sims, i, last, j, end, block_shift, block_peak)
                _move_peak(block_peak, new_peak, beta, block_total, block_sums)
                _add_rows(
                    sims, i, last, j, end, block_shift, scale, block_peak, block_sums
                )
            _flush(block_sums, block_total)


@kernel
def _add_rows(sims, first, last, left, right, shift, scale, peak, sums):
    """Four rows at a time, so that the sums are loaded and stored once for the four.

    Rows are cut out of the whole matrix: numba does not know that those of a block are
    contiguous, and LLVM would not vectorise.
    """
    i = first
    while i + 4 <= last:
        a, b = sims[i, left:right], sims[i + 1, left:right]
        c, d = sims[i + 2, left:right], sims[i + 3, left:right]
        sa, sb = shift[i - first], shift[i - first + 1]
        sc, sd = shift[i - first + 2], shift[i - first + 3]
        for j in range(sums.size):
            p = peak[j]
            ab = exp2((a[j] - sa - p) * scale) + exp2((b[j] - sb - p) * scale)
            cd = exp2((c[j] - sc - p) * scale) + exp2((d[j] - sd - p) * scale)
            sums[j] += ab + cd
        i += 4
    while i < last:
        a, sa = sims[i, left:right], shift[i - first]
        for j in range(sums.size):
            sums[j] += exp2((a[j] - sa - peak[j]) * scale)
        i += 1


@kernel
def _largest(sums):
    largest = sums[0]
    for j in range(sums.size):
        largest = max(largest, sums[j])
    return largest


@kernel
def _peak(sims, first, last, left, right, shift, peak):
    new = peak.copy()
    for i in range(first, last):
        row, taken = sims[i, left:right], shift[i - first]
        for j in range(new.size):
            new[j] = max(new[j], row[j] - taken)
    return new


@kernel
def _move_peak(peak, new, beta, total, sums):
    for j in range(peak.size):
        total[j] *= math.exp(beta * (float(peak[j]) - float(new[j])))
        peak[j] = new[j]
        sums[j] = 0


@kernel
def _flush(sums, total):
    for j in range(sums.size):
        total[j] += sums[j]
        sums[j] = 0
