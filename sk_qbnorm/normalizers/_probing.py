"""From a bank and a gallery, in whatever form they come, to what the bank tells."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce

import numpy as np

from sk_qbnorm import distributed
from sk_qbnorm._bank_rows import bank_rows
from sk_qbnorm._embeddings import check_columns, check_embeddings, check_widths, filled
from sk_qbnorm._progress import progress_bar
from sk_qbnorm._validation import (
    check_choice,
    check_matrix,
    column_names,
    row_names,
)
from sk_qbnorm.bank import Bank
from sk_qbnorm.tiles import Beside, Gallery, MatrixTiles, whole_matrix

_METRICS = ("cosine", "dot", "precomputed")


class Probe:
    """How the bank is shown to the statistics of a normalizer.

    Parameters
    ----------
    metric : {"cosine", "dot", "precomputed"} or callable
    make_statistics : callable
        From tiles to fresh statistics, a dict of those in `bank`.
    n_jobs : int or None
    title : str
        Of the progress bar.
    verbose : bool
        Whether to show one.
    memory_budget : int, default=0
        How many bytes of similarities may be held, where these are wanted again.
    name : str, default="querybank"
        What errors call the bank.
    gallerybank : matrix, default=None
        Items, or similarities to items, that the bank is shown beside the gallery.
    known : Bank, default=None
        What will be joined with what is found; if that cannot be, nothing is shown.
    """

    def __init__(
        self,
        metric,
        make_statistics,
        n_jobs,
        title,
        verbose,
        memory_budget=0,
        name="querybank",
        gallerybank=None,
        known=None,
    ):
        if not callable(metric):
            check_choice(metric, "metric", _METRICS)
        self.metric = metric
        self.n_jobs = n_jobs
        self._make_statistics = make_statistics
        self._title = title
        self._verbose = verbose
        self._memory_budget = memory_budget
        self._name = name
        if isinstance(gallerybank, Iterator):
            raise ValueError(
                "gallerybank must be a matrix, as it is shown again for every step, "
                "got an iterator; pass a matrix or a numpy.memmap."
            )
        self._gallerybank = gallerybank
        self._known = known
        one = MatrixTiles(np.zeros((1, 1), dtype=np.float32))
        self._nothing = Bank(1, 1, make_statistics(one))

    def similarities(self, sims, check, y=None):
        """Return what similarities tell, a matrix or an iterator of such.

        `check` makes a finite matrix of each. Where `y` marks rows as the bank, the
        other rows are left out.
        """
        if distributed.is_dask(sims):
            return self._distributed(sims[bank_rows(y, sims.shape)], None)
        with self._bar(math.prod(_shape(sims)) or None) as bar:

            def probe(part):
                checked = check(part)
                rows = bank_rows(y, checked.shape)
                tiles = self._with_similarities_beside(checked, rows)
                return self._shown(tiles, column_names(part), bar)

            return _joined(map(probe, self._parts(sims)), Bank.merged, self._name)

    def embeddings(self, querybank, gallery):
        """Return what embeddings tell, matrices or an iterator of such and a matrix."""
        if distributed.is_dask(querybank) or distributed.is_dask(gallery):
            return self._distributed(querybank, gallery)
        if isinstance(gallery, Iterator):
            return self._of_gallery_in_parts(querybank, gallery)
        frame, names = gallery, row_names(gallery)
        gallery = self._checked(gallery, "gallery")
        ready = Gallery(gallery, self.metric)
        tiles_beside = self._embeddings_beside(gallery, frame)
        with self._bar(_shape(querybank)[0] * gallery.shape[0] or None) as bar:

            def probe(part):
                check_columns(part, frame, self._name, self.metric)
                part = self._checked(part, self._name)
                check_widths(part, gallery, self._name, self.metric)
                return self._shown(tiles_beside(part, ready.tiles(part)), names, bar)

            return _joined(map(probe, self._parts(querybank)), Bank.merged, self._name)

    def _of_gallery_in_parts(self, querybank, parts):
        if isinstance(querybank, Iterator):
            raise ValueError(
                f"Only one of {self._name} and gallery can be an iterator, as the "
                "other is gone through for each of its parts, got two; pass a matrix "
                "or a numpy.memmap for one of them."
            )
        frame, querybank = querybank, self._checked(querybank, self._name)
        with self._bar(None) as bar:

            def probe(part):
                names = row_names(part)
                check_columns(frame, part, self._name, self.metric)
                part = self._checked(part, "gallery")
                check_widths(querybank, part, self._name, self.metric)
                tiles = Gallery(part, self.metric).tiles(querybank)
                return self._shown(tiles, names, bar)

            return _joined(map(probe, self._parts(parts)), Bank.extended, "gallery")

    def _distributed(self, querybank, gallery):
        self._check_known()
        return distributed.probe(
            querybank,
            gallery,
            self.metric,
            self._make_statistics,
            self._verbose,
            self._name,
            self._gallerybank,
        )

    def _with_similarities_beside(self, sims, rows):
        tiles = MatrixTiles(sims[rows])
        if self._gallerybank is None:
            return tiles
        others = check_matrix(self._gallerybank, "gallerybank", n_jobs=self.n_jobs)
        if others.shape[0] != sims.shape[0]:
            raise ValueError(
                f"gallerybank must have one row a query of the bank, expected "
                f"{sims.shape[0]}, got {others.shape[0]}; pass the similarities of the "
                "same queries to the items of the gallery bank."
            )
        return Beside(tiles, MatrixTiles(others[rows]))

    def _embeddings_beside(self, gallery, frame):
        """Return what puts the gallery bank beside the tiles of some queries."""
        if self._gallerybank is None:
            return lambda queries, tiles: tiles
        check_columns(self._gallerybank, frame, "gallerybank", self.metric)
        items = self._checked(self._gallerybank, "gallerybank")
        check_widths(items, gallery, "gallerybank", self.metric)
        ready = Gallery(items, self.metric)
        return lambda queries, tiles: Beside(tiles, ready.tiles(queries))

    def _shown(self, tiles, names, bar):
        self._check_known()
        n_gallery = tiles.n_left if isinstance(tiles, Beside) else tiles.shape[1]
        size = math.prod(tiles.shape) * tiles.dtype.itemsize
        if size <= self._memory_budget and not isinstance(tiles, MatrixTiles):
            tiles = MatrixTiles(whole_matrix(tiles, self.n_jobs, bar))
        make = self._make_statistics
        settings = {"metric": self.metric}
        bank = Bank.probe(tiles, make, self.n_jobs, bar, names, **settings)
        return replace(bank, n_gallery=n_gallery, title=self._name)

    def _check_known(self):
        if self._known is not None:
            self._known.check_joinable()

    def _checked(self, matrix, name):
        return check_embeddings(matrix, name, n_jobs=self.n_jobs, keep_on_disk=True)

    def _bar(self, n_sims):
        if not self._nothing.is_joinable:  # nobody knows how many walks there will be
            n_sims = None
        return progress_bar(self._title, n_sims, self._verbose)

    def _parts(self, given):
        """Return the matrices that are given, of an iterator those not empty."""
        if not isinstance(given, Iterator):
            return iter([given])
        self._nothing.check_joinable()
        return filled(given)


def check_gallery_given(normalizer, gallery):
    """Raise if a normalizer of embeddings is given no gallery."""
    if gallery is None or np.ndim(gallery) == 1:
        got = "None" if gallery is None else "one number an item"
        raise ValueError(
            f"{type(normalizer).__name__} with metric={normalizer.metric!r} needs the "
            f"embeddings of the gallery, got {got}; call fit(querybank, gallery), or "
            'set metric="precomputed" and pass its similarities to the bank.'
        )


def _joined(banks, join, name):
    """Return all banks joined into one."""
    first = next(banks, None)
    if first is None:
        raise ValueError(
            f"The iterator of {name} must give matrices, got none with a row; it may "
            "have been used up before."
        )
    return reduce(join, banks, first)


def _shape(given):
    """Return the shape, (0, 0) where it is not known."""
    shape = getattr(given, "shape", ())
    return shape if len(shape) == 2 else (0, 0)
