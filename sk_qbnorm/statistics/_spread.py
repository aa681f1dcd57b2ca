"""The spread of similarities, and inverse temperatures relative to it."""

import numpy as np

from sk_qbnorm.tiles import Visitor, walk

SOFTMAX_FACTOR = 1.5  # beta="scale" of a log-mean-exp, times the spread
_LEAST_PRODUCT, _LARGEST_PRODUCT = 0.05, 10.0  # beta times spread, else a warning


class Spread:
    """The standard deviation of a sample of similarities, computed when first called.

    Parameters
    ----------
    make_tiles : callable, default=None
        Returns the tiles of the sample; not needed if the value is known.
    n_jobs : int or None
    tiles_for_warnings : callable, default=None
        As `make_tiles`, of a sample that may be less even; None if that may be slow.
    value : float, default=None
        The standard deviation, if it is known.
    """

    def __init__(
        self, make_tiles=None, n_jobs=None, *, tiles_for_warnings=None, value=None
    ):
        self._make_tiles, self._tiles_for_warnings = make_tiles, tiles_for_warnings
        self._n_jobs, self.value = n_jobs, value

    def __call__(self):
        return self._computed_on(self._make_tiles)

    def for_warning(self):
        """Compute it, unless that may be slow."""
        if self._tiles_for_warnings is not None:
            self._computed_on(self._tiles_for_warnings)

    def _computed_on(self, make_tiles):
        if self.value is None:
            self.value = spread_of(make_tiles(), self._n_jobs)
        return self.value


def spread_of(tiles, n_jobs):
    """Return the standard deviation of all similarities."""
    moments = _Moments()
    walk(tiles, [moments], n_jobs)
    return moments.standard_deviation()


def beta_at(factor, spread):
    """Return the inverse temperature that ``beta="scale"`` stands for."""
    spread = spread or 1.0  # if all similarities are equal, any beta will do
    if not 0 < factor / spread < np.inf:
        raise ValueError(
            "beta='scale' needs similarities with a finite standard deviation, got "
            f"{spread}; rescale them, or pass a number for beta."
        )
    return factor / spread


def resolve_beta(beta, factor, spread):
    """Return the inverse temperature that a parameter `beta` stands for."""
    if isinstance(beta, str):
        return beta_at(factor, spread())
    spread.for_warning()
    return float(beta)


def beta_warning(beta, factor, spread, name="beta"):
    """Yield a warning if a number for beta hardly fits the spread of similarities."""
    if isinstance(beta, str) or spread is None or not 0 < spread < np.inf:
        return
    product = beta * spread
    if not _LEAST_PRODUCT <= product <= _LARGEST_PRODUCT:
        yield (
            f"{name}={beta:.6g} is {'large' if product > 1 else 'small'} for "
            f"similarities with a standard deviation of {spread:.3g}; {name}='scale' "
            f"would use {beta_at(factor, spread):.3g}.",
            UserWarning,
        )


class _Moments(Visitor):
    """A visitor that accumulates mean and variance, in the order of the tiles."""

    takes_foreign = True

    def __init__(self):
        self._of_tiles = {}

    def update(self, tile, rows, columns):
        _, top, bottom, left, right = tile
        size = (bottom - top) * (right - left)
        self._of_tiles[rows.start, columns.start] = size, *tile.kernels.moments(tile)

    def standard_deviation(self):
        parts = [self._of_tiles[place] for place in sorted(self._of_tiles)]
        sizes, totals, squares = np.array(parts, dtype=np.float64).T
        with np.errstate(over="ignore", invalid="ignore"):
            mean = totals.sum() / sizes.sum()
            between = sizes @ np.square(totals / sizes - mean)
            return float(np.sqrt((squares.sum() + between) / sizes.sum()))
