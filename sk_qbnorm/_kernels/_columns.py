"""Statistics of the columns of the bank's similarities, fed block by block."""

import math

from ._jit import kernel
from ._threads import share


def add_log_sum_exp(sims, beta, peak, total, n_threads):
    """Add a block of bank rows to every column's running log-sum-exp.

    ``log(sum_i exp(beta * p_ij)) = beta * peak[j] + log(total[j])``, where ``peak``
    is the largest similarity so far: no exponent is ever positive, so nothing
    overflows at any ``beta``.

    Parameters
    ----------
    sims : ndarray of shape (n_rows, n_gallery)
    beta : float
    peak, total : ndarray of shape (n_gallery,), dtype float64
        Updated in place. They start as minus infinity and zero.
    n_threads : int
    """
    share(
        lambda start, stop: _add_log_sum_exp(sims, beta, peak, total, start, stop),
        sims.shape[1],
        n_threads,
    )


@kernel
def _add_log_sum_exp(sims, beta, peak, total, start, stop):
    for i in range(sims.shape[0]):
        for j in range(start, stop):
            s = float(sims[i, j])
            if s > peak[j]:
                total[j] = total[j] * math.exp(beta * (peak[j] - s)) + 1.0
                peak[j] = s
            else:
                total[j] += math.exp(beta * (s - peak[j]))


def add_top_k(sims, top, n_threads):
    """Keep the k largest values of every column, largest first.

    Parameters
    ----------
    sims : ndarray of shape (n_rows, n_gallery)
    top : ndarray of shape (n_gallery, k), dtype float64
        Updated in place. It starts as minus infinity.
    n_threads : int
    """
    share(
        lambda start, stop: _add_top_k(sims, top, start, stop),
        sims.shape[1],
        n_threads,
    )


@kernel
def _add_top_k(sims, top, start, stop):
    last = top.shape[1] - 1
    for i in range(sims.shape[0]):
        for j in range(start, stop):
            s = float(sims[i, j])
            if s > top[j, last]:
                place = last
                while place > 0 and s > top[j, place - 1]:
                    top[j, place] = top[j, place - 1]
                    place -= 1
                top[j, place] = s
