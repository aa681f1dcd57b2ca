"""Normalizers that wrap another one, and the gate for any of them."""

from __future__ import annotations

from sklearn.base import clone

from sk_qbnorm.similarity import Metric

from ._activation import ActivationMixin, DynamicMixin
from ._vector_index import AdditiveNormalizer


class WrappingNormalizer(AdditiveNormalizer):
    """Learn and correct as another additive normalizer does.

    Subclasses have the parameter `normalizer` and the attribute `normalizer_`.
    """

    @property
    def _fits_in_parts(self):
        return getattr(self.normalizer, "_fits_in_parts", True)

    @property
    def _needs_all_items(self):
        return self.normalizer._needs_all_items

    def _can_wrap(self, normalizer):
        is_additive = isinstance(normalizer, AdditiveNormalizer)
        return is_additive and not isinstance(normalizer, ActivationMixin)

    def _check_parameters(self):
        if not self._can_wrap(self.normalizer):
            raise ValueError(
                "normalizer must learn a bias per item from one querybank and have no "
                f"gate, such as CSLS(), got {self.normalizer!r}."
            )
        if self.normalizer.metric not in (None, self.metric):
            raise ValueError(
                "normalizer must have metric=None or the metric of the normalizer that "
                f"wraps it, {self.metric!r}, got {self.normalizer.metric!r}; set the "
                "outer metric only."
            )
        self.normalizer._check_parameters()

    def _statistics(self, tiles, spread):
        return self.normalizer._statistics(tiles, spread)

    def _set_fitted_attributes(self, bank):
        self.normalizer_ = clone(self.normalizer).set_params(metric=self.metric)
        self.normalizer_._finalize(bank)
        self.gallery_bias_ = self.normalizer_.gallery_bias_

    def _correction(self):
        return self.normalizer_._correction()

    def _fit_warnings(self):
        return self.normalizer_._fit_warnings()


class DynamicNormalizer(DynamicMixin, WrappingNormalizer):
    r"""Apply any additive normalizer to the queries whose best item is activated.

    It adds the gate of `DynamicInvertedSoftmax` to every normalizer that subtracts a
    bias: a query is corrected if its own best item is in the activation set, the items
    that the bank retrieves, and otherwise keeps its raw similarities.

    Parameters
    ----------
    normalizer : normalizer
        Any normalizer that subtracts a bias per item and has no gate, such as
        ``CSLS()``. A clone is fitted, with the `metric` set here. Changes to it take
        effect at the next fit.
    n_activation : int, default=1
        Number of best items per bank query that count as retrieved, >= 1.
    min_count : int, default=1
        Number of bank queries that must retrieve an item to put it into the activation
        set, >= 1.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How `fit` compares the querybank with the gallery, as in `pairwise_similarity`.
        None means cosine if `fit` receives a gallery, and precomputed similarities if
        it does not.
    copy : bool, default=True
        If False, `transform` may overwrite its input.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.
    verbose : bool, default=False
        Whether `fit` reports its progress.

    Attributes
    ----------
    normalizer_ : normalizer
        The fitted normalizer, without the gate.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Bias of each gallery item, that of `normalizer_`.
    activation_counts_ : ndarray of shape (n_gallery,), dtype int64
        Number of bank queries that retrieve each item.
    activation_mask_ : ndarray of shape (n_gallery,), dtype bool
        Which items are in the activation set.
    activation_rate_ : float
        Share of the gallery in the activation set, in [0, 1].
    metric_ : str or callable
        Metric of the last `fit`.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items, strings or integers.
    n_bank_seen_ : int
        Number of bank queries in `fit` and `partial_fit`.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, defined if all of them are strings.

    See Also
    --------
    DynamicInvertedSoftmax : The normalizer of the paper, in one class.

    Notes
    -----
    With c the correction of `normalizer` and A the activation set, query q scores item
    j

    .. math::

        c(s_{qj}) \; \text{if} \; \arg\max_k s_{qk} \in A \; \text{else} \; s_{qj}

    The gate comes from the paper [1]_; applying it to other biases is our own. `CSLS`
    doubles similarities, so scores of corrected queries cannot be compared with those
    of uncorrected queries. Each ranking is valid on its own.

    References
    ----------
    .. [1] Bogolin, Croitoru, Jin, Liu, Albanie. Cross Modal Retrieval with Querybank
       Normalisation. CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.00513, https://arxiv.org/abs/2112.12777.

    Examples
    --------
    >>> from sk_qbnorm import DynamicNormalizer, NearestNeighborNormalizer
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = DynamicNormalizer(NearestNeighborNormalizer(n_neighbors=2))
    >>> normalizer.fit(bank_sims).transform([[0.8, 0.6], [0.3, 0.6]]).round(2)
    array([[0.12, 0.41],
           [0.3 , 0.6 ]])
    """

    def __init__(
        self,
        normalizer: AdditiveNormalizer,
        *,
        n_activation: int = 1,
        min_count: int = 1,
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.normalizer = normalizer
        self.n_activation = n_activation
        self.min_count = min_count
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose
