"""How a retriever comes to know a gallery, and keeps up with it."""

import copy
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import distributed
from sk_qbnorm._embeddings import (
    check_columns,
    check_embeddings,
    check_metric,
    check_same_columns,
    filled,
    is_on_disk,
)
from sk_qbnorm._validation import (
    check_count,
    check_features,
    column_names,
    remaining_items,
    unchanged_on_error,
)
from sk_qbnorm.normalizers import DynamicInvertedSoftmax
from sk_qbnorm.normalizers._base import BaseNormalizer
from sk_qbnorm.tiles import Gallery


class GalleryKeeper(BaseEstimator):
    """Fit a normalizer to a gallery of embeddings, and keep both."""

    normalizer_: BaseNormalizer

    def fit(self, querybank: ArrayLike, gallery: object = None) -> Self:
        """Probe the gallery with a querybank, and keep the gallery for searches.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features)
            Embeddings of the bank's queries, dense, sparse, a `numpy.memmap`, a Dask
            array, or an iterator of matrices of some queries each.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, dense, sparse, a `numpy.memmap` or a Dask array.
            Ignored where the constructor was given the gallery.

        Returns
        -------
        self : QuerybankRetriever
            The fitted retriever.

        Raises
        ------
        ValueError
            If there is no gallery, a parameter is out of range, an input is not a
            finite matrix, or the two do not match.
        """
        with unchanged_on_error(self):
            self._start(querybank, gallery)
            for message, category in self._doubts():
                warnings.warn(message, category, stacklevel=2)
        return self

    def partial_fit(self, querybank: ArrayLike, gallery: object = None) -> Self:
        """Add more queries to the bank.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, for the first call; ignored later, as the gallery is known.

        Returns
        -------
        self : QuerybankRetriever
            The fitted retriever.

        Raises
        ------
        ValueError
            As in `fit`; also if a parameter that the bank was probed with has changed
            since the first call.
        """
        with unchanged_on_error(self):
            if not hasattr(self, "normalizer_"):
                self._start(querybank, gallery)
            else:
                normalizer = self._normalizer_now()
                querybank = self._check_queries(querybank, "querybank", reset=False)
                normalizer.partial_fit(querybank, self._gallery.embeddings)
                self.normalizer_ = normalizer
        return self

    def add_gallery(self, querybank: ArrayLike, gallery: ArrayLike) -> Self:
        """Add gallery items behind those that are known, which are not probed again.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features)
            All of the bank that the known items were probed with, in the same order.
        gallery : array-like of shape (n_new, n_features)
            Embeddings of the new items. If the gallery is a `numpy.memmap`, all of it
            is copied to memory.

        Returns
        -------
        self : QuerybankRetriever
            The retriever, as a `fit` to the larger gallery leaves it.

        Raises
        ------
        ValueError
            As in `fit`; also if the bank has another number of queries.
        """
        check_is_fitted(self)
        with unchanged_on_error(self):
            self._check_gallery(gallery)
            new: Any = gallery
            if not distributed.is_dask(gallery):
                new = check_embeddings(gallery, "gallery", finite=False)
            known = self._gallery.embeddings
            if new.shape[1] != known.shape[1]:
                raise ValueError(
                    f"The new items must have as many features as the known ones, "
                    f"expected {known.shape[1]}, got {new.shape[1]}; embed both with "
                    "the same model."
                )
            columns = getattr(self, "feature_names_in_", None)
            new_columns = column_names(gallery)
            check_same_columns(columns, new_columns, "querybank", self.metric)
            querybank = self._check_queries(querybank, "querybank", reset=False)
            normalizer = self._normalizer_now().add_gallery(querybank, gallery)
            self._learn(normalizer, self._gallery.extended(new))
        return self

    def remove_gallery(
        self, items: ArrayLike, querybank: ArrayLike | None = None
    ) -> Self:
        """Remove gallery items; those behind them move up.

        Parameters
        ----------
        items : array-like of int of shape (n_removed,)
            Indices in the gallery, or a mask of shape (n_gallery,), True for those that
            go. Of a `numpy.memmap` what is left is copied to memory.
        querybank : array-like of shape (n_bank, n_features), default=None
            All of the bank, in the same order. Needed where there is a gate, as of
            `DynamicInvertedSoftmax`, and an item goes that the bank retrieves, to find
            what it retrieves now.

        Returns
        -------
        self : QuerybankRetriever
            The retriever, as a `fit` to the smaller gallery leaves it.

        Raises
        ------
        ValueError
            If an item is not in the gallery, none is left, or the bank is needed and
            was not passed.
        """
        check_is_fitted(self)
        with unchanged_on_error(self):
            left = self._gallery.kept(remaining_items(items, self.n_gallery_))
            if querybank is not None:
                querybank = self._check_queries(querybank, "querybank", reset=False)
            normalizer = self._normalizer_now()
            normalizer.remove_gallery(items, querybank, left.embeddings)
            self._learn(normalizer, left)
        return self

    def _start(self, querybank, gallery):
        check_metric(self.metric)
        check_count(self.n_neighbors, "n_neighbors")
        gallery = self.gallery if self.gallery is not None else gallery
        self._check_gallery(gallery)
        check_columns(querybank, gallery, "querybank", self.metric)
        normalizer = self._new_normalizer()
        querybank = self._check_queries(querybank, "querybank", reset=True)
        if distributed.is_dask(gallery):  # which may be refused
            kept = distributed.DaskGallery(gallery, self.metric)
        normalizer.partial_fit(querybank, gallery)  # a fit that says nothing
        if not distributed.is_dask(gallery):
            kept = self._kept_for_search(gallery)
        self._learn(normalizer, kept)

    def _check_gallery(self, gallery):
        if gallery is not None and np.ndim(gallery) == 1:
            raise ValueError(
                f"{type(self).__name__} needs the embeddings of a gallery, got one "
                "number an item; where fit is given y, as by GridSearchCV, the gallery "
                "belongs into the constructor, gallery=..."
            )
        if gallery is None or isinstance(gallery, Iterator):
            raise ValueError(
                f"{type(self).__name__} needs a gallery that it can keep, got "
                f"{type(gallery).__name__}; call fit(querybank, gallery) with a "
                "matrix, or give the gallery to the constructor."
            )

    def _new_normalizer(self):
        """Return the normalizer to be fitted, with what the retriever says."""
        normalizer = DynamicInvertedSoftmax()
        if self.normalizer is not None:
            normalizer = self.normalizer
        if not isinstance(normalizer, BaseNormalizer):
            raise ValueError(
                f"normalizer must be a normalizer of sk_qbnorm, got {normalizer!r}; "
                "pass one such as InvertedSoftmax()."
            )
        if normalizer.metric not in ("cosine", "precomputed", self.metric):
            raise ValueError(
                f"The retriever compares by its own metric={self.metric!r}, but its "
                f"normalizer was given {normalizer.metric!r}; give this to the "
                "retriever."
            )
        settings = {"metric": self.metric, "n_jobs": self.n_jobs}
        return clone(normalizer).set_params(**settings, verbose=self.verbose)

    def _normalizer_now(self):
        """Return a copy of the fitted normalizer with the parameters of now."""
        normalizer, now = copy.copy(self.normalizer_), self._new_normalizer()
        if type(now) is not type(normalizer):
            raise ValueError(
                f"The normalizer was {type(normalizer).__name__} when the gallery was "
                f"first probed and is {type(now).__name__} now; call fit to start anew."
            )
        return normalizer.set_params(**now.get_params(deep=False))

    def _kept_for_search(self, gallery):
        keep_units = not is_on_disk(gallery)
        # What is not finite the normalizer has found.
        options = {"finite": False, "keep_on_disk": True}
        gallery = check_embeddings(gallery, "gallery", **options)
        return Gallery(gallery, self.metric, keep_units=keep_units)

    def _learn(self, normalizer, gallery):
        self.normalizer_, self._gallery = normalizer, gallery
        self.n_gallery_ = normalizer.n_features_in_
        self.n_neighbors_ = min(int(self.n_neighbors), self.n_gallery_)

    def _check_queries(self, queries, name, *, reset):
        """Return queries as the normalizer and the search take them."""
        if isinstance(queries, Iterator) and name == "querybank":
            return self._check_parts(queries, name, reset)
        if isinstance(queries, Iterator):
            raise ValueError(
                "queries must be a matrix, got an iterator; ask for a part at a time."
            )
        if not distributed.is_dask(queries):
            return self._check_features(queries, name, reset)
        distributed.check_two_dimensions(queries, name)
        if reset:
            self.n_features_in_ = queries.shape[1]
            vars(self).pop("feature_names_in_", None)
        return queries

    def _check_parts(self, parts, name, reset):
        for part in filled(parts):
            yield self._check_features(part, name, reset)
            reset = False

    def _check_features(self, queries, name, reset):
        check = partial(check_embeddings, keep_on_disk=True)
        options = {"reset": reset, "n_jobs": self.n_jobs, "check": check}
        return check_features(self, queries, name, **options)

    def _doubts(self):
        yield from self.normalizer_._doubts()
        if self.n_neighbors_ < self.n_neighbors:
            yield (
                f"n_neighbors={self.n_neighbors} is more than the {self.n_gallery_} "
                f"items of the gallery: {self.n_gallery_} are used.",
                UserWarning,
            )

    def __sklearn_clone__(self):
        """Share the gallery, which may be large; clone the normalizer."""
        twin = copy.copy(self)
        for name in [*vars(twin)]:
            if name.endswith("_") or name == "_gallery":
                delattr(twin, name)
        twin.normalizer = clone(self.normalizer, safe=False)
        return twin

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
