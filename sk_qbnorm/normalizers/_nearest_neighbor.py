"""Nearest neighbour normalisation: a bias from each item's nearest bank queries."""

from sk_qbnorm._validation import check_number
from sk_qbnorm.corrections import Additive
from sk_qbnorm.similarity import Metric

from ._neighborhood import NeighborhoodNormalizer


class NearestNeighborNormalizer(NeighborhoodNormalizer):
    r"""Subtract each item's mean similarity to its nearest bank queries (NNN).

    Parameters
    ----------
    alpha : float, default=0.75
        Strength of the correction, >= 0: 0 leaves the ranking as it is.
    n_neighbors : int, default=16
        Number k of nearest bank queries of each item, >= 1.
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
        The mean :math:`r_j` of every gallery item, in units of the similarity.
    n_neighbors_ : int
        `n_neighbors`, or the size of the bank where that is smaller.
    n_bank_seen_ : int
        Number of bank queries seen by `fit` and `partial_fit`.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where these are strings.

    See Also
    --------
    CSLS : The same at ``alpha=0.5``, as far as the ranking goes.
    InvertedSoftmax : A bias from the whole bank, weighted by similarity.

    Notes
    -----
    With :math:`r_j` the mean of the k largest similarities of the bank to item j, query
    q scores item j

    .. math:: s_{qj} - \alpha r_j

    Memory beyond the output: k numbers a gallery item, and 32 MiB of similarities at a
    time where embeddings are given.

    References
    ----------
    .. [1] Chowdhury, Wang, Shenoy, Kiela, Schwettmann, Thrush. Nearest Neighbor
       Normalization Improves Multimodal Retrieval. EMNLP 2024, section 2,
       equations (1) and (2), https://doi.org/10.18653/v1/2024.emnlp-main.1257.

    Examples
    --------
    >>> from sk_qbnorm import NearestNeighborNormalizer
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = NearestNeighborNormalizer(n_neighbors=2, metric="precomputed")
    >>> normalizer.fit(bank_sims).gallery_bias_
    array([0.9 , 0.25])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[0.12, 0.41]])
    """

    def __init__(
        self,
        alpha: float = 0.75,
        *,
        n_neighbors: int = 16,
        metric: Metric = "cosine",
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.alpha = alpha
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_parameters(self):
        super()._check_parameters()
        check_number(
            self.alpha,
            "alpha",
            positive=False,
            advice="0 corrects nothing and 0.75 is usual",
        )

    def _correction(self):
        return Additive(self.alpha * self.gallery_bias_)
