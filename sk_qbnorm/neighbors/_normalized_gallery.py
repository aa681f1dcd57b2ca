"""A gallery of embeddings, and the normalizer that is fitted to it."""

from __future__ import annotations

import copy
import inspect
import operator
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import _arrays, _dask
from sk_qbnorm._arrays import ArraysMixin
from sk_qbnorm._bank_rows import bank_rows
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
    check_count,
    check_features,
    column_names,
    item_positions,
    remaining_items,
    unchanged_on_error,
    warn_caller,
)
from sk_qbnorm.normalizers import (
    BaseNormalizer,
    DynamicInvertedSoftmax,
)
from sk_qbnorm.tiles import Gallery, prepared_gallery


class NormalizedGallery(ArraysMixin, BaseEstimator):
    """A gallery that can change, and a normalizer that follows it.

    The base class of `QuerybankRetriever`, which searches the gallery.

    Attributes
    ----------
    normalizer_ : BaseNormalizer
        The fitted normalizer.
    _gallery : tiles.Gallery or _dask.DaskGallery
        The gallery to search.
    """

    normalizer_: BaseNormalizer

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


def _check_has(normalizer, method):
    if not hasattr(normalizer, method):
        raise ValueError(
            f"{type(normalizer).__name__} has no {method}, because it depends on the "
            "whole querybank and gallery; call fit with all of both, or use "
            "InvertedSoftmax()."
        )
