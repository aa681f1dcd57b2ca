"""What a querybank is worth for a gallery, in numbers and in words."""

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
    metric: Metric = "cosine",
    k: int = 10,
    beta: float | str = 20.0,
    n_resamples: int = 100,
    random_state: int | RandomState | None = None,
    n_jobs: int | None = None,
    as_frame: bool = False,
) -> Any:
    r"""Tell what a querybank is worth for a gallery, and what to do about it.

    Parameters
    ----------
    querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
        Embeddings of 2 bank queries or more, dense, sparse or a `numpy.memmap`. For
        ``metric="precomputed"`` their similarities to the gallery.
    gallery : array-like of shape (n_gallery, n_features), default=None
        Embeddings of the gallery. None for ``metric="precomputed"``.
    queries : array-like of shape (n_queries, n_features) or (n_queries, n_gallery)
        A sample of 2 target queries or more, 50 to 200 of them say, without labels, in
        the form of `querybank`. None, the default, if there are none; then nothing is
        said of whether the bank is of their domain.
    metric : {"cosine", "dot", "precomputed"} or callable, default="cosine"
        How embeddings are compared, as in `pairwise_similarity`.
    k : int, default=10
        Length of the lists that coverage and hubs are counted in, in [1, n_gallery].
    beta : float or "scale", default=20.0
        Inverse temperature of the bias, > 0, as in `InvertedSoftmax`; ``"scale"`` is
        1.5 over the standard deviation of the bank's similarities.
    n_resamples : int, default=100
        How many banks are drawn for the standard error of the bias, >= 2.
    random_state : int, RandomState instance or None, default=None
        What these draws are made from; an int for the same report at every call.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.
    as_frame : bool, default=False
        Whether to return a DataFrame, for which pandas has to be installed.

    Returns
    -------
    report : dict of str, or DataFrame
        Of each measure below its value, as float, and by the name ``advice`` a list of
        str: a sentence for each number that speaks against the bank. A DataFrame has a
        row for each measure, with its ``value`` and the ``advice`` that comes of it,
        which may be empty.

        ``coverage``
            Share of the items that are among the `k` best of a bank query.
        ``coverage_limit``
            The most that ``coverage`` can be for a bank of this size:
            n_bank * k / n_gallery, at most 1.
        ``activation_rate``
            Share of the items that are the best of a bank query.
        ``activated_expected``
            Share of more queries like the bank's that would have an activated item as
            their best. It grows with the bank, to 1.
        ``hub_variation``
            How unevenly the bank retrieves: the standard deviation over items of their
            chance to be among the `k` best, over its mean. 0 for no hubs.
        ``bias_spread``
            Standard deviation over items of the bias of `InvertedSoftmax`.
        ``bias_standard_error``
            How far that bias would move with other queries of the same kind in the
            bank, in the same units.

        and, with `queries`,

        ``activated_queries``
            Share of these that have an activated item as their best, which
            `DynamicInvertedSoftmax` would correct.
        ``hub_variation_queries``
            `hub_variation` of these.
        ``hub_agreement``
            How far both agree on what the hubs are, in [0, 1], as in
            `sk_qbnorm.metrics.hub_agreement`.
        ``similarity_gap``
            Mean similarity of bank queries to the last of their `k` best items less
            that of the queries, in standard deviations of the latter. The best item of
            a query may be relevant to it; that of a bank query need not be. 0 where
            the latter are all equal, as there is no unit then.

    Raises
    ------
    ValueError
        If an input is not a finite matrix of two rows or more, does not match the
        others or is missing, a parameter is out of range, or similarities are too
        large, or too close to each other, for float64.
    ImportError
        If a DataFrame is asked for and pandas is not installed.

    See Also
    --------
    sample_querybank : Banks of many queries.
    sk_qbnorm.metrics.hubness_report : What a correction makes of the hubs.

    Notes
    -----
    *Expected share.* With :math:`A_1` the number of items that are the best of exactly
    one bank query, it is :math:`1 - A_1 / n_{bank}` [1]_: how many bank queries share
    their best item with another.

    *Variation.* With :math:`B_j` the k-occurrences under n queries,
    :math:`\mu = k / n_{gallery}` and the mean over items
    :math:`\langle\cdot\rangle`,
    :math:`\sqrt{\langle B_j (B_j - 1) \rangle / (n (n - 1)) - \mu^2} / \mu`, 0 for what
    is negative under the root: what chance adds is taken out, and the number of queries
    does not show.

    *Standard error.* The bank is cut into 32 random groups, or its rows where it has
    fewer; of banks drawn from these groups with replacement [2]_ the standard deviation
    of each item's bias is taken, without what moves all items alike, and the root mean
    square over items. On 21 data sets, most of which do not ship, that was within 7 %
    of what drawing rows gives, without a second look at the bank. The delta method is
    no substitute: where few bank queries make the most of a bias it gave two thirds of
    that, and of small banks a third. Nor does the bootstrap know of what no bank query
    is near to: a small bank may be sure of a poor bias, for which there is the expected
    share.

    *Thresholds* were chosen on 22 data sets, most of which do not ship, with 26 banks,
    four of them foreign, and on 110 banks of 25 to 400 queries drawn from those of
    their own domain; `beta` was 20, or one over the spread of scores that are no
    cosines. They are rules of thumb.

    - `hub_variation` below 0.6: three data sets, of which `InvertedSoftmax` changed R@1
      by -4.0, -0.4 and 1.0 points. It raised that of all others, at 0.65 and above.
    - `activated_expected` below 0.5: 84 of the 110 banks, which gained 2.4 points less
      than the whole banks on average; 29 % fell short of the raw scores by more than
      half a point. The other banks gained 0.4 points less, and none fell so short. A
      bank below 0.5 is not called small if the variation that is looked at is 1.5 or
      more: it knows the hubs, however little of a large gallery it reaches. Of 20 such
      banks, 25 to 200 queries of ``load_emoji_names_hi_en`` and of
      ``make_hub_retrieval`` with 5,000 and 20,000 items, each kept 76 % or more of the
      gain of the whole bank.
    - A standard error above half of the spread: 20 of these 84, which gained 3.3 points
      less; 70 % fell short of the raw scores.
    - `hub_agreement` below 0.6: the foreign banks, of 0.00, 0.06, 0.11 and 0.54, which
      gained -0.2, -2.2, 1.7 and 0.7 points. Whole banks of their own domain are at 0.70
      and above. Small ones can be below: a bank is called foreign if it is not small,
      or activates the best item of fewer of the queries than expected, by more than
      0.2. Banks of items in place of queries, not used for the choice, are at 0.00 to
      0.47 and lose 4 to 20 points.
    - `similarity_gap` below -1.2: two of the foreign banks, at -1.6 and -2.6, and no
      other, of which samples of 50 and more queries gave -1.0 to 0.2. A foreign bank
      need not be far away: the other two are at -1.0 and 0.1.

    A bank may agree on the hubs and still know little of the other items, as the
    adversarial one of `sample_querybank`, which is seen in no measure but a low
    `activated_queries`; and where a hub is the right answer to many queries, no measure
    without labels can tell.

    Memory: some 120 numbers per item, and some blocks of similarities at a time where
    embeddings are given.

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
    source = SimilaritySource(gallery, metric, n_jobs=n_jobs)
    bank = _check_rows(source.check(querybank, "querybank"), "querybank")
    if queries is not None:
        queries = _check_rows(source.check(queries, "queries"), "queries")
    check_count(k, "k", largest=source.n_gallery)
    with np.errstate(over="ignore", invalid="ignore"):  # told below
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
                "Similarities must be of a size whose squares float64 can hold, got "
                f"{value} for {name}; divide them all by their largest."
            )
    return _with_advice(measures, as_frame)


def _check_rows(matrix, name):
    if matrix.shape[0] < 2:
        raise ValueError(
            f"{name} must have 2 rows or more, got 1, which says nothing of chance; "
            "pass more queries."
        )
    return matrix


def _grouped_bank(source, bank, k, beta, random):
    """Return what the bank retrieves, and its bias group by group."""
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
    alone = np.count_nonzero(bank.best_counts == 1)
    return {
        "coverage": float(np.mean(bank.counts > 0)),
        "coverage_limit": min(1.0, bank.n_queries * k / bank.counts.size),
        "activation_rate": float(np.mean(bank.best_counts > 0)),
        "activated_expected": float(1 - alone / bank.n_queries),
        "hub_variation": chance_variation(bank.counts, bank.n_queries, k),
    }


def _of_both(bank, sample, k):
    sizes = bank.n_queries, sample.n_queries
    gap = bank.last_scores.mean() - sample.last_scores.mean()
    spread = sample.last_scores.std()
    return {
        "activated_queries": float(np.mean(bank.best_counts[sample.best] > 0)),
        "hub_variation_queries": chance_variation(sample.counts, sizes[1], k),
        "hub_agreement": agreement_of(bank.counts, sample.counts, *sizes, k),
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
