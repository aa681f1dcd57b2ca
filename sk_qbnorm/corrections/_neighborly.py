"""A bias for each item, and the neighborhood of the query beside it."""

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestItems

from ._additive import Additive

_SPARE = 8  # items more than asked for, as rounding makes equal scores of unequal keys


class Neighborly(Additive):
    """Scores ``2 s_qj - bias[j] - r_q``, with r_q the mean of the row's k largest.

    Parameters
    ----------
    bias : ndarray of shape (n_gallery,), dtype float64
    n_neighbors : int
        The k of r_q; of a smaller gallery all are taken.
    """

    scale = 2.0

    def __init__(self, bias, n_neighbors):
        super().__init__(bias)
        self.n_neighbors = n_neighbors

    def apply(self, sims, scores, n_threads):
        """Write corrected C-contiguous `sims` to `scores`, which may be `sims`."""
        k = min(self.n_neighbors, sims.shape[1])
        _kernels.subtract_neighborhoods(sims, k, self.bias, scores, n_threads)

    def searches(self, tiles, k):
        """Return visitors that find all that the k best items of each query need."""
        nearest = BestItems(tiles, self.n_neighbors)
        return {"corrected": self._best(tiles, k + _SPARE), "raw": nearest}

    def conclude(self, found, k):
        """Make scores of what was found, as in `Additive.conclude`."""
        keys, items = found["corrected"].found
        ranked_sims = found["raw"].found[0]
        scores, items = _kernels.best_first(self._scores(keys, ranked_sims), items, k)
        if keys.shape[1] < k + _SPARE:  # nothing has been left out
            return scores, items, np.zeros(len(items), dtype=bool)
        # What is left out has keys that are no better than the last that was kept.
        below = np.nextafter(keys[:, -1:], -np.inf, dtype=keys.dtype)
        unsure = self._scores(below, ranked_sims)[:, 0] == scores[:, -1]
        return scores, items, unsure

    def part(self, items):
        """Return the correction of a slice of the gallery, for its ``searches``."""
        return Neighborly(self.bias[items], self.n_neighbors)

    def _scores(self, keys, ranked_sims):
        nearest = ranked_sims[:, : self.n_neighbors]
        there = nearest > -np.inf
        sums = np.where(there, nearest, 0).sum(axis=1, dtype=np.float64)
        means = sums / np.maximum(there.sum(axis=1), 1)
        return keys - means.astype(keys.dtype)[:, None]
