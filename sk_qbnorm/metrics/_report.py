"""All retrieval measures of a score matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sk_qbnorm._validation import check_choice, check_count

from ._frame import as_table
from ._precision import precision_per_query
from ._ranks import TIES, first_ranks
from ._recall import RECALL_AT, geometric_mean, recall, warn_of_large_k
from ._relevance import Relevance, check_relevance


def retrieval_report(
    relevant: Relevance,
    scores: ArrayLike,
    *,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    ties: str = "average",
    ks: Sequence[int] = RECALL_AT,
    as_frame: bool = False,
) -> Any:
    """Compute recall, ranks and average precision of a score matrix.

    Parameters
    ----------
    relevant : array-like, list of array-like or sparse matrix
        The relevant items, in any form that `relevant_ranks` accepts.
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores; larger is better.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
    ties : {"average", "pessimistic", "optimistic"}, default="average"
        As in `relevant_ranks` and `average_precision`.
    ks : sequence of int, default=(1, 5, 10)
        The values of k of the recalls, each >= 1.
    as_frame : bool, default=False
        Whether to return a DataFrame. Requires pandas.

    Returns
    -------
    report : dict of str to float, or DataFrame
        ``recall@k`` for each k of `ks` and their ``geometric_mean_recall`` in [0, 1];
        ``median_rank`` and ``mean_rank`` in [1, n_gallery]; ``mean_reciprocal_rank``
        and ``average_precision`` in (0, 1]. A DataFrame has one row per measure and
        the column ``value``.

    Raises
    ------
    ValueError
        If the inputs do not match, a query has no relevant item, or `ks` is empty or
        contains anything but integers >= 1.
    ImportError
        If `as_frame` is True and pandas is not installed.

    Warns
    -----
    UndefinedMetricWarning
        If the gallery has at most ``max(ks)`` items: that recall is then 1 for any
        scores.

    See Also
    --------
    recall_at_k : A single measure.
    bootstrap_report : The same measures with confidence intervals.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.metrics import retrieval_report
    >>> data = load_emoji_names_hi_en()
    >>> normalizer = DynamicInvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> retrieval_report(data.relevant, sims)["recall@1"]
    0.483...
    >>> retrieval_report(data.relevant, normalizer.transform(sims))["recall@1"]
    0.633...
    """
    check_choice(ties, "ties", TIES)
    ks = check_ks(ks)
    checked = check_relevance(relevant, scores, gallery_labels, gallery_ids, query_mask)
    warn_of_large_k(max(ks), checked[0].shape[1])
    ranks, precision = results_per_query(checked, ties)
    measures = average_over_queries(ranks, precision, ks)
    report = {name: float(value) for name, value in measures.items()}
    if as_frame:
        return as_table({name: {"value": x} for name, x in report.items()}, as_frame)
    return report


def check_ks(ks):
    """Return the values of k as a tuple of int, else raise."""
    if isinstance(ks, str) or not np.iterable(ks) or len(list(ks)) == 0:
        raise ValueError(f"ks must list integers >= 1, got {ks!r}; pass (1, 5, 10).")
    return tuple(check_count(k, "each k of ks") for k in ks)


def results_per_query(checked, ties):
    """Return the rank and the average precision of each query."""
    return first_ranks(*checked, ties), precision_per_query(*checked, ties)


def average_over_queries(ranks, precision, ks=RECALL_AT):
    """Return all measures by name, computed over the last axis."""
    measures = {f"recall@{k}": recall(ranks, k) for k in ks}
    measures["geometric_mean_recall"] = geometric_mean(list(measures.values()))
    measures["median_rank"] = np.median(ranks, axis=-1)
    measures["mean_rank"] = np.mean(ranks, axis=-1)
    measures["mean_reciprocal_rank"] = np.mean(1 / ranks, axis=-1)
    measures["average_precision"] = np.mean(precision, axis=-1)
    return measures
