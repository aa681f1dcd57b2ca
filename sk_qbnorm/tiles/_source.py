"""The one validated source of similarities."""

from collections.abc import Iterator
from copy import copy

import numpy as np
from scipy import sparse

from sk_qbnorm import _arrays
from sk_qbnorm._arrays import home_of
from sk_qbnorm._embeddings import (
    check_embeddings,
    check_same_columns,
    check_widths,
    is_dask,
)
from sk_qbnorm._validation import (
    check_choice,
    check_matrix,
    column_names,
    item_names,
    shape_of,
)

from ._gallery import prepared_gallery
from ._matrix import matrix_tiles

METRICS = ("cosine", "dot", "precomputed")


def resolve_metric(metric, querybank, gallery):
    """Return the metric that `fit` uses, depending on its arguments if None.

    Without a gallery, or with labels in its place, the querybank holds similarities.
    """
    if metric is not None:
        check_any_metric(metric)
        return metric
    if gallery is None or _are_labels(gallery):
        return "precomputed"
    if shape_of(gallery) == shape_of(querybank) and _is_indicator(gallery):
        raise ValueError(
            "gallery may be embeddings or labels: it has the shape of querybank, "
            f"{shape_of(gallery)}, and holds only 0 and 1; pass "
            'metric="precomputed" if querybank holds similarities, or metric="cosine".'
        )
    return "cosine"


def _are_labels(gallery):
    if isinstance(gallery, Iterator):
        return False
    try:
        return len(shape_of(gallery)) == 1 and not is_dask(gallery)
    except ValueError:  # a list with several relevant items for some queries
        return True


def _is_indicator(matrix):
    if is_dask(matrix):
        return False
    is_sparse = sparse.issparse(matrix)
    values = matrix.data if is_sparse else np.asarray(_arrays.to_numpy(matrix))
    return values.dtype.kind in "biuf" and bool(np.isin(values, (0, 1)).all())


class SimilaritySource:
    """Similarities of queries to one gallery: from embeddings, or passed as matrices.

    Inputs are validated here; the tiles and visitors do not check them again.

    Parameters
    ----------
    gallery : array-like of shape (n_gallery, n_features) or None
        None for ``metric="precomputed"``.
    metric : {"cosine", "dot", "precomputed"} or callable
    keep_units : bool, default=False
        Whether to store a copy with rows of length 1, for a gallery searched often.
    n_jobs : int or None, default=None
    title : str, default="gallery"
        Name of the gallery in error messages.

    Attributes
    ----------
    n_gallery : int or None
        Number of items; None before the first precomputed matrix has been checked.
    names : ndarray of shape (n_gallery,) or None
        Names of the gallery items.
    gallery : Gallery or None
    """

    def __init__(
        self, gallery, metric, *, keep_units=False, n_jobs=None, title="gallery"
    ):
        check_any_metric(metric)
        self.metric, self.n_jobs, self.title = metric, n_jobs, title
        self.n_gallery = self.names = self.gallery = self._columns = None
        if metric == "precomputed":
            if gallery is not None:
                raise ValueError(
                    f'{title} must be None for metric="precomputed", which takes '
                    "similarities; leave it out, or pass embeddings and "
                    'metric="cosine".'
                )
            return
        if gallery is None:
            raise ValueError(
                f"{title} must be a matrix of embeddings for metric={metric!r}, got "
                "None; pass the gallery, or pass similarities with "
                'metric="precomputed".'
            )
        check_no_iterator(gallery, title)
        options = {"keep_on_disk": True, "keep_foreign": True}
        checked = check_embeddings(gallery, title, n_jobs=n_jobs, **options)
        self.n_gallery = checked.shape[0]
        self.names = item_names(gallery)
        self._columns = column_names(gallery)
        self.gallery = prepared_gallery(checked, metric, keep_units=keep_units)

    def check(self, queries, name="queries"):
        """Check queries and return them as a finite matrix."""
        check_no_iterator(queries, name)
        if self.metric == "precomputed":
            options = {"n_jobs": self.n_jobs, "keep_foreign": True}
            sims = check_matrix(queries, name, **options)
            self._check_items(sims, item_names(queries, axis=1), name)
            return sims
        columns = column_names(queries)
        check_same_columns(columns, self._columns, name, self.metric, self.title)
        options = {"keep_on_disk": True, "keep_foreign": True}
        checked = check_embeddings(queries, name, n_jobs=self.n_jobs, **options)
        self._move_gallery(home_of(checked), name)
        embeddings = self.gallery.embeddings
        check_widths(checked, embeddings, name, self.metric, self.title)
        return checked

    def tiles(self, checked):
        """Return the tiles of the similarities of checked queries."""
        if self.metric == "precomputed":
            return matrix_tiles(checked)
        self._move_gallery(home_of(checked), "queries")
        return self.gallery.tiles(checked)

    def _move_gallery(self, home, name):
        """Move the gallery to where the queries live."""
        known = self.gallery.home
        if home == known:
            return
        if sparse.issparse(self.gallery.embeddings):
            raise ValueError(
                f"{self.title} must be dense for {name} in {home}, got a sparse "
                "matrix; pass both as arrays of one library."
            )
        self.gallery = self.gallery._moved_to(home)

    def _moved_to(self, home):
        twin = copy(self)
        twin.gallery = self.gallery._moved_to(home)
        return twin

    def _check_items(self, sims, names, name):
        if self.n_gallery is None:
            self.n_gallery, self.names = sims.shape[1], names
        if sims.shape[1] != self.n_gallery:
            raise ValueError(
                f"{name} must have one column per gallery item, expected "
                f"{self.n_gallery} as in the first matrix, got {sims.shape[1]}."
            )
        check_same_items(names, self.names, name)


def check_any_metric(metric):
    """Raise if the metric is unknown; precomputed similarities are allowed."""
    if not callable(metric):
        check_choice(metric, "metric", METRICS)


def check_no_iterator(matrix, name):
    """Raise for an iterator where a matrix is read more than once."""
    if isinstance(matrix, Iterator):
        raise ValueError(
            f"{name} must be a matrix because it is read more than once, got an "
            f"iterator of type {type(matrix).__name__}; pass a matrix, such as a "
            "numpy.memmap."
        )


def check_same_items(names, expected, name):
    """Raise if both have names of the gallery items and these differ."""
    if names is None or expected is None or np.array_equal(names, expected):
        return
    place = np.flatnonzero(names != expected)[0]
    raise ValueError(
        f"{name} must have the gallery items in the same order as the querybank, got "
        f"{names[place]!r} in column {place}, expected {expected[place]!r}; select the "
        "columns of one from the other."
    )
