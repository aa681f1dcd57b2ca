"""How unevenly the gallery is retrieved, in one number for all items."""

import numpy as np
from scipy.stats import skew

from ._occurrence import Retrieved, occurrence_counts


def hubness_skewness(
    scores: Retrieved,
    *,
    k: int = 10,
    n_gallery: int | None = None,
) -> float:
    r"""Skewness of the k-occurrence: the usual measure of hubness.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`; or its counts themselves, of shape (n_gallery,).
    k : int, default=10
        Length of the lists that are counted, as in `k_occurrence`; not used for counts.
    n_gallery : int, default=None
        Number of gallery items, for indices alone.

    Returns
    -------
    skewness : float
        Up to ``(n_gallery - 2) / sqrt(n_gallery - 1)``, where one item takes all. 0
        where every item is retrieved equally often. Where all are equally likely to be
        retrieved it is near 0 for many queries, and 1 or more for few, as
        `hubness_report` says; well above that there are hubs, and in the thousands of
        items it may exceed 10. Below 0 where a few items are retrieved less than the
        others.

    Raises
    ------
    ValueError
        If `scores` or `k` is refused by `k_occurrence`, or nothing is retrieved.

    See Also
    --------
    k_occurrence : The counts themselves.
    robin_hood_index : Bounded, and less moved by the largest hub.

    Notes
    -----
    With :math:`N_j` the k-occurrence of gallery item j,

    .. math::

        \frac{\frac{1}{n} \sum_j (N_j - \bar{N})^3}
             {(\frac{1}{n} \sum_j (N_j - \bar{N})^2)^{3/2}}

    over all n gallery items, those with :math:`N_j = 0` included. Where all items are
    equally likely, :math:`N_j` is binomial with :math:`p = k / n` in m queries, of
    skewness :math:`(1 - 2p) / \sqrt{m p (1 - p)}`.

    References
    ----------
    .. [1] Radovanović, Nanopoulos, Ivanović. Hubs in Space: Popular Nearest Neighbors
       in High-Dimensional Data. JMLR 11, 2010,
       https://jmlr.org/papers/v11/radovanovic10a.html.

    Examples
    --------
    >>> from sk_qbnorm.metrics import hubness_skewness
    >>> hubness_skewness([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    0.707...
    """
    counts = occurrence_counts(scores, k, n_gallery)
    if np.ptp(counts) == 0:  # 0 / 0 in the formula; nothing is uneven
        return 0.0
    return float(skew(counts))


def robin_hood_index(
    scores: Retrieved,
    *,
    k: int = 10,
    n_gallery: int | None = None,
) -> float:
    r"""Share of all places in lists that hubs would have to give away.

    Taken from the items above the mean k-occurrence and given to those below, it would
    make all even.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`; or its counts themselves, of shape (n_gallery,).
    k : int, default=10
        Length of the lists that are counted, as in `k_occurrence`; not used for counts.
    n_gallery : int, default=None
        Number of gallery items, for indices alone.

    Returns
    -------
    index : float
        In [0, 1 - k / n_gallery]: 0 where every item is retrieved equally often, the
        largest where all queries retrieve the same `k` items. Chance alone gives about
        ``0.4 / sqrt(mean)`` where all are equally likely and the mean k-occurrence is
        well above 1; `hubness_report` says it for any mean.

    Raises
    ------
    ValueError
        If `scores` or `k` is refused by `k_occurrence`, or nothing is retrieved.

    See Also
    --------
    gini_index : Also sees how uneven it is on either side of the mean.

    Notes
    -----
    With :math:`N_j` the k-occurrence of gallery item j, of n,

    .. math:: \frac{\sum_j |N_j - \bar{N}|}{2 \sum_j N_j}

    References
    ----------
    .. [1] Feldbauer, Leodolter, Plant, Flexer. Fast Approximate Hubness Reduction for
       Large High-Dimensional Data. ICBK 2018, https://doi.org/10.1109/ICBK.2018.00055.

    Examples
    --------
    >>> from sk_qbnorm.metrics import robin_hood_index
    >>> robin_hood_index([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    0.666...
    """
    counts = occurrence_counts(scores, k, n_gallery)
    return float(np.abs(counts - counts.mean()).sum() / (2 * counts.sum()))


def gini_index(
    scores: Retrieved,
    *,
    k: int = 10,
    n_gallery: int | None = None,
) -> float:
    r"""Gini index of the k-occurrence.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`; or its counts themselves, of shape (n_gallery,).
    k : int, default=10
        Length of the lists that are counted, as in `k_occurrence`; not used for counts.
    n_gallery : int, default=None
        Number of gallery items, for indices alone.

    Returns
    -------
    index : float
        In [0, 1 - k / n_gallery]: 0 where every item is retrieved equally often, the
        largest where all queries retrieve the same `k` items. Chance alone gives about
        ``0.56 / sqrt(mean)`` where all are equally likely and the mean k-occurrence is
        well above 1; `hubness_report` says it for any mean.

    Raises
    ------
    ValueError
        If `scores` or `k` is refused by `k_occurrence`, or nothing is retrieved.

    See Also
    --------
    robin_hood_index : A share that is easier to picture.

    Notes
    -----
    With :math:`N_j` the k-occurrence of gallery item j, of n,

    .. math:: \frac{\sum_i \sum_j |N_i - N_j|}{2 n \sum_j N_j}

    It is twice the area between the Lorenz curve of the counts and the diagonal, and
    is found by one sort.

    References
    ----------
    .. [1] Gini. Measurement of Inequality of Incomes. The Economic Journal 31, 1921,
       https://doi.org/10.2307/2223319.

    Examples
    --------
    >>> from sk_qbnorm.metrics import gini_index
    >>> gini_index([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    0.666...
    """
    counts = np.sort(occurrence_counts(scores, k, n_gallery))
    n_items = counts.size
    places = 2 * np.arange(1.0, n_items + 1) - n_items - 1
    return float(places @ counts / (n_items * counts.sum()))
