"""The recipe that every normalizer follows; a subclass fills four hooks."""

from abc import ABC, abstractmethod
from copy import copy
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import (
    check_choice,
    check_features,
    row_names,
    unchanged_on_error,
)
from sk_qbnorm.bank import probe
from sk_qbnorm.similarity import check_embeddings
from sk_qbnorm.tiles import CallableTiles, EmbeddingTiles, MatrixTiles

_METRICS = ("cosine", "dot", "precomputed")
_BLOCK_ROWS = 256


class BaseNormalizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator, ABC):
    """Probe the gallery with a bank once; correct the queries that come later.

    Subclasses give ``_check_parameters``, ``_statistics``, ``_conclude`` and
    ``_correct``. The features of a normalizer are the gallery items.
    """

    def fit(self, querybank: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Probe the gallery with a querybank.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank's queries or, for ``metric="precomputed"``, their
            similarities to the gallery.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery; the index of a dataframe names its items.
            Ignored for ``metric="precomputed"``, so that a Pipeline may pass `y`.

        Returns
        -------
        self : BaseNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, an input is not a finite matrix, the
            gallery is missing or does not match the bank.
        """
        with unchanged_on_error(self):  # also where warnings are errors
            self._probe(querybank, gallery, reset=True)
            self._warn_of_clipping()
        return self

    def partial_fit(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Add more queries to the bank.

        Any split of a bank over several calls gives what one `fit` of it all gives,
        to rounding. Whether a bank is still smaller than a parameter asks for is seen
        in the fitted attributes; a stream is not warned about.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, and the same gallery each time: it is not kept.

        Returns
        -------
        self : BaseNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            As in `fit`; also if a parameter that the bank was probed with has changed
            since the first call.
        """
        with unchanged_on_error(self):
            self._probe(querybank, gallery, reset=not hasattr(self, "n_bank_seen_"))
        return self

    def transform(self, query_sims: ArrayLike) -> NDArray:
        """Correct the similarities of queries to the gallery.

        Parameters
        ----------
        query_sims : array-like of shape (n_queries, n_gallery)
            Similarities, larger for more similar, on the scale of the bank's.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_gallery)
            Corrected scores, larger for better; float32 if `query_sims` is, else
            float64. Each row depends on its own query alone.

        Raises
        ------
        ValueError
            If `query_sims` is not a finite matrix with one column a gallery item.
        """
        sims = self._check_sims(query_sims)
        in_place = not self.copy and sims.flags.writeable
        scores = sims if in_place else np.empty(sims.shape, dtype=sims.dtype)
        n_threads = count_threads(self.n_jobs)
        if sims.flags.c_contiguous:
            self._correct(sims, scores, n_threads)
            return scores
        for rows in gen_batches(sims.shape[0], _BLOCK_ROWS):
            block = np.ascontiguousarray(sims[rows])
            self._correct(block, block, n_threads)
            scores[rows] = block
        return scores

    def fit_transform(self, X: ArrayLike, y: object = None) -> NDArray:
        """Fit to the bank's similarities and return them corrected.

        Parameters
        ----------
        X : array-like of shape (n_bank, n_gallery)
            The bank's similarities to the gallery.
        y : Ignored
            Not used; here for the API's sake.

        Returns
        -------
        scores : ndarray of shape (n_bank, n_gallery)
            The corrected similarities of the bank itself.

        Raises
        ------
        ValueError
            If ``metric`` is not ``"precomputed"``.
        """
        if self.metric != "precomputed":
            raise ValueError(
                f"fit_transform, and so a Pipeline, hands {type(self).__name__} "
                f"similarities, but metric={self.metric!r} expects embeddings; set "
                'metric="precomputed", or call fit(querybank, gallery) and then '
                "transform(query_sims)."
            )
        return self.fit(X).transform(X)

    def _check_sims(self, query_sims):
        """Return similarities to correct, once they and the parameters make sense."""
        check_is_fitted(self)
        self._check_parameters()
        return check_features(
            self,
            query_sims,
            "query_sims",
            reset=False,
            n_jobs=self.n_jobs,
            # Whoever has embeddings has no dataframe of similarities.
            names_required=self.metric == "precomputed",
        )

    def _probe(self, querybank, gallery, *, reset):
        self._check_parameters()
        tiles = self._open_bank(querybank, gallery, reset=reset)
        found = self._statistics(tiles)
        if not reset:
            self._check_settings(found)
        probe(tiles, found.values(), self.n_jobs)
        if reset:
            self._bank, self._bank_metric = found, self.metric
            self.n_bank_seen_ = tiles.shape[0]
        else:  # into copies, so that what fails on the way takes nothing along
            bank = {name: copy(before) for name, before in self._bank.items()}
            for name, statistic in found.items():
                bank[name].merge(statistic)
            self._bank = bank
            self.n_bank_seen_ += tiles.shape[0]
        self._conclude(self._bank)

    def _open_bank(self, querybank, gallery, *, reset):
        """Return the bank's similarities, tile by tile."""
        if not callable(self.metric):
            check_choice(self.metric, "metric", _METRICS)
        if self.metric == "precomputed":
            sims = check_features(
                self, querybank, "querybank", reset=reset, n_jobs=self.n_jobs
            )
            return MatrixTiles(sims)
        if gallery is None or np.ndim(gallery) == 1:
            got = "None" if gallery is None else "one number an item"
            raise ValueError(
                f"{type(self).__name__} with metric={self.metric!r} needs the "
                f"embeddings of the gallery, got {got}; call fit(querybank, gallery), "
                'or set metric="precomputed" and pass its similarities to the bank.'
            )
        names = row_names(gallery)
        querybank, gallery = check_embeddings(
            querybank, gallery, "querybank", self.metric, self.n_jobs
        )
        self._learn_gallery(gallery.shape[0], names, reset=reset)
        tiles = CallableTiles if callable(self.metric) else EmbeddingTiles
        return tiles(querybank, gallery, self.metric)

    def _learn_gallery(self, n_gallery, names, *, reset):
        if not reset:
            before = getattr(self, "feature_names_in_", names)
            if n_gallery != self.n_features_in_ or not np.array_equal(names, before):
                raise ValueError(
                    f"The gallery must be the one of the first call, with "
                    f"{self.n_features_in_} items, got {n_gallery} or other names; fit "
                    "anew for another gallery."
                )
            return
        self.n_features_in_ = n_gallery
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _check_settings(self, found):
        before, now = {"metric": self._bank_metric}, {"metric": self.metric}
        for name, statistic in found.items():
            before |= self._bank[name].settings
            now |= statistic.settings
        for setting, value in now.items():
            if value != before[setting]:
                raise ValueError(
                    f"{setting} was {before[setting]!r} when the bank was first probed "
                    f"and is {value!r} now; call fit to start anew."
                )

    @abstractmethod
    def _check_parameters(self):
        """Raise if a parameter is out of range."""

    @abstractmethod
    def _statistics(self, tiles):
        """Return fresh statistics for these tiles, a dict of those in `bank`."""

    @abstractmethod
    def _conclude(self, bank):
        """Set the fitted attributes from the statistics."""

    @abstractmethod
    def _correct(self, sims, scores, n_threads):
        """Write corrected C-contiguous `sims` to `scores`, which may be `sims`."""

    def _warn_of_clipping(self):
        """Warn where `fit` could not do what a parameter asked for."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
