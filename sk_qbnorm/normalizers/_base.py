"""The base class of all normalizers."""

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
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._arrays import ArraysMixin, is_foreign
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import (
    check_features,
    check_matrix,
    shape_of,
    warn_caller,
)

from ._rescore import rescored, with_added_names

_BLOCK_ROWS = 256


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
