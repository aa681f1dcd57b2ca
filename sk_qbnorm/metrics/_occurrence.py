"""The k-occurrence: how often each gallery item is retrieved."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sk_qbnorm import _arrays
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_count, check_matrix, check_unmasked

Retrieved: TypeAlias = object  # the forms are listed in `k_occurrence`


def k_occurrence(
    scores: Retrieved, *, k: int = 10, n_gallery: int | None = None
) -> NDArray:
    """Count how often each gallery item is in the top k of a query.

    Parameters
    ----------
    scores : array-like or sparse matrix
        The retrieval result, in one of three forms:

        - a score matrix of shape (n_queries, n_gallery), larger is better. Among equal
          scores the smaller gallery index ranks first;
        - a sparse graph of shape (n_queries, n_gallery), as returned by
          `QuerybankRetriever.kneighbors_graph`. All stored entries of a row count as
          retrieved, whatever their value, explicit zeros included;
        - with `n_gallery`, gallery indices of shape (n_queries, n_neighbors), best
          first, as returned by `QuerybankRetriever.kneighbors`, with -1 for none.
    k : int, default=10
        Length of the lists to count, in [1, n_gallery]. With indices, the first `k`
        columns count. With a graph, rows may have at most `k` entries, as a graph does
        not tell which are the best. Shorter lists are allowed.
    n_gallery : int, default=None
        Number of gallery items. Pass it if, and only if, `scores` holds indices.

    Returns
    -------
    counts : ndarray of shape (n_gallery,), dtype int64
        In [0, n_queries], including items that are never retrieved. The sum is
        ``k * n_queries``, or less with shorter lists. A hub is an item with a count
        far above the mean.

    Raises
    ------
    ValueError
        If `scores` is not a finite matrix, `k` is out of range, a row of a graph has
        more than `k` entries, or indices are out of range or repeated in a row.

    See Also
    --------
    hubness_report : All hubness measures of these counts.

    References
    ----------
    .. [1] Radovanović, Nanopoulos, Ivanović. Hubs in Space: Popular Nearest Neighbors
       in High-Dimensional Data. JMLR 11, 2010,
       https://jmlr.org/papers/v11/radovanovic10a.html.

    Examples
    --------
    >>> from sk_qbnorm.metrics import k_occurrence
    >>> k_occurrence([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    array([2, 0, 0])
    >>> k_occurrence([[0, 2], [0, 1]], k=2, n_gallery=3)
    array([2, 1, 1])
    """
    return _arrays.like(_count(scores, k, n_gallery)[0], scores)


def k_occurrence_pair(before, after, k, n_gallery):
    """Count a retrieval before and, unless it is None, after a correction.

    Returns
    -------
    counts : list of ndarray of shape (n_gallery,), dtype int64
        One array, or two if `after` is given.
    n_queries : int
    """
    counts, n_queries = _count(before, k, n_gallery)
    if after is None:
        return [counts], n_queries
    counts_after, n_after = _count(after, k, n_gallery)
    shapes = (n_queries, counts.size), (n_after, counts_after.size)
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"before has (n_queries, n_gallery) = {shapes[0]} but after has "
            f"{shapes[1]}; pass results of the same queries and gallery."
        )
    return [counts, counts_after], n_queries


def occurrence_counts(scores, k, n_gallery):
    """Return the k-occurrence of a retrieval result, or `scores` if it holds counts.

    One-dimensional input without `n_gallery` is taken as counts. At least one count is
    not 0.
    """
    if n_gallery is None and not sparse.issparse(scores) and np.ndim(scores) == 1:
        check_unmasked(scores, "scores")
        counts = np.asarray(_arrays.to_numpy(scores))
        if counts.dtype.kind not in "iu" or counts.size == 0 or counts.min() < 0:
            raise ValueError(
                "scores with one dimension must be counts from k_occurrence, integers "
                f">= 0, got {_describe(counts)}; pass a score matrix, or indices with "
                "n_gallery."
            )
    else:
        counts, _ = _count(scores, k, n_gallery)
    if not counts.any():
        raise ValueError(
            "scores retrieve no gallery item, so hubness is undefined; pass lists with "
            "at least one item."
        )
    return counts


def _count(scores, k, n_gallery):
    """Return the k-occurrence and the number of queries."""
    if n_gallery is not None:
        scores = _arrays.to_numpy(scores)
        lists = _check_indices(scores, check_count(n_gallery, "n_gallery"))
        check_count(k, "k", largest=n_gallery)
        items, n_queries = lists[:, :k], len(lists)
        items = items[items >= 0]
    else:
        options = {"accept_sparse": True, "keep_foreign": True}
        checked = check_matrix(scores, "scores", **options)
        n_queries, n_gallery = checked.shape
        check_count(k, "k", largest=n_gallery)
        if sparse.issparse(checked):
            items = _check_graph(checked, k)
        else:
            kernels = _arrays.kernels_of(checked)
            items = kernels.best_items(checked, k, count_threads(None))[1].ravel()
    counts = np.bincount(items, minlength=n_gallery)
    return counts.astype(np.int64, copy=False), n_queries


def _check_indices(scores, n_gallery):
    """Return gallery indices as an int64 matrix."""
    if sparse.issparse(scores):
        raise ValueError(
            f"n_gallery={n_gallery} is for gallery indices, but scores is a sparse "
            "graph, which has one column per item; leave out n_gallery."
        )
    check_unmasked(scores, "scores")
    lists = np.asarray(scores)
    if lists.dtype.kind not in "iu" or lists.ndim != 2 or lists.size == 0:
        raise ValueError(
            "With n_gallery, scores must be gallery indices, integers of shape "
            f"(n_queries, n_neighbors), got {_describe(lists)}; for a score matrix "
            "leave out n_gallery."
        )
    outside = (lists < -1) | (lists >= n_gallery)
    if outside.any():
        raise ValueError(
            f"Gallery indices must be in [0, {n_gallery - 1}], or -1 for none, got "
            f"{lists[outside][0]}; check n_gallery={n_gallery}."
        )
    lists = lists.astype(np.int64)
    ordered = np.sort(lists, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if repeated.any():
        i, j = np.argwhere(repeated)[0]
        raise ValueError(
            f"scores holds gallery index {ordered[i, j]} more than once in row {i}; "
            "remove repeated items."
        )
    return lists


def _check_graph(graph, k):
    """Return the column indices of a CSR graph without duplicate entries."""
    pattern = sparse.csr_array(
        (np.ones(graph.nnz, dtype=bool), graph.indices, graph.indptr),
        shape=graph.shape,
        copy=True,
    )
    pattern.sum_duplicates()
    lengths = np.diff(pattern.indptr)
    longest = lengths.max()
    if longest > k:
        raise ValueError(
            f"Row {lengths.argmax()} of the sparse graph has {longest} entries, more "
            f"than k={k}, and a graph does not tell which are the best; pass "
            f"k={longest} to count all of them."
        )
    return pattern.indices


def _describe(array):
    return f"values of dtype {array.dtype} and shape {array.shape}"
