"""Plant hubs in a gallery of embeddings, to measure what stops them.

Everything happens in the space of the embeddings. The attacker has queries of their own
and moves a vector uphill on the sphere, to be the best item of as many of these as
possible. An adaptive attacker also knows the bank and the normalizer.
"""

from copy import copy

import numpy as np

from sk_qbnorm import CappedNormalizer, InvertedSoftmax, SinkhornNormalizer

_STEPS = 120
_RATE = 0.05


def unit(rows):
    """Return the rows in float64 with length 1; rows of zeros stay."""
    rows = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


def planted(known, beat, starts, bias=None, near=None):
    """Return the vector that most of the known queries prefer.

    Parameters
    ----------
    known : ndarray of shape (n_known, n_features)
        Queries of the attacker.
    beat : ndarray of shape (n_known,)
        Score that an item must reach to be the best of each of them.
    starts : ndarray of shape (n_starts, n_features)
    bias : callable, default=None
        Returns the biases of new items and their gradients.
    near : tuple of ndarray and float, default=None
        An item and the least cosine with it.
    """
    rows = _onto_cap(unit(starts), near)
    best, best_value = rows[0], -np.inf
    spread = np.std(known @ unit(known.mean(axis=0))) + np.std(beat) / 2 + 1e-12
    for step in range(_STEPS):
        done = step / (_STEPS - 1)
        width = spread * (1 - 0.85 * done)
        biases, slopes = (0.0, 0.0) if bias is None else bias(rows)
        leads = known @ rows.T - biases - beat[:, None]
        soft = 1 / (1 + np.exp(-np.clip(leads / width, -40, 40)))
        values = (leads > 0).mean(axis=0) + 1e-3 * soft.mean(axis=0)
        if values.max() > best_value:
            best, best_value = rows[values.argmax()].copy(), values.max()
        weights = soft * (1 - soft) + 1e-4 * np.exp(-np.abs(leads) / (5 * width))
        slope = weights.T @ known - weights.sum(axis=0)[:, None] * slopes
        slope -= (slope * rows).sum(axis=1, keepdims=True) * rows
        rows = _onto_cap(unit(rows + _RATE * (1 - 0.9 * done) * unit(slope)), near)
    return best


def _onto_cap(rows, near):
    """Move rows to within a cosine of an item."""
    if near is None:
        return rows
    item, cosine = near
    products = (rows @ item)[:, None]
    aside = unit(rows - products * item)
    moved = cosine * item + np.sqrt(1 - cosine**2) * aside
    return np.where(products < cosine, moved, rows)


def starts_of(known, random, n_starts=8):
    """Return the mean of the queries, some of them, and means of some of them."""
    some = random.choice(len(known), size=(n_starts, min(6, len(known))))
    means = known[some].mean(axis=1)
    return unit(np.vstack([known.mean(axis=0), means, known[some[:4, 0]]]))


class KnownBias:
    """The bias that a fitted normalizer gives to new items, and its gradient.

    Parameters
    ----------
    fitted : AdditiveNormalizer
    bank : ndarray of shape (n_bank, n_features)
        Unit vectors.
    """

    def __init__(self, fitted, bank):
        self._fitted, self._bank = fitted, bank

    def __call__(self, items):
        """Return biases in units of the similarities and gradients of new items."""
        biases = added_biases(self._fitted, self._bank, items)
        sims = self._bank @ items.T
        fitted, weights = self._fitted, np.zeros(sims.shape)
        if isinstance(fitted, CappedNormalizer):
            base = fitted.normalizer_
            if base is not None:
                weights = _weights(base, self._bank, items, sims)
            leads = sims[:, :, None] - fitted.thresholds_[:, None, :]
            shares = fitted.caps or {1: 0.01, 10: 0.05}
            most = [int(share * len(sims) + 1e-9) for share in shares.values()]
            ordered = np.argsort(-leads, axis=0)
            for item in range(len(items)):
                floors = [
                    leads[ordered[m, item, c], item, c] for c, m in enumerate(most)
                ]
                cap = int(np.argmax(floors))
                if floors[cap] >= biases[item] - 1e-6:
                    first = max(0, most[cap] - 2)
                    rows = ordered[first : most[cap] + 3, item, cap]
                    weights[:, item] = 0
                    weights[rows, item] = 1 / len(rows)
        else:
            weights = _weights(fitted, self._bank, items, sims)
        return biases, weights.T @ self._bank


def added_biases(fitted, bank, items):
    """Return the biases of items that are added, in units of the similarities."""
    correction = copy(fitted).add_gallery(bank, items)._correction()
    return correction.bias[-len(items) :] / correction.scale


def _weights(fitted, bank, items, sims):
    """Return the derivative of each bias by the similarities of the bank queries."""
    if isinstance(fitted, (InvertedSoftmax, SinkhornNormalizer)):
        if isinstance(fitted, SinkhornNormalizer):
            sims = sims - fitted._bank["potentials"].of_queries[:, None]
        exponents = fitted.beta_ * sims
        weights = np.exp(exponents - exponents.max(axis=0))
        limit = getattr(fitted, "influence_limit", None)
        if limit is not None:
            biases = added_biases(fitted, bank, items)
            weights[fitted.beta_ * (sims - biases) > np.log(limit)] = 0
        return fitted.alpha * weights / weights.sum(axis=0)
    order = np.argsort(-sims, axis=0)
    weights = np.zeros(sims.shape)
    k = fitted.n_neighbors_ if hasattr(fitted, "n_neighbors_") else fitted.n_neighbors
    np.put_along_axis(weights, order[:k], 1 / k, axis=0)
    scale = fitted._correction().scale
    return getattr(fitted, "alpha", 1.0) * weights / scale
