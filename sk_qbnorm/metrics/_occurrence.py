"""How often each gallery item is retrieved."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_count, check_matrix, check_unmasked

Retrieved: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix


def k_occurrence(
    scores: Retrieved,
    *,
    k: int = 10,
    n_gallery: int | None = None,
) -> NDArray:
    """Count how often each gallery item is among the `k` best of a query.

    Parameters
    ----------
    scores : array-like or sparse matrix
        What was retrieved, in one of three forms:

        - a score matrix of shape (n_queries, n_gallery), larger for better. Among equal
          scores the smaller gallery index is the better;
        - a sparse graph of shape (n_queries, n_gallery), as of
          `QuerybankRetriever.kneighbors_graph`: what is stored in a row is what its
          query retrieves, whatever the value, explicit zeros included;
        - with `n_gallery`, gallery indices of shape (n_queries, n_neighbors), best
          first, as of `QuerybankRetriever.kneighbors`, with -1 for none.
    k : int, default=10
        Length of the lists that are counted, in [1, n_gallery]. Of indices the first
        `k` columns count. A row of a graph has at most `k` entries, as a graph does not
        say which are the best. Lists that are shorter count as they are.
    n_gallery : int, default=None
        Number of gallery items, for indices alone: it says that they are indices.

    Returns
    -------
    counts : ndarray of shape (n_gallery,), dtype int64
        In [0, n_queries], items that are never retrieved among them. They sum to
        ``k * n_queries``, or less where lists are shorter. A hub is an item far above
        the mean.

    Raises
    ------
    ValueError
        If `scores` is no finite matrix, `k` is out of range, a row of a graph has more
        than `k` entries, or indices are outside of the gallery or twice in a row.

    See Also
    --------
    hubness_report : What all measures of hubness make of the counts.

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
    return count_lists(scores, k, n_gallery)[0]


def occurrence_counts(scores, k, n_gallery):
    """Return the k-occurrence of what is retrieved, or counts that are given as such.

    One axis says that they are counts; there is at least one that is not 0.
    """
    if n_gallery is None and not sparse.issparse(scores) and np.ndim(scores) == 1:
        check_unmasked(scores, "scores")
        counts = np.asarray(scores)
        if counts.dtype.kind not in "iu" or counts.size == 0 or counts.min() < 0:
            raise ValueError(
                "scores with one axis must be counts as of k_occurrence, integers >= "
                f"0, got {_shown(counts)}; pass a matrix of scores, or n_gallery with "
                "a matrix of indices."
            )
    else:
        counts, _ = count_lists(scores, k, n_gallery)
    if not counts.any():
        raise ValueError(
            "Nothing is retrieved, so that hubness is not defined; expected a gallery "
            "item that is in a list, got none."
        )
    return counts


def count_lists(scores, k, n_gallery):
    """Return the k-occurrence and the number of queries."""
    if n_gallery is not None:
        rows = _check_indices(scores, check_count(n_gallery, "n_gallery"))
        check_count(k, "k", largest=n_gallery)
        items = rows[:, :k]
        return _count(items[items >= 0], n_gallery), rows.shape[0]
    checked = check_matrix(scores, "scores", accept_sparse=True)
    n_queries, n_gallery = checked.shape
    check_count(k, "k", largest=n_gallery)
    if sparse.issparse(checked):
        return _count(_check_graph(checked, k), n_gallery), n_queries
    _, best = _kernels.best_items(checked, k, count_threads(None))
    return _count(best.ravel(), n_gallery), n_queries


def _count(items, n_gallery):
    return np.bincount(items, minlength=n_gallery).astype(np.int64, copy=False)


def _check_indices(scores, n_gallery):
    if sparse.issparse(scores):
        raise ValueError(
            f"n_gallery={n_gallery} goes with gallery indices, got a sparse graph, "
            "which has a column for each item; leave n_gallery out."
        )
    check_unmasked(scores, "scores")
    rows = np.asarray(scores)
    if rows.dtype.kind not in "iu" or rows.ndim != 2 or rows.size == 0:
        raise ValueError(
            "With n_gallery, scores must be gallery indices, integers of shape "
            f"(n_queries, n_neighbors), got {_shown(rows)}; for a matrix of scores "
            "leave n_gallery out."
        )
    outside = (rows < -1) | (rows >= n_gallery)
    if outside.any():
        raise ValueError(
            f"Gallery indices must be in [0, {n_gallery - 1}], or -1 for none, got "
            f"{rows[outside][0]}; compare n_gallery={n_gallery} with the gallery."
        )
    rows = rows.astype(np.int64)
    ordered = np.sort(rows, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        i, j = np.argwhere(twice)[0]
        raise ValueError(
            "A query must not retrieve an item twice, got gallery index "
            f"{ordered[i, j]} more than once in row {i}; drop the repetition."
        )
    return rows


def _check_graph(graph, k):
    """Return the items of all rows; entries of the same place are one."""
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
            f"A row of a sparse graph must have at most k={k} entries, as it does not "
            f"say which are the best, got {longest} in row {lengths.argmax()}; pass "
            f"k={longest} to count all of them."
        )
    return pattern.indices


def _shown(array):
    return f"values of dtype {array.dtype} and shape {array.shape}"
