"""The base class of normalizers of one bank, and the recipe for a new one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

from numpy.typing import ArrayLike
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._validation import (
    item_positions,
    remaining_items,
    unchanged_on_error,
)
from sk_qbnorm.tiles import resolve_metric

from ._accumulate import BankAccumulator
from ._base import BaseNormalizer, set_gallery_attributes


def fits_in_parts(normalizer):
    """Return True, or raise if the statistics of parts cannot be merged."""
    if not normalizer._fits_in_parts:
        raise AttributeError(
            f"{type(normalizer).__name__} has no partial_fit with these parameters, "
            "because its biases depend on the whole querybank at once; call fit with "
            "all bank queries, which may be a numpy.memmap or a Dask array."
        )
    return True


class BankNormalizer(BaseNormalizer):
    """Learn from a querybank; bank and gallery can change later.

    This is the recipe that all normalizers of one bank follow. A subclass stores its
    parameters in ``__init__``, among them `metric`, `copy`, `n_jobs` and `verbose`, and
    fills four hooks:

    - ``_check_parameters()`` raises a `ValueError` if a parameter is out of range.
    - ``_statistics(tiles, spread)`` returns a dict of new statistics for these tiles,
      of those in `sk_qbnorm.statistics`. Call ``spread()`` for the standard deviation
      of the similarities.
    - ``_set_fitted_attributes(bank)`` sets the attributes of the subclass from
      ``bank[name].value()``.
    - ``_correction()`` returns one of the corrections in `sk_qbnorm.corrections`.

    Everything else is inherited: querybanks in chunks, on disk, sparse or in Dask,
    changing galleries, search, shortlists and names.

    See Also
    --------
    sk_qbnorm.normalizers.AdditiveNormalizer : If the correction is a bias per item.
    sk_qbnorm.GloballyCorrected : A subclass that corrects by rank.

    Examples
    --------
    >>> from sk_qbnorm.corrections import Additive
    >>> from sk_qbnorm.normalizers import BankNormalizer
    >>> from sk_qbnorm.statistics import TopMean
    >>> class PeakNormalizer(BankNormalizer):
    ...     def __init__(self, *, metric=None, copy=True, n_jobs=None, verbose=False):
    ...         self.metric, self.copy = metric, copy
    ...         self.n_jobs, self.verbose = n_jobs, verbose
    ...
    ...     def _check_parameters(self):
    ...         pass
    ...
    ...     def _statistics(self, tiles, spread):
    ...         return {"peak": TopMean(tiles, 1)}
    ...
    ...     def _set_fitted_attributes(self, bank):
    ...         self.peak_ = bank["peak"].value()
    ...
    ...     def _correction(self):
    ...         return Additive(self.peak_)
    >>> normalizer = PeakNormalizer().fit([[0.9, 0.1], [0.7, 0.2]])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.1,  0.4]])
    """

    _bank_name = "querybank"  # in error messages
    _fits_in_parts = True  # whether the statistics of two banks can be merged

    def fit(self, querybank: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Learn the correction of each gallery item from a querybank.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank queries if `gallery` is passed, otherwise their
            similarities to the gallery. Dense, sparse, a `numpy.memmap`, a Dask array,
            or an iterator of such matrices with some of the queries each. Arrays of
            other libraries stay where they are if scikit-learn dispatches.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, in the same forms. The index of a dataframe names
            the items. One-dimensional input holds the labels `y` that a Pipeline
            passes: it is ignored, but if it marks some rows by -1, only these rows are
            the querybank.

        Returns
        -------
        self : BankNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, an input is not a finite matrix, or the
            gallery is missing or does not match the querybank.
        """
        metric = resolve_metric(self.metric, querybank, gallery)
        return self._fit(querybank, gallery, metric)

    def _fit(self, querybank, gallery, metric, gallerybank=None, *, warn=True):
        with unchanged_on_error(self):  # also if warnings are errors
            vars(self).pop("_bank", None)
            self._finalize(self._accumulate(querybank, gallery, metric, gallerybank))
            if warn:
                self._warn()
        return self

    @available_if(fits_in_parts)
    def partial_fit(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Add queries to the querybank.

        Splitting a bank over several calls gives the result of one `fit`, up to
        rounding, if the first call has at least 256 queries; ``beta="scale"`` is set
        by the first 256. `partial_fit` does not warn; check the fitted attributes.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, and the same gallery in every call, because it is not stored.

        Returns
        -------
        self : BankNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            As in `fit`; also if a parameter that `fit` depends on has changed since the
            first call.
        """
        return self._partial_fit(querybank, gallery)

    def _partial_fit(self, querybank, gallery, gallerybank=None):
        metric = resolve_metric(self.metric, querybank, gallery)
        with unchanged_on_error(self):
            known = getattr(self, "_bank", None)
            bank = self._accumulate(querybank, gallery, metric, gallerybank, known)
            self._finalize(bank if known is None else known.merge(bank))
        return self

    def add_gallery(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Append gallery items without comparing the known items again.

        The result is that of a `fit` to the whole gallery, except that ``"scale"``
        keeps the `beta` of the first fit, and `SinkhornNormalizer` keeps its balance.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_new)
            The complete bank that was fitted, in the same order: embeddings, or
            similarities to the new items.
        gallery : array-like of shape (n_new, n_features), default=None
            Embeddings of the new items, as in `fit`.

        Returns
        -------
        self : BankNormalizer
            The normalizer, fitted to the larger gallery.

        Raises
        ------
        ValueError
            As in `fit`; also if the bank has another number of queries, only some of
            the items have names, or a parameter that `fit` depends on has changed.
        """
        check_is_fitted(self)
        metric = resolve_metric(self.metric, querybank, gallery)
        with unchanged_on_error(self):
            known = self._bank
            self._finalize(
                known.append_items(
                    self._accumulate(querybank, gallery, metric, None, known, False)
                )
            )
        return self

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
    ) -> Self:
        """Remove gallery items; the items behind them move up.

        The result is that of a `fit` to the remaining gallery, except that ``"scale"``
        keeps the `beta` of the first fit, and `SinkhornNormalizer` keeps its balance.
        Only dynamic normalizers compare anything
        again: the bank queries that retrieved a removed item.

        Parameters
        ----------
        items : array-like of shape (n_removed,)
            Gallery indices or names of the items to remove, or a boolean mask of shape
            (n_gallery,).
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_left)
            The complete bank, in the same order: embeddings, or similarities to the
            remaining items. Required by dynamic normalizers if the bank retrieved a
            removed item, ignored otherwise.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the remaining items, to compare with `querybank`.

        Returns
        -------
        self : BankNormalizer
            The normalizer, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If an item is not in the gallery, no item remains, or the bank or the
            gallery is required and missing.
        """
        check_is_fitted(self)
        names = self.gallery_names_
        left = remaining_items(item_positions(items, names), self.n_features_in_)
        with unchanged_on_error(self):
            self._finalize(self._bank_of_items(left, querybank, gallery))
        return self

    def _bank_of_items(self, left, querybank, gallery):
        """Return the bank of the remaining gallery items."""
        bank = self._bank.take_items(left)
        rows = bank.incomplete_rows()
        if rows.size == 0:
            return bank
        again = self._retrieve_again(bank, rows, querybank, gallery)
        return bank.complete_rows(rows, again)

    def _retrieve_again(self, bank, rows, querybank, gallery):
        """Return the bank of the rows that have lost an item."""
        if querybank is None:
            raise ValueError(
                f"{self._bank_name} is required to remove these items, because "
                f"{rows.size} of its queries retrieved them, got None; pass the "
                "complete bank, and the remaining gallery if they are embeddings."
            )
        metric = resolve_metric(self.metric, querybank, gallery)
        accumulator = BankAccumulator(self, metric, known=bank, new_items=True)
        again = accumulator.of_rows(rows, querybank, gallery)
        if again.n_gallery != bank.n_gallery:
            raise ValueError(
                f"gallery must hold the {bank.n_gallery} remaining items, got "
                f"{again.n_gallery}."
            )
        return again

    def _accumulate(
        self, querybank, gallery, metric, gallerybank=None, known=None, same_items=True
    ):
        """Return the `Bank` of a querybank; `same_items` as those of the known bank."""
        self._check_parameters()
        accumulator = BankAccumulator(
            self,
            metric,
            known=known,
            new_items=known is not None and not same_items,
            gallerybank=gallerybank,
        )
        if metric != "precomputed":
            return accumulator.of_embeddings(querybank, gallery)
        if same_items:
            return accumulator.of_similarities(querybank, gallery, estimator=self)
        return accumulator.of_similarities(querybank)

    def _finalize(self, bank):
        """Store the bank and set all fitted attributes."""
        self._bank = bank
        self.metric_ = bank.settings["metric"]
        self.n_bank_seen_ = bank.n_bank
        set_gallery_attributes(self, bank.n_gallery, bank.names, bank.n_features)
        self._set_fitted_attributes(bank)
        self._set_home(bank.home)

    @abstractmethod
    def _statistics(self, tiles, spread):
        """Return a dict of new statistics for these tiles."""

    @abstractmethod
    def _set_fitted_attributes(self, bank):
        """Set the fitted attributes of the subclass."""
