"""The last step of a retrieval Pipeline: read the best items off the scores."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import (
    check_count,
    check_features,
    check_unmasked,
    warn_caller,
)
from sk_qbnorm.metrics import Relevance, recall_at_k


class NearestNeighborScorer(BaseEstimator):
    """Retrieve the best gallery items of each query from a matrix of scores.

    Nothing is learnt; `fit` only sees how large the gallery is.

    Parameters
    ----------
    n_neighbors : int, default=1
        How many items a query is given, >= 1, and the k of the recall in `score`.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery. If given, `predict` returns labels and `score`
        expects them.
    n_jobs : int, default=None
        Number of threads; None means 1 outside of `joblib.parallel_config`, -1 all
        processors. The result does not depend on it.

    Attributes
    ----------
    n_neighbors_ : int
        `n_neighbors`, or the size of the gallery where that is smaller.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where `fit` was given a dataframe.

    See Also
    --------
    sk_qbnorm.metrics.recall_scorer : Recall at another k for `GridSearchCV`.

    Notes
    -----
    Ties: larger score first, then the smaller gallery index; `score` uses the careful
    rule of `recall_at_k` instead.

    Examples
    --------
    A Pipeline whose first step, `GallerySimilarity`, holds the gallery, and whose
    `fit` takes the querybank:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sk_qbnorm import (
    ...     DynamicInvertedSoftmax, GallerySimilarity, NearestNeighborScorer
    ... )
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> data = load_emoji_names_hi_en()
    >>> pipeline = make_pipeline(
    ...     GallerySimilarity(data.gallery),
    ...     DynamicInvertedSoftmax(metric="precomputed"),
    ...     NearestNeighborScorer(),
    ... )
    >>> pipeline.fit(data.bank_queries).score(data.queries, data.relevant)
    0.615...
    """

    def __init__(
        self,
        n_neighbors: int = 1,
        gallery_labels: ArrayLike | None = None,
        *,
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.gallery_labels = gallery_labels
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the size of the gallery.

        Parameters
        ----------
        X : array-like of shape (n_bank, n_gallery)
            Scores of any queries, such as the bank's.
        y : Ignored
            Not used; here for the API's sake.

        Returns
        -------
        self : NearestNeighborScorer
            The fitted estimator.

        Raises
        ------
        ValueError
            If `n_neighbors` is no integer >= 1, `X` is no finite matrix, or
            `gallery_labels` has another length than the gallery.
        """
        check_count(self.n_neighbors, "n_neighbors")
        n_gallery = check_features(self, X, "scores", reset=True).shape[1]
        self.n_neighbors_ = min(int(self.n_neighbors), n_gallery)
        if self.n_neighbors_ < self.n_neighbors:
            warn_caller(
                f"n_neighbors={self.n_neighbors} is more than the {n_gallery} items of "
                f"the gallery: {n_gallery} are used."
            )
        if self.gallery_labels is not None:
            self._check_labels(n_gallery)
        return self

    def kneighbors(
        self, X: ArrayLike, n_neighbors: int | None = None
    ) -> tuple[NDArray, NDArray]:
        """Return the best gallery items of each query, best first.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_gallery)
            Scores, larger for better.
        n_neighbors : int, default=None
            How many items, in [1, n_gallery]; None for that of the constructor.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_neighbors)
            Their scores, descending, in the dtype of `X`.
        indices : ndarray of shape (n_queries, n_neighbors), dtype int64
            Their places in the gallery.
        """
        X = self.decision_function(X)
        k = self.n_neighbors_
        if n_neighbors is not None:
            k = check_count(n_neighbors, "n_neighbors", largest=X.shape[1])
        n_threads = count_threads(self.n_jobs)
        return _kernels.best_items(X, k, n_threads)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the best gallery item of each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_gallery)
            Scores, larger for better.

        Returns
        -------
        best : ndarray of shape (n_queries,)
            Its index, or its label where there are `gallery_labels`.
        """
        best = self.decision_function(X).argmax(axis=1)
        if self.gallery_labels is None:
            return best
        return self._check_labels(self.n_features_in_)[best]

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return the scores of all gallery items, as they came.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_gallery)
            Scores, larger for better.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_gallery)
            The same scores; through a Pipeline, what its other steps made of `X`.
        """
        check_is_fitted(self)
        return check_features(self, X, "scores", reset=False)

    def score(self, X: ArrayLike, y: Relevance) -> float:
        """Return the recall at `n_neighbors`.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_gallery)
            Scores, larger for better.
        y : array-like, list of array-like or sparse matrix
            The relevant items in any form that `recall_at_k` takes; labels of the
            queries where there are `gallery_labels`.

        Returns
        -------
        recall : float
            In [0, 1].
        """
        scores = self.decision_function(X)
        options = {"k": self.n_neighbors_, "gallery_labels": self.gallery_labels}
        return recall_at_k(y, scores, **options)

    def _check_labels(self, n_gallery):
        check_unmasked(self.gallery_labels, "gallery_labels")
        labels = np.asarray(self.gallery_labels)
        if labels.shape != (n_gallery,):
            raise ValueError(
                f"gallery_labels must have one label an item of the gallery, expected "
                f"shape ({n_gallery},), got {labels.shape}."
            )
        return labels
