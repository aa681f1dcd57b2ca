"""Check and scale embeddings, which may be sparse or on disk."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from ._arrays import home_of
from ._validation import check_choice, check_finite, check_matrix, column_names


def check_metric(metric):
    """Raise if the metric is unknown."""
    if not callable(metric):
        check_choice(metric, "metric", ("cosine", "dot"))


def is_dask(matrix):
    """Return whether a matrix is a Dask array."""
    return type(matrix).__module__.startswith("dask.array")


def is_on_disk(matrix):
    """Return whether a matrix is a file, which may be larger than memory."""
    return isinstance(matrix, np.memmap)


def check_embeddings(
    matrix, name, *, n_jobs=None, finite=True, keep_on_disk=False, keep_foreign=False
):
    """Return embeddings as a finite matrix of floats; sparse ones as CSR.

    `keep_foreign` is that of `check_matrix`. With `keep_on_disk`, a `numpy.memmap` of
    any numeric dtype is returned unchanged, for callers that convert only the part in
    use to floats.
    """
    if keep_on_disk and is_on_disk(matrix) and matrix.dtype.kind in "fiub":
        options = {"dtype": None, "ensure_all_finite": False}
        checked = check_array(matrix, input_name=name, **options)
        if finite:
            check_finite(checked, name, n_jobs)
        return checked
    options = {"n_jobs": n_jobs, "finite": finite, "keep_foreign": keep_foreign}
    checked = check_matrix(matrix, name, accept_sparse=True, **options)
    if sparse.issparse(checked) and not checked.has_canonical_format:
        checked = checked.copy()  # do not change the input
        checked.sum_duplicates()
    return checked


def copy_if_shared(checked, given):
    """Return checked embeddings that share no memory with the given ones."""
    if sparse.issparse(checked):
        return checked.copy()
    home = home_of(checked)
    if home is not None:
        return home.asarray(checked)
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
    """Raise if both are dataframes with different columns."""
    check_same_columns(column_names(queries), column_names(gallery), name, metric)


def check_same_columns(columns, others, name, metric, other="gallery"):
    """Raise if both are not None and differ, unless the metric is callable."""
    if callable(metric) or columns is None or others is None:
        return
    if not np.array_equal(columns, others):
        raise ValueError(
            f"{name} and {other} must have the same columns in the same order, got "
            f"{', '.join(columns[:3])}, ... and {', '.join(others[:3])}, ...; "
            "select the columns of one from the other."
        )


def unit_rows(embeddings, out=None):
    """Scale the rows to length 1, in their dtype; rows of zeros stay zero."""
    if sparse.issparse(embeddings):
        from sklearn.preprocessing import normalize  # slow to import

        return normalize(normalize(embeddings, norm="max"))  # no square overflows
    if out is None:
        out = np.empty_like(embeddings)
    with np.errstate(over="ignore", under="ignore"):
        squares = np.einsum("ij,ij->i", embeddings, embeddings)
    limits = np.finfo(embeddings.dtype)
    if not (limits.tiny / limits.eps < squares.min() and squares.max() < np.inf):
        # Rows of zeros, or numbers whose squares are out of range.
        peaks = np.abs(embeddings).max(axis=1, keepdims=True)
        peaks[peaks == 0] = 1
        embeddings = np.divide(embeddings, peaks, out=out)
        squares = np.einsum("ij,ij->i", embeddings, embeddings)
        squares[squares == 0] = 1
    return np.divide(embeddings, np.sqrt(squares)[:, None], out=out)
