"""From similarities to corrected similarities; ``out`` may be ``sims`` itself."""

import math

from ._jit import kernel
from ._threads import share


def subtract_bias(sims, bias, gate, out, n_threads):
    """Write ``s_qj - bias[j]`` where the row's gate is open, else ``s_qj``.

    Parameters
    ----------
    sims, out : ndarray of shape (n_queries, n_gallery)
    bias : ndarray of shape (n_gallery,), dtype float64
    gate : ndarray of shape (n_queries,), dtype bool
    n_threads : int
    """
    share(
        lambda start, stop: _subtract_bias(sims, bias, gate, out, start, stop),
        sims.shape[0],
        n_threads,
    )


@kernel
def _subtract_bias(sims, bias, gate, out, start, stop):
    for i in range(start, stop):
        for j in range(sims.shape[1]):
            out[i, j] = sims[i, j] - bias[j] if gate[i] else sims[i, j]


def subtract_neighborhoods(sims, row_means, bias, out, n_threads):
    """Write ``2 s_qj - row_means[q] - bias[j]``.

    Parameters
    ----------
    sims, out : ndarray of shape (n_queries, n_gallery)
    row_means : ndarray of shape (n_queries,), dtype float64
    bias : ndarray of shape (n_gallery,), dtype float64
    n_threads : int
    """
    share(
        lambda start, stop: _subtract_neighborhoods(
            sims, row_means, bias, out, start, stop
        ),
        sims.shape[0],
        n_threads,
    )


@kernel
def _subtract_neighborhoods(sims, row_means, bias, out, start, stop):
    for i in range(start, stop):
        for j in range(sims.shape[1]):
            out[i, j] = 2.0 * sims[i, j] - row_means[i] - bias[j]


def exponential_ratio(sims, bias, beta, offset, gate, largest, out, n_threads):
    """Write ``exp(beta * (s_qj - bias[j]) - offset)`` where the gate is open.

    Parameters
    ----------
    sims, out : ndarray of shape (n_queries, n_gallery)
    bias : ndarray of shape (n_gallery,), dtype float64
    beta, offset : float
    gate : ndarray of shape (n_queries,), dtype bool
        Where it is closed, ``s_qj`` is written.
    largest : float
        The largest number of ``out``; what lies beyond it is written as this.
    n_threads : int
    """
    share(
        lambda start, stop: _exponential_ratio(
            sims, bias, beta, offset, gate, largest, out, start, stop
        ),
        sims.shape[0],
        n_threads,
    )


@kernel
def _exponential_ratio(sims, bias, beta, offset, gate, largest, out, start, stop):
    ceiling = math.log(largest)
    for i in range(start, stop):
        for j in range(sims.shape[1]):
            if gate[i]:
                exponent = beta * (sims[i, j] - bias[j]) - offset
                value = math.exp(exponent) if exponent < ceiling else largest
                out[i, j] = min(value, largest)
            else:
                out[i, j] = sims[i, j]
