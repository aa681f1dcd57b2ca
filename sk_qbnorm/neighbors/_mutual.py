"""Pairs of queries and gallery items: bitext mining and bilingual lexicons."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import (
    check_choice,
    check_count,
    check_matrix,
    warn_caller,
)

_MARGINS = {"ratio": np.divide, "distance": np.subtract}


def mutual_nearest_neighbors(
    scores: ArrayLike, reverse_scores: ArrayLike | None = None
) -> tuple[NDArray, NDArray]:
    r"""Return the pairs in which each side is the best match of the other.

    Parameters
    ----------
    scores : array-like of shape (n_queries, n_gallery)
        Scores of the gallery items for each query (larger is better).
    reverse_scores : array-like of shape (n_gallery, n_queries), default=None
        Scores of the queries for each gallery item, if they were corrected separately.
        None uses the transpose of `scores`.

    Returns
    -------
    queries : ndarray of shape (n_pairs,), dtype int64
        Query indices, ascending. Each query and each item is in at most one pair.
    items : ndarray of shape (n_pairs,), dtype int64
        Gallery index of each pair, so that ``scores[queries, items]`` are the scores of
        the pairs.

    Raises
    ------
    ValueError
        If a matrix is not finite, or `reverse_scores` does not have the shape of the
        transpose of `scores`.

    See Also
    --------
    margin_scores : Scores that compare a pair with the neighborhoods of both sides.
    sk_qbnorm.CSLS : Corrected scores of one direction.

    Notes
    -----
    Query q and item j are a pair if

    .. math:: j = \arg\max_{j'} s_{qj'} \quad\text{and}\quad
       q = \arg\max_{q'} s'_{jq'}

    with :math:`s'` the scores of the other direction. Of equal scores the smaller index
    is the best match. Artetxe and Schwenk [1]_ call these pairs the intersection of
    both directions.

    If the matrix does not fit into memory, compare the `predict` of two
    `~sk_qbnorm.QuerybankRetriever`, `forward` and `backward`:
    ``np.flatnonzero(backward[forward] == np.arange(len(forward)))``.

    References
    ----------
    .. [1] Artetxe, Schwenk. Margin-based Parallel Corpus Mining with Multilingual
       Sentence Embeddings. ACL 2019, https://doi.org/10.18653/v1/P19-1309.

    Examples
    --------
    >>> from sk_qbnorm.neighbors import mutual_nearest_neighbors
    >>> scores = [[0.9, 0.2], [0.8, 0.3], [0.1, 0.7]]
    >>> mutual_nearest_neighbors(scores)  # query 1 prefers item 0, which prefers 0
    (array([0, 2]), array([0, 1]))
    """
    forward = check_matrix(scores, "scores")
    backward = forward.T
    if reverse_scores is not None:
        backward = check_matrix(reverse_scores, "reverse_scores")
    if backward.shape != forward.T.shape:
        raise ValueError(
            f"reverse_scores must have one row per gallery item and one column per "
            f"query, expected shape {forward.T.shape}, got {backward.shape}; transpose "
            "it, or pass None to use scores."
        )
    best_items, best_queries = forward.argmax(axis=1), backward.argmax(axis=1)
    queries = np.flatnonzero(best_queries[best_items] == np.arange(len(forward)))
    return queries, best_items[queries]


def margin_scores(
    sims: ArrayLike,
    bank_sims: ArrayLike | None = None,
    *,
    n_neighbors: int = 4,
    margin: str = "ratio",
    n_jobs: int | None = None,
) -> NDArray:
    r"""Compare each similarity with the mean of both neighborhoods.

    Parameters
    ----------
    sims : array-like of shape (n_queries, n_gallery)
        Similarities (larger is more similar).
    bank_sims : array-like of shape (n_bank, n_gallery), default=None
        Similarities of a querybank to the gallery, in which the neighbors of the items
        are searched. None uses `sims`, which makes the scores of a query depend on the
        other queries.
    n_neighbors : int, default=4
        Number k of nearest neighbors on each side, >= 1.
    margin : {"ratio", "distance"}, default="ratio"
        Whether to divide by the mean of the neighborhoods or to subtract it.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.

    Returns
    -------
    scores : ndarray of shape (n_queries, n_gallery)
        Above 1 (ratio) or above 0 (distance) if the pair is closer than the
        neighborhoods of its two sides, so that one threshold suits all queries. float32
        if all input is float32, else float64.

    Raises
    ------
    ValueError
        If a matrix is not finite, the two do not have the same number of columns,
        `n_neighbors` or `margin` is not as above, or ``margin="ratio"`` meets a
        neighborhood whose mean is not positive.

    See Also
    --------
    mutual_nearest_neighbors : Pairs that agree in both directions.
    sk_qbnorm.CSLS : Twice the distance margin, from embeddings, iterators and for
        galleries of any size.

    Notes
    -----
    With :math:`r_q` the mean of the k largest similarities of query q to the gallery,
    and :math:`r_j` that of the k largest similarities of the bank to item j,

    .. math::

       b_{qj} = \frac{r_q + r_j}{2}, \qquad
       \text{ratio} = \frac{s_{qj}}{b_{qj}}, \qquad
       \text{distance} = s_{qj} - b_{qj}

    ([1]_, where the corpus is its own bank). The distance
    margin is half of what `CSLS` returns with the same k.

    References
    ----------
    .. [1] Artetxe, Schwenk. Margin-based Parallel Corpus Mining with Multilingual
       Sentence Embeddings. ACL 2019, https://doi.org/10.18653/v1/P19-1309.

    Examples
    --------
    >>> from sk_qbnorm.neighbors import margin_scores
    >>> sims = [[0.9, 0.2], [0.8, 0.4]]
    >>> margin_scores(sims, n_neighbors=1).round(2)
    array([[1.  , 0.31],
           [0.94, 0.67]])
    >>> margin_scores(sims, n_neighbors=1, margin="distance").round(2)
    array([[ 0.  , -0.45],
           [-0.05, -0.2 ]])
    """
    compare = _MARGINS[check_choice(margin, "margin", _MARGINS)]
    k = check_count(n_neighbors, "n_neighbors")
    matrix = check_matrix(sims, "sims", n_jobs=n_jobs)
    bank = matrix
    if bank_sims is not None:
        bank = check_matrix(bank_sims, "bank_sims", n_jobs=n_jobs)
        if bank.shape[1] != matrix.shape[1]:
            raise ValueError(
                f"bank_sims has {bank.shape[1]} columns but sims has "
                f"{matrix.shape[1]}; both need one column per gallery item, in the "
                "same order."
            )
    smaller = min(matrix.shape[1], len(bank))
    if k > smaller:
        warn_caller(
            f"n_neighbors={k} exceeds the {matrix.shape[1]} gallery items or the "
            f"{len(bank)} bank queries; all of these are used."
        )
    dtype = np.result_type(matrix, bank)
    n_threads = count_threads(n_jobs)
    of_queries, of_items = (
        _mean_of_largest(side, k, n_threads) for side in (matrix, bank.T)
    )
    scores = np.add.outer(of_queries.astype(dtype), of_items.astype(dtype))
    scores /= 2
    if margin == "ratio" and scores.min() <= 0:
        raise ValueError(
            f"margin='ratio' needs neighborhoods of positive mean similarity, got a "
            f"mean of {scores.min():.3g}; use margin='distance'."
        )
    return compare(matrix, scores, out=scores)


def _mean_of_largest(sims, k, n_threads):
    """Return the mean of the k largest entries of each row, in float64."""
    largest, _ = _kernels.best_items(sims, min(k, sims.shape[1]), n_threads)
    return largest.mean(axis=1, dtype=np.float64)
