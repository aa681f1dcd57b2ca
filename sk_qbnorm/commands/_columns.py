"""Match the columns of matrices by the names in their files; read indices."""

import numpy as np


def columns_of(matrix, names, wanted):
    """Return the columns by name; unknown ones hold the smallest value of each row."""
    places = {name: place for place, name in enumerate(names)}
    found = np.array([places.get(name, -1) for name in wanted])
    columns = matrix[:, found].copy()
    lowest = matrix.min(axis=1) if matrix.dtype.kind == "f" else np.zeros(len(matrix))
    columns[:, found < 0] = lowest.astype(matrix.dtype)[:, None]
    return columns


def items_in_columns(loaded, items, path, queries_path):
    """Return a bank with known items in its columns, and the names of these.

    Parameters
    ----------
    loaded : (matrix, row ids or None, column ids)
        A bank as `load_matrix` returns it.
    items : array of str
        The names of the gallery items.
    path, queries_path : str
        The files of the bank, and of the queries that name the items.
    """
    bank, rows, columns = loaded
    for names, matrix in ((columns, bank), (rows, bank.T)):
        if names is not None and not set(items).isdisjoint(names):
            check_unique(names, path)
            return matrix, names
    raise ValueError(
        f"{path} and {queries_path} share no name of a gallery item; both must hold "
        "the same gallery, one column per item."
    )


def check_unique(names, path):
    """Raise if a name stands for two gallery items."""
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(
                f"{path} names two gallery items {name!r}; each needs its own name."
            )
        seen.add(name)


def as_indices(relevant, shape):
    """Return a column of whole numbers, as text files hold it, as gallery indices."""
    n_queries, n_gallery = shape
    if relevant.shape != (n_queries, 1) or n_gallery == 1:
        return relevant
    if not np.array_equal(relevant, np.floor(relevant)):
        return relevant
    return relevant[:, 0].astype(np.int64)
