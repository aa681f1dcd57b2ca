"""Similarity of queries to a gallery: the function, its blocks, the transformer."""

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from ._embeddings import check_columns, check_embeddings, check_metric, check_widths
from ._validation import (
    check_features,
    check_finite,
    check_matrix,
    float_dtype,
    row_names,
    unchanged_on_error,
    unfitted_twin,
)

Metric = str | Callable[[NDArray, NDArray], ArrayLike]


def pairwise_similarity(
    queries: ArrayLike, gallery: ArrayLike, metric: Metric = "cosine"
) -> NDArray:
    """Compute the similarity of every query to every gallery item.

    Parameters
    ----------
    queries : array-like or sparse matrix of shape (n_queries, n_features)
        Query embeddings.
    gallery : array-like or sparse matrix of shape (n_gallery, n_features)
        Gallery embeddings.
    metric : {"cosine", "dot"} or callable, default="cosine"
        ``"cosine"`` is in [-1, 1] and 0 for a vector of zeros; ``"dot"`` is the inner
        product. A callable is given queries and the whole gallery, as scikit-learn's
        pairwise kernels are, and returns their similarities, larger for more similar;
        queries and gallery may then differ in `n_features`.

    Returns
    -------
    sims : ndarray of shape (n_queries, n_gallery)
        In float32 if both inputs are, else float64.

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
    queries, gallery = _check_both(queries, gallery, metric)
    return _finite(similarity_of(queries, gallery, metric))


def _check_both(queries, gallery, metric):
    check_metric(metric)
    check_columns(queries, gallery, "queries", metric)
    queries = check_embeddings(queries, "queries")
    gallery = check_embeddings(gallery, "gallery")
    check_widths(queries, gallery, "queries", metric)
    return queries, gallery


def _finite(sims):
    """Return similarities, unless the products have left the range of their dtype."""
    check_finite(sims, "the similarities of these embeddings")
    return sims


def similarity_of(queries, gallery, metric):
    """Return the similarities of checked embeddings, compared in one dtype."""
    dtype = float_dtype(queries, gallery)
    queries = queries.astype(dtype, copy=False)
    gallery = gallery.astype(dtype, copy=False)
    if callable(metric):
        return _called(metric, queries, gallery)
    if metric == "cosine":
        queries, gallery = unit_rows(queries), unit_rows(gallery)
    with np.errstate(over="ignore", invalid="ignore"):  # told by the door above
        return safe_sparse_dot(queries, gallery.T, dense_output=True)


def _called(metric, queries, gallery):
    """Return what the user's metric says, once it makes sense."""
    sims = metric(queries, gallery)
    if sparse.issparse(sims):  # as a product of sparse embeddings is
        sims = sims.toarray()
    expected = queries.shape[0], gallery.shape[0]
    if np.shape(sims) != expected:
        raise ValueError(
            "The metric must return one row a query and one column a gallery item, "
            f"expected shape {expected}, got {type(sims).__name__} of {np.shape(sims)}."
        )
    sims = check_matrix(sims, "what the metric returned")
    return sims.astype(float_dtype(queries, gallery), copy=False)


def unit_rows(embeddings, out=None):
    """Return the rows scaled to length 1, in their dtype; rows of zeros stay."""
    if sparse.issparse(embeddings):
        from sklearn.preprocessing import normalize  # which takes long to import

        return normalize(normalize(embeddings, norm="max"))  # no square overflows
    if out is None:
        out = np.empty_like(embeddings)
    with np.errstate(over="ignore", under="ignore"):
        squares = np.einsum("ij,ij->i", embeddings, embeddings)
    limits = np.finfo(embeddings.dtype)
    if not (limits.tiny / limits.eps < squares.min() and squares.max() < np.inf):
        # Zeros, or numbers so large or small that their squares leave the range.
        peaks = np.abs(embeddings).max(axis=1, keepdims=True)
        peaks[peaks == 0] = 1
        embeddings = np.divide(embeddings, peaks, out=out)
        squares = np.einsum("ij,ij->i", embeddings, embeddings)
        squares[squares == 0] = 1
    return np.divide(embeddings, np.sqrt(squares)[:, None], out=out)


class GallerySimilarity(TransformerMixin, BaseEstimator):
    """Turn query embeddings into their similarities to a fixed gallery.

    The first step of a retrieval Pipeline: what follows sees one row a query and one
    column a gallery item.

    Parameters
    ----------
    gallery : array-like or sparse matrix of shape (n_gallery, n_features)
        Gallery embeddings. A dataframe's index, where it holds strings, names the
        gallery items. It is not copied, neither by clones nor by `fit`, as a search
        over parameters fits many: do not change its numbers after `fit`.
    metric : {"cosine", "dot"} or callable, default="cosine"
        As in `pairwise_similarity`.

    Attributes
    ----------
    gallery_ : ndarray or CSR matrix of shape (n_gallery, n_features)
        The gallery as numbers.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        The gallery's index, where it is a dataframe with an index of strings.
    n_features_in_ : int
        Number of features of the queries.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of these features, where `fit` was given a dataframe.

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
        self, gallery: ArrayLike | None = None, metric: Metric = "cosine"
    ) -> None:
        self.gallery = gallery
        self.metric = metric

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check the gallery and the queries against each other.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_queries, n_features)
            Query embeddings; of these only the width is learnt.
        y : Ignored
            Not used; here for the API's sake.

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
                "GallerySimilarity needs the gallery, got None; "
                "pass its embeddings, GallerySimilarity(gallery)."
            )
        with unchanged_on_error(self):
            check_columns(X, self.gallery, "queries", self.metric)
            options = {"reset": True, "check": check_embeddings}
            checked = check_features(self, X, "queries", **options)
            _, self.gallery_ = _check_both(checked, self.gallery, self.metric)
            self.gallery_names_ = row_names(self.gallery)
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
            In float32 if both embeddings are, else float64.
        """
        check_is_fitted(self)
        X = check_features(self, X, "queries", reset=False, check=check_embeddings)
        check_metric(self.metric)
        return _finite(similarity_of(X, self.gallery_, self.metric))

    def get_feature_names_out(self, input_features: object = None) -> NDArray:
        """Return the names of the gallery items.

        Parameters
        ----------
        input_features : Ignored
            Not used; here for the API's sake.

        Returns
        -------
        names : ndarray of shape (n_gallery,), dtype object
            The gallery's own where it is a dataframe with an index of strings, else
            ``"gallery0"``, ``"gallery1"`` and so on.
        """
        check_is_fitted(self)
        if self.gallery_names_ is not None:
            return self.gallery_names_
        names = [f"gallery{item}" for item in range(self.gallery_.shape[0])]
        return np.asarray(names, dtype=object)

    def __sklearn_clone__(self):
        """Share the gallery; keep, by copying, what `set_output` chose."""
        return unfitted_twin(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        return tags
