"""Two banks for one gallery: of queries, and of other items."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._validation import (
    check_beta,
    check_number,
    unchanged_on_error,
    warn_caller,
)

from ._augmenting import Augmenting
from ._inverted_softmax import InvertedSoftmax
from ._probing import check_gallery_given

_ADVICE = "take as much as for cosine similarities, some 20, or less"


class DualNormalizer(Augmenting):
    """Let one normalizer learn from a querybank, and one from a gallery bank.

    Subclasses give the class of both, ``_factor_class``, and what to do with them,
    ``_correction``. Each of the two factors of a ratio is a normalizer of its own, and
    so all that these can do is done by them.
    """

    _factor_class: ClassVar[type[InvertedSoftmax]]

    querybank_normalizer_: InvertedSoftmax
    gallerybank_normalizer_: InvertedSoftmax | None

    def fit(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Probe the gallery with a querybank, and with a bank of other items.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank's queries, dense, sparse, a `numpy.memmap` or a Dask
            array, or an iterator of such matrices of some queries each. For
            ``metric="precomputed"`` their similarities to the gallery.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery in any of these forms; the index of a dataframe
            names its items. For
            ``metric="precomputed"`` it is ignored, unless it is the `y` of a Pipeline
            that marks rows: where it is -1 for some rows, these alone are the bank.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            Embeddings of items that are not in the gallery, in any of these forms. For
            ``metric="precomputed"`` their similarities to the gallery, of shape
            (n_gallerybank, n_gallery). None leaves the querybank alone.

        Returns
        -------
        self : DualNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, an input is not a finite matrix, the
            gallery is missing or does not match a bank.
        """
        with unchanged_on_error(self):
            self._check_parameters()
            self._check_gallery(gallery, gallerybank)
            queries = self._factor("query").partial_fit(querybank, gallery)
            items = None
            if gallerybank is not None:
                items = self._factor("gallery")
                items.partial_fit(gallerybank, self._gallery_of_items(gallery))
            self._settle(queries, items)
            for message, category in self._doubts():
                warn_caller(message, category)
        return self

    def partial_fit(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Add more queries, and more items, to the banks.

        Any split of the banks over several calls gives what one `fit` gives, to
        rounding; but a `beta` of ``"scale"`` is found from the first.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, and the same gallery each time: it is not kept.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            As in `fit`; None adds no items.

        Returns
        -------
        self : DualNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            As in `fit`; also if a parameter that a bank was probed with has changed
            since the first call.
        """
        with unchanged_on_error(self):
            self._check_parameters()
            self._check_gallery(gallery, gallerybank)
            queries = self._factor_now("query").partial_fit(querybank, gallery)
            items = self._factor_now("gallery")
            if gallerybank is not None:
                items = items or self._factor("gallery")
                items.partial_fit(gallerybank, self._gallery_of_items(gallery))
            self._settle(queries, items)
        return self

    def add_gallery(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Probe more gallery items; they come behind those that are known.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_new)
            All of the querybank that the known items were probed with, in the same
            order: as in `fit`, similarities being those to the new items.
        gallery : array-like of shape (n_new, n_features), default=None
            The new items, as in `fit`.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            All of the gallery bank, likewise; None if there was none.

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
        with unchanged_on_error(self):
            self._check_gallery(gallery, gallerybank)
            queries = self._factor_now("query").add_gallery(querybank, gallery)
            items = self._factor_now("gallery")
            if (items is None) != (gallerybank is None):
                n_items = 0 if items is None else items.n_bank_seen_
                got = "None" if gallerybank is None else "one"
                raise ValueError(
                    f"gallerybank must be the one that the gallery was probed with, of "
                    f"{n_items} items, got {got}; pass all of its items, or None where "
                    "there was none."
                )
            if items is not None:
                items.add_gallery(gallerybank, gallery)
            self._settle(queries, items)
        return self

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Forget gallery items; those behind them move up.

        Parameters
        ----------
        items : array-like of int of shape (n_removed,)
            Indices in the gallery, or a mask of shape (n_gallery,), True for those that
            go.
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_left)
            All of the querybank, in the same order: its embeddings or, for
            ``metric="precomputed"``, its similarities to the items that are left. A
            gate needs it where an item goes that the querybank retrieves.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the items that are left, to go with the banks.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            All of the gallery bank, which a gate needs likewise.

        Returns
        -------
        self : DualNormalizer
            The normalizer, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If an item is not in the gallery, none is left, or a bank is needed and was
            not passed.
        """
        check_is_fitted(self)
        with unchanged_on_error(self):
            queries = self._factor_now("query")
            queries.remove_gallery(items, querybank, gallery)
            others = self._factor_now("gallery")
            if others is not None:
                others.remove_gallery(items, gallerybank, gallery)
            self._settle(queries, others)
        return self

    def _gallery_of_items(self, gallery):
        """Return the gallery without `y`, whose rows are those of the querybank."""
        return None if self.metric == "precomputed" else gallery

    def _settings(self):
        """Return what both factors have set, but for `beta`."""
        return {name: getattr(self, name) for name in ("metric", "n_jobs", "verbose")}

    def _factor(self, side):
        """Return the normalizer that is to learn from the bank of a side."""
        factor = self._factor_class(**self._factor_settings(side))
        factor._bank_name = f"{side}bank"
        return factor

    def _factor_now(self, side):
        """Return a copy of the normalizer that has learnt, with the settings of now."""
        known = getattr(self, f"{side}bank_normalizer_", None)
        if known is None:
            return None if side == "gallery" else self._factor(side)
        return copy.copy(known).set_params(**self._factor_settings(side))

    def _factor_settings(self, side):
        return {"beta": getattr(self, f"beta_{side}"), **self._settings()}

    def _settle(self, queries, items):
        """Keep both normalizers, and what they say together."""
        if items is not None:
            if not queries._bank.has_gallery_of(items._bank):
                raise ValueError(
                    "gallerybank must be compared with the same gallery as querybank, "
                    f"of {queries.n_features_in_} items, got {items.n_features_in_} or "
                    "other names; pass the similarities of both banks to all of it, in "
                    "the same order."
                )
            if self.metric != "precomputed":  # one gallery, named when first shown
                items._bank = replace(items._bank, names=queries._bank.names)
            items._settle()  # by the parameters of now
        self.querybank_normalizer_, self.gallerybank_normalizer_ = queries, items
        self.n_bank_seen_ = queries.n_bank_seen_
        self.n_gallerybank_seen_ = 0 if items is None else items.n_bank_seen_
        self.n_features_in_ = queries.n_features_in_
        vars(self).pop("feature_names_in_", None)
        if hasattr(queries, "feature_names_in_"):
            self.feature_names_in_ = queries.feature_names_in_
        self.gallery_bias_ = self._biases().sum(axis=0)

    def _biases(self):
        """Return what each bank subtracts, shape (2, n_gallery)."""
        queries, items = self.querybank_normalizer_, self.gallerybank_normalizer_
        if items is None:
            return np.stack([queries.gallery_bias_, 0 * queries.gallery_bias_])
        betas = np.array([[queries.beta_], [items.beta_]])
        biases = np.stack([queries.gallery_bias_, items.gallery_bias_])
        return betas / betas.sum() * biases

    def _check_parameters(self):
        for name in ("beta_query", "beta_gallery"):
            check_beta(getattr(self, name), name, _ADVICE)
        check_number(
            self.alpha,
            "alpha",
            positive=False,
            advice="0 corrects nothing and 1 is the paper's value",
        )

    def _check_gallery(self, gallery, gallerybank):
        if self.metric == "precomputed":
            return
        check_gallery_given(self, gallery)
        if isinstance(gallery, Iterator) and gallerybank is not None:
            raise ValueError(
                "The gallery is gone through once for each bank, got an iterator; pass "
                "a matrix or a numpy.memmap."
            )

    def _doubts(self):
        both = [self.querybank_normalizer_, self.gallerybank_normalizer_]
        doubts = [
            doubt for each in both if each is not None for doubt in each._doubts()
        ]
        yield from dict.fromkeys(doubts)  # each once
