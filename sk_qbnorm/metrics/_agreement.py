"""Agreement of two sets of queries on the hubs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sk_qbnorm._validation import check_count, check_unmasked


def hub_agreement(
    bank_counts: ArrayLike, sample_counts: ArrayLike, *, k: int = 10
) -> float:
    r"""Measure how far a querybank and a sample of queries have the same hubs.

    A correction works as far as the hubs of the querybank are those of the queries. An
    unlabeled sample of the queries is enough to check this.

    Parameters
    ----------
    bank_counts : array-like of int of shape (n_gallery,)
        The `k_occurrence` of every gallery item under the querybank.
    sample_counts : array-like of int of shape (n_gallery,)
        The `k_occurrence` of the same items under a sample of at least 2 queries.
    k : int, default=10
        Length of the counted lists, in [1, n_gallery]. All lists have this length, so
        counts sum to k times the number of queries.

    Returns
    -------
    agreement : float
        In [0, 1]: 1 if both give the same hubs, 0 if they are unrelated or one of them
        retrieves all items evenly.

    Raises
    ------
    ValueError
        If counts are not those of full lists of `k` items, the galleries differ, or the
        sample is a single query.

    See Also
    --------
    k_occurrence : The counts.
    sk_qbnorm.querybanks.querybank_report : The same from embeddings, with advice.

    Notes
    -----
    This measure is our own. With :math:`B_j` the k-occurrences under n bank queries,
    :math:`S_j` those under m sample queries, :math:`\langle\cdot\rangle` the mean over
    items and :math:`\mu = k / n_{gallery}`, it is
    :math:`\sqrt{\min(1, c / v_B) \, \min(1, c / v_S)}` with

    .. math::

        c &= \langle \tfrac{B_j}{n} \tfrac{S_j}{m} \rangle - \mu^2, \\
        v_B &= \langle \tfrac{B_j^2}{n^2} \rangle - \mu^2, \\
        v_S &= \langle \tfrac{S_j (S_j - 1)}{m (m - 1)} \rangle - \mu^2

    and 0 if any of the three is not above 0. :math:`c / v_B` is the share of the bank's
    variance over items that the queries share, :math:`c / v_S` the share of the
    queries' variance that the bank shares. If neither exceeds 1, the measure is a
    correlation over items. A bank that is far more uneven than the queries, such as one
    of a single topic for queries without hubs, agrees little with them, however high
    the correlation.

    The two sides are treated differently. The variance that comes from drawing a small
    sample is removed: :math:`v_S` is, on average over samples, the variance of the
    items' probabilities to be retrieved. A small sample makes the measure uncertain,
    not small. The bank's variance is not adjusted, as a correction is computed from the
    bank with all its noise: a small bank of the right domain agrees less than a large
    one. Low agreement may therefore mean another domain or a small bank.

    Examples
    --------
    >>> from sk_qbnorm import pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.metrics import hub_agreement, k_occurrence
    >>> data = load_emoji_names_hi_en()
    >>> bank = k_occurrence(pairwise_similarity(data.bank_queries, data.gallery))
    >>> sample = k_occurrence(pairwise_similarity(data.queries, data.gallery))
    >>> hub_agreement(bank, sample)
    0.99...
    """
    check_count(k, "k")
    bank, n_bank = _check_counts(bank_counts, "bank_counts", k)
    sample, n_sample = _check_counts(sample_counts, "sample_counts", k)
    if bank.size != sample.size:
        raise ValueError(
            f"bank_counts has {bank.size} gallery items but sample_counts has "
            f"{sample.size}; count both for the same gallery."
        )
    if n_sample < 2:
        raise ValueError(
            "sample_counts must be counts of at least 2 queries, got 1; pass a larger "
            "sample."
        )
    return agreement_of(bank, sample, n_bank, n_sample)


def agreement_of(bank, sample, n_bank, n_sample):
    """Compute the hub agreement of checked counts; lists may differ in length."""
    n_gallery, in_bank, in_sample = bank.size, int(bank.sum()), int(sample.sum())
    # Covariance and variances times n_gallery**2, in integers, so that 0 is exact.
    covariance = n_gallery * int(bank @ sample) - in_bank * in_sample
    bank_variance = n_gallery * int(bank @ bank) - in_bank**2
    sample_variance = _unbiased_variance(sample, n_sample)
    if min(covariance, bank_variance, sample_variance) <= 0:
        return 0.0
    shared = covariance / (n_bank * n_sample)
    bank_share = min(shared / (bank_variance / n_bank**2), 1.0)
    sample_share = min(shared / (sample_variance / (n_sample * (n_sample - 1))), 1.0)
    return math.sqrt(bank_share * sample_share)


def chance_variation(counts, n_queries, k):
    """Compute the coefficient of variation of the probabilities to be retrieved.

    The variance that comes from drawing the queries, at least 2, is removed.
    """
    variance = max(_unbiased_variance(counts, n_queries), 0)
    return math.sqrt(variance / (n_queries * (n_queries - 1))) / k


def _unbiased_variance(counts, n_queries):
    """Return the variance of the sample times ``n_gallery**2 * m * (m - 1)``."""
    pairs = counts.size * int(counts @ (counts - 1))
    expected = int(counts.sum()) ** 2 * (n_queries - 1)  # times m
    return (n_queries * pairs - expected) / n_queries


def _check_counts(counts, name, k):
    """Return counts as an array, and the number of queries."""
    check_unmasked(counts, name)
    counts = np.asarray(counts)
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or counts.size == 0:
        raise ValueError(
            f"{name} must be integers of shape (n_gallery,), got values of dtype "
            f"{counts.dtype} and shape {counts.shape}; pass the result of k_occurrence."
        )
    check_count(k, "k", largest=counts.size)
    counts = counts.astype(np.int64)
    n_queries, remainder = divmod(int(counts.sum()), k)
    if remainder or n_queries == 0 or counts.min() < 0 or counts.max() > n_queries:
        raise ValueError(
            f"{name} must be counts of full lists of k={k} distinct items, got counts "
            f"from {counts.min()} to {counts.max()} with sum {counts.sum()}; pass the "
            "k that was used for counting."
        )
    return counts, n_queries
