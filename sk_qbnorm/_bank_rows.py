"""Tell bank rows from labeled queries by their marks in `y`.

A row without a relevant item is marked by -1, by an empty list, or by a row of zeros in
an indicator matrix. `fit` uses the marked rows as the bank; scores leave them out.
"""

import numpy as np
from scipy import sparse

from ._arrays import to_numpy


def labeled_rows(relevant, n_queries, gallery_labels=None):
    """Return the rows that have a relevant item.

    Parameters
    ----------
    relevant : index array, list of index arrays, indicator or labels
        As in `sk_qbnorm.metrics.relevant_ranks`.
    n_queries : int
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, if `relevant` contains labels.

    Returns
    -------
    rows : slice, ndarray of shape (n_rows,), dtype bool, or None
        A slice of all rows if all have one; None if no row has one.

    Raises
    ------
    ValueError
        If `relevant` marks rows and has another length, or if -1 is a class of the
        gallery, so that it cannot mark rows.
    """
    if gallery_labels is not None:
        check_no_class_is_the_mark(gallery_labels)
    has_item = _has_item(relevant)
    if has_item.all():
        return slice(None)
    _check_length(has_item, n_queries)
    return has_item if has_item.any() else None


def bank_rows(y, shape):
    """Return the rows of the bank: the marked rows, or all if none is marked.

    Parameters
    ----------
    y : object
        Second argument of `fit`. It is ignored unless it marks some rows and labels
        others.
    shape : tuple of int
        Number of rows and of gallery items.

    Returns
    -------
    rows : slice, or ndarray of shape (n_rows,), dtype bool

    Raises
    ------
    ValueError
        If `y` marks rows and has another length.
    """
    if not _can_mark(y, shape):
        return slice(None)
    marked = ~_has_item(y)
    if marked.all() or not marked.any():
        return slice(None)
    _check_length(marked, shape[0])
    return marked


def take_rows(relevant, rows):
    """Select the relevant items of some rows, a slice or a mask, in the same form."""
    if isinstance(rows, slice) and rows == slice(None):
        return relevant
    if sparse.issparse(relevant):
        return relevant.tocsr()[rows]
    if isinstance(relevant, (list, tuple)):
        return [relevant[row] for row in np.arange(len(relevant))[rows]]
    return np.asarray(to_numpy(relevant))[rows]


def check_no_class_is_the_mark(gallery_labels):
    """Raise if -1 is a class of the gallery."""
    if not _has_item(gallery_labels).all():
        raise ValueError(
            "gallery_labels must not contain -1, which marks rows of the bank in y; "
            "use another label for this class."
        )


def _has_item(relevant):
    """Return whether each row has a relevant item; a scalar gives one True."""
    if sparse.issparse(relevant):
        return np.asarray((relevant != 0).sum(axis=1)).ravel() > 0
    if not isinstance(relevant, (list, tuple)):
        relevant = np.asarray(to_numpy(relevant))
        if relevant.ndim == 2:
            return (relevant != 0).any(axis=1)
        if relevant.ndim == 0:
            return np.ones(1, dtype=bool)
        if relevant.dtype != object:
            return relevant != -1
    return np.array([_is_relevant(items) for items in relevant], dtype=bool)


def _is_relevant(items):
    """Return whether an entry is neither -1 nor empty."""
    return bool(np.size(items) > 0 if np.ndim(items) else items != -1)


def _check_length(entries, n_rows):
    if len(entries) != n_rows:
        raise ValueError(
            f"y must have one entry per row, expected {n_rows}, got {len(entries)}; "
            "pass the relevant item of each labeled query and -1 for each other row."
        )


def _can_mark(y, shape):
    """Return whether `y` may be labels, one per row, and not a gallery."""
    if isinstance(y, (list, tuple)):
        return True
    y_shape = getattr(y, "shape", ())
    if y_shape == shape:  # an indicator, or no labels
        values = y.data if sparse.issparse(y) else np.asarray(to_numpy(y))
        return bool(np.isin(values, (0, 1)).all())
    return len(y_shape) == 1
