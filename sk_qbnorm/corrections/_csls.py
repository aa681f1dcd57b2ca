"""The correction of CSLS: one bias per item and one per query."""

import numpy as np
from sklearn.utils import gen_batches

from sk_qbnorm import _kernels
from sk_qbnorm._arrays import kernels
from sk_qbnorm.tiles import BestItems, whole

from ._additive import Additive
from ._in_range import in_range

_SPARE = 8  # additional candidates, because rounding can make scores equal
_BLOCK_ROWS = 256  # rows of a tile in a block of the second look


class CSLSCorrection(Additive):
    """Scores ``2 s_qj - bias[j] - r_q``, with r_q the mean of the row's k largest.

    Parameters
    ----------
    bias : ndarray of shape (n_gallery,), dtype float64
    n_neighbors : int
        The k of r_q; a smaller gallery uses all of its items.
    """

    scale = 2.0

    def __init__(self, bias, n_neighbors):
        super().__init__(bias)
        self.n_neighbors = n_neighbors

    def apply(self, sims, scores, n_threads):
        """Correct C-contiguous `sims` and write to `scores`, which may be `sims`."""
        k = min(self.n_neighbors, sims.shape[1])
        settings = k, in_range(self.bias, sims.dtype), self.active
        _kernels.subtract_neighborhoods(sims, *settings, scores, n_threads)

    def _corrected(self, sims, bias):
        return kernels.subtract_neighborhoods(sims, self.n_neighbors, bias, self.active)

    def searches(self, tiles, k):
        """Return visitors that find the candidates for the k best items per query."""
        n_raw = self.n_neighbors if self.active is None else max(self.n_neighbors, k)
        raw = BestItems(tiles, n_raw)
        return {"corrected": self._best(tiles, k + _SPARE), "raw": raw}

    def assemble_scores(self, found, k):
        """Combine the results of the visitors, as in `Additive.assemble_scores`."""
        keys, items = found["corrected"].found
        raw, raw_items = found["raw"].found
        by_key = self._scores(keys, raw)
        scores, items = _kernels.best_first(by_key, items, k)
        unsure = np.zeros(len(items), dtype=bool)
        if keys.shape[1] == k + _SPARE:  # otherwise no item was dropped
            # Dropped items have a smaller key than the last candidate, or the same
            # key and a larger index, which matters if the candidates' keys differ.
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
        """Return a visitor that finds the k best items of the unsure queries.

        Parameters
        ----------
        tiles : result of `Gallery.tiles`
        found, unsure
            The argument and the last result of ``assemble_scores``.
        k : int
        """
        means = _means(found["raw"].found[0], self.n_neighbors)
        return _BestScores(tiles, k, self.bias, means, unsure)

    def _scores(self, keys, ranked_sims):
        return keys - _means(ranked_sims, self.n_neighbors)[:, None]


def _means(ranked_sims, n_neighbors):
    return _kernels.nearest_means(ranked_sims[:, :n_neighbors])


class _BestScores(BestItems):
    """The k items of some rows with the largest scores, rounded as by ``apply``."""

    takes_foreign = False

    def __init__(self, tiles, k, bias, means, selected):
        super().__init__(tiles, k)
        self._biases = bias.astype(tiles.dtype)
        self._means = means
        self._selected = selected

    def end(self, n_threads):
        """Free memory that is no longer needed."""
        self._biases = self._means = None

    def _look(self, tile, rows, columns, found):
        matrix, top, _, left, right = tile
        selected = np.flatnonzero(self._selected[rows])
        biases, means = self._biases[columns], self._means[rows]
        for some in gen_batches(selected.size, _BLOCK_ROWS):
            places = selected[some]
            part = matrix[top + places, left:right]
            part += part
            part -= biases
            part -= means[places, None]
            kept = tuple(each[places] for each in found)
            super()._look(whole(part), rows, columns, kept)
            for each, new in zip(found, kept, strict=True):
                each[places] = new
