"""Plant hubs in a gallery of embeddings, to measure what stops them.

Everything happens in the space of the embeddings. The attacker has queries of their own
and moves a vector uphill on the sphere, to be the best item of as many of these as
possible. An adaptive attacker also knows the bank and the normalizer.
"""

from copy import copy

import numpy as np

from sk_qbnorm import (
    CappedNormalizer,
    InvertedSoftmax,
    MixNormalizer,
    SinkhornNormalizer,
)
from sk_qbnorm.statistics import check_caps, largest_count

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

    For a gate, that of the corrected queries. The gradient for a mix leaves out that of
    the result lists, and that of the weights of bank and sample.

    Parameters
    ----------
    fitted : AdditiveNormalizer or MixNormalizer
    bank : ndarray of shape (n_bank, n_features)
        Unit vectors.
    """

    def __init__(self, fitted, bank):
        self._fitted, self._bank = fitted, bank

    def __call__(self, items):
        """Return biases in units of the similarities and gradients of new items."""
        fitted, sims = self._fitted, self._bank @ items.T
        if not isinstance(fitted, CappedNormalizer):
            return _bias(fitted, self._bank, items, sims)
        biases, slopes = np.zeros(len(items)), np.zeros(items.shape)
        if fitted.normalizer_ is not None:
            biases, slopes = _bias(fitted.normalizer_, self._bank, items, sims)
        shares = check_caps(fitted.caps).values()
        for share, thresholds in zip(shares, fitted.thresholds_.T, strict=True):
            most = largest_count(share, len(sims))
            leads = sims - thresholds[:, None]
            first, last = max(0, most - 2), most + 3
            places = np.argpartition(-leads, [first, most, last], axis=0)
            floors = np.take_along_axis(leads, places[[most]], axis=0)[0]
            for item in np.flatnonzero(floors > biases):
                rows = places[first:last, item]  # their mean: steps are smoother
                slopes[item] = self._bank[rows].mean(axis=0)
            biases = np.maximum(biases, floors)
        return biases, slopes


def added_biases(fitted, bank, items):
    """Return the biases of items that are added, in units of the similarities."""
    correction = copy(fitted).add_gallery(bank, items)._correction()
    return correction.bias[-len(items) :] / correction.scale


def _bias(fitted, bank, items, sims):
    """Return biases of new items, and their gradients."""
    if isinstance(fitted, MixNormalizer):
        weight = fitted.agreement_**2
        of_bank = _sinkhorn_slopes(fitted.bank_normalizer_, bank, items)
        of_sample = _sinkhorn_slopes(fitted.sample_normalizer_, fitted._sample, items)
        slopes = weight * of_bank + (1 - weight) * of_sample
        return _added_to_mix(fitted, bank, items), fitted.alpha * slopes
    if isinstance(fitted, (InvertedSoftmax, SinkhornNormalizer)):
        if isinstance(fitted, SinkhornNormalizer):
            sims = sims - fitted._bank["potentials"].of_queries[:, None]
        exponents = fitted.beta_ * sims
        peaks = exponents.max(axis=0)
        weights = np.exp(exponents - peaks)
        biases = (peaks + np.log(weights.mean(axis=0))) / fitted.beta_
        limit = getattr(fitted, "influence_limit", None)
        if limit is not None:
            biases = added_biases(fitted, bank, items) / fitted.alpha
            weights[exponents - fitted.beta_ * biases > np.log(limit)] = 0
        weights /= weights.sum(axis=0)
        return fitted.alpha * biases, fitted.alpha * weights.T @ bank
    k = fitted.n_neighbors_
    places = np.argpartition(-sims, k, axis=0)[:k]
    strength = getattr(fitted, "alpha", 1.0) / fitted._correction().scale
    weights = np.zeros(sims.shape)
    np.put_along_axis(weights, places, strength / k, axis=0)
    return (weights * sims).sum(axis=0), weights.T @ bank


def _added_to_mix(fitted, bank, items):
    """Return the biases of added items, relative to the known ones before."""
    n_known = fitted.n_features_in_
    grown = copy(fitted).add_gallery(bank, items).index_bias()
    return grown[n_known:] - (grown[:n_known] - fitted.index_bias()).mean()


def _sinkhorn_slopes(fitted, bank, items):
    """Return the gradients of the Sinkhorn biases of new items, without shrinkage."""
    potentials = fitted._bank["potentials"]
    sims = bank @ items.T - potentials.of_queries[:, None]
    weights = np.exp(potentials.settings["beta"] * (sims - sims.max(axis=0)))
    return (weights / weights.sum(axis=0)).T @ bank
