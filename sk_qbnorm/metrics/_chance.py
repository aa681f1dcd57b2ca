"""What measures of hubness come to where there are no hubs."""

import numpy as np
from scipy.stats import binom

from ._hubs import count_top


def measures_by_chance(n_queries, n_gallery, n_retrieved):
    r"""Return what to expect where all items are equally likely to be in a list.

    A k-occurrence then is binomial: of each query, with the chance of the mean list,
    ``n_retrieved / (n_queries * n_gallery)``. The mean, the antihub rate and the Robin
    Hood index are exact where lists are of one length; the others are close, as the
    counts of two items are nearly independent.

    Parameters
    ----------
    n_queries, n_gallery : int
    n_retrieved : int
        Sum of the k-occurrences, at least 1.

    Returns
    -------
    measures : dict of str to float
        By the names of the measures.
    """
    chance = n_retrieved / (n_queries * n_gallery)
    mean = n_queries * chance
    # Counts beyond are too rare to be seen in any of the items.
    last = int(binom.isf(1e-15 / n_gallery, n_queries, chance))
    counts = np.arange(last + 1)
    share = binom.pmf(counts, n_queries, chance)
    above = binom.sf(counts, n_queries, chance)

    def top(n_top):
        """Sum of the largest counts: P(at least r items are above x), over r and x."""
        few = n_gallery * above * binom.cdf(n_top - 1, n_gallery - 1, above)
        return np.sum(few + n_top * binom.sf(n_top, n_gallery, above))

    spread = np.sqrt(mean * (1 - chance))
    difference = 2 * np.sum((1 - above) * above)  # of two items, if independent
    # What an item takes the others do not get, which drives two counts apart, by the
    # root of n / (n - 1); and no item differs from itself.
    difference *= np.sqrt(1 - 1 / n_gallery)
    expected = {
        "mean_k_occurrence": mean,
        "hubness_skewness": (1 - 2 * chance) / spread if spread else 0.0,
        "robin_hood_index": share @ np.abs(counts - mean) / (2 * mean),
        "gini_index": difference / (2 * mean),
        "antihub_rate": share[0],
        "hub_rate": top(count_top(n_gallery)) / n_retrieved,
    }
    # Whatever is drawn, some item has the mean or more; independent counts need not.
    expected["max_k_occurrence"] = max(top(1), np.ceil(round(mean, 9)))
    return {name: float(value) for name, value in expected.items()}
