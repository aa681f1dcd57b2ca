"""Convert scores to the dictionaries of evaluation tools, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_count, check_matrix, check_unmasked
from sk_qbnorm.result_lists import ResultLists


def to_run(
    scores: ArrayLike,
    query_ids: Sequence | None = None,
    gallery_ids: Sequence | None = None,
    k: int = 100,
    *,
    indices: ArrayLike | None = None,
) -> dict[str, dict[str, float]]:
    """Convert scores to a run, the dictionary that evaluation tools take.

    Parameters
    ----------
    scores : array-like of shape (n_queries, n_gallery) or (n_queries, n_neighbors)
        Similarities or corrected scores; with `indices`, those of the listed items.
    query_ids : sequence of shape (n_queries,), default=None
        Names of the queries; None for ``"0"``, ``"1"`` and so on.
    gallery_ids : sequence of shape (n_gallery,), default=None
        Names of the gallery items; None for the gallery indices as strings.
    k : int, default=100
        Number of items per query, >= 1; all items if there are fewer.
    indices : array-like of shape (n_queries, n_neighbors), default=None
        Gallery index of each score, -1 for none, as returned by
        `QuerybankRetriever.kneighbors`.

    Returns
    -------
    run : dict of str to dict
        From query to item to score, best first. ``ranx.Run``, ``ir_measures`` and
        BEIR's ``EvaluateRetrieval`` take it.

    Raises
    ------
    ValueError
        If the inputs do not match, or names repeat.

    See Also
    --------
    from_run : The other way.

    Examples
    --------
    >>> from sk_qbnorm.evaluators import to_run
    >>> to_run([[0.5, 0.75], [1.0, 0.25]], ["q1", "q2"], ["cat", "dog"], k=1)
    {'q1': {'dog': 0.75}, 'q2': {'cat': 1.0}}
    """
    check_count(k, "k")
    checked = check_matrix(scores, "scores", finite=indices is None)
    if indices is None:
        n_gallery = checked.shape[1]
        n_threads = count_threads(None)
        items = _kernels.best_items(checked, min(k, n_gallery), n_threads)[1]
        best = np.take_along_axis(checked, items, axis=1)
    else:
        items, best = _check_indices(indices, checked.shape)[:, :k], checked[:, :k]
        largest = int(items.max())
        n_gallery = largest + 1 if gallery_ids is None else len(gallery_ids)
        if largest >= n_gallery:
            raise ValueError(
                f"indices must be below {n_gallery}, the number of gallery_ids, got "
                f"{largest}."
            )
    queries = _names(query_ids, len(best), "query_ids")
    gallery = _names(gallery_ids, n_gallery, "gallery_ids")
    return {
        query: {
            gallery[item]: score
            for item, score in zip(row.tolist(), found.tolist(), strict=True)
            if item >= 0
        }
        for query, row, found in zip(queries, items, best, strict=True)
    }


def _check_indices(indices, shape):
    check_unmasked(indices, "indices")
    items = np.asarray(indices)
    if items.shape != shape or items.dtype.kind not in "iu":
        raise ValueError(
            f"indices must be integers of shape {shape}, as scores, got "
            f"{items.dtype} of shape {items.shape}."
        )
    return items


def from_run(
    run: Any,
    query_ids: Sequence | None = None,
    gallery_ids: Sequence | None = None,
) -> ResultLists:
    """Convert a run to result lists, from which normalizers learn.

    Parameters
    ----------
    run : dict of str to dict, ranx.Run, or iterable of ir_measures.ScoredDoc
        From query to item to score.
    query_ids : sequence of shape (n_queries,), default=None
        The queries and their order; None for those of the run. A query that is not in
        the run gets an empty list.
    gallery_ids : sequence of shape (n_gallery,), default=None
        Names of all gallery items; None for those of the run, in order of appearance.

    Returns
    -------
    lists : ResultLists
        The lists, with ``gallery_ids``. Pass them to `MixNormalizer` or
        `ListSinkhornNormalizer`.

    Raises
    ------
    ValueError
        If an item is not in `gallery_ids`, or the run is empty.

    See Also
    --------
    to_run : The other way.

    Examples
    --------
    >>> from sk_qbnorm.evaluators import from_run
    >>> lists = from_run({"q1": {"cat": 0.5, "dog": 0.75}, "q2": {"cat": 1.0}})
    >>> lists.gallery_ids[lists.items[0]]
    array(['dog', 'cat'], dtype=object)
    """
    run = _dictionary(run, "score")
    queries = list(run) if query_ids is None else list(query_ids)
    if gallery_ids is None:
        gallery_ids = [*dict.fromkeys(item for row in run.values() for item in row)]
    rows = [run.get(query, {}) for query in queries]
    longest = max(map(len, rows), default=0)
    if not longest:
        raise ValueError(
            "run must list an item for a query, got none; check query_ids."
        )
    names = np.full((len(rows), longest), None, dtype=object)
    scores = np.zeros((len(rows), longest))
    for place, row in enumerate(rows):
        names[place, : len(row)] = [*row]
        scores[place, : len(row)] = [*row.values()]
    ids = np.array([*gallery_ids], dtype=object)
    return ResultLists(scores, names, gallery_ids=ids)


def from_qrels(qrels: Any, query_ids: Sequence) -> list[list[str]]:
    """Convert judgments to the relevant items of each query, by name.

    Parameters
    ----------
    qrels : dict of str to dict, ranx.Qrels, or iterable of ir_measures.Qrel
        From query to item to relevance; items above 0 are relevant.
    query_ids : sequence of shape (n_queries,)
        The queries and their order.

    Returns
    -------
    relevant : list of list of str
        Pass it as `relevant` with `gallery_ids` to all measures. The list of a query
        without a relevant item is empty; leave such queries out.

    See Also
    --------
    from_run : Results in place of judgments.

    Examples
    --------
    >>> from sk_qbnorm.evaluators import from_qrels
    >>> from sk_qbnorm.metrics import recall_at_k
    >>> relevant = from_qrels({"q2": {"cat": 1}, "q1": {"dog": 2}}, ["q1", "q2"])
    >>> relevant
    [['dog'], ['cat']]
    >>> scores = [[0.5, 0.75], [1.0, 0.25]]
    >>> recall_at_k(relevant, scores, gallery_ids=["cat", "dog"])
    1.0
    """
    judged = _dictionary(qrels, "relevance")
    return [
        [item for item, value in judged.get(query, {}).items() if value > 0]
        for query in query_ids
    ]


def _dictionary(given, value):
    """Return a dict of dicts from a dict, from ranx, or from tuples of ir-measures."""
    if hasattr(given, "to_dict"):
        given = given.to_dict()
    if isinstance(given, Mapping):
        return given
    found = {}
    for each in given:
        found.setdefault(each.query_id, {})[each.doc_id] = getattr(each, value)
    return found


def _names(names, number, title):
    names = range(number) if names is None else names
    found = [str(name) for name in names]
    if len(set(found)) != number or len(found) != number:
        raise ValueError(
            f"{title} must be {number} different names, got {len(found)} with "
            f"{len(set(found))} different."
        )
    return found
