"""Correct similarities row by row; ``out`` may be ``sims``."""

import numpy as np

from ._jit import kernel
from ._row_top_k import row_top_k
from ._threads import share

_BLOCK = 2**18  # entries of a block of rows that fits into the fast cache


def subtract_bias(sims, biases, choice, out, n_threads):
    """Write ``s_qj - biases[c - 1, j]`` with c the choice of row q; ``s_qj`` for 0.

    Parameters
    ----------
    sims, out : ndarray of shape (n_queries, n_gallery)
    biases : ndarray of shape (n_choices, n_gallery), dtype float64
    choice : ndarray of shape (n_gallery,), or None
        In [0, n_choices] or bool. The choice of a row is the entry at its largest
        similarity, the first among equals. None means 1 for every row.
    n_threads : int
    """
    biases = biases.astype(sims.dtype)

    def correct(rows):
        chosen = _chosen(sims[rows], choice).astype(np.int64)
        if out is sims:
            _subtract_in_place(sims[rows], biases, chosen)
        else:
            _subtract(sims[rows], biases, chosen, out[rows])

    _share_blocks(correct, sims.shape, n_threads)


def _share_blocks(task, shape, n_threads):
    """Call ``task(rows)`` on blocks of rows that fit into the fast cache."""
    n_rows = max(1, _BLOCK // shape[1])

    def work(start, stop):
        for first in range(start, stop, n_rows):
            task(slice(first, min(first + n_rows, stop)))

    share(work, shape[0], n_threads)


def _chosen(sims, choice):
    if choice is None:
        return np.ones(sims.shape[0], dtype=bool)
    return choice[sims.argmax(axis=1)]


# In-place and out-of-place are separate kernels: LLVM does not vectorize a loop over
# two matrices that may share memory.


@kernel
def _subtract_in_place(sims, biases, chosen):
    for i in range(sims.shape[0]):
        if chosen[i] > 0:
            row, bias = sims[i], biases[chosen[i] - 1]
            for j in range(row.size):
                row[j] -= bias[j]


@kernel
def _subtract(sims, biases, chosen, out):
    for i in range(sims.shape[0]):
        row, new = sims[i], out[i]
        if chosen[i] > 0:
            bias = biases[chosen[i] - 1]
            for j in range(row.size):
                new[j] = row[j] - bias[j]
        else:
            new[:] = row


def subtract_neighborhoods(sims, k, bias, active, out, n_threads):
    """Write ``(2 s_qj - bias[j]) - r_q``, with r_q the mean of the row's k largest.

    Rows that are not corrected stay unchanged.

    Parameters
    ----------
    sims, out : ndarray of shape (n_queries, n_gallery)
    k : int
        At most n_gallery.
    bias : ndarray of shape (n_gallery,), dtype float64
    active : ndarray of shape (n_gallery,), dtype bool, or None
        As `choice` in `subtract_bias`: whether a row is corrected.
    n_threads : int
    """
    bias = bias.astype(sims.dtype)

    def correct(rows):
        gate = _chosen(sims[rows], active)
        values, _ = row_top_k((sims[rows], 0, rows.stop - rows.start, 0, width), k)
        means = nearest_means(values)
        if out is sims:
            _double_in_place(sims[rows], means, bias, gate)
        else:
            _double(sims[rows], means, bias, gate, out[rows])

    width = sims.shape[1]
    _share_blocks(correct, sims.shape, n_threads)


def nearest_means(sims):
    """Return the mean of each row over entries larger than minus infinity.

    Whole rows and searches both use this function, so that their scores round alike.

    Parameters
    ----------
    sims : ndarray of shape (n_queries, k)

    Returns
    -------
    means : ndarray of shape (n_queries,), in the dtype of `sims`
        0 for a row without such entries.
    """
    is_item = sims > -np.inf
    # Convert first: NumPy sums float32 into float64 buffer by buffer, which rounds
    # differently.
    sums = np.where(is_item, sims, 0).astype(np.float64).sum(axis=1)
    return (sums / np.maximum(is_item.sum(axis=1), 1)).astype(sims.dtype)


@kernel
def _double_in_place(sims, means, bias, gate):
    for i in range(sims.shape[0]):
        if gate[i]:
            row, mean = sims[i], means[i]
            for j in range(row.size):
                row[j] = (row[j] + row[j] - bias[j]) - mean


@kernel
def _double(sims, means, bias, gate, out):
    for i in range(sims.shape[0]):
        row, new, mean = sims[i], out[i], means[i]
        if gate[i]:
            for j in range(row.size):
                new[j] = (row[j] + row[j] - bias[j]) - mean
        else:
            new[:] = row


def exponential_ratio(sims, bias, beta, offset, active, out, n_threads):
    """Write ``exp(beta * (s_qj - bias[j]) - offset)`` for the corrected rows.

    Parameters
    ----------
    sims, out : ndarray of shape (n_queries, n_gallery)
    bias : ndarray of shape (n_gallery,), dtype float64
    beta, offset : float
    active : ndarray of shape (n_gallery,), dtype bool, or None
        As `choice` in `subtract_bias`: whether a row is corrected.
    n_threads : int
    """
    bias = bias.astype(sims.dtype)

    def correct(rows):
        gate = _chosen(sims[rows], active)
        ratio = bounded_exp(sims[rows] - bias, beta, offset)
        ratio[~gate] = sims[rows][~gate]
        out[rows] = ratio

    _share_blocks(correct, sims.shape, n_threads)


def bounded_exp(keys, beta, offset):
    """Return ``exp(beta * keys - offset)``, clipped to the range of the dtype."""
    with np.errstate(over="ignore", under="ignore"):
        ratio = np.exp(beta * keys.astype(np.float64) - offset)
    return np.minimum(ratio, np.finfo(keys.dtype).max).astype(keys.dtype)
