"""How unevenly the gallery is retrieved."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import skew

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_count, check_matrix


def k_occurrence(scores: ArrayLike, *, k: int = 10) -> NDArray:
    """Count how often each gallery item is among the `k` best of a query.

    Parameters
    ----------
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores, larger for better. Among equal scores the
        smaller gallery index is the better.
    k : int, default=10
        Length of the lists that are counted, in [1, n_gallery].

    Returns
    -------
    counts : ndarray of shape (n_gallery,), dtype int64
        In [0, n_queries], items that are never retrieved among them; they sum to
        ``k * n_queries``. A hub is an item far above the mean.

    Raises
    ------
    ValueError
        If `scores` is no finite matrix, or `k` is out of range.

    See Also
    --------
    hubness_skewness : One number for all of it.

    References
    ----------
    .. [1] Radovanović, Nanopoulos, Ivanović. Hubs in Space: Popular Nearest Neighbors
       in High-Dimensional Data. JMLR 11, 2010, section 3.

    Examples
    --------
    >>> from sk_qbnorm.metrics import k_occurrence
    >>> k_occurrence([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    array([2, 0, 0])
    """
    checked = check_matrix(scores, "scores")
    n_gallery = checked.shape[1]
    check_count(k, "k", largest=n_gallery)
    _, best = _kernels.best_items(checked, k, count_threads(None))
    return np.bincount(best.ravel(), minlength=n_gallery)


def hubness_skewness(scores: ArrayLike, *, k: int = 10) -> float:
    r"""Skewness of the k-occurrence: the usual measure of hubness.

    Parameters
    ----------
    scores : array-like of shape (n_queries, n_gallery)
        Similarities or corrected scores, larger for better.
    k : int, default=10
        Length of the lists that are counted, in [1, n_gallery].

    Returns
    -------
    skewness : float
        0 where every item is retrieved equally often, and near 0 where all are equally
        likely to be; above about 1 there are hubs, and in the thousands of items it
        may exceed 10.

    Raises
    ------
    ValueError
        If `scores` is no finite matrix, or `k` is out of range.

    See Also
    --------
    k_occurrence : The counts themselves.

    Notes
    -----
    With :math:`N_j` the k-occurrence of gallery item j,

    .. math::

        \frac{\frac{1}{n} \sum_j (N_j - \bar{N})^3}
             {(\frac{1}{n} \sum_j (N_j - \bar{N})^2)^{3/2}}

    over all n gallery items, those with :math:`N_j = 0` included.

    References
    ----------
    .. [1] Radovanović, Nanopoulos, Ivanović. Hubs in Space: Popular Nearest Neighbors
       in High-Dimensional Data. JMLR 11, 2010, section 3.

    Examples
    --------
    >>> from sk_qbnorm.metrics import hubness_skewness
    >>> hubness_skewness([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    0.707...
    """
    counts = k_occurrence(scores, k=k)
    if np.ptp(counts) == 0:  # 0 / 0 in the formula; nothing is uneven
        return 0.0
    return float(skew(counts))
