"""The log-sum-exp of each column in one pass."""

import math

import numpy as np

from ._exp2 import exp2
from ._jit import kernel

_ROWS = 64  # a block of this height
_COLUMNS = 4096  # and this width fits into the fast cache
_LIMIT = {np.dtype(np.float32): np.float32(2.0**100), np.dtype(np.float64): 2.0**900}


def add_log_sum_exp(tile, beta, peak, total, shift=None):
    """Add a tile of bank rows to the running log-sum-exp of its columns.

    ``log(sum_i exp(beta * p_ij)) = beta * peak[j] + log(total[j])``, where `peak` is
    near the largest similarity so far. The pass is optimistic: it assumes that no
    similarity exceeds the peak so far that a sum passes its limit. If one does, the
    block is repeated with a new peak. Sums are in the dtype of the tile within a block
    of 64 rows, and in float64 across blocks.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix and the bounds of the relevant rows and columns.
    beta : float
    peak : ndarray of shape (n_columns,), in the dtype of the matrix
    total : ndarray of shape (n_columns,), dtype float64
        Both are updated in place. Start with any row of the tile and with zeros.
    shift : ndarray of shape (n_rows,), in the dtype of the matrix, or None
        Subtracted from the similarities of each row.
    """
    dtype = tile[0].dtype
    if shift is None:
        shift = np.zeros(tile[2] - tile[1], dtype=dtype)
    # beta is a float64, which may be out of the range of the dtype.
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
    """Add four rows at a time, so that the sums are loaded and stored once.

    Rows are slices of the whole matrix. numba does not know that rows of a slice are
    contiguous, and LLVM would not vectorize.
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
        row, row_shift = sims[i, left:right], shift[i - first]
        for j in range(new.size):
            new[j] = max(new[j], row[j] - row_shift)
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
