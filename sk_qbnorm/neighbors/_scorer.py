"""The last step of a retrieval Pipeline: the best items of each row of scores."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import _arrays
from sk_qbnorm._arrays import ArraysMixin
from sk_qbnorm._bank_rows import (
    check_no_class_is_the_mark,
    labeled_rows,
    take_rows,
)
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import (
    check_count,
    check_features,
    check_unmasked,
    item_names,
    warn_caller,
)
from sk_qbnorm.metrics import Relevance, recall_at_k


class NearestNeighborScorer(ArraysMixin, BaseEstimator):
    """Return the best gallery items of each query from a matrix of scores.

    `fit` only stores the size of the gallery and the names of its items.

    Parameters
    ----------
    n_neighbors : int, default=1
        Number of items per query, >= 1, and the k of the recall in `score`. It can be
        changed after `fit`.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery. If set, `predict` returns labels and `score`
        expects them. -1 is not allowed, because it marks rows of the bank in `y`.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.

    Attributes
    ----------
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items: the columns of a dataframe, strings or integers.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, defined if all of them are strings.

    See Also
    --------
    sk_qbnorm.metrics.recall_scorer : Recall at another k for `GridSearchCV`.

    Notes
    -----
    Of equal scores the smaller gallery index comes first; `score` uses the pessimistic
    tie rule of `recall_at_k` instead.

    Examples
    --------
    A Pipeline whose first step, `GallerySimilarity`, has the gallery, and whose `fit`
    takes the querybank:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sk_qbnorm import (
    ...     DynamicInvertedSoftmax, GallerySimilarity, NearestNeighborScorer
    ... )
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> data = load_emoji_names_hi_en()
    >>> pipeline = make_pipeline(
    ...     GallerySimilarity(data.gallery),
    ...     DynamicInvertedSoftmax(),
    ...     NearestNeighborScorer(),
    ... )
    >>> pipeline.fit(data.bank_queries).score(data.queries, data.relevant)
    0.63...
    """

    def __init__(
        self,
        *,
        n_neighbors: int = 1,
        gallery_labels: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.gallery_labels = gallery_labels
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Store the size of the gallery.

        Parameters
        ----------
        X : array-like of shape (n_bank, n_gallery)
            Scores of any queries, such as those of the querybank.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        self : NearestNeighborScorer
            The fitted estimator.

        Raises
        ------
        ValueError
            If `n_neighbors` is not an integer >= 1, `X` is not a finite matrix, or
            `gallery_labels` does not have one label per item.
        """
        check_count(self.n_neighbors, "n_neighbors")
        n_gallery = check_features(self, X, "scores", reset=True).shape[1]
        self.gallery_names_ = item_names(X, axis=1)
        self._home = _arrays.home_of(X)
        if self.n_neighbors > n_gallery:
            warn_caller(
                f"n_neighbors={self.n_neighbors} exceeds the {n_gallery} gallery "
                f"items; {n_gallery} are returned."
            )
        if self.gallery_labels is not None:
            self._check_labels(n_gallery)
        return self

    def kneighbors(
        self,
        X: ArrayLike,
        n_neighbors: int | None = None,
        *,
        return_names: bool = False,
    ) -> tuple[NDArray, NDArray]:
        """Return the best gallery items of each query, best first.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_gallery)
            Scores (larger is better).
        n_neighbors : int, default=None
            Number of items, in [1, n_gallery]; None for the value of the constructor.
        return_names : bool, default=False
            Whether to return the names of the items instead of their indices.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_neighbors)
            Their scores, descending, in the dtype of `X`.
        indices : ndarray of shape (n_queries, n_neighbors), dtype int64
            Gallery indices, or names of dtype object.
        """
        X = self._scores(X, "kneighbors")
        k = self._count()
        if n_neighbors is not None:
            largest = self.n_features_in_
            k = check_count(n_neighbors, "n_neighbors", largest=largest)
        scores, indices = self._best(X, k)
        found = self._names()[indices] if return_names else _arrays.like(indices, X)
        return _arrays.like(scores, X), found

    def predict(self, X: ArrayLike, *, return_names: bool = False) -> NDArray:
        """Return the best gallery item of each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_gallery)
            Scores (larger is better).
        return_names : bool, default=False
            Whether to return the name of the item instead of its index.

        Returns
        -------
        best : ndarray of shape (n_queries,)
            Gallery index, name, or class label if there are `gallery_labels`.
        """
        X = self._scores(X, "predict")
        best = self._best(X, 1)[1][:, 0]
        if return_names:
            return self._names()[best]
        if self.gallery_labels is not None:
            best = self._check_labels(self.n_features_in_)[best]
        return _arrays.like(best, X) if best.dtype.kind in "biuf" else best

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return the scores of all gallery items, unchanged.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_gallery)
            Scores (larger is better).

        Returns
        -------
        scores : ndarray of shape (n_queries, n_gallery)
            The same scores; in a Pipeline, the output of the steps before.
        """
        return self._scores(X, "decision_function")

    def score(self, X: ArrayLike, y: Relevance) -> float:
        """Return the recall at `n_neighbors`.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_gallery)
            Scores (larger is better).
        y : array-like, list of array-like or sparse matrix
            The relevant items in any form that `recall_at_k` takes, or by their names
            in ``gallery_names_``; class labels of the queries if there are
            `gallery_labels`. Queries without a relevant item, marked by -1, an empty
            list or a row of zeros, are left out.

        Returns
        -------
        recall : float
            In [0, 1]; NaN if no query remains.
        """
        scores = self._scores(X, "score")
        labeled = labeled_rows(y, scores.shape[0], self.gallery_labels)
        if labeled is None:
            return math.nan
        options = {"k": self._count(), "gallery_labels": self.gallery_labels}
        if self.gallery_labels is None:
            options["gallery_ids"] = self.gallery_names_
        kept = _arrays.take_rows(scores, labeled)
        return recall_at_k(take_rows(y, labeled), kept, **options)

    def _scores(self, X, method):
        check_is_fitted(self)
        self._check_home(X, method)
        return check_features(self, X, "scores", reset=False)

    def _best(self, scores, k):
        """Return the k best scores and items of each row as NumPy arrays."""
        kernels = _arrays.kernels_of(scores)
        return kernels.best_items(scores, k, count_threads(self.n_jobs))

    def _count(self):
        k = check_count(self.n_neighbors, "n_neighbors")
        return min(k, self.n_features_in_)

    def _names(self):
        if self.gallery_names_ is None:
            raise ValueError(
                "return_names=True requires names of the gallery items, got scores "
                "without; fit to a dataframe whose columns are the names."
            )
        return self.gallery_names_

    def _check_labels(self, n_gallery):
        check_unmasked(self.gallery_labels, "gallery_labels")
        labels = np.asarray(_arrays.to_numpy(self.gallery_labels))
        if labels.shape != (n_gallery,):
            raise ValueError(
                f"gallery_labels must have one label per gallery item, expected shape "
                f"({n_gallery},), got {labels.shape}."
            )
        check_no_class_is_the_mark(labels)
        return labels
