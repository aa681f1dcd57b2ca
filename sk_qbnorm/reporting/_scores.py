"""Scores of every normalizer, on queries that it has not seen."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sk_qbnorm.model_selection import NormalizerSearch
from sk_qbnorm.normalizers import MixNormalizer

_LARGEST_SAMPLE = 1000  # of queries for the mix and for the search
_SMALLEST_FOLD = 4


class Material:
    """What a report is made of.

    Parameters
    ----------
    bank : ndarray
    gallery : ndarray or None
        None for similarities.
    metric : str or callable
    queries : ndarray or None
        Embeddings or similarities; None if there is only the bank.
    sims : ndarray of shape (n_queries, n_gallery)
        Similarities of the queries, or of the bank if there are none.
    relevant : sparse array of shape (n_queries, n_gallery) or None
    groups : ndarray of shape (n_queries,) or None
    random_state : int, RandomState instance or None
    """

    def __init__(
        self, bank, gallery, metric, queries, sims, relevant, groups, random_state
    ):
        self.bank, self.gallery, self.metric = bank, gallery, metric
        self.queries, self.sims = queries, sims
        self.relevant, self.groups = relevant, groups
        self._random = check_random_state(random_state)
        self._folds = self._split()

    def _split(self):
        """Return a fold, 0 or 1, for each query; a group has one fold."""
        n_queries = len(self.sims)
        if self.groups is not None:
            _, codes = np.unique(self.groups, return_inverse=True)
            folds = self._random.permutation(codes.max() + 1)[codes] % 2
            if np.bincount(folds, minlength=2).min() >= _SMALLEST_FOLD:
                return folds
        return self._random.permutation(n_queries) % 2

    def scores(self, normalizer):
        """Fit to the bank and correct the queries; without queries, cross-fit."""
        if self.queries is not None:
            return self.fit(clone(normalizer)).transform(self.sims)
        return self._crossfitted(
            lambda others: self.fit(clone(normalizer), self.bank[others])
        )

    def mix_scores(self):
        """Correct each half of the queries with a sample of the other half."""
        return self._crossfitted(lambda others: self.fit(self.mix(others)))

    def search_scores(self):
        """Correct each half of the queries by the choice of the other half."""
        return self._crossfitted(lambda others: self.fit(self.search(others)))

    def _crossfitted(self, fitted):
        scores = np.empty_like(self.sims)
        for fold in (0, 1):
            rows = np.flatnonzero(self._folds == fold)
            others = np.flatnonzero(self._folds != fold)
            scores[rows] = fitted(others).transform(self.sims[rows])
        return scores

    def mix(self, rows=None):
        """Return an unfitted mix with a sample of some queries."""
        return MixNormalizer(self.queries[self._sample(rows)])

    def search(self, rows=None):
        """Return an unfitted search with some labeled queries."""
        rows = self._sample(rows)
        return NormalizerSearch(self.queries[rows], self.relevant[rows])

    def _sample(self, rows):
        rows = np.arange(len(self.sims)) if rows is None else rows
        if rows.size <= _LARGEST_SAMPLE:
            return rows
        return np.sort(self._random.choice(rows, _LARGEST_SAMPLE, replace=False))

    def fit(self, normalizer, bank=None):
        """Fit a normalizer to the bank, or to some of its rows."""
        bank = self.bank if bank is None else bank
        normalizer.set_params(metric=self.metric, copy=True)
        return normalizer.fit(bank, self.gallery)
