"""What an estimator retrieves, and what would be retrieved without its correction."""

from collections.abc import Iterator
from copy import copy

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_count, check_matrix, column_names
from sk_qbnorm.corrections import Additive
from sk_qbnorm.neighbors import QuerybankRetriever
from sk_qbnorm.neighbors._search import search, whole_rows
from sk_qbnorm.normalizers import BaseNormalizer


class Retrieval:
    """What a fitted estimator makes of queries, with its correction and without.

    Parameters
    ----------
    estimator : normalizer, QuerybankRetriever or Pipeline
        Of a Pipeline the first step that is one of the two counts; the steps before it
        are applied to the queries, those behind it are not looked at.
    queries : array-like of shape (n_queries, n_features)
        What the estimator takes: similarities for a normalizer, else embeddings.

    Attributes
    ----------
    corrector : normalizer or QuerybankRetriever
    normalizer : normalizer
    name : str
        Of the normalizer's class.
    n_gallery : int
    gallery_names : ndarray of shape (n_gallery,) or None

    Raises
    ------
    ValueError
        If there is nothing in the estimator that corrects.
    NotFittedError
        If it is not fitted.
    """

    def __init__(self, estimator, queries):
        self.corrector, before = _find(estimator)
        check_is_fitted(self.corrector)
        self._queries = before.transform(queries) if before is not None else queries
        names = None
        if isinstance(self.corrector, QuerybankRetriever):
            self.normalizer = self.corrector.normalizer_
            self.n_gallery = self.corrector.n_gallery_
        else:
            self.normalizer = self.corrector
            self.n_gallery = self.corrector.n_features_in_
            names = column_names(self._queries)
        if names is None:
            names = getattr(self.normalizer, "feature_names_in_", None)
        if names is None and before is not None:
            names = getattr(before[-1], "gallery_names_", None)
        self.gallery_names = names
        self.name = type(self.normalizer).__name__

    def activation_mask(self):
        """Return which items are in the activation set, a mask of shape (n_gallery,).

        A normalizer that chose another one has that one's.
        """
        inner, said = self.normalizer, self.name
        while hasattr(inner, "best_estimator_"):
            inner = inner.best_estimator_
            said = f"{self.name} chose {inner!r}, which"
        mask = getattr(inner, "activation_mask_", None)
        if mask is None:
            which = "no query" if getattr(inner, "alpha", 1) == 0 else "every query"
            raise ValueError(
                f"{said} corrects {which}, and has no activation set to draw; expected "
                "a dynamic normalizer such as DynamicInvertedSoftmax()."
            )
        return mask.any(axis=1) if mask.ndim == 2 else mask

    def lists(self, k):
        """Return the k best items of each query, raw and corrected, best first."""
        k = check_count(k, "k", largest=self.n_gallery)
        retriever = self.corrector
        if not isinstance(retriever, QuerybankRetriever):
            n_threads = count_threads(self.normalizer.n_jobs)
            return tuple(
                _kernels.best_items(scores, k, n_threads)[1] for scores in self.scores()
            )
        queries = retriever._check_queries(self._queries, "queries", reset=False)
        options = {"n_jobs": retriever.n_jobs, "verbose": retriever.verbose}
        _, raw = search(retriever._gallery, queries, self._nothing(), k, **options)
        return raw, retriever.kneighbors(self._queries, k, return_score=False)

    def scores(self):
        """Return all scores, raw and corrected, of shape (n_queries, n_gallery)."""
        retriever = self.corrector
        if isinstance(retriever, QuerybankRetriever):
            corrected = retriever.decision_function(self._queries)
            queries = retriever._check_queries(self._queries, "queries", reset=False)
            options = {"n_jobs": retriever.n_jobs}
            raw = whole_rows(retriever._gallery, queries, self._nothing(), **options)
            return raw, corrected
        careful = copy(self.normalizer)
        careful.copy = True  # where it is False, the caller's array would be corrected
        corrected = check_matrix(careful.transform(self._queries), "scores")
        return check_matrix(self._queries, "query_sims"), corrected

    def _nothing(self):
        """Return the correction that leaves similarities as they are."""
        return Additive(np.zeros(self.n_gallery))


def scores_of_fits(estimator, querybank, gallery, queries, param_name, values):
    """Yield raw scores, and then those of a clone fitted with each of the values."""
    if isinstance(querybank, Iterator) or isinstance(gallery, Iterator):
        raise ValueError(
            "The bank is probed once for each value, got an iterator, which can be "
            "read only once; pass a matrix or a numpy.memmap."
        )
    for place, value in enumerate(values.tolist()):
        twin = clone(estimator).set_params(**{param_name: value})
        raw, corrected = Retrieval(twin.fit(querybank, gallery), queries).scores()
        if place == 0:
            yield raw
        yield corrected


def _find(estimator):
    """Return what corrects, and the Pipeline of what stands before it, if anything."""
    steps = [estimator]
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps]
    for place, step in enumerate(steps):
        if isinstance(step, (BaseNormalizer, QuerybankRetriever)):
            return step, estimator[:place] if place else None
    raise ValueError(
        "The estimator must be a fitted normalizer or QuerybankRetriever, or a "
        f"Pipeline with one of them among its steps, got {estimator!r}."
    )
