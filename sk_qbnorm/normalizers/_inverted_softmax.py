"""Inverted softmax, for all queries or only for those that a hub may have captured."""

from __future__ import annotations

import numpy as np

from sk_qbnorm._validation import check_alpha, check_beta, check_choice, check_number
from sk_qbnorm.corrections import Additive, Exponential
from sk_qbnorm.similarity import Metric
from sk_qbnorm.statistics import (
    SHRINKAGES,
    SOFTMAX_FACTOR,
    LimitedLogMeanExp,
    LogMeanExp,
    beta_warning,
    resolve_beta,
    shrunken_bias,
)

from ._activation import DynamicMixin
from ._vector_index import AdditiveNormalizer

_OUTPUTS = ("similarity", "probability")


class InvertedSoftmax(AdditiveNormalizer):
    r"""Subtract the log-mean-exp similarity of each item to the querybank (IS).

    A hub is similar to many bank queries, so it loses more than other items.

    Parameters
    ----------
    beta : float or "scale", default="scale"
        Inverse temperature, > 0. ``"scale"`` is 1.5 divided by the standard deviation
        of the similarities of the first 256 bank queries, so it fits similarities of
        any scale. The paper uses 20 for cosine similarities. `beta` times the largest
        similarity must exceed the rounding error of the dtype a hundred times.
    alpha : float, default=1.0
        Strength of the correction, >= 0. 0 keeps the raw ranking, 1 is the value of the
        paper. It can be changed after `fit`.
    influence_limit : float, default=None
        Largest weight of a bank query in the bias of an item, > 1, where the mean
        weight is 1. Set it if others can add queries to the bank; 50 is usual (see the
        notes). None sets no limit.
    shrinkage : {None, "noise"}, default=None
        ``"noise"`` shrinks each bias towards the mean of all biases, the more it would
        vary from bank to bank (see the notes). Use it for small banks.
    output : {"similarity", "probability"}, default="similarity"
        Whether scores have the units of the similarities, or are the numbers of the
        paper, ``exp(beta s) / sum_i exp(beta p_i)``. The ranking is the same.
        Probabilities outside the range of the dtype become 0 or its largest number.
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
    beta_ : float
        Inverse temperature of the last `fit`.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Bias :math:`b_j` of each gallery item, in units of the similarities.
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
    DynamicInvertedSoftmax : Corrects only queries that a hub may have captured.
    NearestNeighborNormalizer : Uses only the nearest bank queries of each item.

    Notes
    -----
    With :math:`p_{ij}` the similarity of bank query i to item j, query q scores item j

    .. math::

        s_{qj} - \alpha b_j, \qquad
        b_j = \frac{1}{\beta} \log \frac{1}{n_{bank}} \sum_i e^{\beta p_{ij}}

    For ``alpha=1`` this is the logarithm of the ratio in the paper, divided by `beta`
    and shifted by a constant. ``shrinkage="noise"`` is that of `SinkhornNormalizer`,
    with :math:`a_i = 0`.

    A bank query that is a copy of an item raises the bias of that item so much that the
    item is lost. With `influence_limit` :math:`\kappa`, b solves

    .. math::

        \frac{1}{n_{bank}} \sum_i \min(e^{\beta (p_{ij} - b_j)}, \kappa) = 1

    instead, so that m bank queries have at most the share
    :math:`\kappa m / n_{bank}` of the sum. The rule is our own. `fit` then visits the
    bank a few times; Dask arrays are read again each time and compared on this machine.
    There is no `partial_fit`, because the queries over the limit depend on the whole
    bank; call `fit` with all of it, which may be a `numpy.memmap` or a Dask array.

    Memory in addition to the output: two numbers per gallery item, and 32 MiB of
    similarities at a time if embeddings are passed.

    References
    ----------
    .. [1] Smith, Turban, Hamblin, Hammerla. Offline bilingual word vectors, orthogonal
       transformations and the inverted softmax. ICLR 2017,
       https://arxiv.org/abs/1702.03859.
    .. [2] Bogolin, Croitoru, Jin, Liu, Albanie. Cross Modal Retrieval with Querybank
       Normalisation. CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.00513, https://arxiv.org/abs/2112.12777.

    Examples
    --------
    >>> from sk_qbnorm import InvertedSoftmax
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = InvertedSoftmax(beta=20).fit(bank_sims)
    >>> normalizer.gallery_bias_.round(2)
    array([0.88, 0.25])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.08,  0.35]])
    """

    _scale_factor = SOFTMAX_FACTOR
    _beta_name = "beta"  # in warnings

    def __init__(
        self,
        *,
        beta: float | str = "scale",
        alpha: float = 1.0,
        influence_limit: float | None = None,
        shrinkage: str | None = None,
        output: str = "similarity",
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.beta = beta
        self.alpha = alpha
        self.influence_limit = influence_limit
        self.shrinkage = shrinkage
        self.output = output
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    def _needs_all_items(self):
        return self.shrinkage is not None

    def _check_parameters(self):
        check_beta(self.beta)
        check_alpha(self.alpha)
        check_choice(self.shrinkage, "shrinkage", SHRINKAGES)
        check_choice(self.output, "output", _OUTPUTS)
        if self.influence_limit is None:
            return
        advice = "50 is usual, and None sets no limit"
        limit = check_number(
            self.influence_limit, "influence_limit", positive=True, advice=advice
        )
        if limit <= 1:
            raise ValueError(
                "influence_limit must be > 1, the mean weight of a bank query, got "
                f"{self.influence_limit!r}; {advice}."
            )
        if self.shrinkage is not None:
            raise ValueError(
                "shrinkage must be None with an influence_limit, whose noise is "
                f"unknown, got {self.shrinkage!r}; set one of the two to None."
            )

    @property
    def _fits_in_parts(self):
        return self.influence_limit is None

    def _statistics(self, tiles, spread):
        beta = resolve_beta(self.beta, self._scale_factor, spread)
        if self.influence_limit is not None:
            settings = beta, float(self.influence_limit), self._beta_name
            return {"log_mean_exp": LimitedLogMeanExp(tiles, *settings)}
        found = {"log_mean_exp": LogMeanExp(tiles, beta, beta_name=self._beta_name)}
        if self.shrinkage == "noise":
            found["second_moment"] = LogMeanExp(tiles, beta, order=2)
        return found

    def _set_fitted_attributes(self, bank):
        self.beta_ = bank["log_mean_exp"].settings["beta"]
        self.gallery_bias_ = bank["log_mean_exp"].value()
        if "second_moment" in bank.statistics:
            moments = self.gallery_bias_, bank["second_moment"].value()
            self.gallery_bias_ = shrunken_bias(*moments, self.beta_, bank.n_bank)

    def _correction(self):
        bias = self.alpha * self.gallery_bias_
        if self.output == "similarity":
            return Additive(bias)
        offset = self.alpha * np.log(self.n_bank_seen_)  # the paper sums, b_j averages
        return Exponential(bias, self.beta_, offset)

    def _fit_warnings(self):
        yield from super()._fit_warnings()
        spread = self._bank.spread
        yield from beta_warning(self.beta, self._scale_factor, spread, self._beta_name)


class DynamicInvertedSoftmax(DynamicMixin, InvertedSoftmax):
    r"""Apply inverted softmax to the queries whose best item is activated (DIS).

    The activation set contains the items that the bank retrieves. A query is corrected
    as by `InvertedSoftmax` if its own best item is in the set; otherwise it keeps its
    raw similarities. A bank that does not retrieve an item cannot harm queries there.

    Parameters
    ----------
    beta : float or "scale", default="scale"
        Inverse temperature, > 0. ``"scale"`` is 1.5 divided by the standard deviation
        of the similarities of the first 256 bank queries, so it fits similarities of
        any scale. The paper uses 20 for cosine similarities. `beta` times the largest
        similarity must exceed the rounding error of the dtype a hundred times.
    alpha : float, default=1.0
        Strength of the correction, >= 0. 0 keeps the raw ranking, 1 is the value of the
        paper. It can be changed after `fit`.
    influence_limit : float, default=None
        Largest weight of a bank query in the bias of an item, > 1, where the mean
        weight is 1. Set it if others can add queries to the bank; 50 is usual (see
        `InvertedSoftmax`). None sets no limit.
    shrinkage : {None, "noise"}, default=None
        ``"noise"`` shrinks each bias towards the mean of all biases, the more it would
        vary from bank to bank as in `InvertedSoftmax`. Use it for small banks.
    n_activation : int, default=1
        Number of best items per bank query that count as retrieved, >= 1.
    min_count : int, default=1
        Number of bank queries that must retrieve an item to put it into the activation
        set, >= 1.
    output : {"similarity", "probability"}, default="similarity"
        Whether scores have the units of the similarities, or are the numbers of the
        paper, ``exp(beta s) / sum_i exp(beta p_i)``, with uncorrected rows unchanged.
        The ranking of each query is the same.
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
    beta_ : float
        Inverse temperature of the last `fit`.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Bias :math:`b_j` of each gallery item, in units of the similarities.
    activation_counts_ : ndarray of shape (n_gallery,), dtype int64
        Number of bank queries that retrieve each item.
    activation_mask_ : ndarray of shape (n_gallery,), dtype bool
        Which items are in the activation set.
    activation_rate_ : float
        Share of the gallery in the activation set, in [0, 1]. At 1 this is
        `InvertedSoftmax`; at 0 nothing is corrected. The share of corrected queries is
        larger if the items in the set are the hubs.
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
    InvertedSoftmax : Corrects every query.
    DynamicNormalizer : Adds the same gate to other normalizers.

    Notes
    -----
    With the activation set :math:`A = \{j : j` is among the `n_activation` most similar
    items of at least `min_count` bank queries :math:`\}`, query q scores item j

    .. math::

        s_{qj} - \alpha b_j \; \text{if} \; \arg\max_k s_{qk} \in A
        \; \text{else} \; s_{qj}

    with :math:`b_j` as in `InvertedSoftmax`. Among equal similarities the item with the
    smaller gallery index counts as more similar.

    References
    ----------
    .. [1] Bogolin, Croitoru, Jin, Liu, Albanie. Cross Modal Retrieval with Querybank
       Normalisation. CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.00513, https://arxiv.org/abs/2112.12777.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = DynamicInvertedSoftmax(beta=20).fit(bank_sims)
    >>> normalizer.activation_mask_, normalizer.activation_rate_
    (array([ True, False]), 0.5)
    >>> normalizer.transform([[0.8, 0.6], [0.3, 0.6]]).round(2)
    array([[-0.08,  0.35],
           [ 0.3 ,  0.6 ]])
    """

    def __init__(
        self,
        *,
        beta: float | str = "scale",
        alpha: float = 1.0,
        influence_limit: float | None = None,
        shrinkage: str | None = None,
        n_activation: int = 1,
        min_count: int = 1,
        output: str = "similarity",
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            beta=beta,
            alpha=alpha,
            influence_limit=influence_limit,
            shrinkage=shrinkage,
            output=output,
            metric=metric,
            copy=copy,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.n_activation = n_activation
        self.min_count = min_count
