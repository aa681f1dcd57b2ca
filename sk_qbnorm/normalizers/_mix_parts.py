"""What `MixNormalizer` fits to its bank and to its sample."""

from __future__ import annotations

from numpy.typing import NDArray

from sk_qbnorm._arrays import to_numpy
from sk_qbnorm.corrections import Additive
from sk_qbnorm.statistics import ListPotentials

from ._activation import ActivationMixin
from ._dynamic import WrappingNormalizer
from ._sinkhorn import SinkhornNormalizer
from ._vector_index import AdditiveNormalizer


class CountingNormalizer(ActivationMixin, WrappingNormalizer):
    """Learn as another normalizer does, and count what the bank retrieves."""

    def __init__(
        self,
        normalizer,
        *,
        n_neighbors=10,
        metric=None,
        copy=True,
        n_jobs=None,
        verbose=False,
    ):
        self.normalizer = normalizer
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    def _n_retrieved(self):
        return self.n_neighbors

    def _set_fitted_attributes(self, bank):
        super()._set_fitted_attributes(bank)
        self.retrieval_counts_ = bank["activation"].value()


class ListedSinkhorn(AdditiveNormalizer):
    """The mean of a Sinkhorn bias of all similarities and one of the best items."""

    _fits_in_parts = False

    def __init__(self, *, n_listed=50, metric=None, copy=True, n_jobs=None):
        self.n_listed = n_listed
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs

    def _check_parameters(self):
        pass

    def _statistics(self, tiles, spread):
        found = SinkhornNormalizer(shrinkage="noise")._statistics(tiles, spread)
        return found | {"lists": ListPotentials(tiles, self.n_listed)}

    def _set_fitted_attributes(self, bank):
        sinkhorn = SinkhornNormalizer(shrinkage="noise", metric=self.metric)
        sinkhorn._finalize(bank)
        of_lists = centered(bank["lists"].value())
        self.gallery_bias_ = (centered(sinkhorn.gallery_bias_) + of_lists) / 2

    def _correction(self):
        return Additive(self.gallery_bias_)


def centered(bias: NDArray) -> NDArray:
    """Return a bias minus its mean."""
    bias = to_numpy(bias)
    return bias - bias.mean()
