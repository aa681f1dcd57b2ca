"""Whether two sets of queries have the same hubs."""

import math

import numpy as np
from numpy.typing import ArrayLike

from sk_qbnorm._validation import check_count, check_unmasked


def hub_agreement(
    bank_counts: ArrayLike, sample_counts: ArrayLike, *, k: int = 10
) -> float:
    r"""Measure how far a querybank and a sample of queries agree on the hubs.

    A correction learnt from a bank is worth as much as the bank's hubs are those of the
    queries to come. For this a sample of them is enough, without any labels.

    Parameters
    ----------
    bank_counts : array-like of int of shape (n_gallery,)
        The k-occurrence of every gallery item under the bank, as of `k_occurrence`.
    sample_counts : array-like of int of shape (n_gallery,)
        The k-occurrence of the same items under a sample of 2 queries or more.
    k : int, default=10
        Length of the lists that were counted, in [1, n_gallery]. All lists are of this
        length, so that counts sum to k times the number of queries.

    Returns
    -------
    agreement : float
        In [0, 1]: 1 where both say the same of all items, 0 where what one retrieves
        says nothing of the other, or one of them retrieves all items evenly.

    Raises
    ------
    ValueError
        If counts are not those of whole lists of `k` items, or not of the same gallery,
        or the sample is a single query.

    See Also
    --------
    k_occurrence : The counts.
    sk_qbnorm.querybanks.querybank_report : The same from embeddings, with advice.

    Notes
    -----
    The measure is our own. With the k-occurrences :math:`B_j` under n bank queries and
    :math:`S_j` under a sample of m, the mean over the items
    :math:`\langle\cdot\rangle`, and :math:`\mu = k / n_{gallery}`, it is
    :math:`\sqrt{\min(1, c / v_B) \, \min(1, c / v_S)}` of

    .. math::

        c &= \langle \tfrac{B_j}{n} \tfrac{S_j}{m} \rangle - \mu^2, \\
        v_B &= \langle \tfrac{B_j^2}{n^2} \rangle - \mu^2, \\
        v_S &= \langle \tfrac{S_j (S_j - 1)}{m (m - 1)} \rangle - \mu^2

    and 0 where any of the three is not above 0. :math:`c / v_B` is the share of the
    bank's unevenness that the queries show, :math:`c / v_S` that of the queries' which
    the bank shows; where neither is above 1 the measure is a correlation over items. A
    bank that is far more uneven than the queries, as one of a single topic where there
    are no hubs, agrees little with them, however well the two correlate.

    The sides are not treated alike. The sample only shows what queries retrieve, so
    what its few draws add to the spread is taken out: :math:`v_S` is, on average over
    samples, the variance of the items' chances to be retrieved. A small sample makes
    the measure uncertain, not small. The bank is what a correction is made from, with
    all its noise, so that its spread stays as it is: a small bank of the right domain
    agrees less than a large one. What looks like disagreement may so be either another
    domain or a small bank.

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
            "bank_counts and sample_counts must be of the same gallery, got "
            f"{bank.size} and {sample.size} items."
        )
    if n_sample < 2:
        raise ValueError(
            "sample_counts must be of 2 queries or more, got those of 1, which say "
            "nothing of chance; pass a larger sample."
        )
    return agreement_of(bank, sample, n_bank, n_sample, k)


def agreement_of(bank, sample, n_bank, n_sample, k):
    """Return the agreement of counts that have been checked."""
    n_gallery = bank.size
    # All three times the square of n_gallery: whole numbers, so that what is even is 0.
    together = n_gallery * int(bank @ sample) - k * n_bank * k * n_sample
    of_bank = n_gallery * int(bank @ bank) - (k * n_bank) ** 2
    of_sample = _excess(sample, n_sample, k)
    if min(together, of_bank, of_sample) <= 0:
        return 0.0
    common = together / (n_bank * n_sample)
    bank_share = min(common / (of_bank / n_bank**2), 1.0)
    sample_share = min(common / (of_sample / (n_sample * (n_sample - 1))), 1.0)
    return math.sqrt(bank_share * sample_share)


def chance_variation(counts, n_queries, k):
    """Return the coefficient of variation of the items' chances to be retrieved.

    What the draw of the queries adds is taken out. There are two queries or more.
    """
    excess = max(_excess(counts, n_queries, k), 0)
    return math.sqrt(excess / (n_queries * (n_queries - 1))) / k


def _excess(counts, n_queries, k):
    pairs = counts.size * int(counts @ (counts - 1))
    return pairs - k * k * n_queries * (n_queries - 1)


def _check_counts(counts, name, k):
    """Return counts as an array, and the number of queries."""
    check_unmasked(counts, name)
    counts = np.asarray(counts)
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or counts.size == 0:
        raise ValueError(
            f"{name} must be integers of shape (n_gallery,), got values of dtype "
            f"{counts.dtype} and shape {counts.shape}; pass what k_occurrence returns."
        )
    check_count(k, "k", largest=counts.size)
    counts = counts.astype(np.int64)
    n_queries, left = divmod(int(counts.sum()), k)
    if left or n_queries == 0 or counts.min() < 0 or counts.max() > n_queries:
        raise ValueError(
            f"{name} must be counts of whole lists of k={k} different items, got "
            f"{counts.min()} to {counts.max()} with a sum of {counts.sum()}; pass the "
            "k that the lists were made with."
        )
    return counts, n_queries
