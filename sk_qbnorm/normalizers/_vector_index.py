"""Normalizers whose correction is a bias per item: a vector index can apply it."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm.tiles import resolve_metric

from ._bank_normalizer import BankNormalizer
from ._base import correction_of


class VectorIndexMixin:
    """Give the bias of each item to a vector index."""

    def index_bias(self) -> NDArray:
        """Return the bias of each item as a vector index subtracts it.

        Pass it to `sk_qbnorm.indexes.QueryShift` or
        `sk_qbnorm.indexes.AugmentedVectors`, or store it next to each item.

        Returns
        -------
        bias : ndarray of shape (n_gallery,), dtype float64
            What is subtracted from a similarity: ``alpha * gallery_bias_``; half of
            ``gallery_bias_`` for `CSLS`, which doubles similarities. Of shape
            (n_gallery, 2) for `DualDynamicInvertedSoftmax`, which has one bias per
            bank. It ranks like the scores of `transform`.
        """
        correction = correction_of(self)
        biases = correction.index_biases / correction.scale
        return biases.T if len(biases) > 1 else biases[0]

    def bias_of(self, querybank: ArrayLike, items: ArrayLike | None = None) -> NDArray:
        """Return the bias of items that are not in the gallery, without a new fit.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_items)
            The complete bank that was fitted: embeddings, or similarities to the items.
        items : array-like of shape (n_items, n_features), default=None
            Embeddings of the items, as the gallery in `fit`.

        Returns
        -------
        bias : ndarray of shape (n_items,), dtype float64
            The `index_bias` that these items have after `add_gallery`.

        Raises
        ------
        ValueError
            If the bias of an item depends on more than the bank and the item, the bank
            has another number of queries, or as in `fit`.
        """
        raise ValueError(
            "bias_of requires a normalizer of one querybank, got "
            f"{type(self).__name__}, whose bias depends on more; call fit or "
            "add_gallery with the items."
        )


class AdditiveNormalizer(VectorIndexMixin, BankNormalizer):
    """Learn a bias per gallery item from one querybank.

    The base class of normalizers whose scores are ``s - alpha * gallery_bias_``. It
    adds the export to vector indexes to `BankNormalizer`, and has the same four hooks.

    See Also
    --------
    sk_qbnorm.normalizers.BankNormalizer : The hooks, and an example of a subclass.
    sk_qbnorm.InvertedSoftmax : A subclass of this class.

    Examples
    --------
    >>> from sk_qbnorm import CSLS, DynamicInvertedSoftmax, GloballyCorrected
    >>> from sk_qbnorm.normalizers import AdditiveNormalizer
    >>> normalizers = CSLS(), DynamicInvertedSoftmax(), GloballyCorrected()
    >>> [isinstance(each, AdditiveNormalizer) for each in normalizers]
    [True, True, False]
    """

    _needs_all_items = False  # whether a bias depends on the other items of the gallery

    def bias_of(self, querybank: ArrayLike, items: ArrayLike | None = None) -> NDArray:
        """Return the bias of items that are not in the gallery, without a new fit.

        The normalizer stays as it is. Store the bias with the items, by id.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_items)
            The complete bank that was fitted: embeddings, or similarities to the items.
        items : array-like of shape (n_items, n_features), default=None
            Embeddings of the items, as the gallery in `fit`.

        Returns
        -------
        bias : ndarray of shape (n_items,), dtype float64
            The `index_bias` that these items have after `add_gallery`.

        Raises
        ------
        ValueError
            If the bias of an item depends on more than the bank and the item, the bank
            has another number of queries, or as in `fit`.
        """
        check_is_fitted(self)
        if self._needs_all_items:
            raise ValueError(
                f"bias_of requires a bias that depends on the querybank and the item "
                f"alone, but that of {type(self).__name__} depends on the whole "
                "gallery; call fit with all items."
            )
        metric = resolve_metric(self.metric, querybank, items)
        bank = self._accumulate(querybank, items, metric, None, self._bank, False)
        bank = replace(bank, names=None)
        known = replace(self._bank.take_items(np.arange(1)), names=None)
        known.append_items(bank)  # raises if it is another bank, or has other settings
        twin = copy(self)
        twin._finalize(bank)
        return twin.index_bias()
