"""The lower bound of the gain over raw similarities, as a scorer."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sk_qbnorm._arrays import to_numpy
from sk_qbnorm._bank_rows import labeled_rows, take_rows
from sk_qbnorm._validation import check_count, known_names
from sk_qbnorm.metrics import relevant_ranks
from sk_qbnorm.neighbors import QuerybankRetriever
from sk_qbnorm.normalizers import BaseNormalizer

from ._candidates import no_correction
from ._gain import gain_lower_bounds


def gain_scorer(
    k: int = 1, *, n_standard_errors: float = 2.0, **options: Any
) -> Callable[..., float]:
    """Return a scorer of the gain in recall, minus standard errors.

    A search that maximizes it prefers no correction to a gain that may be chance.

    Parameters
    ----------
    k : int, default=1
        Recall at `k` is compared, >= 1.
    n_standard_errors : float, default=2.0
        Number of standard errors subtracted, as in `gain_lower_bounds`.
    **options : dict
        Keywords for `relevant_ranks`, such as ``gallery_labels``. Without
        ``gallery_ids``, names of items are looked up as in `make_retrieval_scorer`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, relevant)`` for a normalizer, a `QuerybankRetriever` or a
        Pipeline with one of them. It computes all scores twice, with the normalizers of
        the estimator and without. Queries without a relevant item are left out, as in
        `sk_qbnorm.metrics.make_retrieval_scorer`.

    See Also
    --------
    QuerybankSplit : The ``cv`` to use with it.
    gain_lower_bounds : The formula.
    sk_qbnorm.metrics.recall_scorer : Recall itself.

    Notes
    -----
    An estimator that does not correct scores 0, and so does "passthrough" in place of a
    normalizer. Put it first, because `GridSearchCV` takes the first of equal scores.
    Use one split with all queries: the mean of bounds of small splits is too low.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sk_qbnorm import QuerybankRetriever, InvertedSoftmax
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.model_selection import QuerybankSplit, gain_scorer
    >>> data = load_emoji_names_hi_en()
    >>> search = GridSearchCV(
    ...     QuerybankRetriever(InvertedSoftmax(), gallery=data.gallery),
    ...     {"normalizer__alpha": [0, 0.5, 1], "normalizer__beta": [10, 40]},
    ...     scoring=gain_scorer(),
    ...     cv=QuerybankSplit(700),
    ...     refit=False,
    ... )
    >>> queries = np.vstack([data.bank_queries, data.queries[:100]])
    >>> relevant = np.r_[np.full(700, -1), data.relevant[:100]]  # the bank has none
    >>> search.fit(queries, relevant).best_params_
    {'normalizer__alpha': 1, 'normalizer__beta': 40}
    """
    return _GainScorer(k, n_standard_errors, options)


class _GainScorer:
    """The scorer of `gain_scorer`, a class so that it can be pickled."""

    def __init__(self, k, n_standard_errors, options):
        self.k = k
        self.n_standard_errors = n_standard_errors
        self.options = options

    def __call__(self, estimator, X, relevant=None):
        k = check_count(self.k, "k")
        labels = self.options.get("gallery_labels")
        labeled = labeled_rows(relevant, np.shape(X)[0], labels)
        if labeled is None:
            return math.nan
        relevant, options = take_rows(relevant, labeled), self.options
        if not options.keys() & {"gallery_labels", "gallery_ids"}:
            options = {**options, "gallery_ids": known_names(estimator)}
        ranks = [
            relevant_ranks(relevant, to_numpy(_scores(scored, X))[labeled], **options)
            for scored in (_uncorrected(estimator), estimator)
        ]
        options = {"n_standard_errors": self.n_standard_errors}
        return float(gain_lower_bounds(np.stack(ranks) <= k, **options)[1])

    def __repr__(self):
        words = {"k": self.k, "n_standard_errors": self.n_standard_errors}
        words |= self.options
        listed = ", ".join(f"{name}={value!r}" for name, value in words.items())
        return f"gain_scorer({listed})"


def _scores(estimator, X):
    score = getattr(estimator, "decision_function", None) or estimator.transform
    return np.asarray(score(X))


def _uncorrected(estimator):
    """Return a fitted estimator without its normalizers."""
    if isinstance(estimator, BaseNormalizer):
        return Pipeline([("raw", "passthrough")])
    if isinstance(estimator, QuerybankRetriever):
        twin = copy(estimator)
        twin.normalizer_ = no_correction().set_params(metric="precomputed")
        twin.normalizer_.fit(np.zeros((1, estimator.n_gallery_)))
        return twin
    if isinstance(estimator, Pipeline):
        return Pipeline([(name, _uncorrected(step)) for name, step in estimator.steps])
    return estimator
