"""Raw and corrected results of a fitted estimator."""

from copy import copy

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import _kernels
from sk_qbnorm._arrays import to_numpy
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_count, check_matrix, item_names
from sk_qbnorm.neighbors import QuerybankRetriever
from sk_qbnorm.normalizers import BaseNormalizer, InvertedSoftmax


class BeforeAfter:
    """Score queries with a fitted estimator, before and after its correction.

    Parameters
    ----------
    estimator : normalizer, QuerybankRetriever or Pipeline
        Fitted. Of a Pipeline, the first step that is a normalizer or a retriever is
        used; the steps before it transform the queries, later steps are ignored.
    queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
        Similarities for a normalizer, otherwise embeddings.

    Attributes
    ----------
    normalizer : normalizer
    n_gallery : int
    gallery_names : ndarray of shape (n_gallery,) or None
        The column names of similarities, or the names seen in `fit`.

    Raises
    ------
    ValueError
        If the estimator has neither a normalizer nor a retriever.
    NotFittedError
        If it is not fitted.
    """

    def __init__(self, estimator, queries):
        step, preprocessing = _first_corrector(estimator)
        check_is_fitted(step)
        if preprocessing is not None:
            queries = preprocessing.transform(queries)
        self._queries = queries
        names = None
        if isinstance(step, QuerybankRetriever):
            self._retriever, self.normalizer = step, step.normalizer_
            self.n_gallery = step.n_gallery_
        else:
            self._retriever, self.normalizer = None, step
            self.n_gallery = step.n_features_in_
            names = item_names(queries, axis=1)
        if names is None:
            names = getattr(self.normalizer, "gallery_names_", None)
        if names is None and preprocessing is not None:
            names = getattr(preprocessing[-1], "gallery_names_", None)
        self.gallery_names = names

    def scores_before(self):
        """Return raw similarities of shape (n_queries, n_gallery)."""
        if self._retriever is None:
            return check_matrix(self._queries, "query_sims")
        return to_numpy(self._uncorrected().decision_function(self._queries))

    def scores_after(self):
        """Return corrected scores of shape (n_queries, n_gallery)."""
        if self._retriever is not None:
            return to_numpy(self._retriever.decision_function(self._queries))
        normalizer = copy(self.normalizer)
        normalizer.copy = True  # leave the queries unchanged
        return check_matrix(normalizer.transform(self._queries), "scores")

    def top_k(self, k):
        """Return the top k items of each query before and after, best first."""
        k = check_count(k, "k", largest=self.n_gallery)
        if self._retriever is None:
            n_threads = count_threads(self.normalizer.n_jobs)
            scores = self.scores_before(), self.scores_after()
            return tuple(_kernels.best_items(each, k, n_threads)[1] for each in scores)
        options = {"n_neighbors": k, "return_score": False}
        return tuple(
            to_numpy(retriever.kneighbors(self._queries, **options))
            for retriever in (self._uncorrected(), self._retriever)
        )

    def _uncorrected(self):
        """Return a copy of the retriever whose normalizer changes nothing."""
        retriever = copy(self._retriever)
        identity = InvertedSoftmax(beta=1.0, alpha=0)
        zeros_and_ones = np.repeat([[0.0], [1.0]], self.n_gallery, axis=1)
        retriever.normalizer_ = identity.fit(zeros_and_ones)
        return retriever


def _first_corrector(estimator):
    """Return the normalizer or retriever, and the Pipeline of earlier steps or None."""
    steps = [estimator]
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps]
    for place, step in enumerate(steps):
        if isinstance(step, (BaseNormalizer, QuerybankRetriever)):
            return step, estimator[:place] if place else None
    raise ValueError(
        f"estimator must be a fitted normalizer or QuerybankRetriever, or a Pipeline "
        f"with one of them as a step, got {estimator!r}."
    )
