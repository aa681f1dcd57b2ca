"""How a retriever comes to know a gallery, and keeps up with it."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import distributed
from sk_qbnorm._embeddings import (
    check_columns,
    check_embeddings,
    check_metric,
    check_same_columns,
    copy_if_shared,
    is_on_disk,
)
from sk_qbnorm._validation import (
    check_count,
    column_names,
    remaining_items,
    unchanged_on_error,
    unfitted_twin,
    warn_caller,
)
from sk_qbnorm.tiles import Gallery

from ._checks import InputChecker


class GalleryKeeper(InputChecker):
    """Fit a normalizer to a gallery of embeddings, and keep both."""

    def fit(
        self,
        querybank: ArrayLike,
        gallery: object = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Probe the gallery with a querybank, and keep the gallery for searches.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features)
            Embeddings of the bank's queries, dense, sparse, a `numpy.memmap`, a Dask
            array, or an iterator of matrices of some queries each.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, dense, sparse, a `numpy.memmap` or a Dask array.
            It is copied, except for the last two: do not change these after `fit`.
            Ignored where the constructor was given the gallery.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            Embeddings of other items, like those of the gallery, for a normalizer that
            takes some, such as `DualInvertedSoftmax`; in any form that it takes.

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
            self._start(querybank, gallery, gallerybank)
            for message, category in self._doubts():
                warn_caller(message, category)
        return self

    def partial_fit(
        self,
        querybank: ArrayLike,
        gallery: object = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Add more queries to the bank.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, for the first call; ignored later, as the gallery is known.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            More of the gallery bank, as in `fit`.

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
                self._start(querybank, gallery, gallerybank)
            else:
                normalizer = self._normalizer_now()
                querybank = self._check_queries(querybank, "querybank", reset=False)
                columns = getattr(self, "feature_names_in_", None)
                beside = self._check_gallerybank(gallerybank, normalizer, columns)
                known = self._gallery.embeddings
                normalizer.partial_fit(querybank, known, **beside)
                self.normalizer_ = normalizer
        return self

    def add_gallery(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Add gallery items behind those that are known, which are not probed again.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features)
            All of the bank that the known items were probed with, in the same order.
        gallery : array-like of shape (n_new, n_features)
            Embeddings of the new items, in any form that `fit` takes. If these or the
            gallery are a Dask array, the larger gallery is one. If the gallery is a
            `numpy.memmap`, all of it is copied to memory.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            All of the gallery bank, where there was one.

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
            normalizer = self._normalizer_now()
            normalizer._check_joinable()
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
            beside = self._check_gallerybank(gallerybank, normalizer, columns)
            normalizer.add_gallery(querybank, gallery, **beside)
            self._learn(normalizer, distributed.extended(self._gallery, new))
        return self

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
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
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            All of the gallery bank, which its gate needs likewise.

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
            normalizer = self._normalizer_now()
            normalizer._check_joinable()
            left = self._gallery.kept(remaining_items(items, self.n_gallery_))
            if querybank is not None:
                querybank = self._check_queries(querybank, "querybank", reset=False)
            columns = getattr(self, "feature_names_in_", None)
            beside = self._check_gallerybank(gallerybank, normalizer, columns)
            normalizer.remove_gallery(items, querybank, left.embeddings, **beside)
            self._learn(normalizer, left)
        return self

    def _start(self, querybank, gallery, gallerybank):
        check_metric(self.metric)
        check_count(self.n_neighbors, "n_neighbors")
        gallery = self.gallery if self.gallery is not None else gallery
        self._check_gallery(gallery)
        check_columns(querybank, gallery, "querybank", self.metric)
        normalizer, columns = self._new_normalizer(), column_names(querybank)
        querybank = self._check_queries(querybank, "querybank", reset=True)
        beside = self._check_gallerybank(gallerybank, normalizer, columns)
        if distributed.is_dask(gallery):  # which may be refused
            kept = distributed.DaskGallery(gallery, self.metric)
        # A fit that says nothing; the retriever does, to whom it may concern.
        normalizer.partial_fit(querybank, gallery, **beside)
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

    def _kept_for_search(self, gallery):
        """Return a copy of the gallery, unless it is on disk: callers change theirs."""
        keep_units = not is_on_disk(gallery)
        # What is not finite the normalizer has found.
        options = {"finite": False, "keep_on_disk": True}
        kept = check_embeddings(gallery, "gallery", **options)
        if keep_units and self.metric != "cosine":  # whose unit rows are a copy
            kept = copy_if_shared(kept, gallery)
        return Gallery(kept, self.metric, keep_units=keep_units)

    def _learn(self, normalizer, gallery):
        self.normalizer_, self._gallery = normalizer, gallery
        self.n_gallery_ = normalizer.n_features_in_
        self.n_neighbors_ = min(int(self.n_neighbors), self.n_gallery_)

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
        twin = unfitted_twin(self, "_gallery")
        twin.normalizer = clone(self.normalizer, safe=False)
        return twin

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
