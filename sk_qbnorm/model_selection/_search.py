"""Choose a normalizer and its parameters by labeled queries."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._arrays import take_rows
from sk_qbnorm._embeddings import is_dask
from sk_qbnorm._progress import progress_bar
from sk_qbnorm._validation import (
    check_count,
    clone_sharing_data,
    unchanged_on_error,
)
from sk_qbnorm.metrics import Relevance, warn_of_large_k
from sk_qbnorm.normalizers import (
    BaseNormalizer,
    MixNormalizer,
    correction_of,
    set_gallery_attributes,
)
from sk_qbnorm.similarity import Metric
from sk_qbnorm.tiles import resolve_metric

from ._candidates import check_candidates, no_correction, parameters_of
from ._gain import check_standard_errors, paired_gains
from ._labeled import LabeledQueries

_N_FOLDS = 5  # to measure the mix on queries that are not in its sample
_MIN_LABELED = 4
_RAW_STANDARD_ERRORS = 1.0  # by which raw similarities must be better than the mix


class NormalizerSearch(BaseNormalizer):
    r"""Choose a normalizer by labeled queries, or none if corrections do harm.

    The search starts from a `MixNormalizer` whose sample are the labeled queries,
    without their labels. It goes back to raw similarities if these are better by one
    standard error. Another candidate is chosen only if its *mean gain over this start
    minus three standard errors* is positive, and then the one with the largest.

    It is a normalizer itself, for a Pipeline, a `QuerybankRetriever` or direct use.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_features) or (n_queries, n_gallery)
        Embeddings of the labeled queries, or their similarities to the gallery if
        `fit` takes similarities. At least 4, better 50 to several hundred. They must
        not be part of the querybank. Clones share them.
    relevant : array-like, list of array-like or sparse matrix
        The relevant items of these queries, in any form that `relevant_ranks` takes.
    candidates : list of normalizers, default=None
        The normalizers to choose from; None for a `MixNormalizer` and the
        `default_candidates`. A list is searched from raw similarities, without a mix.
        Clones are fitted, with the `metric` and `n_jobs` set here.
    k : int, default=1
        Recall at `k` is compared, >= 1, with the tie rule of `recall_at_k`.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, as in `relevant_ranks`. None for ``gallery_names_``.
    n_standard_errors : float, default=3.0
        Number of standard errors subtracted from the gains over the start, >= 0. 0
        chooses the best mean, which may be due to chance if the queries are few.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How `fit` compares the querybank with the gallery, as in `pairwise_similarity`.
        None means cosine if `fit` receives a gallery, and precomputed similarities if
        it does not.
    copy : bool, default=True
        If False, `transform` may overwrite its input.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.
    verbose : bool, default=False
        Whether `fit` reports its progress.

    Attributes
    ----------
    best_estimator_ : normalizer
        The chosen normalizer, fitted; if raw similarities were chosen, a normalizer
        with ``alpha=0``, which corrects nothing.
    best_index_ : int
        Index of the chosen candidate, 0 for raw similarities. Without a list of
        candidates, 1 is the `MixNormalizer`.
    start_index_ : int
        Index of the candidate with which the others were compared.
    best_params_ : dict
        Its parameters, except those that do not change results, such as `n_jobs`; empty
        for raw similarities.
    candidates_ : list of normalizers
        All candidates, unfitted, raw similarities first.
    hits_ : ndarray of shape (n_candidates, n_queries), dtype bool
        Which labeled queries have a relevant item among the first `k`. Each query of
        the mix is corrected by the sample of the queries in four other fifths.
    results_ : dict of str to list or ndarray of shape (n_candidates,)
        ``name`` and ``params`` of each candidate, its ``recall``, the ``gain`` over raw
        similarities, its ``standard_error``, and the ``lower_bound`` of the gain over
        the start, to choose by.
        ``pandas.DataFrame(results_)`` makes a table.
    metric_ : str or callable
        Metric of the last `fit`.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items, strings or integers.
    n_bank_seen_ : int
        Number of bank queries.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, defined if all of them are strings.

    See Also
    --------
    default_candidates : The candidates by default.
    gain_lower_bounds : The formula of the choice.
    gain_scorer : The same for `GridSearchCV`, to search over other steps as well.

    Notes
    -----
    The setting with the best mean on few labeled queries may do harm on others. The
    gains are therefore computed per query, as in `gain_lower_bounds`, and their
    uncertainty is subtracted: three standard errors, as the best of many candidates is
    compared. The mix needs no such proof, because it does well with a few queries and
    no labels at all. Only evidence against it counts: with hubs that are right answers,
    as with class labels, or without hubs, raw similarities may be better. For this
    comparison the mix is cross-fitted in five folds, as its sample must not contain the
    query that it corrects.

    Similar queries, such as two captions of one item, carry less information than
    independent queries. Measure the chosen normalizer on queries that were not used for
    the choice.

    Candidates that differ only in `alpha` share a fit. Similarities of the labeled
    queries are computed once, 64 MiB of float32 at a time, and corrected by each
    candidate. The fitted attributes of all candidates are stored until the choice is
    made.

    Examples
    --------
    >>> from sk_qbnorm import QuerybankRetriever
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.model_selection import NormalizerSearch
    >>> data = load_emoji_names_hi_en()
    >>> search = NormalizerSearch(data.queries[:100], data.relevant[:100])
    >>> search.fit(data.bank_queries, data.gallery).results_["name"][search.best_index_]
    'MixNormalizer'
    >>> search.results_["gain"][search.best_index_].round(2)
    np.float64(0.13)
    >>> retriever = QuerybankRetriever(search.best_estimator_, n_neighbors=1)
    >>> retriever = retriever.fit(data.bank_queries, data.gallery)
    >>> retriever.score(data.queries[100:], data.relevant[100:])
    0.636
    """

    def __init__(
        self,
        queries: ArrayLike,
        relevant: Relevance,
        candidates: Sequence[BaseNormalizer] | None = None,
        *,
        k: int = 1,
        gallery_labels: ArrayLike | None = None,
        gallery_ids: ArrayLike | None = None,
        n_standard_errors: float = 3.0,
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.queries = queries
        self.relevant = relevant
        self.candidates = candidates
        self.k = k
        self.gallery_labels = gallery_labels
        self.gallery_ids = gallery_ids
        self.n_standard_errors = n_standard_errors
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, querybank: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Fit all candidates to a querybank and choose one by the labeled queries.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank queries if `gallery` is passed, otherwise their
            similarities to the gallery. Dense, sparse or a `numpy.memmap`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, in the same forms. The index of a dataframe names
            the items. One-dimensional input is ignored, as it holds the labels `y` that
            a Pipeline passes.

        Returns
        -------
        self : NormalizerSearch
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, a candidate is not a normalizer or refuses
            the bank, an input is not a finite matrix, the gallery is missing, or the
            labeled queries do not match it.

        Warns
        -----
        UserWarning
            The warnings of the chosen candidate only.
        UndefinedMetricWarning
            If the gallery has at most `k` items, so that recall cannot improve.
        """
        metric = resolve_metric(self.metric, querybank, gallery)
        return self._fit(querybank, gallery, metric)

    def _fit(self, querybank, gallery, metric, gallerybank=None, *, warn=True):
        with unchanged_on_error(self):
            self._choose(querybank, gallery, metric)
            if warn:
                warn_of_large_k(self.k, self.n_features_in_)
                self._warn()
        return self

    def partial_fit(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Add queries to the bank of the chosen normalizer.

        The first call chooses, without warnings. Later calls keep the choice.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, and the same gallery in every call.

        Returns
        -------
        self : NormalizerSearch
            The fitted normalizer.

        Raises
        ------
        ValueError
            As in `fit`; also if the chosen normalizer cannot be fitted in parts.
        """
        if hasattr(self, "best_estimator_"):
            return self._change("partial_fit", querybank, gallery)
        metric = resolve_metric(self.metric, querybank, gallery)
        return self._fit(querybank, gallery, metric, warn=False)

    def add_gallery(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Append gallery items; the choice stays the same.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_new)
            The complete bank that was fitted, in the same order.
        gallery : array-like of shape (n_new, n_features), default=None
            Embeddings of the new items, as in `fit`.

        Returns
        -------
        self : NormalizerSearch
            The normalizer, fitted to the larger gallery.

        Raises
        ------
        ValueError
            If the chosen normalizer refuses.
        """
        return self._change("add_gallery", querybank, gallery)

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
    ) -> Self:
        """Remove gallery items; the choice stays the same.

        Parameters
        ----------
        items : array-like of shape (n_removed,)
            Gallery indices or names of the items to remove, or a boolean mask of shape
            (n_gallery,).
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_left)
            The complete bank, in the same order, which dynamic normalizers may require.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the remaining items, to compare with `querybank`.

        Returns
        -------
        self : NormalizerSearch
            The normalizer, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If the chosen normalizer refuses.
        """
        return self._change("remove_gallery", items, querybank, gallery)

    def _change(self, method, *given):
        check_is_fitted(self)
        changed = copy.copy(self.best_estimator_)
        if not hasattr(changed, method):
            raise ValueError(
                f"The chosen normalizer has no {method}, because {changed!r} depends "
                "on the whole querybank and gallery; call fit again with all of both."
            )
        getattr(changed, method)(*given)
        self._finalize(changed)
        return self

    @property
    def _has_mix(self):
        return self.candidates is None

    def _check_parameters(self):
        check_count(self.k, "k")
        check_standard_errors(self.n_standard_errors)

    def _choose(self, querybank, gallery, metric):
        self._check_parameters()
        self._check_in_memory(querybank=querybank, gallery=gallery)
        candidates = self._all_candidates(metric)
        fitted = [candidates[0]._fit(querybank, gallery, metric, warn=False)]
        embeddings = None if metric == "precomputed" else gallery
        try:
            labeled = self._labeled(embeddings, fitted[0])
        except ValueError as error:
            if gallery is not None or self.metric is not None:
                raise
            raise ValueError(
                f"gallery is None, so the {fitted[0].n_features_in_} columns of "
                "querybank are the gallery items, which does not match: pass gallery "
                f"if querybank holds embeddings. {error}"
            ) from error
        for candidate in candidates[1:]:
            known = next((old for old in fitted if _learns_alike(candidate, old)), None)
            if known is None:
                new = clone(candidate)._fit(querybank, gallery, metric, warn=False)
                fitted.append(new)
            else:
                fitted.append(copy.copy(known).set_params(alpha=candidate.alpha))
        tried, folds = fitted, None
        if self._has_mix and labeled.shape[0] < _MIN_LABELED:
            raise ValueError(
                f"queries must hold at least {_MIN_LABELED} labeled queries, got "
                f"{labeled.shape[0]}; label 50 or more."
            )
        if self._has_mix:
            folds = np.arange(labeled.shape[0]) % _N_FOLDS
            mixes = [
                fitted[1].with_sample(take_rows(labeled.queries, rows), embeddings)
                for rows in (folds != fold for fold in range(_N_FOLDS))
            ]
            tried = [*fitted, *mixes]
        total = len(tried) * labeled.shape[0] * labeled.shape[1]
        with progress_bar("compare candidates", total, self.verbose) as progress:
            corrections = [correction_of(each) for each in tried]
            hits = labeled.hits(corrections, self.k, self.n_jobs, progress)
        self.hits_ = hits[: len(fitted)]
        if folds is not None:
            of_folds = hits[len(fitted) :]
            self.hits_[1] = of_folds[folds, np.arange(folds.size)]
        self.candidates_ = [clone(candidate) for candidate in candidates]
        self._set_results()
        self._finalize(fitted[self.best_index_])

    def _set_results(self):
        """Choose by the hits."""
        gain, error = paired_gains(self.hits_)
        self.start_index_ = 0
        if self._has_mix and gain[1] + _RAW_STANDARD_ERRORS * error[1] >= 0:
            self.start_index_ = 1
        start = self.hits_[self.start_index_]
        gain_over_start, its_error = paired_gains(np.vstack([start, self.hits_]))
        bounds = (gain_over_start - self.n_standard_errors * its_error)[1:]
        params = [
            parameters_of(candidate, exclude={"queries"})
            for candidate in self.candidates_
        ]
        names = [type(candidate).__name__ for candidate in self.candidates_]
        self.results_ = {
            "name": ["raw", *names[1:]],
            "params": [{}, *params[1:]],
            "recall": self.hits_.mean(axis=1),
            "gain": gain,
            "standard_error": error,
            "lower_bound": bounds,
        }
        best = int(np.argmax(bounds))  # the first among equals
        self.best_index_ = best if bounds[best] > 0 else self.start_index_
        self.best_params_ = self.results_["params"][self.best_index_]

    def _finalize(self, best):
        """Store the chosen normalizer and set all fitted attributes."""
        self.best_estimator_ = best
        self.metric_ = best.metric_
        self.n_bank_seen_ = best.n_bank_seen_
        names, n_dimensions = best.gallery_names_, best._n_dimensions
        set_gallery_attributes(self, best.n_features_in_, names, n_dimensions)
        self._set_home(best._home)

    def _check_in_memory(self, **given):
        for name, matrix in (given | {"queries": self.queries}).items():
            if isinstance(matrix, Iterator) or is_dask(matrix):
                raise ValueError(
                    f"{name} must be a matrix in memory because every candidate reads "
                    f"it, got {type(matrix).__name__}; choose by a part that fits in "
                    "memory, and fit the chosen normalizer to all of it."
                )

    def _all_candidates(self, metric):
        candidates = check_candidates(self.candidates)
        if self._has_mix:
            candidates.insert(0, MixNormalizer(self.queries))
        settings = {"metric": metric, "n_jobs": self.n_jobs}
        return [
            clone(candidate).set_params(**settings, verbose=self.verbose)
            for candidate in (no_correction(), *candidates)
        ]

    def _labeled(self, gallery, fitted):
        return LabeledQueries(
            self.queries,
            self.relevant,
            self.gallery_labels,
            self.gallery_ids,
            gallery=gallery,
            normalizer=fitted,
            n_jobs=self.n_jobs,
        )

    def _correction(self):
        return correction_of(self.best_estimator_)

    def _fit_warnings(self):
        return self.best_estimator_._fit_warnings()

    def __sklearn_clone__(self):
        """Share the labeled queries, which may be large."""
        twin = clone_sharing_data(self)
        twin.candidates = clone(self.candidates, safe=False)
        return twin


def _learns_alike(one, other):
    """Return whether two normalizers differ at most in what they do after `fit`."""
    if type(one) is not type(other) or not hasattr(one, "alpha"):
        return False
    of_one, of_other = (parameters_of(each, exclude={"alpha"}) for each in (one, other))
    return all(_is_same(of_one[name], of_other[name]) for name in of_one)


def _is_same(one, other):
    return one is other or (np.isscalar(one) and np.isscalar(other) and one == other)
