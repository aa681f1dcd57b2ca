"""Measures of a querybank, with advice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from sk_qbnorm._threads import limit_blas_threads
from sk_qbnorm._validation import check_beta, check_count
from sk_qbnorm.metrics import agreement_of, as_table, chance_variation
from sk_qbnorm.similarity import Metric
from sk_qbnorm.statistics import SOFTMAX_FACTOR, beta_at, spread_of
from sk_qbnorm.tiles import BestItems, SimilaritySource, sample_tiles

from ._advice import advice_on
from ._resampling import GroupedBias, LogMeanExpOfGroups, batches_of, groups_of
from ._retrieved import Retrieved, visited


def querybank_report(
    querybank: ArrayLike,
    gallery: ArrayLike | None = None,
    queries: ArrayLike | None = None,
    *,
    metric: Metric | None = None,
    k: int = 10,
    beta: float | str = "scale",
    n_resamples: int = 100,
    random_state: int | RandomState | None = None,
    n_jobs: int | None = None,
    as_frame: bool = False,
) -> Any:
    r"""Measure how useful a querybank is for a gallery, with advice.

    Parameters
    ----------
    querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
        Embeddings of at least 2 bank queries if `gallery` is passed, otherwise their
        similarities to the gallery. Dense, sparse or a `numpy.memmap`.
    gallery : array-like of shape (n_gallery, n_features), default=None
        Embeddings of the gallery.
    queries : array-like of shape (n_queries, n_features) or (n_queries, n_gallery)
        A sample of at least 2 target queries, better 50 to 200, without labels, in the
        form of `querybank`. Without it (None, the default) the report cannot tell
        whether the bank is from their domain.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How embeddings are compared, as in `pairwise_similarity`. None means cosine if
        `gallery` is passed, and precomputed similarities if it is not.
    k : int, default=10
        Length of the lists for coverage and hubs, in [1, n_gallery].
    beta : float or "scale", default="scale"
        Inverse temperature of the bias, > 0, as in `InvertedSoftmax`. It changes
        ``bias_spread`` and ``bias_standard_error`` only.
    n_resamples : int, default=100
        Number of bootstrap banks for the standard error of the bias, >= 2.
    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap; an int makes the report reproducible.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.
    as_frame : bool, default=False
        Whether to return a DataFrame, which requires pandas.

    Returns
    -------
    report : dict of str, or DataFrame
        The measures below as floats, and ``advice``, a list with one sentence for each
        measure that speaks against the bank. A DataFrame has one row per measure, with
        the columns ``value`` and ``advice``, which may be empty.

        ``coverage``
            Share of the items that are among the `k` best of a bank query.
        ``coverage_limit``
            Largest possible ``coverage`` of a bank of this size,
            min(1, n_bank * k / n_gallery).
        ``activation_rate``
            Share of the items that are the best of a bank query.
        ``activated_expected``
            Expected share of new queries of the same kind whose best item is activated.
            It increases with the size of the bank, up to 1.
        ``hub_variation``
            Unevenness of retrieval by the bank: standard deviation over items of the
            probability to be among the `k` best, divided by its mean. 0 without hubs.
        ``bias_spread``
            Standard deviation over items of the bias of `InvertedSoftmax`.
        ``bias_standard_error``
            Standard error of that bias if the bank had other queries of the same kind,
            in the same units.

        and, with `queries`,

        ``activated_queries``
            Share of the queries whose best item is activated, which
            `DynamicInvertedSoftmax` would correct.
        ``hub_variation_queries``
            ``hub_variation`` of the queries.
        ``hub_agreement``
            Agreement of bank and queries on the hubs, in [0, 1], as in
            `sk_qbnorm.metrics.hub_agreement`.
        ``similarity_gap``
            Mean similarity of bank queries to the last of their `k` best items, minus
            that of the queries, in standard deviations of the latter; 0 if these are
            all equal.

    Raises
    ------
    ValueError
        If an input is not a finite matrix with at least two rows, does not match the
        others or is missing, a parameter is out of range, or similarities are too
        large, or too close to each other, for float64.
    ImportError
        If a DataFrame is requested and pandas is not installed.

    See Also
    --------
    sample_querybank : Choose a bank from many queries.
    sk_qbnorm.metrics.hubness_report : Hubness before and after a correction.

    Notes
    -----
    *Expected share.* With :math:`A_1` the number of items that are the best of exactly
    one bank query, it is :math:`1 - A_1 / n_{bank}` [1]_.

    *Variation.* With :math:`B_j` the k-occurrences under n queries,
    :math:`\mu = k / n_{gallery}` and the mean over items
    :math:`\langle\cdot\rangle`,
    :math:`\sqrt{\langle B_j (B_j - 1) \rangle / (n (n - 1)) - \mu^2} / \mu`, and 0 if
    the root is of a negative number. Chance is subtracted, so the value does not depend
    on the number of queries.

    *Standard error.* The bank is split into 32 random groups, or into its rows if it
    has fewer. Banks are drawn from the groups with replacement [2]_. The result is the
    root mean square over items of the standard deviation of the bias, without shifts
    that all items share. A small bank can have a precise and poor bias, because no
    bank query is close to some items; the expected share shows that.

    *Thresholds* of the advice are rules of thumb, chosen on development data:

    - ``hub_variation`` below 0.6: there are hardly any hubs, and little to gain.
    - ``activated_expected`` below 0.5: the bank is small, unless ``hub_variation`` is
      at least 1.5; then it knows the hubs, however little of a large gallery it
      reaches.
    - a standard error above half of the spread: the bank is far too small.
    - ``hub_agreement`` below 0.6: the bank is from another domain, if it is not small,
      or activates the best item of fewer queries than expected, by more than 0.2.
    - ``similarity_gap`` below -1.2: the bank is further from the gallery than the
      queries. A foreign bank need not be far away.

    A bank may agree on the hubs and know little of other items, such as the adversarial
    bank of `sample_querybank`, which shows only in a low ``activated_queries``. If a
    hub is the right answer to many queries, no measure without labels can tell.

    Memory: about 120 numbers per item, and blocks of similarities if embeddings are
    passed.

    References
    ----------
    .. [1] Good. The population frequencies of species and the estimation of population
       parameters. Biometrika 40, 1953,
       https://doi.org/10.1093/biomet/40.3-4.237.
    .. [2] Efron, Tibshirani. An Introduction to the Bootstrap. 1993,
       https://doi.org/10.1201/9780429246593.

    Examples
    --------
    >>> from sk_qbnorm.datasets import make_hub_retrieval
    >>> from sk_qbnorm.querybanks import querybank_report
    >>> data = make_hub_retrieval(random_state=0)
    >>> bank, sample = data.bank_queries_ood, data.queries[:100]
    >>> report = querybank_report(bank, data.gallery, sample, random_state=0)
    >>> report["hub_agreement"]
    0.0
    >>> report["advice"][1]
    'The bank seems to be of another domain than the queries: hub_agreement is 0.00...'
    """
    check_count(k, "k")
    beta = check_beta(beta)
    if check_count(n_resamples, "n_resamples") < 2:
        raise ValueError(
            f"n_resamples must be an integer >= 2, got {n_resamples}; 100 is usual."
        )
    random = check_random_state(random_state)
    if metric is None:
        metric = "precomputed" if gallery is None else "cosine"
    source = SimilaritySource(gallery, metric, n_jobs=n_jobs)
    bank = _check_rows(source.check(querybank, "querybank"), "querybank")
    if queries is not None:
        queries = _check_rows(source.check(queries, "queries"), "queries")
    check_count(k, "k", largest=source.n_gallery)
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        if beta == "scale":
            sample = sample_tiles(bank, source.gallery)
            beta = beta_at(SOFTMAX_FACTOR, spread_of(sample, n_jobs))
        of_bank, bias = _grouped_bank(source, bank, k, beta, random)
        with limit_blas_threads():
            measures = _of_bank(of_bank, k) | {
                "bias_spread": bias.spread(),
                "bias_standard_error": bias.standard_error(n_resamples, random),
            }
        if queries is not None:
            (found,) = visited(source, queries, lambda tiles: [BestItems(tiles, k)])
            sample = Retrieved(found, source.n_gallery)
            measures |= _of_both(of_bank, sample, k)
    for name, value in measures.items():
        if not np.isfinite(value):
            raise ValueError(
                "Similarities must have squares in the range of float64, got "
                f"{value} for {name}; divide them all by their largest."
            )
    return _with_advice(measures, as_frame)


def _check_rows(matrix, name):
    if matrix.shape[0] < 2:
        raise ValueError(
            f"{name} must have 2 rows or more, got 1, which leaves chance unknown; "
            "pass more queries."
        )
    return matrix


def _grouped_bank(source, bank, k, beta, random):
    """Return what the bank retrieves, and its bias per group."""
    best, biases = None, []
    groups = groups_of(bank.shape[0], random)
    for batch in batches_of(groups, bank.shape[1]):
        sizes = [len(rows) for rows in batch]
        found, log_mean_exp = visited(
            source,
            bank[np.concatenate(batch)],
            lambda tiles, sizes=sizes: [
                BestItems(tiles, k),
                LogMeanExpOfGroups(tiles, beta, sizes),
            ],
        )
        best = found if best is None else best.stacked(found)
        biases += log_mean_exp.values()
    sizes = np.array([len(rows) for rows in groups])
    grouped = GroupedBias(np.array(biases), sizes, beta)
    return Retrieved(best, source.n_gallery), grouped


def _of_bank(bank, k):
    n_single = np.count_nonzero(bank.best_counts == 1)
    return {
        "coverage": float(np.mean(bank.counts > 0)),
        "coverage_limit": min(1.0, bank.n_queries * k / bank.counts.size),
        "activation_rate": float(np.mean(bank.best_counts > 0)),
        "activated_expected": float(1 - n_single / bank.n_queries),
        "hub_variation": chance_variation(bank.counts, bank.n_queries, k),
    }


def _of_both(bank, sample, k):
    sizes = bank.n_queries, sample.n_queries
    gap = bank.last_scores.mean() - sample.last_scores.mean()
    spread = sample.last_scores.std()
    return {
        "activated_queries": float(np.mean(bank.best_counts[sample.best] > 0)),
        "hub_variation_queries": chance_variation(sample.counts, sizes[1], k),
        "hub_agreement": agreement_of(bank.counts, sample.counts, *sizes),
        "similarity_gap": float(gap / spread) if spread else 0.0,
    }


def _with_advice(measures, as_frame):
    advice = advice_on(measures)
    if as_frame:
        rows = {
            name: {"value": value, "advice": advice.get(name, "")}
            for name, value in measures.items()
        }
        return as_table(rows, as_frame)
    return measures | {"advice": list(advice.values())}
