"""What the bank retrieves, and the gate that is made of it."""

from collections.abc import Iterator

from sk_qbnorm._embeddings import check_columns, check_embeddings
from sk_qbnorm._validation import check_count
from sk_qbnorm.bank import Activations
from sk_qbnorm.distributed import is_dask


class Retrieving:
    """Keeps what each query of the bank retrieves, before a learner in a class's bases.

    Subclasses say of how many items each, ``_n_retrieved``.
    """

    @property
    def _n_retrieved(self):
        return self.n_activation

    def _statistics(self, tiles):
        found = super()._statistics(tiles)
        found["activation"] = Activations(tiles, int(self._n_retrieved))
        return found

    def _complete(self, bank, querybank, gallery):
        rows = bank["activation"].incomplete_rows()
        if rows.size == 0:
            return bank
        if querybank is None:
            raise ValueError(
                f"{rows.size} rows of the bank retrieved an item that goes, so that "
                "what they retrieve now has to be found out; pass all of the bank as "
                f"{self._bank_name}, and to a normalizer the gallery that is left."
            )
        if isinstance(querybank, Iterator):
            raise ValueError(
                f"Some rows of {self._bank_name} have to be picked out of it, got an "
                "iterator; pass it as a matrix or a numpy.memmap."
            )
        check_columns(querybank, gallery, self._bank_name, self.metric)
        if not is_dask(querybank):
            querybank = check_embeddings(querybank, self._bank_name, keep_on_disk=True)
        if querybank.shape[0] != bank.n_bank:
            raise ValueError(
                f"{self._bank_name} must be the one that the gallery was probed with, "
                f"of {bank.n_bank} rows, got {querybank.shape[0]}; pass all of it, in "
                "the same order."
            )
        again = self._probe(querybank[rows], gallery, reset=None)
        if again.n_gallery != bank.n_gallery:
            raise ValueError(
                f"The gallery must be what is left, of {bank.n_gallery} items, got "
                f"{again.n_gallery}."
            )
        completed = bank["activation"].completed(rows, again["activation"])
        return bank.with_statistic("activation", completed)


class Gated(Retrieving):
    """Makes an additive normalizer dynamic, before which it stands in a class's bases.

    Takes the parameters `n_activation` and `min_count`, and adds the attributes
    `activation_counts_`, `activation_mask_` and `activation_rate_`.
    """

    def _check_parameters(self):
        super()._check_parameters()
        check_count(self.n_activation, "n_activation")
        check_count(self.min_count, "min_count")

    def _conclude(self, bank):
        super()._conclude(bank)
        self.activation_counts_ = bank["activation"].value()
        self.activation_mask_ = self.activation_counts_ >= self.min_count
        self.activation_rate_ = float(self.activation_mask_.mean())

    def _doubts(self):
        yield from super()._doubts()
        if self.n_activation > self.n_features_in_:
            yield (
                f"n_activation={self.n_activation} is more than the "
                f"{self.n_features_in_} items of the gallery: all are activated, and "
                "all queries corrected.",
                UserWarning,
            )

    def _correction(self):
        return super()._correction().gated(self.activation_mask_)
