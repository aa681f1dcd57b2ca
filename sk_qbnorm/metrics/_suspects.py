"""Find the items that are retrieved more often than chance or a share explains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom, false_discovery_control

from sk_qbnorm._validation import check_number, item_names

from ._frame import as_table
from ._occurrence import Retrieved, k_occurrence_pair


def hub_suspects(
    scores: Retrieved,
    *,
    k: int = 10,
    n_gallery: int | None = None,
    share: float = 0.05,
    false_discovery_rate: float = 0.05,
    gallery_ids: ArrayLike | None = None,
    as_frame: bool = False,
) -> Any:
    r"""Find items that are in the top k of more queries than a share explains.

    Parameters
    ----------
    scores : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`. Pass results of bank queries or of a query log. Use the raw
        similarities to find hubs before a correction, and the scores that are served to
        find those that it misses.
    k : int, default=10
        Length of the lists to count, as in `k_occurrence`.
    n_gallery : int, default=None
        Number of gallery items, only for indices.
    share : float, default=0.05
        Share of the queries that may retrieve an ordinary item, in [0, 1). The share
        that chance alone gives takes its place if that is larger, so 0 tests against
        chance.
    false_discovery_rate : float, default=0.05
        Largest expected share of ordinary items among the suspects, in (0, 1).
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items. None names them by their index, or by the columns of
        a dataframe of scores.
    as_frame : bool, default=False
        Whether to return a DataFrame. Requires pandas.

    Returns
    -------
    suspects : dict of dict, or DataFrame
        From the name of each suspect, the most frequent first, to its ``k_occurrence``,
        its ``share`` of the queries, its ``p_value``, and its ``adjusted_p_value``. A
        DataFrame has one row per suspect.

    Raises
    ------
    ValueError
        If `k_occurrence` rejects an input, a rate is out of range, or `gallery_ids` has
        another number of items.
    ImportError
        If `as_frame` is True and pandas is not installed.

    See Also
    --------
    hubness_report : Hubness of the whole gallery.
    sk_qbnorm.CappedNormalizer : Cap the share of the queries that an item wins.

    Notes
    -----
    With n queries and :math:`N_j` the k-occurrence of item j, the p-value is the
    probability that a binomial count of n trials with probability `share` is
    :math:`N_j` or more. The p-values of all items are adjusted by the procedure of
    Benjamini and Yekutieli [1]_, which allows for dependence between the items.

    A suspect is a hub, not necessarily a planted one: strong natural hubs cannot be
    told apart reliably. An item that was built against the correction looks like an
    ordinary item, or an antihub, by raw similarities. Test both.

    References
    ----------
    .. [1] Benjamini, Yekutieli. The control of the false discovery rate in multiple
       testing under dependency. The Annals of Statistics 29, 2001,
       https://doi.org/10.1214/aos/1013699998.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_qbnorm import pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.metrics import hub_suspects
    >>> data = load_emoji_names_hi_en()
    >>> gallery = np.vstack([data.gallery, data.bank_queries.mean(axis=0)])
    >>> suspects = hub_suspects(pairwise_similarity(data.bank_queries, gallery))
    >>> next(iter(suspects))  # the planted item
    600
    >>> len(suspects)  # and natural hubs
    21
    """
    share = _check_rate(share, "share", or_zero=True)
    rate = _check_rate(false_discovery_rate, "false_discovery_rate")
    (counts,), n_queries = k_occurrence_pair(scores, None, k, n_gallery)
    names = names_of_items(scores, gallery_ids, counts.size)
    return as_table(suspects_of(counts, n_queries, names, share, rate), as_frame)


def suspects_of(counts, n_queries, names, share=0.05, false_discovery_rate=0.05):
    """Return the suspects among items with these k-occurrences, as `hub_suspects`."""
    chance = counts.sum() / (n_queries * counts.size)
    p_values = binom.sf(counts - 1, n_queries, max(share, chance))
    adjusted = false_discovery_control(p_values, method="by")
    found = np.flatnonzero(adjusted <= false_discovery_rate)
    found = found[np.lexsort((found, -counts[found]))]
    return {
        names[item]: {
            "k_occurrence": int(counts[item]),
            "share": float(counts[item] / n_queries),
            "p_value": float(p_values[item]),
            "adjusted_p_value": float(adjusted[item]),
        }
        for item in found
    }


def names_of_items(scores, gallery_ids, n_gallery):
    """Return the names of the gallery items, or their indices if they have none."""
    if gallery_ids is None:
        gallery_ids = item_names(scores, axis=1)
    if gallery_ids is None:
        return list(range(n_gallery))
    names = np.asarray(gallery_ids, dtype=object)
    if names.shape != (n_gallery,) or len(set(names)) < n_gallery:
        raise ValueError(
            f"gallery_ids must hold {n_gallery} different names, one per gallery item, "
            f"got {len(set(names.ravel()))} different ones in shape {names.shape}."
        )
    return names.tolist()


def _check_rate(value, name, *, or_zero=False):
    rate = check_number(value, name, positive=not or_zero, advice="0.05 is usual")
    if rate >= 1:
        raise ValueError(f"{name} must be below 1, got {value!r}; 0.05 is usual.")
    return rate
