"""A bias for each item, and the neighborhood of the query beside it."""

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestItems

from ._additive import Additive

_SPARE = 8  # items more than asked for, as rounding makes equal scores of unequal keys


class CSLSCorrection(Additive):
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
        settings = k, self.bias, self.active
        _kernels.subtract_neighborhoods(sims, *settings, scores, n_threads)

    def searches(self, tiles, k):
        """Return visitors that find all that the k best items of each query need."""
        n_raw = self.n_neighbors if self.active is None else max(self.n_neighbors, k)
        raw = BestItems(tiles, n_raw)
        return {"corrected": self._best(tiles, k + _SPARE), "raw": raw}

    def assemble_scores(self, found, k):
        """Make scores of what was found, as in `Additive.assemble_scores`."""
        keys, items = found["corrected"].found
        raw, raw_items = found["raw"].found
        scores, items = _kernels.best_first(self._scores(keys, raw), items, k)
        unsure = np.zeros(len(items), dtype=bool)
        if keys.shape[1] == k + _SPARE:  # else nothing has been left out
            # What is left out has keys that are no better than the last that was kept.
            below = np.nextafter(keys[:, -1:], -np.inf, dtype=keys.dtype)
            unsure = self._scores(below, raw)[:, 0] == scores[:, -1]
        if self.active is not None:
            gate = self.active[raw_items[:, :1]]
            scores = np.where(gate, scores, raw[:, :k])
            items = np.where(gate, items, raw_items[:, :k])
            unsure &= gate[:, 0]
        return scores, items, unsure

    def _scores(self, keys, ranked_sims):
        nearest = ranked_sims[:, : self.n_neighbors]
        there = nearest > -np.inf
        sums = np.where(there, nearest, 0).sum(axis=1, dtype=np.float64)
        means = sums / np.maximum(there.sum(axis=1), 1)
        return keys - means.astype(keys.dtype)[:, None]
