"""Retrieval measures as scorers for scikit-learn's model selection."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sk_qbnorm._bank_rows import labeled_rows, take_rows
from sk_qbnorm._validation import known_names

from ._recall import recall_at_k
from ._relevance import indices_of_names


def make_retrieval_scorer(
    metric: Callable[..., float], *, greater_is_better: bool = True, **options: Any
) -> Callable[..., float]:
    """Make a scorer for `GridSearchCV` from a retrieval measure.

    Parameters
    ----------
    metric : callable
        A function ``metric(relevant, scores, **options)``, as in `sk_qbnorm.metrics`.
    greater_is_better : bool, default=True
        Whether larger values are better. If False, as for `median_rank`, the scorer
        returns the negative value.
    **options : dict
        Keyword arguments of `metric`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, relevant)``. The scores are those of the estimator's
        ``decision_function``, or of ``transform`` if it has none. Names of items in
        `relevant` are looked up in the ``gallery_names_`` of the estimator or its
        steps, unless `options` has ``gallery_ids`` or ``gallery_labels``.
        Queries without a relevant item, marked by -1, an empty list or a row of zeros,
        are left out, unlike by `metric` itself. If none remains, as in the train score
        of a querybank, it returns NaN.

    See Also
    --------
    recall_scorer : The usual scorer.

    Examples
    --------
    >>> from sk_qbnorm import InvertedSoftmax
    >>> from sk_qbnorm.metrics import make_retrieval_scorer, median_rank
    >>> sims = [[0.9, 0.1], [0.8, 0.6]]
    >>> normalizer = InvertedSoftmax(metric="precomputed").fit(sims)
    >>> scorer = make_retrieval_scorer(median_rank, greater_is_better=False)
    >>> scorer(normalizer, sims, [0, 1])
    -1.0
    """
    return _RetrievalScorer(metric, 1 if greater_is_better else -1, options)


def recall_scorer(k: int = 1, **options: Any) -> Callable[..., float]:
    """Make a scorer for `GridSearchCV` from recall at k.

    Parameters
    ----------
    k : int, default=1
        Number of top items, >= 1.
    **options : dict
        Other keyword arguments of `recall_at_k`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, relevant)``; it leaves out queries without a relevant
        item, as in `make_retrieval_scorer`.

    See Also
    --------
    recall_at_k : The function.
    make_retrieval_scorer : Scorers from other measures.

    Examples
    --------
    >>> from sk_qbnorm.metrics import recall_scorer
    >>> recall_scorer(k=5)
    make_retrieval_scorer(recall_at_k, k=5)
    """
    return make_retrieval_scorer(recall_at_k, k=k, **options)


class _RetrievalScorer:
    """The result of `make_retrieval_scorer`; a class, so that it can be pickled."""

    def __init__(self, metric, sign, options):
        self.metric = metric
        self.sign = sign
        self.options = options

    def __call__(self, estimator, X, relevant=None):
        labels = self.options.get("gallery_labels")
        labeled = labeled_rows(relevant, np.shape(X)[0], labels)
        if labeled is None:
            return math.nan
        score = getattr(estimator, "decision_function", None) or estimator.transform
        scores, relevant = np.asarray(score(X))[labeled], take_rows(relevant, labeled)
        if not self.options.keys() & {"gallery_labels", "gallery_ids"}:
            names = known_names(estimator)
            relevant = indices_of_names(relevant, names, scores.shape)
        return self.sign * self.metric(relevant, scores, **self.options)

    def __repr__(self):
        arguments = [self.metric.__name__]
        if self.sign < 0:
            arguments.append("greater_is_better=False")
        arguments += [f"{name}={value!r}" for name, value in self.options.items()]
        return f"make_retrieval_scorer({', '.join(arguments)})"
