"""The base classes of all normalizers, and the recipe for a new one."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._arrays import ArraysMixin, is_foreign
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import (
    check_features,
    check_matrix,
    item_positions,
    remaining_items,
    shape_of,
    unchanged_on_error,
    warn_caller,
)
from sk_qbnorm.tiles import resolve_metric

from ._accumulate import BankAccumulator
from ._rescore import rescored, with_added_names

_BLOCK_ROWS = 256


def fits_in_parts(normalizer):
    """Return True, or raise if the statistics of parts cannot be merged."""
    if not normalizer._fits_in_parts:
        raise AttributeError(
            f"{type(normalizer).__name__} has no partial_fit with these parameters, "
            "because its biases depend on the whole querybank at once; call fit with "
            "all bank queries, which may be a numpy.memmap or a Dask array."
        )
    return True


class BaseNormalizer(
    ArraysMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator, ABC
):
    """Correct similarities by what `fit` has learned from a querybank.

    The base class of everything that can be used as a normalizer. To write a new one,
    subclass `BankNormalizer`.
    """

    _needs_a_bank = True  # whether `fit` refuses None for a bank

    @abstractmethod
    def fit(self, querybank: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Learn the correction of each gallery item from a querybank."""

    @abstractmethod
    def _fit(self, querybank, gallery, metric, gallerybank=None, *, warn=True):
        """Fit as `fit` does, with the metric resolved."""

    def transform(self, query_sims: ArrayLike) -> NDArray:
        """Correct the similarities of queries to the gallery.

        Parameters
        ----------
        query_sims : array-like of shape (n_queries, n_gallery)
            Similarities (larger is more similar), on the same scale as those of the
            querybank.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_gallery)
            Corrected scores (larger is better). float32 if `query_sims` is float32,
            else float64. Each row depends only on its own query. With the option
            ``array_api_dispatch`` of scikit-learn, an array of the library and device
            of `query_sims`.

        Raises
        ------
        ValueError
            If `query_sims` is not a finite matrix with one column per gallery item, for
            example because it holds embeddings. Use `pairwise_similarity` to compare
            embeddings first, or `QuerybankRetriever` to search with them.
        """
        sims = self._check_sims(query_sims)
        if is_foreign(sims):
            return self._correction().corrected(sims)
        in_place = not self.copy and sims.flags.writeable
        scores = sims if in_place else np.empty(sims.shape, dtype=sims.dtype)
        n_threads = count_threads(self.n_jobs)
        correction = self._correction()
        if sims.flags.c_contiguous:
            correction.apply(sims, scores, n_threads)
            return scores
        for rows in gen_batches(sims.shape[0], _BLOCK_ROWS):
            block = np.array(sims[rows], order="C")  # a copy, also of a single row
            correction.apply(block, block, n_threads)
            scores[rows] = block
        return scores

    def fit_transform(
        self, X: ArrayLike, y: object = None, **fit_params: ArrayLike
    ) -> NDArray:
        """Fit to the similarities of the querybank and return them corrected.

        Parameters
        ----------
        X : array-like of shape (n_bank, n_gallery)
            Similarities of the querybank to the gallery, whatever `metric` is.
        y : array-like of shape (n_bank,), default=None
            Labels that a Pipeline passes. If it marks some rows by -1, only these rows
            are the querybank. All rows are corrected.
        **fit_params : dict
            Other arguments of `fit`, such as `gallerybank`.

        Returns
        -------
        scores : ndarray of shape (n_bank, n_gallery)
            Corrected similarities of the querybank.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        unknown = fit_params.keys() - inspect.signature(self.fit).parameters.keys()
        if unknown:
            raise TypeError(
                f"{type(self).__name__}.fit() got an unexpected argument "
                f"{min(unknown)!r}."
            )
        return self._fit(X, y, "precomputed", **fit_params).transform(X)

    def rescore(
        self,
        scores: ArrayLike | sparse.sparray | sparse.spmatrix,
        indices: ArrayLike | None = None,
        *,
        added: Mapping | None = None,
        return_names: bool = False,
    ) -> tuple[NDArray, NDArray] | sparse.sparray:
        """Correct and sort the candidates that a search engine has returned.

        Each candidate gets the score that `transform` gives it, if the shortlist
        contains the most similar item of the query (needed by dynamic normalizers) and
        its `n_neighbors` most similar items (`CSLS`; otherwise all candidates of a
        query shift alike). The scores of `GloballyCorrected` are ranks within the
        shortlist.

        Parameters
        ----------
        scores : array-like of shape (n_queries, n_candidates) or sparse matrix
            Similarities of the candidates (larger is more similar), on the same scale
            as those of the querybank. A sparse matrix of shape (n_queries, n_gallery)
            stores the candidates as its explicit entries. Lists of lists may have rows
            of different lengths.
        indices : array-like of shape (n_queries, n_candidates), default=None
            Gallery index of each candidate, -1 for no candidate; or its name, None for
            no candidate, if the gallery items have names. Must be None if `scores` is
            sparse.
        added : mapping from name to bias, default=None
            Items that were added to the index or replaced after `fit`, with the bias
            that `bias_of` returns. They are not in an activation set.
        return_names : bool, default=False
            Whether to return the names of the items instead of their indices.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_candidates)
            Corrected scores, descending; minus infinity for no candidate.
        indices : ndarray of shape (n_queries, n_candidates)
            Gallery indices of these scores, of dtype int64, -1 for no candidate, or
            names of dtype object, None for no candidate. Added items follow the
            gallery. For a sparse matrix, a single CSR array is returned instead, with
            the entries of each row sorted by score.

        Raises
        ------
        ValueError
            If a similarity is not finite, the shapes differ, an index is outside of the
            gallery or repeated in a row, or the normalizer has no single bias per item
            and items were added.

        See Also
        --------
        sk_qbnorm.QuerybankRetriever : Search the whole gallery.
        sk_qbnorm.indexes.candidate_arrays : Make arrays of an engine's rows.

        Examples
        --------
        >>> from sk_qbnorm import InvertedSoftmax
        >>> bank_sims = [[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]]  # item 0 is a hub
        >>> normalizer = InvertedSoftmax().fit(bank_sims)
        >>> scores, indices = normalizer.rescore([[0.8, 0.6]], [[0, 2]])
        >>> indices
        array([[2, 0]])
        """
        names = getattr(self, "gallery_names_", None)
        correction, n_gallery = correction_of(self), self.n_features_in_
        if added:
            correction = correction.append_items(np.array([*added.values()], float))
            names = with_added_names(names, n_gallery, added)
            n_gallery += len(added)
        return rescored(correction, scores, indices, n_gallery, names, return_names)

    def get_feature_names_out(self, input_features: object = None) -> NDArray:
        """Return the names of the gallery items, which are the output columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Checked against the names known from `fit`.

        Returns
        -------
        names : ndarray of shape (n_gallery,), dtype object
            Names of the gallery items; ``"x0"``, ``"x1"``, ... if they have none.
        """
        names = getattr(self, "gallery_names_", None)
        if names is not None and input_features is None:
            return names
        return super().get_feature_names_out(input_features)

    def _check_sims(self, query_sims):
        """Return similarities as a checked matrix, once the parameters are checked."""
        check_is_fitted(self)
        self._check_parameters()
        self._check_home(query_sims, "transform")
        self._check_not_embeddings(query_sims)
        return check_features(
            self,
            query_sims,
            "query_sims",
            reset=False,
            n_jobs=self.n_jobs,
            # Queries given as embeddings have no dataframe of similarities.
            names_required=self.metric_ == "precomputed",
        )

    def _check_not_embeddings(self, query_sims):
        width, n_gallery = self._n_dimensions, self.n_features_in_
        if width is None or shape_of(query_sims)[1:] != (width,):
            return
        advice = (
            "compare them first with pairwise_similarity(queries, gallery), or search "
            "with QuerybankRetriever"
        )
        if width != n_gallery:
            raise ValueError(
                f"query_sims must hold similarities to the {n_gallery} gallery items, "
                f"got {width} columns, the dimension of the embeddings; {advice}. "
                f"(X has {width} features, but {type(self).__name__} is expecting "
                f"{n_gallery} features as input.)"
            )
        if self.metric_ != "cosine":
            return
        sims = check_matrix(query_sims, "query_sims")
        if np.abs(sims).max() > 1 + 1e-3:
            raise ValueError(
                f"query_sims must hold cosine similarities in [-1, 1], got "
                f"{np.abs(sims).max():.6g}; if these are embeddings, {advice}."
            )
        lengths = np.linalg.norm(sims, axis=1)
        if len(sims) > 1 and np.abs(lengths - 1).max() < 1e-3:
            warn_caller(
                "All rows of query_sims have length 1, as embeddings do, but transform "
                f"takes similarities. If these are embeddings, {advice}."
            )

    @abstractmethod
    def _check_parameters(self):
        """Raise if a parameter is out of range."""

    @abstractmethod
    def _correction(self):
        """Return the correction, an object from `sk_qbnorm.corrections`."""

    def _fit_warnings(self):
        """Yield a message and a category for each thing that `fit` warns about."""
        yield from ()

    def _warn(self):
        for message, category in dict.fromkeys(self._fit_warnings()):
            warn_caller(message, category)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class BankNormalizer(BaseNormalizer):
    """Learn from a querybank; bank and gallery can change later.

    This is the recipe that all normalizers of one bank follow. A subclass stores its
    parameters in ``__init__``, among them `metric`, `copy`, `n_jobs` and `verbose`, and
    fills four hooks:

    - ``_check_parameters()`` raises a `ValueError` if a parameter is out of range.
    - ``_statistics(tiles, spread)`` returns a dict of new statistics for these tiles,
      of those in `sk_qbnorm.statistics`. Call ``spread()`` for the standard deviation
      of the similarities.
    - ``_set_fitted_attributes(bank)`` sets the attributes of the subclass from
      ``bank[name].value()``.
    - ``_correction()`` returns one of the corrections in `sk_qbnorm.corrections`.

    Everything else is inherited: querybanks in chunks, on disk, sparse or in Dask,
    changing galleries, search, shortlists and names.

    See Also
    --------
    sk_qbnorm.normalizers.AdditiveNormalizer : If the correction is a bias per item.
    sk_qbnorm.GloballyCorrected : A subclass that corrects by rank.

    Examples
    --------
    >>> from sk_qbnorm.corrections import Additive
    >>> from sk_qbnorm.normalizers import BankNormalizer
    >>> from sk_qbnorm.statistics import TopMean
    >>> class PeakNormalizer(BankNormalizer):
    ...     def __init__(self, *, metric=None, copy=True, n_jobs=None, verbose=False):
    ...         self.metric, self.copy = metric, copy
    ...         self.n_jobs, self.verbose = n_jobs, verbose
    ...
    ...     def _check_parameters(self):
    ...         pass
    ...
    ...     def _statistics(self, tiles, spread):
    ...         return {"peak": TopMean(tiles, 1)}
    ...
    ...     def _set_fitted_attributes(self, bank):
    ...         self.peak_ = bank["peak"].value()
    ...
    ...     def _correction(self):
    ...         return Additive(self.peak_)
    >>> normalizer = PeakNormalizer().fit([[0.9, 0.1], [0.7, 0.2]])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.1,  0.4]])
    """

    _bank_name = "querybank"  # in error messages
    _fits_in_parts = True  # whether the statistics of two banks can be merged

    def fit(self, querybank: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Learn the correction of each gallery item from a querybank.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank queries if `gallery` is passed, otherwise their
            similarities to the gallery. Dense, sparse, a `numpy.memmap`, a Dask array,
            or an iterator of such matrices with some of the queries each. Arrays of
            other libraries stay where they are if scikit-learn dispatches.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, in the same forms. The index of a dataframe names
            the items. One-dimensional input holds the labels `y` that a Pipeline
            passes: it is ignored, but if it marks some rows by -1, only these rows are
            the querybank.

        Returns
        -------
        self : BankNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, an input is not a finite matrix, or the
            gallery is missing or does not match the querybank.
        """
        metric = resolve_metric(self.metric, querybank, gallery)
        return self._fit(querybank, gallery, metric)

    def _fit(self, querybank, gallery, metric, gallerybank=None, *, warn=True):
        with unchanged_on_error(self):  # also if warnings are errors
            vars(self).pop("_bank", None)
            self._finalize(self._accumulate(querybank, gallery, metric, gallerybank))
            if warn:
                self._warn()
        return self

    @available_if(fits_in_parts)
    def partial_fit(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Add queries to the querybank.

        Splitting a bank over several calls gives the result of one `fit`, up to
        rounding, if the first call has at least 256 queries; ``beta="scale"`` is set
        by the first 256. `partial_fit` does not warn; check the fitted attributes.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, and the same gallery in every call, because it is not stored.

        Returns
        -------
        self : BankNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            As in `fit`; also if a parameter that `fit` depends on has changed since the
            first call.
        """
        return self._partial_fit(querybank, gallery)

    def _partial_fit(self, querybank, gallery, gallerybank=None):
        metric = resolve_metric(self.metric, querybank, gallery)
        with unchanged_on_error(self):
            known = getattr(self, "_bank", None)
            bank = self._accumulate(querybank, gallery, metric, gallerybank, known)
            self._finalize(bank if known is None else known.merge(bank))
        return self

    def add_gallery(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Append gallery items without comparing the known items again.

        The result is that of a `fit` to the whole gallery, except that ``"scale"``
        keeps the `beta` of the first fit, and `SinkhornNormalizer` keeps its balance.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_new)
            The complete bank that was fitted, in the same order: embeddings, or
            similarities to the new items.
        gallery : array-like of shape (n_new, n_features), default=None
            Embeddings of the new items, as in `fit`.

        Returns
        -------
        self : BankNormalizer
            The normalizer, fitted to the larger gallery.

        Raises
        ------
        ValueError
            As in `fit`; also if the bank has another number of queries, only some of
            the items have names, or a parameter that `fit` depends on has changed.
        """
        check_is_fitted(self)
        metric = resolve_metric(self.metric, querybank, gallery)
        with unchanged_on_error(self):
            known = self._bank
            self._finalize(
                known.append_items(
                    self._accumulate(querybank, gallery, metric, None, known, False)
                )
            )
        return self

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
    ) -> Self:
        """Remove gallery items; the items behind them move up.

        The result is that of a `fit` to the remaining gallery, except that ``"scale"``
        keeps the `beta` of the first fit, and `SinkhornNormalizer` keeps its balance.
        Only dynamic normalizers compare anything
        again: the bank queries that retrieved a removed item.

        Parameters
        ----------
        items : array-like of shape (n_removed,)
            Gallery indices or names of the items to remove, or a boolean mask of shape
            (n_gallery,).
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_left)
            The complete bank, in the same order: embeddings, or similarities to the
            remaining items. Required by dynamic normalizers if the bank retrieved a
            removed item, ignored otherwise.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the remaining items, to compare with `querybank`.

        Returns
        -------
        self : BankNormalizer
            The normalizer, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If an item is not in the gallery, no item remains, or the bank or the
            gallery is required and missing.
        """
        check_is_fitted(self)
        names = self.gallery_names_
        left = remaining_items(item_positions(items, names), self.n_features_in_)
        with unchanged_on_error(self):
            self._finalize(self._bank_of_items(left, querybank, gallery))
        return self

    def _bank_of_items(self, left, querybank, gallery):
        """Return the bank of the remaining gallery items."""
        bank = self._bank.take_items(left)
        rows = bank.incomplete_rows()
        if rows.size == 0:
            return bank
        again = self._retrieve_again(bank, rows, querybank, gallery)
        return bank.complete_rows(rows, again)

    def _retrieve_again(self, bank, rows, querybank, gallery):
        """Return the bank of the rows that have lost an item."""
        if querybank is None:
            raise ValueError(
                f"{self._bank_name} is required to remove these items, because "
                f"{rows.size} of its queries retrieved them, got None; pass the "
                "complete bank, and the remaining gallery if they are embeddings."
            )
        metric = resolve_metric(self.metric, querybank, gallery)
        accumulator = BankAccumulator(self, metric, known=bank, new_items=True)
        again = accumulator.of_rows(rows, querybank, gallery)
        if again.n_gallery != bank.n_gallery:
            raise ValueError(
                f"gallery must hold the {bank.n_gallery} remaining items, got "
                f"{again.n_gallery}."
            )
        return again

    def _accumulate(
        self, querybank, gallery, metric, gallerybank=None, known=None, same_items=True
    ):
        """Return the `Bank` of a querybank; `same_items` as those of the known bank."""
        self._check_parameters()
        accumulator = BankAccumulator(
            self,
            metric,
            known=known,
            new_items=known is not None and not same_items,
            gallerybank=gallerybank,
        )
        if metric != "precomputed":
            return accumulator.of_embeddings(querybank, gallery)
        if same_items:
            return accumulator.of_similarities(querybank, gallery, estimator=self)
        return accumulator.of_similarities(querybank)

    def _finalize(self, bank):
        """Store the bank and set all fitted attributes."""
        self._bank = bank
        self.metric_ = bank.settings["metric"]
        self.n_bank_seen_ = bank.n_bank
        set_gallery_attributes(self, bank.n_gallery, bank.names, bank.n_features)
        self._set_fitted_attributes(bank)
        self._set_home(bank.home)

    @abstractmethod
    def _statistics(self, tiles, spread):
        """Return a dict of new statistics for these tiles."""

    @abstractmethod
    def _set_fitted_attributes(self, bank):
        """Set the fitted attributes of the subclass."""


def set_gallery_attributes(normalizer, n_gallery, names, n_dimensions):
    """Set the fitted attributes that describe the gallery."""
    normalizer.n_features_in_ = n_gallery
    normalizer.gallery_names_ = names
    normalizer._n_dimensions = n_dimensions
    vars(normalizer).pop("feature_names_in_", None)
    if names is not None and all(isinstance(name, str) for name in names):
        normalizer.feature_names_in_ = names


def correction_of(normalizer):
    """Return the correction of a fitted normalizer, with its current parameters."""
    check_is_fitted(normalizer)
    normalizer._check_parameters()
    return normalizer._correction()
