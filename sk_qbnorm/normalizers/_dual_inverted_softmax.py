"""Inverted softmax by a bank of queries and a bank of other items."""

from typing import ClassVar

from sk_qbnorm.corrections import Additive
from sk_qbnorm.similarity import Metric

from ._dual import DualNormalizer
from ._inverted_softmax import InvertedSoftmax


class DualInvertedSoftmax(DualNormalizer):
    r"""Divide out what a querybank and a gallery bank make of each item (DualIS).

    Beside the queries of the bank, other items like those of the gallery say which of
    these lie close to everything.

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
        What both banks together subtract from every gallery item, in units of the
        similarity.
    querybank_normalizer_ : InvertedSoftmax
        What the querybank alone says, with its own ``gallery_bias_``.
    gallerybank_normalizer_ : InvertedSoftmax or None
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
    DualDynamicInvertedSoftmax : Each bank only for the queries that its hubs may catch.
    InvertedSoftmax : The querybank alone, which this is without a gallery bank.

    Notes
    -----
    With similarities :math:`p_{ij}` of the n queries of the querybank, and
    :math:`g_{ij}` of the m items of the gallery bank, to gallery item j, query q scores
    item j

    .. math::

        s_{qj} - \alpha \, \frac{\beta_q b^q_j + \beta_g b^g_j}{\beta_q + \beta_g},
        \\
        b^q_j = \frac{1}{\beta_q} \log \frac{1}{n} \sum_i e^{\beta_q p_{ij}},
        \\
        b^g_j = \frac{1}{\beta_g} \log \frac{1}{m} \sum_i e^{\beta_g g_{ij}}

    which for ``alpha=1`` is the logarithm of the product of the two ratios of [1]_,
    divided by :math:`\beta_q + \beta_g` and shifted by a constant.

    What it is worth has been measured on few data. On the synthetic ones of
    ``python -m benchmarks.quality`` the gallery bank takes 1.0 points of recall from
    what `InvertedSoftmax` gains where there are hubs, and gives 0.2 back where there
    are none. On four sets of emoji, which do not ship, this gains 2.8 to 8.6 points
    and `InvertedSoftmax` 3.3 to 10.1.

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
    >>> normalizer = DualInvertedSoftmax(20, 20, metric="precomputed")
    >>> normalizer.fit(bank_sims, gallerybank=gallerybank_sims)
    DualInvertedSoftmax(beta_gallery=20, beta_query=20, metric='precomputed')
    >>> normalizer.gallery_bias_.round(2)
    array([0.83, 0.41])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.02,  0.19]])
    """

    _factor_class: ClassVar[type[InvertedSoftmax]] = InvertedSoftmax

    def __init__(
        self,
        beta_query: float | str = 20.0,
        beta_gallery: float | str = 5.0,
        *,
        alpha: float = 1.0,
        metric: Metric = "cosine",
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
