"""Choose a normalizer, and its parameters, by few labelled queries."""

import copy
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from sk_qbnorm._progress import progress_bar
from sk_qbnorm._validation import (
    check_choice,
    check_count,
    unchanged_on_error,
    warn_caller,
)
from sk_qbnorm.distributed import is_dask
from sk_qbnorm.metrics import Relevance
from sk_qbnorm.metrics._recall import warn_of_large_k
from sk_qbnorm.normalizers._base import BaseNormalizer, correction_of
from sk_qbnorm.normalizers._probing import check_gallery_given
from sk_qbnorm.similarity import Metric

from ._candidates import check_candidates, no_correction, parameters_of
from ._chosen import Chosen
from ._gain import check_standard_errors, paired_gains
from ._labelled import LabelledQueries

_METRICS = ("cosine", "dot", "precomputed")


class NormalizerSearch(Chosen):
    r"""Choose a normalizer by labelled queries, or none if it may do harm.

    Each candidate is fitted to the bank once and judged by the labelled queries. The
    one with the largest *mean gain over raw similarities, less two standard errors*, is
    chosen. Raw similarities are always among the candidates, gain nothing and come
    first, so that what is chosen has shown that it is better.

    It is a normalizer itself, for a Pipeline, a `QuerybankRetriever` or by hand.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_features) or (n_queries, n_gallery)
        Embeddings of the labelled queries; for ``metric="precomputed"`` their
        similarities to the gallery. 2 of them or more, better 50 and some hundreds
        best; they must not be part of the bank. Clones share them.
    relevant : array-like, list of array-like or sparse matrix
        The items relevant to them, in any form that `relevant_ranks` takes.
    candidates : list of normalizers, default=None
        What to choose from; None for `default_candidates`. Clones are fitted, which
        take the `metric` and `n_jobs` from here.
    k : int, default=1
        It is recall at `k` that is to be gained, >= 1; ties as in `recall_at_k`.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    n_standard_errors : float, default=2.0
        How many standard errors are taken off the gains, >= 0. With 0 the best mean is
        chosen, which with few queries may be luck.
    metric : {"cosine", "dot", "precomputed"} or callable, default="cosine"
        How `fit` compares embeddings, as in `pairwise_similarity`. With
        ``"precomputed"``, as a step of a Pipeline needs, `fit` is given similarities.
    copy : bool, default=True
        Whether `transform` leaves its input alone. With False it writes into it where
        it can.
    n_jobs : int, default=None
        Number of threads, -1 for all processors; the result does not depend on it.
        None means 1 outside of `joblib.parallel_config`, with matrix products left to
        the threads of BLAS, which may round them otherwise.
    verbose : bool, default=False
        Whether `fit` shows progress bars, for which tqdm has to be installed.

    Attributes
    ----------
    best_estimator_ : normalizer
        The chosen normalizer, fitted; with ``alpha=0``, which corrects nothing, if raw
        similarities were chosen.
    best_index_ : int
        Which of the candidates it is, 0 for raw similarities.
    best_params_ : dict
        Its parameters, but for those that say how to compute; empty for raw
        similarities.
    candidates_ : list of normalizers
        All candidates, not fitted, that of raw similarities first.
    hits_ : ndarray of shape (n_candidates, n_queries), dtype bool
        Which labelled queries have a relevant item among the first `k`.
    results_ : dict of str to list or ndarray of shape (n_candidates,)
        ``name`` and ``params`` of each candidate, its ``recall``, the ``gain`` over raw
        similarities, the ``standard_error`` of this, and the ``lower_bound`` to choose
        by. ``pandas.DataFrame(results_)`` is a table of it.
    n_bank_seen_ : int
        Number of bank queries.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where these are strings.

    See Also
    --------
    default_candidates : What is chosen from.
    gain_lower_bounds : The formula of the choice.
    gain_scorer : The same for `GridSearchCV`, where other steps are to be chosen too.

    Notes
    -----
    On real data a correction is not free: with no hubs, a bank of another domain or
    class labels it does harm, and the setting with the best mean on few labelled
    queries may do so too. The gain is taken query by query, as in `gain_lower_bounds`,
    and what it may be by luck is taken off. That costs little where a correction helps,
    and leaves similarities raw where labels are too few to tell. Queries that are close
    to each other, as two descriptions of an item, tell less than two do. How good the
    choice is, is to be seen on other queries than those it was made by.

    Candidates that differ in `alpha` alone share a fit. Those of embeddings are fitted
    one after the other, each as it does by itself. Then similarities of the labelled
    queries are made once, 64 MiB of float32 at a time, and corrected by each candidate
    in turn; of what candidates learnt, all is held until the choice is made.

    Examples
    --------
    >>> from sk_qbnorm import QuerybankRetriever
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.model_selection import NormalizerSearch
    >>> data = load_emoji_names_hi_en()
    >>> search = NormalizerSearch(data.queries[:100], data.relevant[:100])
    >>> search.fit(data.bank_queries, data.gallery).best_estimator_
    NearestNeighborNormalizer(n_neighbors=4)
    >>> search.results_["gain"][search.best_index_].round(2)
    np.float64(0.15)
    >>> retriever = QuerybankRetriever(search.best_estimator_, n_neighbors=1)
    >>> retriever = retriever.fit(data.bank_queries, data.gallery)
    >>> retriever.score(data.queries[100:], data.relevant[100:])
    0.628
    """

    def __init__(
        self,
        queries: ArrayLike,
        relevant: Relevance,
        candidates: Sequence[BaseNormalizer] | None = None,
        *,
        k: int = 1,
        gallery_labels: ArrayLike | None = None,
        n_standard_errors: float = 2.0,
        metric: Metric = "cosine",
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.queries = queries
        self.relevant = relevant
        self.candidates = candidates
        self.k = k
        self.gallery_labels = gallery_labels
        self.n_standard_errors = n_standard_errors
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, querybank: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Fit all candidates to a querybank, and choose one by the labelled queries.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank's queries, dense, sparse or a `numpy.memmap`. For
            ``metric="precomputed"`` their similarities to the gallery.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery in any of these forms; the index of a dataframe
            names its items. For
            ``metric="precomputed"`` it is ignored, unless it is the `y` of a Pipeline
            that marks rows: where it is -1 for some rows, these alone are the bank.

        Returns
        -------
        self : NormalizerSearch
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, a candidate is not a normalizer or refuses
            the bank, an input is not a finite matrix, the gallery is missing, or the
            labelled queries do not match it.

        Warns
        -----
        UserWarning
            What the chosen candidate has to say; the others keep silent.
        UndefinedMetricWarning
            If the gallery has `k` items or fewer, so that there is nothing to gain.
        """
        with unchanged_on_error(self):
            self._choose(querybank, gallery)
            warn_of_large_k(self.k, self.n_features_in_)
            for message, category in self._doubts():
                warn_caller(message, category)
        return self

    def _check_parameters(self):
        check_count(self.k, "k")
        check_standard_errors(self.n_standard_errors)
        if not callable(self.metric):
            check_choice(self.metric, "metric", _METRICS)

    def _choose(self, querybank, gallery):
        self._check_parameters()
        self._check_in_memory(querybank=querybank, gallery=gallery)
        candidates = self._all_candidates()
        fitted = [self._fitted(candidates[0], querybank, gallery)]
        labelled = self._labelled(gallery, fitted[0])
        for candidate in candidates[1:]:
            known = next((old for old in fitted if _learns_alike(candidate, old)), None)
            if known is None:
                fitted.append(self._fitted(candidate, querybank, gallery))
            else:
                fitted.append(copy.copy(known).set_params(alpha=candidate.alpha))
        total = len(fitted) * labelled.shape[0] * labelled.shape[1]
        with progress_bar("compare candidates", total, self.verbose) as bar:
            corrections = [correction_of(each) for each in fitted]
            self.hits_ = labelled.hits(corrections, self.k, self.n_jobs, bar)
        self.candidates_ = candidates
        self._conclude()
        self._settle(fitted[self.best_index_])

    def _conclude(self):
        """Make the choice by the hits."""
        gain, error = paired_gains(self.hits_)
        bounds = gain - self.n_standard_errors * error
        params = [parameters_of(candidate) for candidate in self.candidates_]
        names = [type(candidate).__name__ for candidate in self.candidates_]
        self.results_ = {
            "name": ["raw", *names[1:]],
            "params": [{}, *params[1:]],
            "recall": self.hits_.mean(axis=1),
            "gain": gain,
            "standard_error": error,
            "lower_bound": bounds,
        }
        self.best_index_ = int(np.argmax(bounds))  # the first among equals
        self.best_params_ = self.results_["params"][self.best_index_]

    def _check_in_memory(self, **given):
        for name, matrix in (given | {"queries": self.queries}).items():
            if isinstance(matrix, Iterator) or is_dask(matrix):
                raise ValueError(
                    f"{name} is gone through for each of the candidates and must be a "
                    f"matrix, got {type(matrix).__name__}; choose by a part that fits "
                    "in memory, and fit what is chosen to all of it."
                )

    def _all_candidates(self):
        candidates = check_candidates(self.candidates)
        settings = {"metric": self.metric, "n_jobs": self.n_jobs}
        return [
            clone(candidate).set_params(**settings, verbose=self.verbose)
            for candidate in (no_correction(), *candidates)
        ]

    def _fitted(self, candidate, querybank, gallery):
        if self.metric != "precomputed":
            check_gallery_given(self, gallery)
        return clone(candidate).partial_fit(querybank, gallery)

    def _labelled(self, gallery, fitted):
        known = self.queries, self.relevant, self.gallery_labels
        if self.metric == "precomputed":
            return LabelledQueries.of_similarities(*known, fitted)
        return LabelledQueries.of_embeddings(*known, gallery, self.metric, self.n_jobs)


def _learns_alike(one, other):
    """Tell whether two normalizers differ at most in what they do later on."""
    if type(one) is not type(other) or not hasattr(one, "alpha"):
        return False
    without_alpha = [parameters_of(each, but={"alpha"}) for each in (one, other)]
    return without_alpha[0] == without_alpha[1]
