"""From a bank and a gallery, in whatever form they come, to what the bank tells."""

import math
from collections.abc import Iterator
from functools import reduce

import numpy as np

from sk_qbnorm import distributed
from sk_qbnorm._embeddings import check_columns, check_embeddings, check_widths, filled
from sk_qbnorm._progress import progress_bar
from sk_qbnorm._validation import check_choice, column_names, row_names
from sk_qbnorm.bank import Bank
from sk_qbnorm.tiles import Gallery, MatrixTiles, whole_matrix

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
    """

    def __init__(
        self, metric, make_statistics, n_jobs, title, verbose, memory_budget=0
    ):
        if not callable(metric):
            check_choice(metric, "metric", _METRICS)
        self.metric = metric
        self.n_jobs = n_jobs
        self._make_statistics = make_statistics
        self._title = title
        self._verbose = verbose
        self._memory_budget = memory_budget
        one = MatrixTiles(np.zeros((1, 1), dtype=np.float32))
        self._nothing = Bank(1, 1, make_statistics(one))

    def similarities(self, sims, check):
        """Return what similarities tell, a matrix or an iterator of such.

        `check` makes a finite matrix of each.
        """
        if distributed.is_dask(sims):
            return self._distributed(sims, None)
        with self._bar(math.prod(_shape(sims)) or None) as bar:
            return _joined(
                (
                    self._shown(MatrixTiles(check(part)), column_names(part), bar)
                    for part in self._parts(sims)
                ),
                Bank.merged,
                "querybank",
            )

    def embeddings(self, querybank, gallery):
        """Return what embeddings tell, matrices or an iterator of such and a matrix."""
        if distributed.is_dask(querybank) or distributed.is_dask(gallery):
            return self._distributed(querybank, gallery)
        if isinstance(gallery, Iterator):
            return self._of_gallery_in_parts(querybank, gallery)
        frame, names = gallery, row_names(gallery)
        gallery = self._checked(gallery, "gallery")
        ready = Gallery(gallery, self.metric)
        with self._bar(_shape(querybank)[0] * gallery.shape[0] or None) as bar:

            def probe(part):
                check_columns(part, frame, "querybank", self.metric)
                part = self._checked(part, "querybank")
                check_widths(part, gallery, "querybank", self.metric)
                return self._shown(ready.tiles(part), names, bar)

            return _joined(map(probe, self._parts(querybank)), Bank.merged, "querybank")

    def _of_gallery_in_parts(self, querybank, parts):
        if isinstance(querybank, Iterator):
            raise ValueError(
                "Only one of querybank and gallery can be an iterator, as the other is "
                "gone through for each of its parts, got two; pass a matrix or a "
                "numpy.memmap for one of them."
            )
        frame, querybank = querybank, self._checked(querybank, "querybank")
        with self._bar(None) as bar:

            def probe(part):
                names = row_names(part)
                check_columns(frame, part, "querybank", self.metric)
                part = self._checked(part, "gallery")
                check_widths(querybank, part, "querybank", self.metric)
                tiles = Gallery(part, self.metric).tiles(querybank)
                return self._shown(tiles, names, bar)

            return _joined(map(probe, self._parts(parts)), Bank.extended, "gallery")

    def _distributed(self, querybank, gallery):
        self._nothing.check_joinable()
        return distributed.probe(
            querybank, gallery, self.metric, self._make_statistics, self._verbose
        )

    def _shown(self, tiles, names, bar):
        size = math.prod(tiles.shape) * tiles.dtype.itemsize
        if size <= self._memory_budget and not isinstance(tiles, MatrixTiles):
            tiles = MatrixTiles(whole_matrix(tiles, self.n_jobs, bar))
        return Bank.probe(
            tiles, self._make_statistics, self.n_jobs, bar, names, metric=self.metric
        )

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
