"""The activation set: the items that the bank retrieves, and its gate."""

from __future__ import annotations

from sk_qbnorm._validation import check_count
from sk_qbnorm.statistics import Activations


class ActivationMixin:
    """Count how often the bank retrieves each item.

    Goes before a normalizer in the bases of a class. Subclasses set `_n_retrieved`, the
    number of best items that count for each bank query.
    """

    def _statistics(self, tiles, spread):
        found = super()._statistics(tiles, spread)
        found["activation"] = Activations(tiles, int(self._n_retrieved))
        return found


class DynamicMixin(ActivationMixin):
    """Correct only the queries whose best item is in the activation set.

    Goes before an additive normalizer in the bases of a class. It takes the parameters
    `n_activation` and `min_count`, and adds the attributes `activation_counts_`,
    `activation_mask_` and `activation_rate_`.
    """

    @property
    def _n_retrieved(self):
        return self.n_activation

    def _check_parameters(self):
        super()._check_parameters()
        check_count(self.n_activation, "n_activation")
        check_count(self.min_count, "min_count")

    def _set_fitted_attributes(self, bank):
        super()._set_fitted_attributes(bank)
        self.activation_counts_ = bank["activation"].value()
        self.activation_mask_ = self.activation_counts_ >= self.min_count
        self.activation_rate_ = float(self.activation_mask_.mean())

    def _fit_warnings(self):
        yield from super()._fit_warnings()
        if self.n_activation > self.n_features_in_:
            yield (
                f"n_activation={self.n_activation} exceeds the {self.n_features_in_} "
                "gallery items, so all items are in the activation set and all queries "
                "are corrected.",
                UserWarning,
            )

    def _correction(self):
        return super()._correction().gated(self.activation_mask_)
