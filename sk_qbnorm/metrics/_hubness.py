"""Measures of hubness: how unevenly the gallery is retrieved."""

from __future__ import annotations

import numpy as np
from scipy.stats import skew

from ._occurrence import Retrieved, occurrence_counts


def hubness_skewness(
    scores: Retrieved, *, k: int = 10, n_gallery: int | None = None
) -> float:
    r"""Compute the skewness of the k-occurrence, the usual measure of hubness.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`; or its counts, of shape (n_gallery,).
    k : int, default=10
        Length of the lists to count, as in `k_occurrence`; ignored for counts.
    n_gallery : int, default=None
        Number of gallery items, only for indices.

    Returns
    -------
    skewness : float
        0 if every item is retrieved equally often; negative if a few items are
        retrieved less than the others; at most ``(n_gallery - 2) / sqrt(n_gallery -
        1)``, if one item takes every place. By chance alone it is near 0 for many
        queries, and 1 or more for few: see ``no_hubs`` in `hubness_report`. Well above
        that there are hubs. With thousands of items it may exceed 10.

    Raises
    ------
    ValueError
        If `k_occurrence` rejects `scores` or `k`, or nothing is retrieved.

    See Also
    --------
    k_occurrence : The counts.
    robin_hood_index : Bounded, and less affected by the largest hub.

    Notes
    -----
    With :math:`N_j` the k-occurrence of gallery item j,

    .. math::

        \frac{\frac{1}{n} \sum_j (N_j - \bar{N})^3}
             {(\frac{1}{n} \sum_j (N_j - \bar{N})^2)^{3/2}}

    over all n gallery items, including those with :math:`N_j = 0`. If all items are
    equally likely, :math:`N_j` is binomial with :math:`p = k / n` in m queries, with
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
    if np.ptp(counts) == 0:  # 0 / 0 in the formula
        return 0.0
    return float(skew(counts))


def robin_hood_index(
    scores: Retrieved, *, k: int = 10, n_gallery: int | None = None
) -> float:
    r"""Compute the share of list places to move from hubs for equal counts.

    Moving these places from items above the mean k-occurrence to items below it would
    make all counts equal.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`; or its counts, of shape (n_gallery,).
    k : int, default=10
        Length of the lists to count, as in `k_occurrence`; ignored for counts.
    n_gallery : int, default=None
        Number of gallery items, only for indices.

    Returns
    -------
    index : float
        In [0, 1 - k / n_gallery]: 0 if every item is retrieved equally often, the
        maximum if all queries retrieve the same `k` items. Chance alone gives about
        ``0.4 / sqrt(mean)`` if the mean k-occurrence is well above 1; see ``no_hubs``
        in `hubness_report` for any mean.

    Raises
    ------
    ValueError
        If `k_occurrence` rejects `scores` or `k`, or nothing is retrieved.

    See Also
    --------
    gini_index : Also depends on the spread on each side of the mean.

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
    scores: Retrieved, *, k: int = 10, n_gallery: int | None = None
) -> float:
    r"""Compute the Gini index of the k-occurrence.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`; or its counts, of shape (n_gallery,).
    k : int, default=10
        Length of the lists to count, as in `k_occurrence`; ignored for counts.
    n_gallery : int, default=None
        Number of gallery items, only for indices.

    Returns
    -------
    index : float
        In [0, 1 - k / n_gallery]: 0 if every item is retrieved equally often, the
        maximum if all queries retrieve the same `k` items. Chance alone gives about
        ``0.56 / sqrt(mean)`` if the mean k-occurrence is well above 1; see ``no_hubs``
        in `hubness_report` for any mean.

    Raises
    ------
    ValueError
        If `k_occurrence` rejects `scores` or `k`, or nothing is retrieved.

    See Also
    --------
    robin_hood_index : A share that is easier to interpret.

    Notes
    -----
    With :math:`N_j` the k-occurrence of gallery item j, of n,

    .. math:: \frac{\sum_i \sum_j |N_i - N_j|}{2 n \sum_j N_j}

    This is twice the area between the Lorenz curve of the counts and the diagonal. It
    is computed with one sort.

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
    weights = 2 * np.arange(1.0, n_items + 1) - n_items - 1
    return float(weights @ counts / (n_items * counts.sum()))


def antihub_rate(
    scores: Retrieved, *, k: int = 10, n_gallery: int | None = None
) -> float:
    r"""Compute the share of gallery items that no query retrieves.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`; or its counts, of shape (n_gallery,).
    k : int, default=10
        Length of the lists to count, as in `k_occurrence`; ignored for counts.
    n_gallery : int, default=None
        Number of gallery items, only for indices.

    Returns
    -------
    rate : float
        In [0, 1 - k / n_gallery]: 0 if every item is retrieved, the maximum if all
        queries retrieve the same `k` items. With few queries many items are missed by
        chance, so compare it with ``no_hubs`` in `hubness_report`.

    Raises
    ------
    ValueError
        If `k_occurrence` rejects `scores` or `k`, or nothing is retrieved.

    See Also
    --------
    hub_rate : The share of places that the largest hubs take.

    Notes
    -----
    The share of items j with :math:`N_j = 0`. If all n items are equally likely to be
    in the top k of each of m queries, it is :math:`(1 - k / n)^m` on average.

    References
    ----------
    .. [1] Feldbauer, Flexer. A comprehensive empirical comparison of hubness reduction
       in high-dimensional spaces. Knowledge and Information Systems 59, 2019,
       https://doi.org/10.1007/s10115-018-1205-y.

    Examples
    --------
    >>> from sk_qbnorm.metrics import antihub_rate
    >>> antihub_rate([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    0.666...
    """
    return float(np.mean(occurrence_counts(scores, k, n_gallery) == 0))


def hub_rate(scores: Retrieved, *, k: int = 10, n_gallery: int | None = None) -> float:
    r"""Compute the share of list places that the top 1 % of gallery items take.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`; or its counts, of shape (n_gallery,).
    k : int, default=10
        Length of the lists to count, as in `k_occurrence`; ignored for counts.
    n_gallery : int, default=None
        Number of gallery items, only for indices.

    Returns
    -------
    rate : float
        In [t / n_gallery, 1], with t 1 % of `n_gallery`, rounded up: one item of a
        gallery of up to 100. The minimum, about 0.01 in a large gallery, if every item
        is retrieved equally often; a few times that by chance alone. Above 0.1 hubs
        take ten times their share.

    Raises
    ------
    ValueError
        If `k_occurrence` rejects `scores` or `k`, or nothing is retrieved.

    See Also
    --------
    max_k_occurrence : The count of the largest hub.
    antihub_rate : The share of items that are never retrieved.

    Notes
    -----
    With :math:`N_{(1)} \ge N_{(2)} \ge \dots` the k-occurrences in descending order,

    .. math::

        \frac{\sum_{j \le t} N_{(j)}}{\sum_j N_j}, \quad t = \lceil n / 100 \rceil

    Examples
    --------
    >>> from sk_qbnorm.metrics import hub_rate
    >>> hub_rate([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    1.0
    """
    counts = occurrence_counts(scores, k, n_gallery)
    n_top = one_percent(counts.size)
    top = np.partition(counts, -n_top)[-n_top:]
    return float(top.sum() / counts.sum())


def one_percent(n_gallery):
    """Return 1 % of the gallery items, rounded up."""
    return -(-n_gallery // 100)


def max_k_occurrence(
    scores: Retrieved, *, k: int = 10, n_gallery: int | None = None
) -> int:
    """Count how often the largest hub is retrieved.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`; or its counts, of shape (n_gallery,).
    k : int, default=10
        Length of the lists to count, as in `k_occurrence`; ignored for counts.
    n_gallery : int, default=None
        Number of gallery items, only for indices.

    Returns
    -------
    count : int
        At least the mean k-occurrence, ``k * n_queries / n_gallery`` rounded up, if
        every item is retrieved equally often; at most `n_queries`, if an item is in
        every list. By chance alone it exceeds the mean by a few times the square root
        of the mean.

    Raises
    ------
    ValueError
        If `k_occurrence` rejects `scores` or `k`, or nothing is retrieved.

    See Also
    --------
    k_occurrence : The counts of all items; their ``argmax()`` is the largest hub.
    hub_rate : The share of places that the largest hubs take together.

    Examples
    --------
    >>> from sk_qbnorm.metrics import max_k_occurrence
    >>> max_k_occurrence([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    2
    """
    return int(occurrence_counts(scores, k, n_gallery).max())
