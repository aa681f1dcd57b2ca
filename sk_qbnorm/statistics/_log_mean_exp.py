"""The log-mean-exp of the similarities to each gallery item."""

from copy import copy

import numpy as np

from ._statistic import Statistic

_FIRST_ROWS = 8
_ROUNDINGS = 100  # minimum of beta times the largest similarity, in eps of the dtype


class LogMeanExp(Statistic):
    """``log(mean_i exp(beta * p_ij)) / beta`` of every column, in similarity units.

    It is close to the column mean for small `beta` and to the column maximum for large
    `beta`. Its rounding error is about that of the dtype divided by `beta`; `value`
    raises if that exceeds one percent of the similarities. If `shift` is given, it is
    subtracted from each row first, and rounding is not checked. With an `order` of 2,
    `beta` is doubled: the second moment of what is averaged.
    """

    takes_foreign = True

    def __init__(self, tiles, beta, shift=None, order=1, beta_name="beta"):
        self.settings = {"beta": beta}
        self._exponent = order * beta
        self._beta_name = beta_name  # in messages
        self._shift = shift
        self.n_bank, n_gallery = tiles.shape
        self.peak = np.empty(n_gallery, dtype=tiles.dtype)
        self.total = np.zeros(n_gallery)
        self._eps = float(np.finfo(tiles.dtype).eps)
        self._lowest = [np.inf]  # of the first rows of each tile

    def update(self, tile, rows, columns):
        """Add a tile."""
        if rows.start == 0:
            first_rows = tile.first_rows(_FIRST_ROWS)
            if self._shift is not None:
                first_rows = first_rows - self._shift[: len(first_rows), None]
            self.peak[columns] = first_rows.max(axis=0)
            self._lowest.append(float(first_rows.min()))  # by any thread
        beta, peak, total = self._exponent, self.peak, self.total
        shift = None if self._shift is None else self._shift[rows]
        tile.kernels.add_log_sum_exp(tile, beta, peak[columns], total[columns], shift)

    def merge(self, other):
        """Return the statistic of both querybanks on the same gallery."""
        both, beta = copy(self), self._exponent
        peaks = self.peak.astype(np.float64), other.peak.astype(np.float64)
        both.peak = np.maximum(*peaks)
        both.total = self.total * np.exp(beta * (peaks[0] - both.peak))
        both.total += other.total * np.exp(beta * (peaks[1] - both.peak))
        both.n_bank += other.n_bank
        return both._with_precision_of(other)

    def append_items(self, other):
        """Return the statistic of the same querybank on both galleries."""
        both = copy(self)
        both.peak = np.concatenate([self.peak, other.peak])
        both.total = np.concatenate([self.total, other.total])
        return both._with_precision_of(other)

    def _with_precision_of(self, other):
        self._eps = max(self._eps, other._eps)
        self._lowest = [min(self._lowest + other._lowest)]
        return self

    def take_items(self, items):
        """Return the statistic of some of the gallery items, in ascending order."""
        some = copy(self)
        some.peak, some.total = self.peak[items], self.total[items]
        return some

    def value(self):
        """Return the statistic, shape (n_gallery,)."""
        bias = self.total / self.n_bank
        np.log(bias, out=bias)  # in place, as a gallery may be large
        self._check_rounding(bias)
        bias /= self._exponent
        bias += self.peak
        return bias

    def _check_rounding(self, exponents):
        """Raise if rounding hides the bias, ``peak + exponents / beta``."""
        beta, peak = self._exponent, self.peak
        lowest, highest = min(self._lowest), float(peak.max())
        largest = max(highest, -lowest)
        moves = max(float(exponents.max()), -float(exponents.min()))
        is_flat = lowest == highest
        needed = _ROUNDINGS * self._eps
        if self._shift is not None or self.n_bank == 1 or is_flat:
            return
        if max(beta * largest, moves) < needed:
            raise ValueError(
                f"{self._beta_name} must be at least {needed / largest:.1e} for "
                f"similarities as large as {largest:.2g}, because rounding hides the "
                f"bias otherwise, "
                f'got {beta}; use "scale" or a larger number.'
            )
