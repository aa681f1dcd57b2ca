"""Several biases per item, each with its own gate."""

from copy import copy

import numpy as np

from sk_qbnorm import _kernels
from sk_qbnorm._arrays import home_of, kernels
from sk_qbnorm.tiles import BestItems

from ._additive import Additive
from ._in_range import in_range


class Gates(Additive):
    """Scores ``s_qj`` minus the ``biases[g, j]`` of all gates g that query q opens.

    Parameters
    ----------
    biases : ndarray of shape (n_gates, n_gallery), dtype float64
    active : ndarray of shape (n_gates, n_gallery), dtype bool
        A query opens the gates that are active at its most similar item, the first
        among equals.
    """

    def __init__(self, biases, active):
        self._by_gate = biases
        self._choice = (1 << np.arange(len(active))) @ active  # the open gates as bits
        open_gates = np.arange(1 << len(active))[:, None] >> np.arange(len(active)) & 1
        self._biases = open_gates @ biases  # the first row has no open gate
        # A slice of the gallery keeps all choices, so that results of slices can be
        # merged. Choice 0, the raw similarities, finds the best item, which decides.
        self._choices = [0, *np.unique(self._choice[self._choice > 0]).tolist()]

    @property
    def index_biases(self):
        """Biases that a vector index can subtract, shape (n_gates, n_gallery)."""
        return self._by_gate

    def apply(self, sims, scores, n_threads):
        """Correct C-contiguous `sims` and write to `scores`, which may be `sims`."""
        biases = in_range(self._biases[1:], sims.dtype)
        _kernels.subtract_bias(sims, biases, self._choice, scores, n_threads)

    def corrected(self, sims):
        """Return the corrected similarities of another array library."""
        home = home_of(sims)
        floats = home.cast(sims, home.dtype_of(sims))
        biases = home.cast(home.asarray(self._biases[1:]), home.dtype_of(sims))
        return kernels.subtract_bias(floats, biases, self._choice)

    def searches(self, tiles, k):
        """Return visitors that find the candidates for the k best items per query."""
        biases = in_range(self._biases, tiles.dtype)
        return {
            choice: BestItems(tiles, k, bias=biases[choice] if choice else None)
            for choice in self._choices
        }

    def assemble_scores(self, found, k):
        """Combine the results of the visitors, as in `Additive.assemble_scores`."""
        scores, items = found[0].found
        chosen = self._choice[items[:, :1]]
        for choice, best in found.items():
            others, other_items = best.found
            scores = np.where(chosen == choice, others, scores)
            items = np.where(chosen == choice, other_items, items)
        return scores, items, np.zeros(len(items), dtype=bool)

    def rescore(self, sims, items):
        """Return the scores of some items per query, as in `Additive.rescore`."""
        _, ranked = _kernels.best_first(sims, items, sims.shape[1])
        biases = in_range(self._biases, sims.dtype)
        scores = sims - biases[self._choice[ranked[:, :1]], items]
        return np.where(items < 0, -np.inf, scores).astype(sims.dtype, copy=False)

    def take_items(self, items):
        """Return the correction for a slice of the gallery, to call ``searches``."""
        twin = copy(self)
        twin._biases, twin._choice = self._biases[:, items], self._choice[items]
        return twin

    def append_items(self, biases):
        """Raise: a new item has a bias for each bank."""
        raise ValueError(
            "added requires a normalizer with one bias per item, got one with a bias "
            "per bank; call fit with all items."
        )

    def ceiling(self, peak):
        """Return an upper bound of the scores if no similarity exceeds `peak`."""
        return peak - self._biases.min()
