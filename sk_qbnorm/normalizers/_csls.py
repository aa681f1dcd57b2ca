"""Cross-domain similarity local scaling: both neighbourhoods subtracted."""

from sk_qbnorm.corrections import Neighborly
from sk_qbnorm.similarity import Metric

from ._neighborhood import NeighborhoodNormalizer


class CSLS(NeighborhoodNormalizer):
    r"""Subtract the mean similarity of both neighbourhoods (CSLS).

    An item that is close to its k nearest bank queries lives where it is crowded, and
    so does a query close to its k nearest items; both lose by it.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number k of nearest neighbours on either side, >= 1.
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
        The mean :math:`r_j` of every gallery item, in units of the similarity. Half of
        it acts on the ranking, as similarities are doubled.
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
    NearestNeighborNormalizer : Ranks the same at ``alpha=0.5``.

    Notes
    -----
    With :math:`r_j` the mean of the k largest similarities of the bank to item j and
    :math:`r_q` that of the k largest of query q to the gallery (all of it, if it is
    smaller than k), query q scores item j

    .. math:: 2 s_{qj} - r_q - r_j

    :math:`r_q` makes up for queries that are close to everything, and changes no
    ranking.

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer, Jégou. Word Translation Without Parallel
       Data. ICLR 2018, section 2.3, https://arxiv.org/abs/1710.04087.

    Examples
    --------
    >>> from sk_qbnorm import CSLS
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = CSLS(n_neighbors=1, metric="precomputed").fit(bank_sims)
    >>> normalizer.gallery_bias_
    array([0.9, 0.3])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.1,  0.1]])
    """

    def __init__(
        self,
        n_neighbors: int = 10,
        *,
        metric: Metric = "cosine",
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _correction(self):
        k = self._bank["top_mean"].settings["n_neighbors"]
        return Neighborly(self.gallery_bias_, k)
