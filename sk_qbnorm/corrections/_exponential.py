"""Ratios of exponentials, the scores in the papers."""

from sk_qbnorm import _kernels
from sk_qbnorm.tiles import BestItems, whole

from ._additive import Additive
from ._by_numpy import corrected_by_numpy
from ._in_range import in_range

_BLOCK_ROWS = 256  # rows of a tile that are exponentiated at once


class Exponential(Additive):
    """Scores ``exp(beta * (s_qj - bias[j]) - offset)`` of the corrected queries.

    Parameters
    ----------
    bias : ndarray of shape (n_gallery,), dtype float64
    beta, offset : float
    """

    def __init__(self, bias, beta, offset):
        super().__init__(bias)
        self.beta = beta
        self.offset = offset

    def apply(self, sims, scores, n_threads):
        """Correct C-contiguous `sims` and write to `scores`, which may be `sims`."""
        bias = in_range(self.bias, sims.dtype)
        settings = self.beta, self.offset, self.active
        _kernels.exponential_ratio(sims, bias, *settings, scores, n_threads)

    def corrected(self, sims):
        """Return the corrected similarities of another array library, by NumPy."""
        return corrected_by_numpy(self, sims)

    def _best(self, tiles, k):
        return _BestRatios(tiles, k, self.bias, self._scores)

    def _scores(self, keys, rows=None):
        return _kernels.bounded_exp(keys, self.beta, self.offset)


class _BestRatios(BestItems):
    """The k items per row with the largest ratio; many ratios may be 0."""

    takes_foreign = False

    def __init__(self, tiles, k, bias, ratios):
        super().__init__(tiles, k)
        self._biases = in_range(bias, tiles.dtype)
        self._ratios = ratios

    def end(self, n_threads):
        """Free memory that is no longer needed."""
        self._biases = self._ratios = None

    def _look(self, tile, rows, columns, found):
        matrix, top, bottom, left, right = tile
        for first in range(top, bottom, _BLOCK_ROWS):
            last = min(first + _BLOCK_ROWS, bottom)
            part = matrix[first:last, left:right] - self._biases[columns]
            part = self._ratios(part)
            kept = tuple(each[first - top : last - top] for each in found)
            super()._look(whole(part), rows, columns, kept)
