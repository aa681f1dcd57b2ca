"""Exact search for the best items of a gallery of embeddings by corrected score."""

from __future__ import annotations

import copy
import inspect
import math
import operator
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import _arrays, _dask
from sk_qbnorm._arrays import ArraysMixin
from sk_qbnorm._bank_rows import bank_rows, labeled_rows, take_rows
from sk_qbnorm._embeddings import (
    check_columns,
    check_embeddings,
    check_metric,
    check_same_columns,
    copy_if_shared,
    is_dask,
    is_on_disk,
)
from sk_qbnorm._validation import (
    check_choice,
    check_count,
    check_features,
    check_unmasked,
    clone_sharing_data,
    column_names,
    item_positions,
    remaining_items,
    unchanged_on_error,
    warn_caller,
)
from sk_qbnorm.metrics import Relevance, indices_of_names, relevant_ranks
from sk_qbnorm.normalizers import (
    BaseNormalizer,
    DynamicInvertedSoftmax,
    correction_of,
)
from sk_qbnorm.similarity import Metric
from sk_qbnorm.tiles import Gallery, prepared_gallery, row_lengths

from ._graph import MODES, neighbors_graph
from ._search import search, whole_rows

_BLOCK_ENTRIES = 2**24  # of scores that `score` stores at once


class QuerybankRetriever(ArraysMixin, BaseEstimator):
    """Search a gallery of embeddings for the best items by corrected score.

    Products, corrections and top-k are computed together, block by block, without
    storing n_bank x n_gallery or n_queries x n_gallery numbers. Exceptions are
    `GloballyCorrected`, `SinkhornNormalizer` within its `memory_budget`, and
    `decision_function`. The search is exact: it returns what `transform` and a stable
    sort return.

    Parameters
    ----------
    normalizer : normalizer, default=None
        The correction. A clone is fitted, with the `metric`, `n_jobs` and `verbose` set
        here. None means ``DynamicInvertedSoftmax()``; pass one to search over its
        parameters, as ``normalizer__beta``.
    n_neighbors : int, default=10
        Number of items per query, >= 1, and the k of the recall in `score`. It can be
        changed after `fit`.
    metric : {"cosine", "dot"} or callable, default="cosine"
        How embeddings are compared, as in `pairwise_similarity`. A callable gets a part
        of the gallery if that is a Dask array.
    gallery : array-like of shape (n_gallery, n_features), default=None
        Embeddings of the gallery. If set, `fit` takes the querybank alone and ignores
        its second argument, so that `GridSearchCV` can pass `y`; if that marks some
        rows by -1, only these are the querybank. Clones share it.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.
    verbose : bool, default=False
        Whether `fit` and `kneighbors` report their progress.

    Attributes
    ----------
    normalizer_ : normalizer
        The fitted normalizer.
    n_gallery_ : int
        Number of gallery items.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items: the index of a dataframe, strings or integers.
    n_features_in_ : int
        Number of features of the queries.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of these features, defined if `fit` was given a dataframe.

    See Also
    --------
    GallerySimilarity : The first step of a Pipeline of separate steps.
    sk_qbnorm.indexes.QueryShift : Search a vector index instead.

    Notes
    -----
    The retriever stores a copy of the gallery, for the cosine with rows of length 1. A
    `numpy.memmap` stays on disk and must not change; its rows are scaled when they are
    read.

    For `CSLS`, rounding can make more scores equal than the search has candidates. The
    rounds of such queries are searched a second time, except on Dask arrays.

    Examples
    --------
    >>> from sk_qbnorm import InvertedSoftmax, QuerybankRetriever
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> data = load_emoji_names_hi_en()
    >>> retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=3)
    >>> retriever.fit(data.bank_queries, data.gallery)
    QuerybankRetriever(n_neighbors=3, normalizer=InvertedSoftmax())
    >>> scores, indices = retriever.kneighbors(data.queries)
    >>> indices.shape
    (600, 3)
    >>> retriever.set_params(n_neighbors=1).score(data.queries, data.relevant)
    0.6...
    """

    normalizer_: BaseNormalizer

    def __init__(
        self,
        normalizer: BaseNormalizer | None = None,
        *,
        n_neighbors: int = 10,
        metric: Metric = "cosine",
        gallery: ArrayLike | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.normalizer = normalizer
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.gallery = gallery
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(
        self,
        querybank: ArrayLike,
        gallery: object = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Fit the normalizer to a querybank and store the gallery for searches.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features)
            Embeddings of the bank queries, dense, sparse, a `numpy.memmap`, a Dask
            array, or an iterator of matrices with some of the queries each.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, dense, sparse, a `numpy.memmap` or a Dask array.
            The last two are not copied: do not change them after `fit`. The index of a
            dataframe names the items. Ignored if the constructor was given the gallery.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            Embeddings of other items, for normalizers that take them, such as
            `DualInvertedSoftmax`.

        Returns
        -------
        self : QuerybankRetriever
            The fitted retriever.

        Raises
        ------
        ValueError
            If there is no gallery, a parameter is out of range, an input is not a
            finite matrix, or the inputs do not match.
        """
        with unchanged_on_error(self):
            self._start("fit", querybank, gallery, gallerybank)
            if self.n_neighbors > self.n_gallery_:
                warn_caller(
                    f"n_neighbors={self.n_neighbors} exceeds the {self.n_gallery_} "
                    f"gallery items; {self.n_gallery_} are returned."
                )
        return self

    def partial_fit(
        self,
        querybank: ArrayLike,
        gallery: object = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Add queries to the querybank.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, for the first call; ignored later.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            Additional items of the gallery bank, as in `fit`.

        Returns
        -------
        self : QuerybankRetriever
            The fitted retriever.

        Raises
        ------
        ValueError
            As in `fit`; also if the normalizer cannot be fitted in parts, or a
            parameter that `fit` depends on has changed since the first call.
        """
        with unchanged_on_error(self):
            if not hasattr(self, "normalizer_"):
                self._start("partial_fit", querybank, gallery, gallerybank)
                return self
            normalizer = self._current_normalizer("partial_fit")
            querybank = self._check_queries(querybank, "querybank", reset=False)
            columns = getattr(self, "feature_names_in_", None)
            options = self._gallerybank_option(
                "partial_fit", gallerybank, normalizer, columns
            )
            known = self._gallery.embeddings
            querybank = self._bank_alone(querybank, gallery, known)
            normalizer.partial_fit(querybank, known, **options)
            self.normalizer_ = normalizer
        return self

    def add_gallery(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Append gallery items without comparing the known items again.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features)
            The complete bank that was fitted, in the same order.
        gallery : array-like of shape (n_new, n_features)
            Embeddings of the new items, in the forms that `fit` takes. If they or the
            gallery are a Dask array, so is the larger gallery. A gallery that is a
            `numpy.memmap` is copied to memory.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            The complete gallery bank, if there was one.

        Returns
        -------
        self : QuerybankRetriever
            The retriever, fitted to the larger gallery.

        Raises
        ------
        ValueError
            As in `fit`; also if the bank has another number of queries, or the
            normalizer cannot be fitted in parts.
        """
        check_is_fitted(self)
        with unchanged_on_error(self):
            normalizer = self._current_normalizer("add_gallery")
            self._check_gallery(gallery)
            if querybank is None and normalizer.n_bank_seen_:
                raise ValueError(
                    "querybank must be the complete bank that was fitted, with "
                    f"{normalizer.n_bank_seen_} rows, got None; pass all of it."
                )
            new: Any = gallery
            if not is_dask(gallery):
                options = {"finite": False, "keep_foreign": True}
                new = check_embeddings(gallery, "gallery", **options)
            known = self._gallery.embeddings
            if new.shape[1] != known.shape[1]:
                raise ValueError(
                    f"gallery must have as many features as the known items, expected "
                    f"{known.shape[1]}, got {new.shape[1]}; embed both with the same "
                    "model."
                )
            columns = getattr(self, "feature_names_in_", None)
            new_columns = column_names(gallery)
            check_same_columns(columns, new_columns, "querybank", self.metric)
            if querybank is not None:
                querybank = self._check_queries(querybank, "querybank", reset=False)
            options = self._gallerybank_option(
                "add_gallery", gallerybank, normalizer, columns
            )
            normalizer.add_gallery(querybank, gallery, **options)
            self._finalize(normalizer, _dask.append_items(self._gallery, new))
        return self

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Remove gallery items; the items behind them move up.

        Parameters
        ----------
        items : array-like of shape (n_removed,)
            Gallery indices or names of the items to remove, or a boolean mask of shape
            (n_gallery,). The rest of a `numpy.memmap` is copied to memory.
        querybank : array-like of shape (n_bank, n_features), default=None
            The complete bank, in the same order. Required by dynamic normalizers if the
            bank retrieved a removed item.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            The complete gallery bank, required likewise.

        Returns
        -------
        self : QuerybankRetriever
            The retriever, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If an item is not in the gallery, no item remains, the bank is required and
            missing, or the normalizer cannot be fitted in parts.
        """
        check_is_fitted(self)
        with unchanged_on_error(self):
            normalizer = self._current_normalizer("remove_gallery")
            items = item_positions(items, self.gallery_names_)
            remaining = remaining_items(items, self.n_gallery_)
            left = self._gallery.take_items(remaining)
            removed = np.ones(self.n_gallery_, dtype=bool)
            removed[remaining] = False
            if querybank is not None:
                querybank = self._check_queries(querybank, "querybank", reset=False)
            columns = getattr(self, "feature_names_in_", None)
            options = self._gallerybank_option(
                "remove_gallery", gallerybank, normalizer, columns
            )
            normalizer.remove_gallery(removed, querybank, left.embeddings, **options)
            self._finalize(normalizer, left)
        return self

    def kneighbors(
        self,
        queries: ArrayLike,
        n_neighbors: int | None = None,
        return_score: bool = True,
        *,
        return_names: bool = False,
    ) -> tuple[NDArray, NDArray] | NDArray:
        """Return the best gallery items of each query, best first.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, dense, sparse or a Dask array.
        n_neighbors : int, default=None
            Number of items, in [1, n_gallery]; None for the value of the constructor.
        return_score : bool, default=True
            Whether to return the scores too.
        return_names : bool, default=False
            Whether to return the names of the items instead of their indices.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_neighbors)
            Corrected scores, descending; float32 if the embeddings are, else float64.
        indices : ndarray of shape (n_queries, n_neighbors), dtype int64
            Gallery indices, or names of dtype object. Of equal scores the smaller index
            comes first.

        Raises
        ------
        ValueError
            If `queries` is not a finite matrix with as many features as the querybank,
            there are fewer than `n_neighbors` items, or the items have no names.
        """
        check_is_fitted(self)
        self._check_home(queries, "kneighbors")
        names = self._names() if return_names else None
        scores, items = self._search(queries, n_neighbors)
        found = _arrays.like(items, queries) if names is None else names[items]
        return (_arrays.like(scores, queries), found) if return_score else found

    def kneighbors_graph(
        self,
        queries: ArrayLike,
        n_neighbors: int | None = None,
        mode: str = "connectivity",
    ) -> sparse.csr_array:
        """Return the best gallery items of each query as a sparse graph.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, as in `kneighbors`.
        n_neighbors : int, default=None
            Number of items, in [1, n_gallery]; None for the value of the constructor.
        mode : {"connectivity", "score", "distance"}, default="connectivity"
            What the entries are: 1, the corrected score, or the distance of the score
            from an upper bound of all scores. Distances are what scikit-learn's
            estimators with ``metric="precomputed"`` take; they require ``metric``
            "cosine" or "dot".

        Returns
        -------
        graph : CSR array of shape (n_queries, n_gallery)
            The entries of a row are in the order of `kneighbors`, distances ascending.

        Raises
        ------
        ValueError
            As in `kneighbors`; also if `mode` is unknown, or distances are requested
            for a callable metric or for inner products of Dask arrays.
        """
        check_is_fitted(self)
        check_choice(mode, "mode", MODES)
        has_ceiling = self.metric == "cosine" or not (
            callable(self.metric) or self._is_dask(queries)
        )
        if mode == "distance" and not has_ceiling:
            raise ValueError(
                "mode='distance' requires the largest possible similarity, which is "
                "unknown for a callable metric and for inner products of Dask arrays; "
                "use mode='score'."
            )
        self._check_home(queries, "kneighbors_graph")
        scores, items = self._search(queries, n_neighbors)
        ceiling = None
        if mode == "distance":
            checked = self._check_queries(queries, "queries", reset=False)
            peak = np.ones((1, 1))
            if self.metric != "cosine":
                peak = self._gallery.longest() * row_lengths(checked)
            ceiling = correction_of(self.normalizer_).ceiling(peak)
        given = None if mode == "connectivity" else scores
        return neighbors_graph(given, items, self.n_gallery_, ceiling)

    def predict(self, queries: ArrayLike, *, return_names: bool = False) -> NDArray:
        """Return the best gallery item of each query.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, as in `kneighbors`.
        return_names : bool, default=False
            Whether to return the names of the items instead of their indices.

        Returns
        -------
        best : ndarray of shape (n_queries,), dtype int64
            Gallery index, or name of dtype object.
        """
        check_is_fitted(self)
        self._check_home(queries, "predict")
        names = self._names() if return_names else None
        best = self._search(queries, 1)[1][:, 0]
        return _arrays.like(best, queries) if names is None else names[best]

    def decision_function(self, queries: ArrayLike) -> NDArray:
        """Return the corrected scores of all gallery items.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, dense or sparse.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_gallery)
            What ``normalizer_.transform`` returns for the similarities.
        """
        check_is_fitted(self)
        self._check_home(queries, "decision_function")
        return self._scores(queries, correction_of(self.normalizer_))

    def score(self, queries: ArrayLike, y: Relevance) -> float:
        """Return the recall at `n_neighbors`.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, dense or sparse.
        y : array-like, list of array-like or sparse matrix
            The relevant items, in any form that `recall_at_k` takes, or by their names
            in ``gallery_names_``. Queries without a relevant item, marked by -1, an
            empty list or a row of zeros, are left out.

        Returns
        -------
        recall : float
            In [0, 1], with the tie rule of `recall_at_k`; NaN if no query remains.
        """
        check_is_fitted(self)
        self._check_home(queries, "score")
        k = self._count(None)
        checked = self._check_queries(queries, "queries", reset=False)
        check_unmasked(y, "y")
        _check_length(y, checked.shape[0])
        labeled = labeled_rows(y, checked.shape[0])
        if labeled is None:
            return math.nan
        checked, y = _arrays.take_rows(checked, labeled), take_rows(y, labeled)
        shape = checked.shape[0], self.n_gallery_
        y = indices_of_names(y, self.gallery_names_, shape)
        n_rows = max(1, _BLOCK_ENTRIES // self.n_gallery_)
        ranks = []
        for rows in gen_batches(checked.shape[0], n_rows):
            scores = self.decision_function(checked[rows, :])
            found = relevant_ranks(take_rows(y, rows), scores)
            ranks.append(_arrays.to_numpy(found))
        return float((np.concatenate(ranks) <= k).mean())

    def _search(self, queries, n_neighbors):
        """Return the scores and items of `kneighbors` as NumPy arrays."""
        return search(
            self._gallery,
            self._check_queries(queries, "queries", reset=False),
            correction_of(self.normalizer_),
            self._count(n_neighbors),
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )

    def _scores(self, queries, correction):
        checked = self._check_queries(queries, "queries", reset=False)
        if self._is_dask(checked):
            raise ValueError(
                "queries and gallery must be arrays in memory to return all scores, "
                "got Dask arrays; call kneighbors for the best items."
            )
        return whole_rows(self._gallery, checked, correction, n_jobs=self.n_jobs)

    def _start(self, method, querybank, gallery, gallerybank):
        """Fit a new normalizer by one of its methods, and store the gallery."""
        check_metric(self.metric)
        check_count(self.n_neighbors, "n_neighbors")
        y, gallery = gallery, self.gallery if self.gallery is not None else gallery
        self._check_gallery(gallery)
        normalizer = self._new_normalizer()
        _check_has(normalizer, method)
        if querybank is None and normalizer._needs_a_bank:
            raise ValueError(
                f"querybank must be a matrix for {type(normalizer).__name__}, got "
                "None; pass one, or use MixNormalizer(queries)."
            )
        if querybank is None:  # the width of the gallery is that of the queries
            self._check_queries(gallery, "gallery", reset=True)
            columns = column_names(gallery)
        else:
            check_columns(querybank, gallery, "querybank", self.metric)
            columns = column_names(querybank)
            querybank = self._check_queries(querybank, "querybank", reset=True)
        options = self._gallerybank_option(method, gallerybank, normalizer, columns)
        querybank = self._bank_alone(querybank, y, gallery)
        kept = None
        if is_dask(gallery):  # DaskGallery may reject it
            kept = _dask.DaskGallery(gallery, self.metric)
        getattr(normalizer, method)(querybank, gallery, **options)
        if kept is None:
            kept = self._gallery_to_search(gallery, normalizer._home)
        self._finalize(normalizer, kept)

    def _new_normalizer(self):
        """Return an unfitted normalizer with the settings of the retriever."""
        normalizer = self.normalizer
        if normalizer is None:
            normalizer = DynamicInvertedSoftmax()
        if not isinstance(normalizer, BaseNormalizer):
            raise ValueError(
                f"normalizer must be a normalizer of sk_qbnorm, got {normalizer!r}; "
                "pass one such as InvertedSoftmax()."
            )
        if normalizer.metric not in (None, "cosine", "precomputed", self.metric):
            raise ValueError(
                f"normalizer must have the metric of the retriever, {self.metric!r}, "
                f"got {normalizer.metric!r}; set the metric of the retriever only."
            )
        settings = {"metric": self.metric, "n_jobs": self.n_jobs}
        return clone(normalizer).set_params(**settings, verbose=self.verbose)

    def _current_normalizer(self, method):
        """Return a copy of the fitted normalizer with the current parameters."""
        normalizer, now = copy.copy(self.normalizer_), self._new_normalizer()
        if type(now) is not type(normalizer):
            raise ValueError(
                f"normalizer was {type(normalizer).__name__} in fit and is "
                f"{type(now).__name__} now; call fit again."
            )
        _check_has(normalizer, method)
        return normalizer.set_params(**now.get_params(deep=False))

    def _gallerybank_option(self, method, gallerybank, normalizer, columns):
        """Return the gallery bank as an argument of the normalizer's methods."""
        if gallerybank is None:
            return {}
        parameters = inspect.signature(getattr(normalizer, method)).parameters
        if "gallerybank" not in parameters:
            raise ValueError(
                f"gallerybank must be None for {type(normalizer).__name__}.{method}, "
                "which does not use one; leave it out, or use a normalizer such as "
                "DualInvertedSoftmax()."
            )

        def checked(part):
            check_same_columns(column_names(part), columns, "gallerybank", self.metric)
            return part

        if isinstance(gallerybank, Iterator):
            return {"gallerybank": map(checked, gallerybank)}
        return {"gallerybank": checked(gallerybank)}

    def _check_queries(self, queries, name, *, reset):
        """Check queries and return them for the normalizer and the search."""
        if isinstance(queries, Iterator) and name != "queries":
            return self._check_parts(queries, name, reset)
        if isinstance(queries, Iterator):
            raise ValueError(
                "queries must be a matrix, got an iterator; search for one part at a "
                "time."
            )
        if not is_dask(queries):
            return self._check_features(queries, name, reset)
        _dask.check_two_dimensions(queries, name)
        if reset:
            self.n_features_in_ = queries.shape[1]
            vars(self).pop("feature_names_in_", None)
        return queries

    def _check_parts(self, parts, name, reset):
        for part in parts:
            if len(getattr(part, "shape", ())) == 2 and part.shape[0] == 0:
                continue  # a filter may leave parts without rows
            yield self._check_features(part, name, reset)
            reset = False

    def _check_features(self, queries, name, reset):
        check = partial(check_embeddings, keep_on_disk=True)
        options = {"reset": reset, "n_jobs": self.n_jobs, "check": check}
        return check_features(self, queries, name, **options)

    def _bank_alone(self, querybank, y, gallery):
        """Return the rows of the querybank, if `y` marks them by -1."""
        if self.gallery is None or not hasattr(querybank, "shape"):
            return querybank  # None and iterators have no rows to select
        shape = querybank.shape[0], np.shape(gallery)[0]
        rows = bank_rows(y, shape)
        take = operator.getitem if is_dask(querybank) else _arrays.take_rows
        return take(querybank, rows)

    def _check_gallery(self, gallery):
        if gallery is not None and np.ndim(gallery) == 1:
            raise ValueError(
                "gallery must hold embeddings, got one number per item; if fit "
                "receives y, as from GridSearchCV, pass the gallery to the "
                "constructor, QuerybankRetriever(gallery=...)."
            )
        if gallery is None or isinstance(gallery, Iterator):
            raise ValueError(
                f"gallery must be a matrix, got {type(gallery).__name__}; call "
                "fit(querybank, gallery), or pass it to the constructor, "
                "QuerybankRetriever(gallery=...)."
            )

    def _gallery_to_search(self, gallery, home):
        """Return a copy of the gallery where the bank lives, unless it is on disk."""
        if home is not None:
            kept = home.asarray(check_embeddings(gallery, "gallery", keep_foreign=True))
            return prepared_gallery(kept, self.metric, keep_units=True)
        keep_units = not is_on_disk(gallery)
        # The normalizer has checked that it is finite.
        options = {"finite": False, "keep_on_disk": True}
        kept = check_embeddings(gallery, "gallery", **options)
        if keep_units and self.metric != "cosine":  # cosine copies when it scales
            kept = copy_if_shared(kept, gallery)
        return Gallery(kept, self.metric, keep_units=keep_units)

    def _finalize(self, normalizer, gallery):
        self.normalizer_, self._gallery = normalizer, gallery
        self.n_gallery_ = normalizer.n_features_in_
        self.gallery_names_ = normalizer.gallery_names_
        self._home = normalizer._home

    def _names(self):
        if self.gallery_names_ is None:
            raise ValueError(
                "return_names=True requires names of the gallery items, got a gallery "
                "without; pass a dataframe whose index names the items."
            )
        return self.gallery_names_

    def _is_dask(self, queries):
        return is_dask(queries) or is_dask(self._gallery.embeddings)

    def _count(self, n_neighbors):
        if n_neighbors is None:
            k = check_count(self.n_neighbors, "n_neighbors")
            return min(k, self.n_gallery_)
        return check_count(n_neighbors, "n_neighbors", largest=self.n_gallery_)

    def __sklearn_clone__(self):
        """Share the gallery, which may be large; clone the normalizer."""
        twin = clone_sharing_data(self, "_gallery")
        twin.normalizer = clone(self.normalizer, safe=False)
        return twin

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _check_has(normalizer, method):
    if not hasattr(normalizer, method):
        raise ValueError(
            f"{type(normalizer).__name__} has no {method}, because it depends on the "
            "whole querybank and gallery; call fit with all of both, or use "
            "InvertedSoftmax()."
        )


def _check_length(relevant, n_queries):
    found = relevant.shape[0] if hasattr(relevant, "shape") else len(relevant)
    if found != n_queries:
        raise ValueError(
            f"y must have one entry per query, expected {n_queries}, got {found}."
        )
