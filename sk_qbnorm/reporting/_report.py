"""Compute a report."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike

from sk_qbnorm._validation import check_matrix, item_names
from sk_qbnorm.metrics import (
    Relevance,
    hub_suspects,
    hubness_report,
    k_occurrence,
    kept_queries,
    relevant_items,
    top_hubs,
)
from sk_qbnorm.model_selection import Comparison, named_normalizers
from sk_qbnorm.normalizers import (
    CSLS,
    BaseNormalizer,
    DynamicInvertedSoftmax,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
)
from sk_qbnorm.querybanks import querybank_report
from sk_qbnorm.similarity import Metric, pairwise_similarity
from sk_qbnorm.tiles import resolve_metric

from ._choice import MIX, SEARCH, careful, choose
from ._inputs import flatten_captions, orient_bank, padding
from ._result import Report
from ._scores import Material

_FEWEST = 8  # queries or, without queries, bank queries


def report(
    querybank: ArrayLike,
    queries: ArrayLike | None = None,
    gallery: ArrayLike | None = None,
    *,
    relevant: Relevance | None = None,
    normalizers: Sequence[BaseNormalizer] | Mapping[str, BaseNormalizer] | None = None,
    gallery_ids: ArrayLike | None = None,
    gallery_labels: ArrayLike | None = None,
    query_mask: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    bank_rows: str | None = None,
    beta: float | str = "scale",
    metric: Metric | None = None,
    ks: Sequence[int] = (1, 5, 10),
    k: int = 10,
    random_state: int | RandomState | None = 0,
    title: str = "Querybank normalization",
    verbose: bool = False,
) -> Report:
    """Measure every normalizer and recommend one, or none.

    Parameters
    ----------
    querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
        Embeddings of at least 8 bank queries if `gallery` is passed, otherwise their
        similarities to the gallery.
    queries : array-like of shape (n_queries, n_features) or (n_queries, n_gallery), \
            default=None
        At least 8 queries to correct, in the same form; without labels they serve as a
        sample. Similarities may have the shape (videos, captions, videos). Rows of
        minus infinity are padding and are left out. None if there is only the bank.
    gallery : array-like of shape (n_gallery, n_features), default=None
        Embeddings of the gallery; None for similarities.
    relevant : array-like, list of array-like or sparse matrix, default=None
        The relevant items of the queries, in any form that `relevant_ranks` accepts.
        The shape (videos, captions, videos) implies them.
    normalizers : list of normalizers, or dict of str to normalizer, default=None
        What to compare; None for every normalizer with one bank.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items; None for the index or the columns of a dataframe.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Class labels of the gallery, as in `relevant_ranks`.
    query_mask : array-like of shape (n_queries,), default=None
        False for queries to leave out.
    groups : array-like of shape (n_queries,), default=None
        Group label of each query, such as the image that a caption describes. Queries
        of a group are drawn together for the intervals.
    bank_rows : {"queries", "items"}, default=None
        What the rows of a bank of similarities are; None to tell by its shape. Without
        queries and `gallery_ids`, None takes them as bank queries.
    beta : float or "scale", default="scale"
        Inverse temperature of the default normalizers that have one, such as 20 for the
        rows of the paper. `MixNormalizer` and `NormalizerSearch` do not use it.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How to compare embeddings, as in `pairwise_similarity`.
    ks : sequence of int, default=(1, 5, 10)
        The values of k of the recalls.
    k : int, default=10
        Length of the lists for hubness; at most n_gallery is used.
    random_state : int, RandomState instance or None, default=0
        Seed of the intervals and of the halves of the queries.
    title : str, default="Querybank normalization"
        Title of the report.
    verbose : bool, default=False
        Whether to print the steps to standard error.

    Returns
    -------
    report : Report
        Tables, the recommendation, and methods to write them.

    Raises
    ------
    ValueError
        If the inputs do not match, there are too few queries, `beta` is not positive or
        passed together with other normalizers, or a bank of similarities is square and
        `bank_rows` is None.

    See Also
    --------
    sk_qbnorm.model_selection.compare : The table of normalizers alone.
    sk_qbnorm.model_selection.NormalizerSearch : The choice by labels.
    sk_qbnorm.MixNormalizer : The choice by a sample without labels.

    Notes
    -----
    The recommendation depends on what you have:

    - labels: what `NormalizerSearch` chooses, starting from a `MixNormalizer`;
    - at least 25 queries without labels: a `MixNormalizer`;
    - only the bank: ``SinkhornNormalizer(alpha=0.5)``, with ``shrinkage="noise"`` for
      fewer than 100 bank queries;
    - ``"raw"``, leave the scores alone, if hubness is close to chance and labels show
      no clear gain, or if `NormalizerSearch` chooses raw similarities.

    The two rows that learn from the queries, ``MixNormalizer`` and
    ``NormalizerSearch``, are *cross-fitted*: each half of the queries is corrected by
    what the other half taught. At most 1000 queries are used for that. Without queries,
    hubness is measured on the bank, cross-fitted in the same way.

    The query x gallery similarities are stored.

    Examples
    --------
    >>> import sk_qbnorm
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> data = load_emoji_names_hi_en()
    >>> result = sk_qbnorm.report(
    ...     data.bank_queries, data.queries, data.gallery, relevant=data.relevant
    ... )
    >>> result.choice
    'MixNormalizer()'
    >>> print(result.settings)
    from sk_qbnorm import MixNormalizer, pairwise_similarity
    <BLANKLINE>
    normalizer = MixNormalizer(queries).fit(bank, gallery)
    sims = pairwise_similarity(queries, gallery)
    scores = normalizer.transform(sims)
    """
    if normalizers is not None and beta != "scale":
        raise ValueError(
            f"beta is for the default normalizers, got beta={beta!r} and normalizers; "
            "set beta in each of them instead."
        )
    metric = resolve_metric(metric, querybank, gallery)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        material, gallery_ids, notes = _prepare(
            querybank,
            queries,
            gallery,
            relevant,
            (gallery_ids, gallery_labels, query_mask, groups, bank_rows),
            metric,
            random_state,
        )
        k = min(k, material.sims.shape[1])
        built = _Builder(material, gallery_ids, ks, k, beta)
        built.run(normalizers, verbose)
    if beta != "scale":
        notes.append(
            "InvertedSoftmax, DynamicInvertedSoftmax and SinkhornNormalizer use "
            f"beta={beta:.7g}; MixNormalizer and NormalizerSearch do not."
        )
    notes += dict.fromkeys(str(warning.message) for warning in caught)
    return Report(title, built, notes)


def _prepare(querybank, queries, gallery, relevant, known, metric, random_state):
    """Check the inputs; return them, the names of the items, and notes."""
    gallery_ids, gallery_labels, query_mask, groups, bank_rows = known
    notes = []
    if gallery_ids is None and gallery is not None:
        gallery_ids = item_names(gallery)
    elif gallery_ids is None and queries is not None:
        gallery_ids = item_names(queries, axis=1)
    bank = check_matrix(querybank, "querybank")
    if gallery is not None:
        gallery = check_matrix(gallery, "gallery")
    if queries is None:
        if gallery is None:
            bank, notes = _orient_alone(bank, bank_rows, gallery_ids)
            sims = bank
        else:
            sims = pairwise_similarity(bank, gallery, metric=metric)
        if relevant is not None:
            raise ValueError("relevant needs queries, got None; pass both or neither.")
        _check_number(len(bank), "querybank", "more bank queries, or queries")
        material = Material(bank, gallery, metric, None, sims, None, None, random_state)
        return material, gallery_ids, notes
    if np.ndim(queries) == 3:
        queries, video_of = flatten_captions(np.asarray(queries))
        relevant = video_of if relevant is None else relevant
        groups = video_of if groups is None else groups
    queries = check_matrix(queries, "queries", finite=False)
    kept = np.ones(len(queries), dtype=bool)
    kept[kept_queries(query_mask, len(queries))] = True
    if query_mask is not None:
        kept &= np.asarray(query_mask, dtype=bool)
    padded = padding(queries) & kept
    if padded.any():
        notes.append(f"{padded.sum()} rows of padding were left out.")
        kept &= ~padded
    n_gallery = queries.shape[1] if gallery is None else len(gallery)
    if gallery is None:
        shape = f"queries has shape {queries.shape}"
        called = {"bank_name": "querybank", "queries_name": shape}
        bank, found = orient_bank(bank, n_gallery, bank_rows, **called)
        notes += found
    shape = len(queries), n_gallery
    if relevant is not None:
        ids = None if gallery_labels is not None else gallery_ids
        relevant = relevant_items(relevant, shape, gallery_labels, ids, kept)
    queries = check_matrix(queries[kept], "queries")
    _check_number(len(queries), "queries", "more of them, or none")
    sims = queries
    if gallery is not None:
        sims = pairwise_similarity(queries, gallery, metric=metric)
    groups = None if groups is None else np.asarray(groups)[kept]
    given = bank, gallery, metric, queries, sims, relevant, groups, random_state
    return Material(*given), gallery_ids, notes


def _orient_alone(bank, bank_rows, gallery_ids):
    """Orient a bank of similarities without queries, by the names of the items."""
    n_gallery = None if gallery_ids is None else len(gallery_ids)
    called = {
        "bank_name": "querybank",
        "queries_name": f"gallery_ids has {n_gallery} names",
    }
    return orient_bank(bank, n_gallery, bank_rows, **called)


def _check_number(number, name, advice):
    if number < _FEWEST:
        raise ValueError(
            f"{name} must have at least {_FEWEST} rows for a report, got {number}; "
            f"pass {advice}."
        )


class _Builder:
    """Compute the parts of a report."""

    def __init__(self, material, gallery_ids, ks, k, beta):
        self.material, self.gallery_ids = material, gallery_ids
        self._ks, self.k, self._beta = ks, k, beta
        n_queries, n_gallery = material.sims.shape
        if material.queries is None:
            n_queries = 0
        sizes = n_queries, n_gallery, len(material.bank)
        names = "n_queries", "n_gallery", "n_bank"
        self.sizes = dict(zip(names, sizes, strict=True))

    def run(self, normalizers, verbose):
        """Set ``choice``, ``tables``, ``advice`` and ``occurrences``."""
        material, k = self.material, self.k
        compared = Comparison(
            material.sims, material.relevant, ks=self._ks, k=k, groups=material.groups
        )
        kept = {}
        steps = self._steps(normalizers)
        for step, (name, scores) in enumerate(steps.items(), start=1):
            if verbose:
                sys.stderr.write(f"report: {step}/{len(steps) + 1} {name}\n")
            found = scores()
            compared.add(name, found)
            if name in (SEARCH, MIX, careful(len(material.bank), self._beta)[0]):
                kept[name] = found
        if verbose:
            sys.stderr.write(f"report: {len(steps) + 1}/{len(steps) + 1} bank\n")
        bank = querybank_report(
            material.bank,
            material.gallery,
            material.queries,
            metric=material.metric,
            k=k,
            random_state=0,
        )
        self.advice = bank.pop("advice")
        self.choice = choose(material, bank, compared.rows, self._beta)
        after = kept[self.choice.row]
        both = {"k": k, "after": after, "n_hubs": 15}
        hubs = top_hubs(material.sims, self.gallery_ids, **both)
        suspects = hub_suspects(material.sims, k=k)
        for hub in hubs:
            suspect = suspects.get(hub["item"], {"adjusted_p_value": None})
            hub["suspect_p_value"] = suspect["adjusted_p_value"]
        self.tables = {
            "comparison": compared.rows,
            "hubness": hubness_report(material.sims, after, k=k),
            "hubs": dict(enumerate(hubs)),
            "bank": {name: {"value": value} for name, value in bank.items()},
        }
        self.occurrences = [k_occurrence(x, k=k) for x in (material.sims, after)]

    def _steps(self, normalizers):
        """Return a function that scores the queries, by name."""
        material, beta = self.material, self._beta
        if normalizers is None:
            normalizers = [
                InvertedSoftmax(beta=beta),
                DynamicInvertedSoftmax(beta=beta),
                CSLS(),
                GloballyCorrected(),
                NearestNeighborNormalizer(),
                SinkhornNormalizer(beta=beta),
            ]
        named = named_normalizers(normalizers)
        name, normalizer = careful(len(material.bank), beta)
        named[name] = normalizer
        steps = {
            name: lambda each=each: material.scores(each)
            for name, each in named.items()
        }
        if material.queries is not None:
            steps[MIX] = material.mix_scores
        if material.relevant is not None:
            steps[SEARCH] = material.search_scores
        return steps
