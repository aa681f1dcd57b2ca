"""A normalizer around another one."""

from sklearn.base import clone

from ._augmenting import AdditiveNormalizer
from ._gate import Retrieving
from ._scale import hold_beta


class Delegating(AdditiveNormalizer):
    """Learns and corrects as another normalizer does."""

    def _check_parameters(self):
        is_additive = isinstance(self._inner(), AdditiveNormalizer)
        if not is_additive or isinstance(self._inner(), Retrieving):
            raise ValueError(
                "normalizer must be one that learns a bias of each item from one bank "
                f"and has no gate, such as CSLS(), got {self.normalizer!r}."
            )
        self._inner()._check_parameters()

    def _inner(self):
        """Return the normalizer that was asked for."""
        return self.normalizer

    def _statistics(self, tiles):
        return self._inner()._statistics(tiles)

    def _conclude(self, bank):
        self.normalizer_ = clone(self._inner()).set_params(metric=self.metric)
        self.normalizer_._bank = bank
        self.normalizer_._settle()
        self.gallery_bias_ = self.normalizer_.gallery_bias_

    def _correction(self):
        return self.normalizer_._correction()

    def _to_probe(self, *, is_first):
        twin = super()._to_probe(is_first=is_first)
        twin.normalizer = clone(self._inner())
        if not is_first:
            hold_beta(twin.normalizer, self.normalizer_)
        return twin

    def _bytes_to_hold(self):
        return self._inner()._bytes_to_hold()

    def _doubts(self):
        return self.normalizer_._doubts()
