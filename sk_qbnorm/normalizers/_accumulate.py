"""Accumulate statistics over a querybank and a gallery in any supported form."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import partial

import numpy as np

from sk_qbnorm import _arrays, _dask
from sk_qbnorm._bank_rows import bank_rows
from sk_qbnorm._embeddings import check_same_columns, check_widths, is_dask
from sk_qbnorm._progress import progress_bar
from sk_qbnorm._validation import (
    check_features,
    check_matrix,
    clone_sharing_data,
    column_names,
    item_names,
    shape_of,
)
from sk_qbnorm.result_lists import as_lists
from sk_qbnorm.statistics import Bank, BestOfQueries, Spread, check_mergeable
from sk_qbnorm.tiles import (
    SAMPLE_ITEMS,
    SAMPLE_ROWS,
    ConcatenatedTiles,
    MatrixTiles,
    SimilaritySource,
    matrix_tiles,
    sample_tiles,
)

from ._parts import GalleryParts, Parts


class BankAccumulator:
    """Accumulate the statistics of a normalizer over a querybank.

    Parameters
    ----------
    normalizer : BankNormalizer
    metric : {"cosine", "dot", "precomputed"} or callable
    known : Bank, default=None
        The bank to merge the result with. Raise before any computation if the two
        cannot be merged.
    new_items : bool, default=False
        Whether to append gallery items to those of the known bank.
    gallerybank : matrix, default=None
        Embeddings of other items, or similarities of shape (n_gallerybank, n_bank).
    """

    def __init__(
        self, normalizer, metric, *, known=None, new_items=False, gallerybank=None
    ):
        if known is not None:
            check = known.check_takes_items if new_items else known.check_mergeable
            check()
        if isinstance(gallerybank, Iterator):
            raise ValueError(
                "gallerybank must be a matrix because every step reads it again, got "
                "an iterator; pass a matrix or a numpy.memmap."
            )
        self._normalizer = normalizer
        self._metric = metric
        self._known = known
        self._new_items = new_items
        self._gallerybank = gallerybank
        self._only = None  # names of the statistics that are needed, None for all
        self._name = normalizer._bank_name
        self._n_jobs = normalizer.n_jobs

    def of_similarities(self, sims, y=None, estimator=None):
        """Return the bank of similarities: a matrix or an iterator of matrices.

        If `y` marks rows, only these are the bank. The columns are checked against
        those known to `estimator`, if given.
        """
        lists = as_lists(sims)
        if lists is not None:
            return self._of_lists(lists[bank_rows(y, lists.shape)])
        if isinstance(sims, Iterator):
            y = None
        if self._gallerybank is not None:
            shape = shape_of(sims)
            self._select_gallerybank_columns(bank_rows(y, shape), shape[:1])
        if is_dask(sims):
            return self._of_dask(sims[bank_rows(y, sims.shape)], None)

        reset = iter([self._known is None])  # the first part may set the columns

        def check(part):
            if estimator is None:
                options = {"n_jobs": self._n_jobs, "keep_foreign": True}
                checked = check_matrix(part, self._name, **options)
            else:
                checked = check_features(
                    estimator,
                    part,
                    self._name,
                    reset=next(reset, False),
                    n_jobs=self._n_jobs,
                )
            rows = bank_rows(y, tuple(checked.shape))
            return _arrays.take_rows(checked, rows), item_names(part, axis=1)

        parts = Parts(sims, check, self._name)
        spread = self._spread(lambda: sample_tiles(parts.head(SAMPLE_ROWS)))
        append = self._append_similarities()
        return self._of_parts(
            parts, lambda part: append(matrix_tiles(part)), Bank.merge, spread
        )

    def _of_lists(self, lists):
        """Return the bank of result lists, which some statistics can be computed of."""
        normalizer = self._normalizer
        unused = MatrixTiles(np.zeros((1, 1), dtype=np.float32))
        statistics = normalizer._statistics(unused, Spread(value=1.0))
        if not all(isinstance(each, BestOfQueries) for each in statistics.values()):
            raise TypeError(
                f"{self._name} must hold all similarities for "
                f"{type(normalizer).__name__}, got result lists or a sparse matrix; "
                "use ListSinkhornNormalizer or MixNormalizer, or pass a dense matrix."
            )
        return Bank(
            *lists.shape,
            {name: each.of_lists(lists) for name, each in statistics.items()},
            names=lists.gallery_ids,
            settings={"metric": self._metric},
            title=self._name,
        )

    def of_embeddings(self, querybank, gallery):
        """Return the bank of embeddings; one of the inputs may be an iterator."""
        check_gallery_given(self._normalizer, gallery, self._metric)
        if is_dask(querybank) or is_dask(gallery):
            return self._of_dask(querybank, gallery)
        if isinstance(gallery, Iterator):
            return self._of_gallery_parts(querybank, gallery)
        source = SimilaritySource(gallery, self._metric, n_jobs=self._n_jobs)
        append = self._append_embeddings(source, gallery)

        def check(part):
            return source.check(part, self._name), source.names

        parts = Parts(querybank, check, self._name)
        spread = self._spread(
            lambda: sample_tiles(parts.head(SAMPLE_ROWS), source.gallery)
        )
        return self._of_parts(
            parts, lambda part: append(part, source.tiles(part)), Bank.merge, spread
        )

    def of_rows(self, rows, querybank, gallery):
        """Return the bank of some of the bank queries, as far as it is incomplete."""
        if isinstance(querybank, Iterator):
            raise ValueError(
                f"{self._name} must be a matrix because some of its rows are read, got "
                "an iterator; pass a matrix or a numpy.memmap."
            )
        if not (is_dask(querybank) or is_dask(gallery)):
            given = None if self._metric == "precomputed" else gallery
            source = SimilaritySource(given, self._metric, n_jobs=self._n_jobs)
            querybank = source.check(querybank, self._name)
        n_bank = self._known.n_bank
        if querybank.shape[0] != n_bank:
            raise ValueError(
                f"{self._name} must be the complete bank that was fitted, with "
                f"{n_bank} rows, got {querybank.shape[0]}; pass all of it, in the same "
                "order."
            )
        self._only = self._known.incomplete_statistics()
        take = operator.getitem if is_dask(querybank) else _arrays.take_rows
        querybank = take(querybank, rows)
        if self._metric == "precomputed":
            return self.of_similarities(querybank)
        return self.of_embeddings(querybank, gallery)

    def _of_gallery_parts(self, querybank, gallery):
        if isinstance(querybank, Iterator):
            raise ValueError(
                f"Only one of {self._name} and gallery can be an iterator, because the "
                "other is read for each of its parts, got two iterators; pass a matrix "
                "or a numpy.memmap for one of them."
            )
        queries = []

        def check(part):
            source = SimilaritySource(part, self._metric, n_jobs=self._n_jobs)
            queries[:] = [source.check(querybank, self._name)]
            return source, source.names

        parts = GalleryParts(gallery, check, "gallery")
        spread = self._spread(
            lambda: sample_tiles(queries[0], parts.sample()),
            lambda: sample_tiles(queries[0], parts.head(SAMPLE_ITEMS)),
        )
        return self._of_parts(
            parts, lambda source: source.tiles(queries[0]), Bank.append_items, spread
        )

    def _of_parts(self, parts, make_tiles, merge, spread):
        """Return the bank of all parts, merged in their order."""
        normalizer, bank = self._normalizer, None
        part, names = parts.first()
        tiles = make_tiles(part)
        statistics = self._statistics(tiles, spread)
        if parts.are_many:
            check_mergeable(statistics)
        with progress_bar(
            f"fit {type(normalizer).__name__}",
            None if parts.are_many or not _single_pass(statistics) else _size(tiles),
            normalizer.verbose,
        ) as progress:
            for part, names in parts:
                if bank is not None:
                    tiles = make_tiles(part)
                    statistics = self._statistics(tiles, spread)
                more = Bank.accumulate(
                    tiles,
                    statistics,
                    self._n_jobs,
                    progress,
                    names=names,
                    settings={"metric": self._metric},
                    spread=spread.value,
                    n_features=parts.n_features(part, self._metric),
                    title=self._name,
                )
                bank = more if bank is None else merge(bank, more)
        return bank

    def _of_dask(self, querybank, gallery):
        unfitted = clone_sharing_data(self._normalizer, "_bank")  # not needed by tasks
        return _dask.accumulate(
            querybank,
            gallery,
            self._metric,
            partial(_statistics_of, unfitted, self._only),
            self._spread,
            self._normalizer.verbose,
            self._name,
            self._gallerybank,
            self._known if self._new_items else None,
            self._n_jobs,
        )

    def _statistics(self, tiles, spread):
        statistics = _statistics_of(self._normalizer, self._only, tiles, spread)
        if self._new_items:
            for name in statistics.keys() & self._known.statistics.keys():
                statistics[name].start_from(self._known[name])
        return statistics

    def _spread(self, make_tiles, tiles_for_warnings=None):
        """Return the spread of the known bank, or one that is computed when needed."""
        if self._known is not None and self._known.spread is not None:
            return Spread(value=self._known.spread)
        if callable(self._metric):  # it may be slow
            return Spread(make_tiles, self._n_jobs)
        tiles_for_warnings = tiles_for_warnings or make_tiles
        return Spread(make_tiles, self._n_jobs, tiles_for_warnings=tiles_for_warnings)

    def _select_gallerybank_columns(self, rows, n_rows):
        """Select the columns of the gallery bank that belong to the marked rows."""
        sims = self._gallerybank
        if not isinstance(rows, slice) and shape_of(sims)[1:] == n_rows:
            if not is_dask(sims):
                sims = check_matrix(sims, "gallerybank", n_jobs=self._n_jobs)
            self._gallerybank = sims[:, rows]

    def _append_similarities(self):
        """Return a function that appends the gallery bank to tiles."""
        if self._gallerybank is None:
            return lambda tiles: tiles
        options = {"n_jobs": self._n_jobs, "keep_foreign": True}
        sims = check_matrix(self._gallerybank, "gallerybank", **options)

        def append(tiles):
            if sims.shape[1] != tiles.shape[0]:
                transposed = ", or its transpose" * (sims.shape[0] == tiles.shape[0])
                raise ValueError(
                    f"gallerybank must have one row per item and one column per bank "
                    f"query, expected {tiles.shape[0]} columns, got {sims.shape[1]}; "
                    f"pass the similarities of its items to the same querybank"
                    f"{transposed}."
                )
            same = _arrays.to_numpy(sims)
            if tiles.home is not None:
                same = tiles.home.asarray(sims)
            return ConcatenatedTiles(tiles, matrix_tiles(same.T))

        return append

    def _append_embeddings(self, source, gallery):
        if self._gallerybank is None:
            return lambda queries, tiles: tiles
        columns = column_names(self._gallerybank), column_names(gallery)
        check_same_columns(*columns, "gallerybank", self._metric)
        other = SimilaritySource(
            self._gallerybank, self._metric, n_jobs=self._n_jobs, title="gallerybank"
        )
        both = other.gallery.embeddings, source.gallery.embeddings
        check_widths(*both, "gallerybank", self._metric)
        return lambda queries, tiles: ConcatenatedTiles(tiles, other.tiles(queries))


def _statistics_of(normalizer, names, tiles, spread):
    """Return the new statistics of these names, or all of them for None."""
    statistics = normalizer._statistics(tiles, spread)
    if names is None:
        return statistics
    return {name: statistics[name] for name in names}


def _single_pass(statistics):
    return all(statistic.mergeable for statistic in statistics.values())


def _size(tiles):
    return tiles.shape[0] * tiles.shape[1]


def check_gallery_given(normalizer, gallery, metric):
    """Raise if a normalizer of embeddings gets no gallery."""
    if gallery is None or (
        not isinstance(gallery, Iterator) and len(shape_of(gallery)) == 1
    ):
        got = "None" if gallery is None else "one number per item"
        raise ValueError(
            f"gallery must hold the embeddings of the gallery for metric={metric!r}, "
            f"got {got}; call {type(normalizer).__name__}.fit(querybank, gallery), or "
            "set metric=None and pass similarities."
        )
