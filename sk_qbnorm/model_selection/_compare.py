"""Compare normalizers on labeled queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import clone

from sk_qbnorm._validation import check_matrix
from sk_qbnorm.metrics import (
    QueryBootstrap,
    Relevance,
    as_table,
    average_over_queries,
    check_ks,
    check_relevance,
    hubness_skewness,
    kept_queries,
    max_k_occurrence,
    results_per_query,
    warn_of_large_k,
)
from sk_qbnorm.normalizers import BaseNormalizer
from sk_qbnorm.similarity import Metric, pairwise_similarity
from sk_qbnorm.tiles import resolve_metric


def compare(
    normalizers: Sequence[BaseNormalizer] | Mapping[str, BaseNormalizer],
    querybank: ArrayLike,
    queries: ArrayLike,
    relevant: Relevance,
    gallery: ArrayLike | None = None,
    *,
    ks: Sequence[int] = (1, 5, 10),
    k: int = 10,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = 0,
    gallery_labels: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    metric: Metric | None = None,
    as_frame: bool = True,
) -> Any:
    """Measure normalizers against raw similarities, with paired intervals.

    Parameters
    ----------
    normalizers : list of normalizers, or dict of str to normalizer
        Clones are fitted to the querybank. A list names each row by the class; repeated
        classes by their parameters.
    querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
        Embeddings of the bank queries if `gallery` is passed, otherwise their
        similarities to the gallery.
    queries : array-like of shape (n_queries, n_features) or (n_queries, n_gallery)
        At least 2 queries to correct, in the same form.
    relevant : array-like, list of array-like or sparse matrix
        The relevant items of the queries, in any form that `relevant_ranks` accepts.
    gallery : array-like of shape (n_gallery, n_features), default=None
        Embeddings of the gallery; None for similarities.
    ks : sequence of int, default=(1, 5, 10)
        The values of k of the recalls.
    k : int, default=10
        Length of the lists for the two hubness measures; at most n_gallery is used.
    n_resamples : int, default=1000
        Number of resamples of the intervals, as in `paired_bootstrap_report`.
    confidence_level : float, default=0.95
        Share of the resamples inside an interval, in (0, 1).
    random_state : int, RandomState instance or None, default=0
        Seed of the resamples.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
    groups : array-like of shape (n_queries,), default=None
        Group label of each query, drawn together, as in `bootstrap_report`.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How to compare embeddings, as in `pairwise_similarity`. None means cosine with a
        gallery, and precomputed similarities without.
    as_frame : bool, default=True
        Whether to return a DataFrame, which requires pandas, or a dict of dicts.

    Returns
    -------
    table : DataFrame or dict of str to dict
        One row for ``raw`` and for each normalizer. For each recall and the
        ``median_rank`` a column with its value, and for the recalls the gain over raw
        with the ends of its interval: ``recall@1_gain``, ``recall@1_low``,
        ``recall@1_high``. Also ``hubness_skewness`` and ``max_k_occurrence``.

    Raises
    ------
    ValueError
        If a normalizer or an input is invalid, or the inputs do not match.
    ImportError
        If `as_frame` is True and pandas is not installed.

    Warns
    -----
    UndefinedMetricWarning
        If the gallery has at most ``max(ks)`` items: that recall is then 1 for any
        scores.

    See Also
    --------
    sk_qbnorm.metrics.paired_bootstrap_report : The intervals.
    NormalizerSearch : Choose a normalizer by the labels.

    Notes
    -----
    The query x gallery similarities are stored. Do not choose the best row of the table
    and report its recall on the same queries: that value is too optimistic. Choose with
    `NormalizerSearch` on other queries.

    Examples
    --------
    >>> from sk_qbnorm import CSLS, InvertedSoftmax
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.model_selection import compare
    >>> data = load_emoji_names_hi_en()
    >>> table = compare(
    ...     [InvertedSoftmax(), CSLS()],
    ...     data.bank_queries, data.queries, data.relevant, data.gallery,
    ...     as_frame=False,
    ... )
    >>> for name, row in table.items():
    ...     print(f"{name:15} {row['recall@1']:.3f}, {row['recall@1_low']:+.3f}")
    raw             0.483, +0.000
    InvertedSoftmax 0.632, +0.113
    CSLS            0.610, +0.098
    """
    named = named_normalizers(normalizers)
    metric = resolve_metric(metric, querybank, gallery)
    sims = queries
    if gallery is not None and metric != "precomputed":
        sims = pairwise_similarity(queries, gallery, metric=metric)
    judged = Comparison(
        sims,
        relevant,
        ks=ks,
        k=k,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=random_state,
        gallery_labels=gallery_labels,
        gallery_ids=gallery_ids,
        query_mask=query_mask,
        groups=groups,
    )
    for name, normalizer in named.items():
        fitted = clone(normalizer).set_params(metric=metric, copy=True)
        judged.add(name, fitted.fit(querybank, gallery).transform(sims))
    return as_table(judged.rows, as_frame)


def named_normalizers(normalizers):
    """Return a dict from a unique name to each normalizer, else raise."""
    if isinstance(normalizers, BaseNormalizer):
        raise ValueError(
            f"normalizers must be a list or a dict, got {normalizers!r}; pass it in a "
            "list."
        )
    if isinstance(normalizers, Mapping):
        named = dict(normalizers)
    else:
        listed = list(normalizers)
        names = [type(each).__name__ for each in listed]
        named = {
            name if names.count(name) == 1 else " ".join(repr(each).split()): each
            for name, each in zip(names, listed, strict=True)
        }
    for name, each in named.items():
        if not isinstance(each, BaseNormalizer):
            raise ValueError(
                f"normalizers must be normalizers of sk_qbnorm, got {each!r} as "
                f"{name!r}; pass a list such as [InvertedSoftmax(), CSLS()]."
            )
    if "raw" in named:
        raise ValueError("'raw' names the row without a correction; rename yours.")
    return named


class Comparison:
    """Measure score matrices of the same queries against raw similarities.

    Parameters
    ----------
    sims : array-like of shape (n_queries, n_gallery)
    relevant : index array, list of index arrays, indicator, labels or None
        Without it, only hubness is measured.
    ks, k, n_resamples, confidence_level, random_state, gallery_labels, gallery_ids, \
            query_mask, groups
        As in `compare`.

    Attributes
    ----------
    rows : dict of str to dict
        The table, ``raw`` first.
    """

    def __init__(
        self,
        sims,
        relevant,
        *,
        ks=(1, 5, 10),
        k=10,
        n_resamples=1000,
        confidence_level=0.95,
        random_state=0,
        gallery_labels=None,
        gallery_ids=None,
        query_mask=None,
        groups=None,
    ):
        self._ks = check_ks(ks)
        self._relevant = relevant
        self._known = gallery_labels, gallery_ids, query_mask
        self._sampling = n_resamples, random_state, groups, query_mask
        self._level = confidence_level
        matrix = check_matrix(sims, "queries", finite=False)
        self._kept = kept_queries(query_mask, len(matrix))
        self._k = min(k, matrix.shape[1])
        self._hits = None
        self.rows = {}
        self.add("raw", sims)

    def add(self, name, scores):
        """Measure the scores of one normalizer and add its row."""
        row = {}
        if self._relevant is not None:
            row |= self._retrieval(scores)
        kept = np.asarray(scores)[self._kept]
        row["hubness_skewness"] = float(hubness_skewness(kept, k=self._k))
        row["max_k_occurrence"] = int(max_k_occurrence(kept, k=self._k))
        self.rows[name] = row

    def _retrieval(self, scores):
        checked = check_relevance(self._relevant, scores, *self._known, "queries")
        results = results_per_query(checked, "average")
        hits = {f"recall@{k}": results[0] <= k for k in self._ks}
        if self._hits is None:
            warn_of_large_k(max(self._ks), checked[0].shape[1])
            self._hits = hits
            self._bootstrap = QueryBootstrap(results[0].size, *self._sampling)
        measured = average_over_queries(*results, self._ks)
        gains = {name: hits[name] - 1.0 * self._hits[name] for name in hits}

        def gain(queries):
            return {name: each[queries].mean(axis=-1) for name, each in gains.items()}

        row = {}
        for measure, ends in self._bootstrap.intervals(gain, self._level).items():
            row[measure] = float(measured[measure])
            row[f"{measure}_gain"] = ends["value"]
            row |= {f"{measure}_{end}": ends[end] for end in ("low", "high")}
        return row | {"median_rank": float(measured["median_rank"])}
