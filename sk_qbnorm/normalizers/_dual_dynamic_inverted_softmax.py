"""Each of two banks, only for the queries that its hubs may have caught."""

from typing import ClassVar

import numpy as np

from sk_qbnorm._validation import check_count
from sk_qbnorm.corrections import Gates
from sk_qbnorm.similarity import Metric

from ._dual import DualNormalizer
from ._dynamic_inverted_softmax import DynamicInvertedSoftmax
from ._inverted_softmax import InvertedSoftmax


class DualDynamicInvertedSoftmax(DualNormalizer):
    r"""Correct by each bank the queries whose best item this bank retrieves (DualDIS).

    Each bank has an activation set of its own: the items that its queries, or its
    items, retrieve. The bias of a bank is subtracted for the queries whose own best
    item is in its set.

    Parameters
    ----------
    beta_query : float or "scale", default=20.0
        Inverse temperature of the querybank, > 0 and large enough, as in
        `InvertedSoftmax`.
    beta_gallery : float or "scale", default=5.0
        Inverse temperature of the gallery bank, > 0. The larger of the two has the
        larger say.
    alpha : float, default=1.0
        Strength of the correction, >= 0: 0 leaves the ranking as it is, 1 is the
        paper's.
    n_activation : int, default=1
        How many best items of each row of a bank count as retrieved, >= 1.
    min_count : int, default=1
        How many rows of a bank must retrieve an item for it to be in the activation
        set, >= 1.
    metric : {"cosine", "dot", "precomputed"} or callable, default="cosine"
        How `fit` compares embeddings, as in `pairwise_similarity`. With
        ``"precomputed"``, as a step of a Pipeline needs, `fit` is given similarities.
    copy : bool, default=True
        Whether `transform` leaves its input alone. With False it writes into it where
        it can.
    n_jobs : int, default=None
        Number of threads, -1 for all processors; the result does not depend on it.
        None means 1 outside of `joblib.parallel_config`, with matrix products left to
        the threads of BLAS, which may round them otherwise.
    verbose : bool, default=False
        Whether `fit` shows a progress bar, for which tqdm has to be installed.

    Attributes
    ----------
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        What both banks together subtract from every gallery item, where both are let
        in, in units of the similarity.
    activation_mask_ : ndarray of shape (n_gallery, 2), dtype bool
        Which items are in the activation set of the querybank, and of the gallery bank.
    querybank_normalizer_ : DynamicInvertedSoftmax
        What the querybank alone says, with its own ``activation_counts_``.
    gallerybank_normalizer_ : DynamicInvertedSoftmax or None
        What the gallery bank alone says; None where there is none.
    n_bank_seen_ : int
        Number of bank queries seen by `fit` and `partial_fit`.
    n_gallerybank_seen_ : int
        Number of items of the gallery bank seen.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where these are strings.

    See Also
    --------
    DualInvertedSoftmax : The same for every query, with the formulae of the biases.
    DynamicInvertedSoftmax : The querybank alone, which this is without a gallery bank.

    Notes
    -----
    With the activation sets :math:`A_q` and :math:`A_g` of the two banks and
    :math:`k^* = \arg\max_k s_{qk}`, query q scores item j

    .. math::

        s_{qj} - \alpha \, \frac{[k^* \in A_q] \, \beta_q b^q_j +
        [k^* \in A_g] \, \beta_g b^g_j}{\beta_q + \beta_g}

    A ratio of [1]_ whose gate is shut stays as its numerator, so that the scores of all
    queries are of one scale; the code of [1]_ puts the similarity itself there.

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
    >>> normalizer = DualDynamicInvertedSoftmax(20, 20, metric="precomputed")
    >>> normalizer = normalizer.fit(bank_sims, gallerybank=gallerybank_sims)
    >>> normalizer.activation_mask_
    array([[ True,  True],
           [False,  True]])
    >>> normalizer.transform([[0.8, 0.6], [0.3, 0.6]]).round(2)
    array([[ 0.03,  0.09],
           [-0.03,  0.22]])
    """

    _factor_class: ClassVar[type[InvertedSoftmax]] = DynamicInvertedSoftmax

    def __init__(
        self,
        beta_query: float | str = 20.0,
        beta_gallery: float | str = 5.0,
        *,
        alpha: float = 1.0,
        n_activation: int = 1,
        min_count: int = 1,
        metric: Metric = "cosine",
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

    def _settings(self):
        gate = {"n_activation": self.n_activation, "min_count": self.min_count}
        return {**super()._settings(), **gate}

    def _check_parameters(self):
        super()._check_parameters()
        check_count(self.n_activation, "n_activation")
        check_count(self.min_count, "min_count")

    def _settle(self, queries, items):
        super()._settle(queries, items)
        of_queries = queries.activation_mask_
        of_items = np.zeros_like(of_queries)
        if items is not None:
            of_items = items.activation_mask_
        self.activation_mask_ = np.column_stack([of_queries, of_items])

    def _correction(self):
        return Gates(self.alpha * self._biases(), self.activation_mask_.T)
