"""What every normalizer does with what it has learnt."""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_features

from ._shortlist import rescored

_BLOCK_ROWS = 256


class BaseNormalizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator, ABC):
    """Probe the gallery with a bank once; correct the queries that come later.

    Subclasses give ``fit``, ``_check_parameters`` and ``_correction``. The features of
    a normalizer are the gallery items.
    """

    @abstractmethod
    def fit(self, querybank: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Probe the gallery with a querybank."""

    def transform(self, query_sims: ArrayLike) -> NDArray:
        """Correct the similarities of queries to the gallery.

        Parameters
        ----------
        query_sims : array-like of shape (n_queries, n_gallery)
            Similarities, larger for more similar, on the scale of the bank's.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_gallery)
            Corrected scores, larger for better; float32 if `query_sims` is, else
            float64. Each row depends on its own query alone.

        Raises
        ------
        ValueError
            If `query_sims` is not a finite matrix with one column a gallery item.
        """
        sims = self._check_sims(query_sims)
        in_place = not self.copy and sims.flags.writeable
        scores = sims if in_place else np.empty(sims.shape, dtype=sims.dtype)
        n_threads = count_threads(self.n_jobs)
        correction = self._correction()
        if sims.flags.c_contiguous:
            correction.apply(sims, scores, n_threads)
            return scores
        for rows in gen_batches(sims.shape[0], _BLOCK_ROWS):
            block = np.ascontiguousarray(sims[rows])
            correction.apply(block, block, n_threads)
            scores[rows] = block
        return scores

    def fit_transform(
        self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: ArrayLike
    ) -> NDArray:
        """Fit to the bank's similarities and return them corrected.

        Parameters
        ----------
        X : array-like of shape (n_bank, n_gallery)
            The bank's similarities to the gallery.
        y : array-like of shape (n_bank,), default=None
            As `fit` takes it from a Pipeline: where it is -1 for some rows, these alone
            are the bank. All rows are corrected.
        **fit_params : dict
            What else `fit` is given, such as the `gallerybank` of normalizers of two
            banks.

        Returns
        -------
        scores : ndarray of shape (n_bank, n_gallery)
            The corrected similarities of the bank itself.

        Raises
        ------
        ValueError
            If ``metric`` is not ``"precomputed"``.
        """
        if self.metric != "precomputed":
            raise ValueError(
                f"fit_transform, and so a Pipeline, hands {type(self).__name__} "
                f"similarities, but metric={self.metric!r} expects embeddings; set "
                'metric="precomputed", or call fit(querybank, gallery) and then '
                "transform(query_sims)."
            )
        return self.fit(X, y, **fit_params).transform(X)

    def rescore(
        self,
        scores: ArrayLike | sparse.sparray | sparse.spmatrix,
        indices: ArrayLike | None = None,
    ) -> tuple[NDArray, NDArray] | sparse.sparray:
        """Correct the candidates that a search engine returned, and put them in order.

        The whole row is not needed: what `transform` would make of each candidate is
        known from its own similarity, where the shortlist holds the query's most
        similar item (for a gate, as of `DynamicInvertedSoftmax`) and its `n_neighbors`
        most similar (`CSLS`, where it moves all candidates of a query alike). Of
        `GloballyCorrected`, scores are places among the candidates.

        Parameters
        ----------
        scores : array-like of shape (n_queries, n_candidates) or sparse matrix
            Similarities of the candidates, larger for more similar, on the scale of the
            bank's. A sparse matrix of shape (n_queries, n_gallery) stores those of the
            candidates, zeros included, and nothing else.
        indices : array-like of int of shape (n_queries, n_candidates), default=None
            Which gallery items they are, -1 for none, as engines fill up rows that are
            too short. None for a sparse matrix.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_candidates)
            Corrected scores, descending; minus infinity for no candidate.
        indices : ndarray of shape (n_queries, n_candidates), dtype int64
            The gallery items they belong to. For a sparse matrix, in place of both, a
            CSR array with the entries of each row in the order of their scores.

        Raises
        ------
        ValueError
            If a similarity is not finite, the two differ in shape, or an index is not
            in the gallery or twice in a row.

        See Also
        --------
        sk_qbnorm.QuerybankRetriever : Searches all of the gallery.

        Examples
        --------
        >>> from sk_qbnorm import InvertedSoftmax
        >>> bank_sims = [[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]]  # item 0 is a hub
        >>> normalizer = InvertedSoftmax(metric="precomputed").fit(bank_sims)
        >>> scores, indices = normalizer.rescore([[0.8, 0.6]], [[0, 2]])
        >>> indices
        array([[2, 0]])
        """
        return rescored(correction_of(self), scores, indices, self.n_features_in_)

    def _check_sims(self, query_sims):
        """Return similarities to correct, once they and the parameters make sense."""
        check_is_fitted(self)
        self._check_parameters()
        return check_features(
            self,
            query_sims,
            "query_sims",
            reset=False,
            n_jobs=self.n_jobs,
            # Whoever has embeddings has no dataframe of similarities.
            names_required=self.metric == "precomputed",
        )

    @abstractmethod
    def _check_parameters(self):
        """Raise if a parameter is out of range."""

    def _check_joinable(self):
        """Raise if what was learnt cannot be joined with what comes later."""

    def _doubts(self):
        """Yield messages, and their kind, where `fit` could not do what was asked."""
        yield from ()

    @abstractmethod
    def _correction(self):
        """Return what there is to do to similarities, one of those in `corrections`."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def correction_of(normalizer):
    """Return what a fitted normalizer does to similarities, by its parameters now."""
    check_is_fitted(normalizer)
    normalizer._check_parameters()
    return normalizer._correction()
