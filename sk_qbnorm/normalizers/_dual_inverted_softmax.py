"""Inverted softmax of a querybank and of a bank of other gallery items."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sk_qbnorm._arrays import to_numpy
from sk_qbnorm._validation import check_count
from sk_qbnorm.corrections import Additive, Gates
from sk_qbnorm.similarity import Metric

from ._dual import DualNormalizer
from ._inverted_softmax import DynamicInvertedSoftmax, InvertedSoftmax


class DualInvertedSoftmax(DualNormalizer):
    r"""Subtract the bias of a querybank and the bias of a gallery bank (DualIS).

    The gallery bank holds other items of the same kind as the gallery. An item that is
    similar to many of them loses too.

    Parameters
    ----------
    beta_query : float or "scale", default="scale"
        Inverse temperature of the querybank, > 0, as in `InvertedSoftmax`. The paper
        uses 20.
    beta_gallery : float or "scale", default="scale"
        Inverse temperature of the gallery bank, > 0. The bank with the larger value has
        more weight. ``"scale"`` is a quarter of its value for the querybank, like the 5
        and 20 of the paper.
    alpha : float, default=1.0
        Strength of the correction, >= 0. 0 keeps the raw ranking, 1 is the value of the
        paper. It can be changed after `fit`.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How `fit` compares the banks with the gallery, as in `pairwise_similarity`.
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
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Bias of each gallery item by both banks, in units of the similarities.
    querybank_normalizer_ : InvertedSoftmax
        Normalizer of the querybank alone, with its own ``gallery_bias_``.
    gallerybank_normalizer_ : InvertedSoftmax or None
        Normalizer of the gallery bank alone; None if there is none.
    metric_ : str or callable
        Metric of the last `fit`.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items, strings or integers.
    n_bank_seen_ : int
        Number of bank queries in `fit` and `partial_fit`.
    n_gallerybank_seen_ : int
        Number of items in the gallery bank.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, defined if all of them are strings.

    See Also
    --------
    DualDynamicInvertedSoftmax : Applies each bank only to queries that it may help.
    InvertedSoftmax : Uses the querybank alone, as this does without a gallery bank.

    Notes
    -----
    With :math:`p_{ij}` the similarities of the n bank queries, and :math:`g_{ij}` those
    of the m items of the gallery bank, to gallery item j, query q scores item j

    .. math::

        s_{qj} - \alpha \, \frac{\beta_q b^q_j + \beta_g b^g_j}{\beta_q + \beta_g},
        \\
        b^q_j = \frac{1}{\beta_q} \log \frac{1}{n} \sum_i e^{\beta_q p_{ij}},
        \\
        b^g_j = \frac{1}{\beta_g} \log \frac{1}{m} \sum_i e^{\beta_g g_{ij}}

    For ``alpha=1`` this is the logarithm of the product of the two ratios in [1]_,
    divided by :math:`\beta_q + \beta_g` and shifted by a constant.

    ``python -m benchmarks.quality`` compares it with `InvertedSoftmax` on synthetic
    data, where the gallery bank does not help.

    References
    ----------
    .. [1] Wang, Jian, Xue. Balance Act: Mitigating Hubness in Cross-Modal Retrieval
       with Query and Gallery Banks. EMNLP 2023, section 2.3,
       https://doi.org/10.18653/v1/2023.emnlp-main.652.

    Examples
    --------
    >>> from sk_qbnorm import DualInvertedSoftmax
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> gallerybank_sims = [[0.7, 0.6], [0.8, 0.2]]  # of other items
    >>> normalizer = DualInvertedSoftmax(beta_query=20, beta_gallery=20)
    >>> normalizer = normalizer.fit(bank_sims, gallerybank=gallerybank_sims)
    >>> normalizer.gallery_bias_.round(2)
    array([0.83, 0.41])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.02,  0.19]])
    """

    _bank_class: ClassVar[type[InvertedSoftmax]] = InvertedSoftmax

    def __init__(
        self,
        *,
        beta_query: float | str = "scale",
        beta_gallery: float | str = "scale",
        alpha: float = 1.0,
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.beta_query = beta_query
        self.beta_gallery = beta_gallery
        self.alpha = alpha
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _correction(self):
        return Additive(self.alpha * self.gallery_bias_)


class DualDynamicInvertedSoftmax(DualNormalizer):
    r"""Apply each of two banks to the queries whose best item it activates (DualDIS).

    Each bank has its own activation set: the items that its queries, or its items,
    retrieve. The bias of a bank is subtracted for the queries whose own best item is in
    its set.

    Parameters
    ----------
    beta_query : float or "scale", default="scale"
        Inverse temperature of the querybank, > 0, as in `InvertedSoftmax`. The paper
        uses 20.
    beta_gallery : float or "scale", default="scale"
        Inverse temperature of the gallery bank, > 0. The bank with the larger value has
        more weight. ``"scale"`` is a quarter of its value for the querybank, like the 5
        and 20 of the paper.
    alpha : float, default=1.0
        Strength of the correction, >= 0. 0 keeps the raw ranking, 1 is the value of the
        paper. It can be changed after `fit`.
    n_activation : int, default=1
        Number of best items per row of a bank that count as retrieved, >= 1.
    min_count : int, default=1
        Number of rows of a bank that must retrieve an item to put it into the
        activation set, >= 1.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How `fit` compares the banks with the gallery, as in `pairwise_similarity`.
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
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Bias of each gallery item by both banks, for queries that both correct, in units
        of the similarities.
    activation_mask_ : ndarray of shape (n_gallery, 2), dtype bool
        Which items are in the activation sets of the querybank and the gallery bank.
    querybank_normalizer_ : DynamicInvertedSoftmax
        Normalizer of the querybank alone, with its own ``activation_counts_``.
    gallerybank_normalizer_ : DynamicInvertedSoftmax or None
        Normalizer of the gallery bank alone; None if there is none.
    metric_ : str or callable
        Metric of the last `fit`.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items, strings or integers.
    n_bank_seen_ : int
        Number of bank queries in `fit` and `partial_fit`.
    n_gallerybank_seen_ : int
        Number of items in the gallery bank.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, defined if all of them are strings.

    See Also
    --------
    DualInvertedSoftmax : Corrects every query; has the formulas of the biases.
    DynamicInvertedSoftmax : Uses the querybank alone.

    Notes
    -----
    With the activation sets :math:`A_q` and :math:`A_g` of the two banks and
    :math:`k^* = \arg\max_k s_{qk}`, query q scores item j

    .. math::

        s_{qj} - \alpha \, \frac{[k^* \in A_q] \, \beta_q b^q_j +
        [k^* \in A_g] \, \beta_g b^g_j}{\beta_q + \beta_g}

    If a gate is closed, the ratio of [1]_ is replaced by its numerator, so that the
    scores of all queries have one scale. The code of [1]_ uses the similarity itself.

    References
    ----------
    .. [1] Wang, Jian, Xue. Balance Act: Mitigating Hubness in Cross-Modal Retrieval
       with Query and Gallery Banks. EMNLP 2023, section 2.3,
       https://doi.org/10.18653/v1/2023.emnlp-main.652.

    Examples
    --------
    >>> from sk_qbnorm import DualDynamicInvertedSoftmax
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> gallerybank_sims = [[0.7, 0.6], [0.2, 0.8]]  # of other items
    >>> normalizer = DualDynamicInvertedSoftmax(beta_query=20, beta_gallery=20)
    >>> normalizer = normalizer.fit(bank_sims, gallerybank=gallerybank_sims)
    >>> normalizer.activation_mask_
    array([[ True,  True],
           [False,  True]])
    >>> normalizer.transform([[0.8, 0.6], [0.3, 0.6]]).round(2)
    array([[ 0.03,  0.09],
           [-0.03,  0.22]])
    """

    _bank_class: ClassVar[type[InvertedSoftmax]] = DynamicInvertedSoftmax

    def __init__(
        self,
        *,
        beta_query: float | str = "scale",
        beta_gallery: float | str = "scale",
        alpha: float = 1.0,
        n_activation: int = 1,
        min_count: int = 1,
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.beta_query = beta_query
        self.beta_gallery = beta_gallery
        self.alpha = alpha
        self.n_activation = n_activation
        self.min_count = min_count
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _settings(self, side):
        gate = {"n_activation": self.n_activation, "min_count": self.min_count}
        return {**super()._settings(side), **gate}

    def _check_parameters(self):
        super()._check_parameters()
        check_count(self.n_activation, "n_activation")
        check_count(self.min_count, "min_count")

    def _finalize(self, queries, items):
        super()._finalize(queries, items)
        of_queries = to_numpy(queries.activation_mask_)
        of_items = np.zeros_like(of_queries)
        if items is not None:
            of_items = to_numpy(items.activation_mask_)
        self.activation_mask_ = np.column_stack([of_queries, of_items])
        self._set_home(self._home)

    def _correction(self):
        active = to_numpy(self.activation_mask_).T
        return Gates(self.alpha * self._biases(), active)
