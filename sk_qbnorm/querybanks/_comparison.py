"""Queries compared with a gallery, block by block."""

from collections.abc import Iterator

import numpy as np

from sk_qbnorm._embeddings import check_columns, check_embeddings, check_widths
from sk_qbnorm._validation import check_choice, check_matrix, column_names
from sk_qbnorm.tiles import Gallery, MatrixTiles, walk

_METRICS = ("cosine", "dot", "precomputed")


class Comparison:
    """A gallery, and how queries are compared with it.

    Parameters
    ----------
    gallery : array-like of shape (n_gallery, n_features) or None
        None for ``metric="precomputed"``.
    metric : {"cosine", "dot", "precomputed"} or callable
    n_jobs : int, default=None

    Attributes
    ----------
    n_gallery : int or None
        Number of gallery items, None for similarities before the first are checked.

    Raises
    ------
    ValueError
        If there is no such metric, or a gallery is missing or of no use.
    """

    def __init__(self, gallery, metric, n_jobs=None):
        if not callable(metric):
            check_choice(metric, "metric", _METRICS)
        self._metric = metric
        self._n_jobs = n_jobs
        self._frame = gallery
        self._names = None  # of the gallery items, where similarities tell
        self.n_gallery = None
        if metric == "precomputed":
            if gallery is not None:
                raise ValueError(
                    'metric="precomputed" takes similarities, which know the gallery, '
                    "and got a gallery as well; leave it out, or pass embeddings and "
                    'metric="cosine".'
                )
            return
        if gallery is None:
            raise ValueError(
                f"metric={metric!r} compares embeddings with those of the gallery, got "
                "gallery=None; pass it, or similarities to it and "
                'metric="precomputed".'
            )
        _check_is_matrix(gallery, "gallery")
        checked = self._embeddings(gallery, "gallery")
        self._gallery = Gallery(checked, metric)
        self.n_gallery = checked.shape[0]

    def check(self, queries, name):
        """Return queries as a finite matrix, which rows can be taken of."""
        _check_is_matrix(queries, name)
        if self._metric == "precomputed":
            sims = check_matrix(queries, name, n_jobs=self._n_jobs)
            sims = self._check_sims(sims, name)
            self._check_names(column_names(queries), name)
            return sims
        check_columns(queries, self._frame, name, self._metric)
        queries = self._embeddings(queries, name)
        check_widths(queries, self._gallery.embeddings, name, self._metric)
        return queries

    def _embeddings(self, matrix, name):
        return check_embeddings(matrix, name, n_jobs=self._n_jobs, keep_on_disk=True)

    def show(self, queries, make_visitors):
        """Show the similarities of checked queries to visitors, and return these.

        ``make_visitors(tiles)`` gives a list of them.
        """
        if self._metric == "precomputed":
            tiles = MatrixTiles(queries)
        else:
            tiles = self._gallery.tiles(queries)
        visitors = make_visitors(tiles)
        walk(tiles, visitors, self._n_jobs, lambda n_shown: None)
        return visitors

    def _check_sims(self, sims, name):
        if self.n_gallery is None:
            self.n_gallery = sims.shape[1]
        if sims.shape[1] != self.n_gallery:
            raise ValueError(
                f"{name} must be similarities to the {self.n_gallery} gallery items "
                f"that those of the bank are of, got {sims.shape[1]} columns."
            )
        return sims

    def _check_names(self, names, name):
        known = self._names
        if known is None:
            self._names = names
        elif names is not None and not np.array_equal(names, known):
            place = np.flatnonzero(names != known)[0]
            raise ValueError(
                f"{name} must have the gallery items of the bank in the same order, "
                f"got {names[place]!r} in column {place} and not {known[place]!r}; "
                "select the columns of one from the other."
            )


def _check_is_matrix(matrix, name):
    if isinstance(matrix, Iterator):
        raise ValueError(
            f"{name} is read more than once and must be a matrix, got an iterator of "
            f"type {type(matrix).__name__}; pass a matrix, such as a numpy.memmap."
        )
