"""What each item receives from the bank queries that list it."""

import numpy as np

from ._jit import kernel


def list_loads(weights, items, factors):
    """Return ``sum_i w_ij / sum_k w_ik * factors[k]`` over the listed items, per item.

    Parameters
    ----------
    weights : ndarray of shape (n_rows, n_listed), dtype float64
    items : ndarray of shape (n_rows, n_listed), dtype int64
        Item of each weight, -1 for none.
    factors : ndarray of shape (n_items,), dtype float64

    Returns
    -------
    loads : ndarray of shape (n_items,), dtype float64
    """
    loads = np.zeros(len(factors))
    _add(weights, items, factors, loads)
    return loads


@kernel
def _add(weights, items, factors, loads):
    for i in range(len(items)):
        row, listed = weights[i], items[i]
        total = 0.0
        for j in range(row.size):
            if listed[j] >= 0:
                total += row[j] * factors[listed[j]]
        if total > 0:
            for j in range(row.size):
                if listed[j] >= 0:
                    loads[listed[j]] += row[j] / total
