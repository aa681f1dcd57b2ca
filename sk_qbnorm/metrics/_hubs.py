"""The ends of the k-occurrence: the items that take most, those that get nothing."""

import numpy as np

from ._occurrence import Retrieved, occurrence_counts


def antihub_rate(
    scores: Retrieved,
    *,
    k: int = 10,
    n_gallery: int | None = None,
) -> float:
    r"""Share of gallery items that no query retrieves.

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
    rate : float
        In [0, 1 - k / n_gallery]: 0 where every item is retrieved, the largest where
        all queries retrieve the same `k` items. Few queries leave many items out by
        chance alone, so compare it with what `hubness_report` gives for no hubs.

    Raises
    ------
    ValueError
        If `scores` or `k` is refused by `k_occurrence`, or nothing is retrieved.

    See Also
    --------
    hub_rate : The other end.

    Notes
    -----
    The share of items j with :math:`N_j = 0`. Where all n items are equally likely to
    be among the k of each of m queries, it is :math:`(1 - k / n)^m` on average.

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


def hub_rate(
    scores: Retrieved,
    *,
    k: int = 10,
    n_gallery: int | None = None,
) -> float:
    r"""Share of all places in lists that the top 1 % of the gallery items take.

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
    rate : float
        In [t / n_gallery, 1], where t is 1 % of `n_gallery`, rounded up: one item of a
        gallery of up to 100. The smallest, about 0.01 in a large gallery, where every
        item is retrieved equally often; a few times that by chance alone; above 0.1
        hubs take ten times their part.

    Raises
    ------
    ValueError
        If `scores` or `k` is refused by `k_occurrence`, or nothing is retrieved.

    See Also
    --------
    max_k_occurrence : What the largest hub takes.
    antihub_rate : The other end.

    Notes
    -----
    With :math:`N_{(1)} \ge N_{(2)} \ge \dots` the k-occurrences in order,

    .. math::

        \frac{\sum_{j \le t} N_{(j)}}{\sum_j N_j}, \quad t = \lceil n / 100 \rceil

    Examples
    --------
    >>> from sk_qbnorm.metrics import hub_rate
    >>> hub_rate([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    1.0
    """
    counts = occurrence_counts(scores, k, n_gallery)
    n_top = count_top(counts.size)
    top = np.partition(counts, -n_top)[-n_top:]
    return float(top.sum() / counts.sum())


def count_top(n_gallery):
    """Return how many items are the top 1 %, at least one."""
    return -(-n_gallery // 100)


def max_k_occurrence(
    scores: Retrieved,
    *,
    k: int = 10,
    n_gallery: int | None = None,
) -> int:
    """Count how often the largest hub is retrieved.

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
    count : int
        From the mean k-occurrence, ``k * n_queries / n_gallery`` rounded up, where
        every item is retrieved equally often, to `n_queries`, where an item is in every
        list. By chance alone it is a few times the square root of the mean above it.

    Raises
    ------
    ValueError
        If `scores` or `k` is refused by `k_occurrence`, or nothing is retrieved.

    See Also
    --------
    k_occurrence : The counts of all items; their ``argmax()`` is the hub.
    hub_rate : What the largest hubs take together.

    Examples
    --------
    >>> from sk_qbnorm.metrics import max_k_occurrence
    >>> max_k_occurrence([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]], k=1)
    2
    """
    return int(occurrence_counts(scores, k, n_gallery).max())
