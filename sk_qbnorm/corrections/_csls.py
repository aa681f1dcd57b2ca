"""The correction of CSLS: a bias per item, and one per query."""

import numpy as np
from sklearn.utils import gen_batches

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestItems, whole

from ._additive import Additive
from ._in_range import in_range

_SPARE = 8  # items more than asked for, as rounding makes equal scores of unequal keys
_BLOCK_ROWS = 256  # of a tile that are looked at once more together


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
        settings = k, in_range(self.bias, sims.dtype), self.active
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
        by_key = self._scores(keys, raw)
        scores, items = _kernels.best_first(by_key, items, k)
        unsure = np.zeros(len(items), dtype=bool)
        if keys.shape[1] == k + _SPARE:  # else nothing has been left out
            # What is left out has a smaller key than the last that was kept, or the
            # same and a larger item, which counts where the kept keys differ.
            tied = by_key == scores[:, -1:]
            first = np.take_along_axis(keys, tied.argmax(axis=1)[:, None], 1)
            below = np.nextafter(keys[:, -1:], -np.inf, dtype=keys.dtype)
            unsure = self._scores(below, raw)[:, 0] == scores[:, -1]
            unsure |= tied[:, -1] & (first > keys[:, -1:])[:, 0]
        if self.active is not None:
            gate = self.active[raw_items[:, :1]]
            scores = np.where(gate, scores, raw[:, :k])
            items = np.where(gate, items, raw_items[:, :k])
            unsure &= gate[:, 0]
        return scores, items, unsure

    def second_look(self, tiles, found, unsure, k):
        """Return a visitor that finds the k best items of the queries that are unsure.

        Parameters
        ----------
        tiles : what `Gallery.tiles` returns
        found, unsure
            What ``assemble_scores`` took, and returned.
        k : int
        """
        means = _means(found["raw"].found[0], self.n_neighbors)
        return _BestScores(tiles, k, self.bias, means, unsure)

    def _scores(self, keys, ranked_sims):
        return keys - _means(ranked_sims, self.n_neighbors)[:, None]


def _means(ranked_sims, n_neighbors):
    return _kernels.nearest_means(ranked_sims[:, :n_neighbors])


class _BestScores(BestItems):
    """The k items of some rows with the largest scores, rounded as in whole rows."""

    def __init__(self, tiles, k, bias, means, asked):
        super().__init__(tiles, k)
        self._biases = bias.astype(tiles.dtype)
        self._means = means
        self._asked = asked

    def end(self, n_threads):
        """Let go of what is of no more use."""
        self._biases = self._means = None

    def _look(self, tile, rows, columns, found):
        matrix, top, _, left, right = tile
        asked = np.flatnonzero(self._asked[rows])
        biases, means = self._biases[columns], self._means[rows]
        for some in gen_batches(asked.size, _BLOCK_ROWS):
            places = asked[some]
            part = matrix[top + places, left:right]
            part += part
            part -= biases
            part -= means[places, None]
            kept = tuple(each[places] for each in found)
            super()._look(whole(part), rows, columns, kept)
            for each, new in zip(found, kept, strict=True):
                each[places] = new
