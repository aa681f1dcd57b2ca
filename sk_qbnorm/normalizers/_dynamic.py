"""Any additive normalizer, made dynamic."""

from sk_qbnorm.similarity import Metric

from ._augmenting import AdditiveNormalizer
from ._delegating import Delegating
from ._gate import Gated


class DynamicNormalizer(Gated, Delegating):
    r"""Correct, by any normalizer, the queries whose best item the bank retrieves too.

    What `DynamicInvertedSoftmax` does for `InvertedSoftmax`, for all normalizers that
    subtract a bias: a query is corrected if its own best item is in the activation set,
    the items that the bank retrieves, else it is left alone.

    Parameters
    ----------
    normalizer : normalizer
        What corrects: any that subtracts a bias of each item and has no gate of its
        own, such as ``CSLS()``. A clone is fitted, which takes the `metric` from here;
        what is set on it later counts from the next fit.
    n_activation : int, default=1
        How many best items of each bank query count as retrieved, >= 1.
    min_count : int, default=1
        How many bank queries must retrieve an item for it to be in the activation set,
        >= 1.
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
    normalizer_ : normalizer
        The fitted normalizer, without the gate.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        That of `normalizer_`.
    activation_counts_ : ndarray of shape (n_gallery,), dtype int64
        How many bank queries retrieve each item.
    activation_mask_ : ndarray of shape (n_gallery,), dtype bool
        Which items are in the activation set.
    activation_rate_ : float
        The share of the gallery in the activation set, in [0, 1].
    n_bank_seen_ : int
        Number of bank queries seen by `fit` and `partial_fit`.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where these are strings.

    See Also
    --------
    DynamicInvertedSoftmax : The one of the paper, in one piece.

    Notes
    -----
    With c the correction of `normalizer` and A the activation set, query q scores item
    j

    .. math::

        c(s_{qj}) \; \text{if} \; \arg\max_k s_{qk} \in A \; \text{else} \; s_{qj}

    The gate is the paper's [1]_; that it goes with any bias is noted here. Scores of
    `CSLS` are of another scale than similarities, so that those of corrected and of
    other queries cannot be compared with each other; the ranking of each is its own.

    References
    ----------
    .. [1] Bogolin, Croitoru, Jin, Liu, Albanie. Cross Modal Retrieval with Querybank
       Normalisation. CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.00513, https://arxiv.org/abs/2112.12777.

    Examples
    --------
    >>> from sk_qbnorm import DynamicNormalizer, NearestNeighborNormalizer
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = DynamicNormalizer(
    ...     NearestNeighborNormalizer(n_neighbors=2), metric="precomputed"
    ... )
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
        metric: Metric = "cosine",
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
