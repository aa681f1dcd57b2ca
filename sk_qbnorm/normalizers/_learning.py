"""How a normalizer learns from a bank, and goes with a gallery that changes."""

from abc import abstractmethod
from typing import Self

from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._validation import (
    check_bank_given,
    check_features,
    check_matrix,
    remaining_items,
    unchanged_on_error,
    warn_caller,
)

from ._base import BaseNormalizer
from ._probing import Probe, check_gallery_given
from ._scale import hold_beta


class BankLearner(BaseNormalizer):
    """Probe a gallery with a bank, and keep what was found up to date.

    The recipe that most normalizers follow: a subclass fills four hooks,
    ``_check_parameters``, ``_statistics``, ``_conclude`` and ``_correction``.
    """

    _bank_name = "querybank"  # what errors call it

    def fit(self, querybank: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Probe the gallery with a querybank.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank's queries, dense, sparse, a `numpy.memmap` or a Dask
            array, or an iterator of such matrices of some queries each. For
            ``metric="precomputed"`` their similarities to the gallery.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery in any of these forms, an iterator of matrices of
            some items each included; the index of a dataframe names its items. For
            ``metric="precomputed"`` it is ignored, unless it is the `y` of a Pipeline
            that marks rows: where it is -1 for some rows, these alone are the bank.

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
        return self._fit(querybank, gallery)

    def _fit(self, querybank, gallery, **beside):
        with unchanged_on_error(self):  # also where warnings are errors
            self._bank = self._probe(querybank, gallery, reset=True, **beside)
            self._settle()
            for message, category in self._doubts():
                warn_caller(message, category)
        return self

    def partial_fit(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Add more queries to the bank.

        Any split of a bank over several calls gives what one `fit` of it all gives,
        to rounding; but ``beta="scale"`` is found from the first. Whether a bank is
        still smaller than a parameter asks for is seen in the fitted attributes; a
        stream is not warned about.

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
        return self._partial_fit(querybank, gallery)

    def _partial_fit(self, querybank, gallery, **beside):
        is_first = not hasattr(self, "n_bank_seen_")
        with unchanged_on_error(self):
            bank = self._probe(querybank, gallery, reset=is_first, **beside)
            self._bank = bank if is_first else self._bank.merged(bank)
            self._settle()
        return self

    def add_gallery(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Probe more gallery items; they come behind those that are known.

        The result is that of a `fit` to the whole gallery, but with the `beta` that
        ``"scale"`` has found before; the known items are not probed again.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_new)
            All of the bank that the known items were probed with, in the same order:
            as in `fit`, similarities being those to the new items.
        gallery : array-like of shape (n_new, n_features), default=None
            The new items, as in `fit`.

        Returns
        -------
        self : BaseNormalizer
            The normalizer, fitted to the larger gallery.

        Raises
        ------
        ValueError
            As in `fit`; also if the bank has another number of queries, if some items
            have names and others none, or if a parameter that the bank was probed with
            has changed.
        """
        check_is_fitted(self)
        check_bank_given(querybank)
        with unchanged_on_error(self):
            self._check_joinable()
            more = self._probe(querybank, gallery, reset=None)
            self._bank = self._bank.extended(more)
            self._settle()
        return self

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
    ) -> Self:
        """Forget gallery items; those behind them move up.

        The result is that of a `fit` to what is left, but with the `beta` that
        ``"scale"`` has found before. Nothing of that is probed again, but, where there
        is a gate as of `DynamicInvertedSoftmax`, for the bank queries that retrieved an
        item that goes.

        Parameters
        ----------
        items : array-like of int of shape (n_removed,)
            Indices in the gallery, or a mask of shape (n_gallery,), True for those that
            go.
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_left)
            All of the bank, in the same order: its embeddings or, for
            ``metric="precomputed"``, its similarities to the items that are left.
            A gate needs it where an item goes that the bank retrieves; normalizers
            without one ignore it.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the items that are left, to go with `querybank`.

        Returns
        -------
        self : BaseNormalizer
            The normalizer, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If an item is not in the gallery, none is left, or the bank is needed and
            was not passed.
        """
        check_is_fitted(self)
        kept = remaining_items(items, self.n_features_in_)
        with unchanged_on_error(self):
            self._bank = self._complete(self._bank.kept(kept), querybank, gallery)
            self._settle()
        return self

    def _probe(self, querybank, gallery, *, reset, gallerybank=None):
        """Return what a bank tells; `reset` is None for items beside those known."""
        self._check_parameters()
        probe = Probe(
            self.metric,
            self._to_probe(is_first=reset is True)._statistics,
            self.n_jobs,
            f"fit {type(self).__name__}",
            self.verbose,
            memory_budget=self._bytes_to_hold(),
            name=self._bank_name,
            gallerybank=gallerybank,
            known=None if reset is True else self._bank,
        )
        if self.metric == "precomputed":
            y = None if reset is None else gallery  # as a Pipeline passes it
            return probe.similarities(querybank, self._check_of_sims(reset), y)
        check_gallery_given(self, gallery)
        return probe.embeddings(querybank, gallery)

    def _check_joinable(self):
        self._bank.check_joinable()

    def _to_probe(self, *, is_first):
        """Return what makes statistics, with the parameters of now and no more."""
        twin = clone(self)
        if not is_first:
            hold_beta(twin, self)
        return twin

    def _check_of_sims(self, reset):
        """Return what checks the bank's similarities, a part of the bank at a time."""
        if reset is None:
            return lambda sims: check_matrix(sims, self._bank_name, n_jobs=self.n_jobs)
        parts = iter([reset])  # the first may be another gallery than before

        def check(sims):
            return check_features(
                self,
                sims,
                self._bank_name,
                reset=next(parts, False),
                n_jobs=self.n_jobs,
            )

        return check

    def _settle(self):
        """Set the fitted attributes by what the bank has told."""
        bank = self._bank
        self.n_bank_seen_ = bank.n_bank
        self.n_features_in_ = bank.n_gallery
        if bank.names is not None:
            self.feature_names_in_ = bank.names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self._conclude(bank)

    def _complete(self, bank, querybank, gallery):
        """Return a bank that has lost items, knowing all that one probed anew knows."""
        return bank

    @abstractmethod
    def _statistics(self, tiles):
        """Return fresh statistics for these tiles, a dict of those in `bank`."""

    @abstractmethod
    def _conclude(self, bank):
        """Set the fitted attributes that are the normalizer's own."""

    def _bytes_to_hold(self):
        """Return how many bytes of similarities may be held."""
        return 0
