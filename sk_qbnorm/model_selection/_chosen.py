"""A normalizer that is one of several: what it does once it has been chosen."""

import copy
from abc import abstractmethod
from typing import Self

from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._validation import unchanged_on_error, clone_sharing_data
from sk_qbnorm.normalizers import BaseNormalizer, correction_of


class Chosen(BaseNormalizer):
    """Correct as `best_estimator_` does, and go with a bank or gallery that changes.

    Subclasses give ``fit``, ``_check_parameters`` and ``_choose``, which finds the
    `best_estimator_`.
    """

    best_estimator_: BaseNormalizer

    def partial_fit(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Choose by a first part of the bank, or add more to it.

        The choice is made at the first call, without a warning; later ones add to the
        bank of what was chosen.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, and the same gallery each time.

        Returns
        -------
        self : BaseNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            As in `fit`; also if what was chosen, as `SinkhornNormalizer`, does not
            take a bank in parts.
        """
        if hasattr(self, "best_estimator_"):
            return self._change("partial_fit", querybank, gallery)
        with unchanged_on_error(self):
            self._choose(querybank, gallery)
        return self

    def add_gallery(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Probe more gallery items; they come behind those that are known.

        The choice stays as it is.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_new)
            All of the bank that the known items were probed with, in the same order.
        gallery : array-like of shape (n_new, n_features), default=None
            The new items, as in `fit`.

        Returns
        -------
        self : BaseNormalizer
            The normalizer, of the larger gallery.

        Raises
        ------
        ValueError
            If what was chosen refuses it.
        """
        return self._change("add_gallery", querybank, gallery)

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
    ) -> Self:
        """Forget gallery items; those behind them move up.

        The choice stays as it is.

        Parameters
        ----------
        items : array-like of int of shape (n_removed,)
            Indices in the gallery, or a mask of shape (n_gallery,), True for those that
            go.
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_left)
            All of the bank, in the same order, which a gate may need.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the items that are left, to go with `querybank`.

        Returns
        -------
        self : BaseNormalizer
            The normalizer, of the smaller gallery.

        Raises
        ------
        ValueError
            If what was chosen refuses it.
        """
        return self._change("remove_gallery", items, querybank, gallery)

    def _change(self, method, *given):
        check_is_fitted(self)
        changed = copy.copy(self.best_estimator_)
        getattr(changed, method)(*given)
        self._settle(changed)
        return self

    def _settle(self, best):
        """Take a fitted normalizer for the one to correct with."""
        self.best_estimator_ = best
        self.n_bank_seen_ = best.n_bank_seen_
        self.n_features_in_ = best.n_features_in_
        vars(self).pop("feature_names_in_", None)
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_

    @abstractmethod
    def _choose(self, querybank, gallery):
        """Find what to correct with, and `_settle` for it."""

    def _fit_warnings(self):
        return self.best_estimator_._fit_warnings()

    def _correction(self):
        return correction_of(self.best_estimator_)

    def __sklearn_clone__(self):
        """Share what is known of the queries, which may be large."""
        twin = clone_sharing_data(self)
        twin.candidates = clone(self.candidates, safe=False)
        return twin
