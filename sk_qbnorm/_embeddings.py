"""Checks of embeddings, which may be sparse or on disk."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from ._validation import check_choice, check_finite, check_matrix, column_names


def check_metric(metric):
    """Raise if there is no such metric."""
    if not callable(metric):
        check_choice(metric, "metric", ("cosine", "dot"))


def is_on_disk(matrix):
    """Tell whether a matrix is a file, which may be larger than memory."""
    return isinstance(matrix, np.memmap)


def check_embeddings(matrix, name, *, n_jobs=None, finite=True, keep_on_disk=False):
    """Return embeddings as a finite matrix of floats; sparse ones as CSR.

    With `keep_on_disk` a `numpy.memmap` stays as it is, whatever its numbers are, for
    those who make floats of the part in use alone.
    """
    if keep_on_disk and is_on_disk(matrix) and matrix.dtype.kind in "fiub":
        options = {"dtype": None, "ensure_all_finite": False}
        checked = check_array(matrix, input_name=name, **options)
        if finite:
            check_finite(checked, name, n_jobs)
        return checked
    checked = check_matrix(
        matrix, name, n_jobs=n_jobs, finite=finite, accept_sparse=True
    )
    if sparse.issparse(checked) and not checked.has_canonical_format:
        checked = checked.copy()  # the caller's stays as it is
        checked.sum_duplicates()
    return checked


def copy_if_shared(checked, given):
    """Return checked embeddings that share no memory with those that were given."""
    if sparse.issparse(checked):
        return checked.copy()
    is_new = checked is not given and checked.base is None
    return checked if is_new else checked.copy("K")


def check_widths(queries, gallery, name, metric, other="gallery"):
    """Raise if the metric cannot compare embeddings of these widths."""
    if not callable(metric) and queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"{name} and {other} must have the same number of features for "
            f"metric={metric!r}, got {queries.shape[1]} and {gallery.shape[1]}; embed "
            "both with the same model."
        )


def check_columns(queries, gallery, name, metric):
    """Raise if both are dataframes and their columns are not the same."""
    check_same_columns(column_names(queries), column_names(gallery), name, metric)


def check_same_columns(columns, others, name, metric):
    """Raise if both are known and not the same, but for a callable metric."""
    if callable(metric) or columns is None or others is None:
        return
    if not np.array_equal(columns, others):
        raise ValueError(
            f"{name} and gallery must have the same columns in the same order, got "
            f"{', '.join(columns[:3])}, ... and {', '.join(others[:3])}, ...; "
            "select the columns of one from the other."
        )


def filled(parts):
    """Yield the matrices that have a row: a filter may leave some without."""
    for part in parts:
        if len(getattr(part, "shape", ())) != 2 or part.shape[0] > 0:
            yield part
