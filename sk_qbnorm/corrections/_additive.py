"""Subtract one bias per gallery item."""

from copy import copy

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm._arrays import home_of, kernels, to_numpy
from sk_qbnorm.tiles import BestItems

from ._in_range import in_range


class Additive:
    """Scores ``s_qj - bias[j]``, for all queries or only those that pass the gate.

    Parameters
    ----------
    bias : ndarray of shape (n_gallery,), dtype float64

    Attributes
    ----------
    active : ndarray of shape (n_gallery,), dtype bool, or None
        A query is corrected if its most similar item, the first among equals, is
        active, and left unchanged otherwise. None corrects all queries.
    """

    scale = 1.0  # factor of the similarity in a score and in an augmented query

    active = None

    def __init__(self, bias):
        self._bias = bias

    @property
    def bias(self):
        """The bias as a NumPy array; it may live elsewhere."""
        return to_numpy(self._bias)

    @property
    def index_biases(self):
        """Biases that a vector index can subtract, shape (n_gates, n_gallery)."""
        return self.bias[None]

    def gated(self, active):
        """Return a correction of only those queries whose best item is active."""
        twin = copy(self)
        twin.active = to_numpy(active)
        return twin

    def apply(self, sims, scores, n_threads):
        """Correct C-contiguous `sims` and write to `scores`, which may be `sims`."""
        biases = in_range(self.bias[None], sims.dtype)
        _kernels.subtract_bias(sims, biases, self.active, scores, n_threads)

    def corrected(self, sims):
        """Return the corrected similarities of another array library."""
        home = home_of(sims)
        floats = home.cast(sims, home.dtype_of(sims))
        bias = home.cast(home.asarray(self._bias), home.dtype_of(sims))
        return self._corrected(floats, bias)

    def _corrected(self, sims, bias):
        return kernels.subtract_bias(sims, bias[None, :], self.active)

    def searches(self, tiles, k):
        """Return visitors that find the candidates for the k best items per query."""
        found = {"corrected": self._best(tiles, k)}
        if self.active is not None:
            found["raw"] = BestItems(tiles, k)
        return found

    def assemble_scores(self, found, k):
        """Combine the results of the visitors to scores.

        Returns
        -------
        scores, items : ndarray of shape (n_queries, k)
            Best first.
        unsure : ndarray of shape (n_queries,), dtype bool
            Queries whose other items may score as high as the last of these. Only
            `CSLSCorrection` has such queries, and a ``second_look`` for them.
        """
        scores, items = found["corrected"].found
        if self.active is not None:
            raw_scores, raw_items = found["raw"].found
            gate = self.active[raw_items[:, :1]]
            scores = np.where(gate, scores, raw_scores)
            items = np.where(gate, items, raw_items)
        return scores, items, np.zeros(len(items), dtype=bool)

    def rescore(self, sims, items):
        """Return the scores of some items per query; -1 means no item.

        Parameters
        ----------
        sims : ndarray of shape (n_queries, k)
            Minus infinity for no item.
        items : ndarray of shape (n_queries, k), dtype int64
        """
        biases = in_range(self.bias, sims.dtype)
        keys = sims.dtype.type(self.scale) * sims - biases[items]
        ranked = _kernels.best_first(sims, items, sims.shape[1])
        scores = self._scores(keys, ranked[0])
        if self.active is not None:
            scores = np.where(self.active[ranked[1][:, :1]], scores, sims)
        return np.where(items < 0, -np.inf, scores).astype(sims.dtype, copy=False)

    def take_items(self, items):
        """Return the correction for a slice of the gallery, to call ``searches``."""
        twin = copy(self)
        twin._bias = self.bias[items]
        twin.active = None if self.active is None else self.active[items]
        return twin

    def append_items(self, biases):
        """Return the correction of a larger gallery.

        Parameters
        ----------
        biases : ndarray of shape (n_new,), dtype float64
            What is subtracted from a similarity to each new item. None is active.
        """
        twin = copy(self)
        twin._bias = np.concatenate([self.bias, self.scale * biases])
        if self.active is not None:
            twin.active = np.concatenate([self.active, np.zeros(len(biases), bool)])
        return twin

    def ceiling(self, peak):
        """Return an upper bound of the scores if no similarity exceeds `peak`."""
        top = self._scores(self.scale * peak - self.bias.min(), -peak)
        return top if self.active is None else np.maximum(top, peak)

    def _best(self, tiles, k):
        return BestItems(tiles, k, self.scale, in_range(self.bias, tiles.dtype))

    def _scores(self, keys, ranked_sims):
        """Return scores from ``scale * s_qj - bias[j]`` and sorted similarities."""
        return keys
