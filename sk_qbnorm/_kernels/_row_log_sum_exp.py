"""The log-sum-exp of each row after subtracting each item's bias."""

import math

import numpy as np

from ._exp2 import exp2
from ._jit import kernel

_LANES = 64  # parallel sums, so that LLVM vectorizes


def row_log_sum_exp(tile, beta, bias):
    """Return ``log(sum_j exp(beta * (s_ij - bias[j]))) / beta`` for each row.

    Parameters
    ----------
    tile : tuple of ndarray and four int
        A C-contiguous matrix and the bounds of the relevant rows and columns.
    beta : float
    bias : ndarray of shape (n_columns,), in the dtype of the matrix

    Returns
    -------
    sums : ndarray of shape (n_rows,), dtype float64
    """
    matrix, top, bottom, left, right = tile
    dtype = matrix.dtype
    scale = dtype.type(min(beta * math.log2(math.e), float(np.finfo(dtype).max)))
    peaks, totals = np.empty(bottom - top), np.empty(bottom - top)
    _add(matrix, top, bottom, left, right, scale, bias, peaks, totals)
    return peaks + np.log(totals) / beta


@kernel
def _add(sims, top, bottom, left, right, scale, bias, peaks, totals):
    lanes = np.empty(_LANES, dtype=sims.dtype)
    for i in range(top, bottom):
        row = sims[i, left:right]
        peak = _peak(row, bias)
        lanes[:] = 0
        whole = row.size - row.size % _LANES
        for j in range(0, whole, _LANES):
            _add_chunk(row[j : j + _LANES], bias[j : j + _LANES], peak, scale, lanes)
        total = 0.0
        for lane in range(_LANES):
            total += lanes[lane]
        for j in range(whole, row.size):
            total += exp2((row[j] - bias[j] - peak) * scale)
        peaks[i - top], totals[i - top] = peak, total


@kernel
def _peak(row, bias):
    peak = row[0] - bias[0]
    for j in range(row.size):
        peak = max(peak, row[j] - bias[j])
    return peak


@kernel
def _add_chunk(row, bias, peak, scale, lanes):
    for lane in range(lanes.size):
        lanes[lane] += exp2((row[lane] - bias[lane] - peak) * scale)
