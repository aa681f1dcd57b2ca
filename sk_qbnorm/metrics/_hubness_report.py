"""All hubness measures before and after a correction, and expected by chance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from ._frame import as_table
from ._hubness import (
    antihub_rate,
    gini_index,
    hub_rate,
    hubness_skewness,
    max_k_occurrence,
    one_percent,
    robin_hood_index,
)
from ._occurrence import Retrieved, k_occurrence_pair
from ._suspects import names_of_items, suspects_of

_MEASURES = (
    hubness_skewness,
    robin_hood_index,
    gini_index,
    antihub_rate,
    hub_rate,
    max_k_occurrence,
)


def hubness_report(
    before: Retrieved,
    after: Retrieved | None = None,
    *,
    k: int = 10,
    n_gallery: int | None = None,
    suspects: bool = False,
    gallery_ids: ArrayLike | None = None,
    as_frame: bool = False,
) -> Any:
    """Compute hubness before and after a correction, and expected by chance.

    Parameters
    ----------
    before : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`.
    after : array-like or sparse matrix, default=None
        Corrected results of the same queries and gallery. The form may differ: a graph
        is accepted if `before` is a score matrix.
    k : int, default=10
        Length of the lists to count, as in `k_occurrence`.
    n_gallery : int, default=None
        Number of gallery items, only for indices.
    suspects : bool, default=False
        Whether to list the items that are retrieved more often than an ordinary item,
        as `hub_suspects` does with its defaults.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items for the suspects. None names them by their index, or
        by the columns of a dataframe of scores.
    as_frame : bool, default=False
        Whether to return a DataFrame. Requires pandas.

    Returns
    -------
    report : dict of str to dict, or DataFrame
        For each measure its values as floats: ``before``, ``after`` if given, and
        ``no_hubs``, the value expected by chance if all items are equally likely to be
        retrieved, with as many queries and as long lists as in `before`. The measures
        are ``mean_k_occurrence``, to compare the largest count with,
        ``hubness_skewness``, ``robin_hood_index``, ``gini_index``, ``antihub_rate``,
        ``hub_rate`` and ``max_k_occurrence``. A DataFrame has one row per measure. With
        `suspects`, the dict has one more entry, ``suspects``, with those ``before``
        and, if given, ``after``; a DataFrame has it in its ``attrs``.

    Raises
    ------
    ValueError
        If `k_occurrence` rejects an input, nothing is retrieved, or `before` and
        `after` differ in the number of queries or gallery items; or if `gallery_ids`
        has another number of items.
    ImportError
        If `as_frame` is True and pandas is not installed.

    See Also
    --------
    hub_suspects : The suspects alone, with other rates.
    retrieval_report : Recall and ranks.

    Notes
    -----
    A correction should reduce hubness to the ``no_hubs`` level, not below it. If some
    items are relevant to more queries than others, even a perfect ranking is above
    that level.

    The ``no_hubs`` values are computed from the binomial distribution, without random
    draws. This treats the counts of two items as independent, which is a close
    approximation. The skewness is that of the distribution; with fewer than about 50
    items the skewness of a sample is smaller on average, so ``no_hubs`` is too high.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.metrics import hubness_report
    >>> data = load_emoji_names_hi_en()
    >>> normalizer = DynamicInvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> report = hubness_report(sims, normalizer.transform(sims))
    >>> report["gini_index"]
    {'before': 0.705..., 'after': 0.294..., 'no_hubs': 0.175...}
    """
    counts, n_queries = k_occurrence_pair(before, after, k, n_gallery)
    columns = {}
    found = {}
    for name, occurrence in zip(("before", "after"), counts, strict=False):
        if suspects:
            names = names_of_items(before, gallery_ids, occurrence.size)
            found[name] = suspects_of(occurrence, n_queries, names)
        column = {"mean_k_occurrence": float(occurrence.mean())}
        column |= {each.__name__: float(each(occurrence)) for each in _MEASURES}
        columns[name] = column
    columns["no_hubs"] = _expected_by_chance(n_queries, counts[0])
    report = {
        measure: {name: column[measure] for name, column in columns.items()}
        for measure in columns["no_hubs"]
    }
    table = as_table(report, as_frame)
    if suspects and as_frame:
        table.attrs["suspects"] = found
    elif suspects:
        table["suspects"] = found
    return table


def _expected_by_chance(n_queries, occurrence):
    """Return the measures expected if all items are equally likely to be in a list.

    Each k-occurrence is then binomial, with one trial per query and success
    probability ``sum / (n_queries * n_gallery)``. The mean, the antihub rate and the
    Robin Hood index are exact for lists of equal length. The others treat the counts
    of two items as independent, which is a close approximation.

    Parameters
    ----------
    n_queries : int
    occurrence : ndarray of shape (n_gallery,)
        The k-occurrences; only their number and their sum, at least 1, are used.

    Returns
    -------
    measures : dict of str to float
    """
    n_gallery, n_retrieved = occurrence.size, int(occurrence.sum())
    chance = n_retrieved / (n_queries * n_gallery)
    mean = n_queries * chance
    # Larger counts are too rare to occur in any of the items.
    last = int(binom.isf(1e-15 / n_gallery, n_queries, chance))
    counts = np.arange(last + 1)
    share = binom.pmf(counts, n_queries, chance)
    above = binom.sf(counts, n_queries, chance)

    def top(n_top):
        """Sum the largest counts: P(at least r items are above x), over r and x."""
        few = n_gallery * above * binom.cdf(n_top - 1, n_gallery - 1, above)
        return np.sum(few + n_top * binom.sf(n_top, n_gallery, above))

    spread = np.sqrt(mean * (1 - chance))
    difference = 2 * np.sum((1 - above) * above)  # of two items, if independent
    # Places in lists are shared, which makes counts differ more, by the factor
    # sqrt(n / (n - 1)); and an item does not differ from itself.
    difference *= np.sqrt(1 - 1 / n_gallery)
    expected = {
        "mean_k_occurrence": mean,
        "hubness_skewness": (1 - 2 * chance) / spread if spread else 0.0,
        "robin_hood_index": share @ np.abs(counts - mean) / (2 * mean),
        "gini_index": difference / (2 * mean),
        "antihub_rate": share[0],
        "hub_rate": top(one_percent(n_gallery)) / n_retrieved,
    }
    # The largest count is at least the mean; independent counts need not be.
    expected["max_k_occurrence"] = max(top(1), np.ceil(round(mean, 9)))
    return {name: float(value) for name, value in expected.items()}
