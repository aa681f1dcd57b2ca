"""Similarities of queries to a gallery, as a function and as a transformer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._arrays import ArraysMixin, home_of
from ._embeddings import check_columns, check_embeddings, check_metric
from ._validation import (
    check_features,
    clone_sharing_data,
    unchanged_on_error,
)
from .tiles import SimilaritySource, whole_matrix

Metric = str | Callable[..., Any]


def pairwise_similarity(
    queries: ArrayLike,
    gallery: ArrayLike,
    metric: Metric = "cosine",
    *,
    n_jobs: int | None = None,
) -> NDArray:
    """Compute the similarity of every query to every gallery item.

    Parameters
    ----------
    queries : array-like or sparse matrix of shape (n_queries, n_features)
        Query embeddings.
    gallery : array-like or sparse matrix of shape (n_gallery, n_features)
        Gallery embeddings.
    metric : {"cosine", "dot"} or callable, default="cosine"
        ``"cosine"`` is in [-1, 1] and 0 for a zero vector; ``"dot"`` is the inner
        product. A callable receives queries and the whole gallery, like scikit-learn's
        pairwise kernels, and returns their similarities (larger is more similar). Then
        queries and gallery may differ in `n_features`.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.

    Returns
    -------
    sims : ndarray of shape (n_queries, n_gallery)
        Similarities: float32 if both inputs are float32, else float64. If both inputs
        are pandas dataframes, a dataframe with the index of `queries` as rows and that
        of `gallery` as columns.

    Raises
    ------
    ValueError
        If an input is not a finite matrix, or the two do not match.

    See Also
    --------
    GallerySimilarity : The same as a step of a Pipeline.

    Examples
    --------
    >>> from sk_qbnorm import pairwise_similarity
    >>> pairwise_similarity([[1.0, 0.0]], [[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    array([[1.        , 0.        , 0.70710678]])
    """
    check_metric(metric)
    source = SimilaritySource(gallery, metric, n_jobs=n_jobs)
    sims = whole_matrix(source.tiles(source.check(queries)), n_jobs)
    frames: Any = (queries, gallery)
    if all(hasattr(frame, "iloc") for frame in frames):
        index, columns = (frame.index for frame in frames)
        return type(frames[0])(sims, index=index, columns=columns)
    return sims


class GallerySimilarity(ArraysMixin, TransformerMixin, BaseEstimator):
    """Transform query embeddings into similarities to a fixed gallery.

    The first step of a retrieval Pipeline: the next step receives one row per query and
    one column per gallery item.

    Parameters
    ----------
    gallery : array-like or sparse matrix of shape (n_gallery, n_features)
        Gallery embeddings. The index of a dataframe names the gallery items. It is not
        copied, and clones share it, so do not change it after `fit`.
    metric : {"cosine", "dot"} or callable, default="cosine"
        As in `pairwise_similarity`.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.

    Attributes
    ----------
    gallery_ : ndarray or CSR matrix of shape (n_gallery, n_features)
        The gallery as numbers.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items: the index of a dataframe, strings or integers.
    n_features_in_ : int
        Number of features of the queries.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of these features, defined if `fit` was given a dataframe.

    See Also
    --------
    pairwise_similarity : The same as a function.
    NearestNeighborScorer : The last step of such a Pipeline.

    Examples
    --------
    >>> from sk_qbnorm import GallerySimilarity
    >>> similarity = GallerySimilarity([[1.0, 0.0], [0.0, 1.0]])
    >>> similarity.fit_transform([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """

    def __init__(
        self,
        gallery: ArrayLike | None = None,
        *,
        metric: Metric = "cosine",
        n_jobs: int | None = None,
    ) -> None:
        self.gallery = gallery
        self.metric = metric
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check the gallery and the queries against each other.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_queries, n_features)
            Query embeddings; only their features are stored.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        self : GallerySimilarity
            The fitted transformer.

        Raises
        ------
        ValueError
            If there is no gallery, or it does not match `X`.
        """
        if self.gallery is None:
            raise ValueError(
                "gallery must be a matrix of embeddings, got None; pass it to the "
                "constructor, GallerySimilarity(gallery)."
            )
        with unchanged_on_error(self):
            check_metric(self.metric)
            check_columns(X, self.gallery, "queries", self.metric)
            options = {"reset": True, "check": check_embeddings}
            checked = check_features(self, X, "queries", **options)
            self._source = SimilaritySource(
                self.gallery, self.metric, n_jobs=self.n_jobs
            )
            self._source.check(checked)
            self._home = home_of(checked)
            self.gallery_ = self._source.gallery.embeddings
            self.gallery_names_ = self._source.names
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """Return the similarities of queries to the gallery.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_queries, n_features)
            Query embeddings.

        Returns
        -------
        sims : ndarray of shape (n_queries, n_gallery)
            Similarities: float32 if both embeddings are float32, else float64.
        """
        check_is_fitted(self)
        self._check_home(X, "transform")
        X = check_features(self, X, "queries", reset=False, check=check_embeddings)
        return whole_matrix(self._source.tiles(X), self.n_jobs)

    def get_feature_names_out(self, input_features: object = None) -> NDArray:
        """Return the names of the gallery items.

        Parameters
        ----------
        input_features : Ignored
            Not used, present for API consistency.

        Returns
        -------
        names : ndarray of shape (n_gallery,), dtype object
            Names of the gallery items, strings or integers; ``"gallery0"``,
            ``"gallery1"``, ... if they have none.
        """
        check_is_fitted(self)
        if self.gallery_names_ is not None:
            return self.gallery_names_
        names = [f"gallery{item}" for item in range(self.gallery_.shape[0])]
        return np.asarray(names, dtype=object)

    def __sklearn_clone__(self):
        """Share the gallery; copy what `set_output` chose."""
        return clone_sharing_data(self, "_source")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        return tags
