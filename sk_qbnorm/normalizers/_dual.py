"""The base class of normalizers of a querybank and a bank of other gallery items."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._arrays import to_numpy
from sk_qbnorm._validation import (
    check_alpha,
    check_beta,
    unchanged_on_error,
)
from sk_qbnorm.statistics import SOFTMAX_FACTOR
from sk_qbnorm.tiles import resolve_metric

from ._accumulate import check_gallery_given
from ._base import BaseNormalizer, set_gallery_attributes
from ._inverted_softmax import InvertedSoftmax
from ._vector_index import VectorIndexMixin

_ADVICE = "20 for queries and 5 for items are the values of the paper"
_SCALE_FACTORS = {"query": SOFTMAX_FACTOR, "gallery": SOFTMAX_FACTOR / 4}  # 20 to 5


class DualNormalizer(VectorIndexMixin, BaseNormalizer):
    """Fit one normalizer to a querybank and one to a gallery bank.

    Subclasses set the class of both, ``_bank_class``, and combine them in
    ``_correction``.
    """

    _bank_class: ClassVar[type[InvertedSoftmax]]

    querybank_normalizer_: InvertedSoftmax
    gallerybank_normalizer_: InvertedSoftmax | None

    def fit(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Learn the correction of each item from a querybank and a gallery bank.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank queries if `gallery` is passed, otherwise their
            similarities to the gallery. Dense, sparse, a `numpy.memmap`, a Dask array,
            or an iterator of such matrices with some of the queries each.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, in the same forms. The index of a dataframe names
            the items. One-dimensional input holds the labels `y` that a Pipeline
            passes: it is ignored, but if it marks some rows by -1, only these rows are
            the querybank.
        gallerybank : array-like of shape (n_gallerybank, n_features) or \
                (n_gallerybank, n_gallery), default=None
            Embeddings of items that are not in the gallery, or their similarities to
            the gallery, in the same forms. None uses the querybank alone.

        Returns
        -------
        self : DualNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, an input is not a finite matrix, or the
            gallery is missing or does not match a bank.
        """
        metric = resolve_metric(self.metric, querybank, gallery)
        return self._fit(querybank, gallery, metric, gallerybank)

    def _fit(self, querybank, gallery, metric, gallerybank=None, *, warn=True):
        with unchanged_on_error(self):
            self._check_parameters()
            self._check_gallery(gallery, gallerybank, metric)
            queries = self._new("query")._fit(querybank, gallery, metric, warn=False)
            items = None
            if gallerybank is not None:
                items = self._new("gallery")
                items._fit(
                    gallerybank, _embeddings(gallery, metric), metric, warn=False
                )
            self._finalize(queries, items)
            if warn:
                self._warn()
        return self

    def partial_fit(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Add queries to the querybank and items to the gallery bank.

        Splitting the banks over several calls gives the result of one `fit`, up to
        rounding, if the first parts have at least 256 rows.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, and the same gallery in every call, because it is not stored.
        gallerybank : array-like of shape (n_gallerybank, n_features) or \
                (n_gallerybank, n_gallery), default=None
            As in `fit`; None adds no items.

        Returns
        -------
        self : DualNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            As in `fit`; also if a parameter that `fit` depends on has changed since the
            first call.
        """
        metric = resolve_metric(self.metric, querybank, gallery)
        with unchanged_on_error(self):
            self._check_parameters()
            self._check_gallery(gallery, gallerybank, metric)
            queries = self._current("query") or self._new("query")
            queries.partial_fit(querybank, gallery)
            items = self._current("gallery")
            if gallerybank is not None:
                items = items or self._new("gallery")
                items.partial_fit(gallerybank, _embeddings(gallery, metric))
            self._finalize(queries, items)
        return self

    def add_gallery(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Append gallery items without comparing the known items again.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_new)
            The complete querybank that was fitted, in the same order: embeddings, or
            similarities to the new items.
        gallery : array-like of shape (n_new, n_features), default=None
            Embeddings of the new items, as in `fit`.
        gallerybank : array-like of shape (n_gallerybank, n_features) or \
                (n_gallerybank, n_new), default=None
            The complete gallery bank, likewise; None if there was none.

        Returns
        -------
        self : DualNormalizer
            The normalizer, fitted to the larger gallery.

        Raises
        ------
        ValueError
            As in `fit`; also if a bank has another number of rows.
        """
        check_is_fitted(self)
        metric = resolve_metric(self.metric, querybank, gallery)
        with unchanged_on_error(self):
            self._check_gallery(gallery, gallerybank, metric)
            queries = self._current("query").add_gallery(querybank, gallery)
            items = self._current("gallery")
            if (items is None) != (gallerybank is None):
                n_items = 0 if items is None else items.n_bank_seen_
                got = "None" if gallerybank is None else "one"
                raise ValueError(
                    f"gallerybank must be the complete gallery bank that was fitted, "
                    f"with {n_items} items, got {got}; pass all of its items, or None "
                    "if there was none."
                )
            if items is not None:
                items.add_gallery(gallerybank, gallery)
            self._finalize(queries, items)
        return self

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Remove gallery items; the items behind them move up.

        Parameters
        ----------
        items : array-like of shape (n_removed,)
            Gallery indices or names of the items to remove, or a boolean mask of shape
            (n_gallery,).
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_left)
            The complete querybank, in the same order: embeddings, or similarities to
            the remaining items. Required by `DualDynamicInvertedSoftmax` if the bank
            retrieved a removed item.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the remaining items, to compare with the banks.
        gallerybank : array-like of shape (n_gallerybank, n_features) or \
                (n_gallerybank, n_left), default=None
            The complete gallery bank, required likewise.

        Returns
        -------
        self : DualNormalizer
            The normalizer, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If an item is not in the gallery, no item remains, or a bank is required and
            missing.
        """
        check_is_fitted(self)
        with unchanged_on_error(self):
            queries = self._current("query")
            queries.remove_gallery(items, querybank, gallery)
            others = self._current("gallery")
            if others is not None:
                others.remove_gallery(items, gallerybank, gallery)
            self._finalize(queries, others)
        return self

    def _new(self, side):
        """Return the unfitted normalizer of one bank."""
        normalizer = self._bank_class(**self._settings(side))
        normalizer._bank_name = f"{side}bank"
        normalizer._scale_factor = _SCALE_FACTORS[side]
        normalizer._beta_name = f"beta_{side}"
        return normalizer

    def _current(self, side):
        """Return a copy of the fitted normalizer of one bank, or None."""
        known = getattr(self, f"{side}bank_normalizer_", None)
        if known is None:
            return None
        return copy.copy(known).set_params(**self._settings(side))

    def _settings(self, side):
        names = ("metric", "n_jobs", "verbose")
        settings = {name: getattr(self, name) for name in names}
        return {"beta": getattr(self, f"beta_{side}"), **settings}

    def _finalize(self, queries, items):
        """Store both normalizers and set all fitted attributes."""
        if items is not None:
            if not queries._bank.has_gallery_of(items._bank):
                raise ValueError(
                    "gallerybank must be compared with the same gallery as querybank, "
                    f"with {queries.n_features_in_} items, got {items.n_features_in_} "
                    "items or other names; pass the similarities of both banks to the "
                    "same items in the same order."
                )
            if queries.metric_ != "precomputed":  # an iterator names items only once
                items._bank = replace(items._bank, names=queries._bank.names)
            items._finalize(items._bank)  # with the parameters now
        self.querybank_normalizer_, self.gallerybank_normalizer_ = queries, items
        self.metric_ = queries.metric_
        self.n_bank_seen_ = queries.n_bank_seen_
        self.n_gallerybank_seen_ = 0 if items is None else items.n_bank_seen_
        bank = queries._bank
        set_gallery_attributes(self, bank.n_gallery, bank.names, bank.n_features)
        self.gallery_bias_ = self._biases().sum(axis=0)
        self._set_home(bank.home)

    def _biases(self):
        """Return the bias of each bank, shape (2, n_gallery)."""
        queries, items = self.querybank_normalizer_, self.gallerybank_normalizer_
        if items is None:
            of_queries = to_numpy(queries.gallery_bias_)
            return np.stack([of_queries, 0 * of_queries])
        betas = np.array([[queries.beta_], [items.beta_]])
        both = queries.gallery_bias_, items.gallery_bias_
        biases = np.stack([to_numpy(bias) for bias in both])
        return betas / betas.sum() * biases

    def _check_parameters(self):
        for name in ("beta_query", "beta_gallery"):
            check_beta(getattr(self, name), name, _ADVICE)
        check_alpha(self.alpha)

    def _check_gallery(self, gallery, gallerybank, metric):
        if metric == "precomputed":
            return
        check_gallery_given(self, gallery, metric)
        if isinstance(gallery, Iterator) and gallerybank is not None:
            raise ValueError(
                "gallery must be a matrix because both banks read it, got an iterator; "
                "pass a matrix or a numpy.memmap."
            )

    def _fit_warnings(self):
        for normalizer in (self.querybank_normalizer_, self.gallerybank_normalizer_):
            if normalizer is not None:
                yield from normalizer._fit_warnings()


def _embeddings(gallery, metric):
    """Return the gallery, or None if it holds labels of the querybank rows."""
    return None if metric == "precomputed" else gallery
