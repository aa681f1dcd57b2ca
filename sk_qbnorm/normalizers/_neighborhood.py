"""CSLS and NNN: a bias from the nearest bank queries of each item."""

from __future__ import annotations

from sk_qbnorm._validation import check_alpha, check_count
from sk_qbnorm.corrections import Additive, CSLSCorrection
from sk_qbnorm.similarity import Metric
from sk_qbnorm.statistics import TopMean

from ._vector_index import AdditiveNormalizer


class NeighborhoodNormalizer(AdditiveNormalizer):
    """Learn the mean of the `n_neighbors` largest similarities of each column."""

    def _check_parameters(self):
        check_count(self.n_neighbors, "n_neighbors")

    def _statistics(self, tiles, spread):
        return {"top_mean": TopMean(tiles, int(self.n_neighbors))}

    def _set_fitted_attributes(self, bank):
        self.n_neighbors_ = bank["top_mean"].n_neighbors
        self.gallery_bias_ = bank["top_mean"].value()

    def _fit_warnings(self):
        if self.n_neighbors_ < self.n_neighbors:
            yield (
                f"n_neighbors={self.n_neighbors} exceeds the {self.n_bank_seen_} bank "
                f"queries; {self.n_neighbors_} are used.",
                UserWarning,
            )


class CSLS(NeighborhoodNormalizer):
    r"""Subtract the mean similarity of both neighborhoods (CSLS).

    Cross-domain similarity local scaling: items and queries in dense regions, close to
    their k nearest neighbors on the other side, lose more.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number k of nearest neighbors on both sides, >= 1.
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
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Mean :math:`r_j` of each gallery item, in units of the similarities. Its effect
        on the ranking is that of half of it, because similarities are doubled.
    n_neighbors_ : int
        `n_neighbors`, or the size of the bank if smaller.
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
    NearestNeighborNormalizer : Has the same ranking at ``alpha=0.5``.

    Notes
    -----
    With :math:`r_j` the mean of the k largest similarities of the bank to item j, and
    :math:`r_q` that of the k largest of query q to the gallery (the whole gallery if it
    is smaller than k), query q scores item j

    .. math:: 2 s_{qj} - r_q - r_j

    :math:`r_q` compensates for queries that are close to everything, and does not
    change the ranking of a query.

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer, Jégou. Word Translation Without Parallel
       Data. ICLR 2018, section 2.3, https://arxiv.org/abs/1710.04087.

    Examples
    --------
    >>> from sk_qbnorm import CSLS
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = CSLS(n_neighbors=1).fit(bank_sims)
    >>> normalizer.gallery_bias_
    array([0.9, 0.3])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.1,  0.1]])
    """

    def __init__(
        self,
        *,
        n_neighbors: int = 10,
        metric: Metric | None = None,
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
        return CSLSCorrection(self.gallery_bias_, k)


class NearestNeighborNormalizer(NeighborhoodNormalizer):
    r"""Subtract the mean similarity of each item to its nearest bank queries (NNN).

    Parameters
    ----------
    alpha : float, default=0.75
        Strength of the correction, >= 0. 0 keeps the raw ranking. It can be changed
        after `fit`.
    n_neighbors : int, default=16
        Number k of nearest bank queries per item, >= 1.
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
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Mean :math:`r_j` of each gallery item, in units of the similarities.
    n_neighbors_ : int
        `n_neighbors`, or the size of the bank if smaller.
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
    CSLS : Has the same ranking as ``alpha=0.5``.
    InvertedSoftmax : Uses the whole bank, weighted by similarity.

    Notes
    -----
    With :math:`r_j` the mean of the k largest similarities of the bank to item j, query
    q scores item j

    .. math:: s_{qj} - \alpha r_j

    Memory in addition to the output: k numbers per gallery item, and 32 MiB of
    similarities at a time if embeddings are passed.

    References
    ----------
    .. [1] Chowdhury, Wang, Shenoy, Kiela, Schwettmann, Thrush. Nearest Neighbor
       Normalization Improves Multimodal Retrieval. EMNLP 2024, section 2,
       equations (1) and (2), https://doi.org/10.18653/v1/2024.emnlp-main.1257.

    Examples
    --------
    >>> from sk_qbnorm import NearestNeighborNormalizer
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = NearestNeighborNormalizer(n_neighbors=2).fit(bank_sims)
    >>> normalizer.gallery_bias_
    array([0.9 , 0.25])
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[0.12, 0.41]])
    """

    def __init__(
        self,
        *,
        alpha: float = 0.75,
        n_neighbors: int = 16,
        metric: Metric | None = None,
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
        check_alpha(self.alpha, usual="0.75 is usual")

    def _correction(self):
        return Additive(self.alpha * self.gallery_bias_)
