"""The largest entries, by what the Python array API has: a sort."""

import numpy as np

from ._home import home_of, to_numpy


def largest(matrix, k, axis):
    """Return the k largest entries along an axis, in descending order."""
    rest = (slice(None),) * axis
    return home_of(matrix).xp.sort(matrix, axis=axis, descending=True)[*rest, :k, ...]


def row_top_k(matrix, k):
    """Return the k largest entries of each row: larger first, then smaller column.

    Returns
    -------
    values, columns : ndarray of shape (n_rows, k)
    """
    home, (n_rows, n_columns) = home_of(matrix), matrix.shape
    order = home.xp.argsort(matrix, axis=1, descending=True, stable=True)[:, :k]
    columns = to_numpy(order).astype(np.int64)
    places = home.asarray((columns + n_columns * np.arange(n_rows)[:, None]).ravel())
    values = home.xp.take(home.xp.reshape(matrix, (-1,)), places)
    return to_numpy(values).reshape(columns.shape), columns
