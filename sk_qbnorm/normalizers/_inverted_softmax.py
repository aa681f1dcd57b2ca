"""Inverted softmax: every item judged against what the bank makes of it."""

import numpy as np

from sk_qbnorm._validation import check_beta, check_choice, check_number
from sk_qbnorm.bank import SOFTMAX_FACTOR, LogMeanExp
from sk_qbnorm.corrections import Additive, Exponential
from sk_qbnorm.similarity import Metric

from ._augmenting import AdditiveNormalizer
from ._scale import at_beta

_SCALES = ("similarity", "probability")


class InvertedSoftmax(AdditiveNormalizer):
    r"""Divide out what the querybank makes of each gallery item (IS).

    An item that is similar to much of the bank is a hub; it loses that much.

    Parameters
    ----------
    beta : float or "scale", default=20.0
        Inverse temperature, > 0. The paper's 20 is for cosine similarities; what
        matters is `beta` times the spread of the similarities. ``"scale"`` is 1.5 over
        their standard deviation, whatever their scale, and shows the bank once more to
        find it. Its product with the largest similarity must be at least 100 times
        the rounding of the dtype, 1.2e-5 in float32.
    alpha : float, default=1.0
        Strength of the correction, >= 0: 0 leaves the ranking as it is, 1 is the
        paper's.
    metric : {"cosine", "dot", "precomputed"} or callable, default="cosine"
        How `fit` compares embeddings, as in `pairwise_similarity`. With
        ``"precomputed"``, as a step of a Pipeline needs, `fit` is given similarities.
    scale : {"similarity", "probability"}, default="similarity"
        Whether scores are in the units of the input or the numbers of the paper,
        ``exp(beta s) / sum_i exp(beta p_i)``. Both rank alike. Probabilities out of
        the range of the dtype become 0 or its largest number.
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
    beta_ : float
        The inverse temperature of the last `fit`.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        The bias :math:`b_j` of every gallery item, in units of the similarity.
    n_bank_seen_ : int
        Number of bank queries seen by `fit` and `partial_fit`.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where these are strings.

    See Also
    --------
    DynamicInvertedSoftmax : The same, only for queries that a hub may have caught.
    NearestNeighborNormalizer : A bias from the nearest bank queries alone.

    Notes
    -----
    With similarities :math:`p_{ij}` of bank query i to item j, query q scores item j

    .. math::

        s_{qj} - \alpha b_j, \qquad
        b_j = \frac{1}{\beta} \log \frac{1}{n_{bank}} \sum_i e^{\beta p_{ij}}

    which for ``alpha=1`` is the logarithm of the paper's ratio, divided by `beta` and
    shifted by a constant. Memory beyond the output: two numbers a gallery item, and
    32 MiB of similarities at a time where embeddings are given.

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
    >>> normalizer = InvertedSoftmax(metric="precomputed").fit(bank_sims)
    >>> normalizer.gallery_bias_.round(2)
    array([0.88, 0.25])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.08,  0.35]])
    """

    def __init__(
        self,
        beta: float | str = 20.0,
        *,
        alpha: float = 1.0,
        metric: Metric = "cosine",
        scale: str = "similarity",
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.beta = beta
        self.alpha = alpha
        self.metric = metric
        self.scale = scale
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_parameters(self):
        check_beta(self.beta)
        check_number(
            self.alpha,
            "alpha",
            positive=False,
            advice="0 corrects nothing and 1 is the paper's value",
        )
        check_choice(self.scale, "scale", _SCALES)

    def _statistics(self, tiles):
        return {"log_mean_exp": at_beta(tiles, self.beta, SOFTMAX_FACTOR, LogMeanExp)}

    def _conclude(self, bank):
        self.beta_ = bank["log_mean_exp"].settings["beta"]
        self.gallery_bias_ = bank["log_mean_exp"].value()

    def _correction(self):
        bias = self.alpha * self.gallery_bias_
        if self.scale == "similarity":
            return Additive(bias)
        offset = self.alpha * np.log(self.n_bank_seen_)  # the paper sums, b_j averages
        return Exponential(bias, self.beta_, offset)
