"""Dynamic inverted softmax: correct only the queries that a hub may have caught."""

from sk_qbnorm.similarity import Metric

from ._gate import Gated
from ._inverted_softmax import InvertedSoftmax


class DynamicInvertedSoftmax(Gated, InvertedSoftmax):
    r"""Correct the queries whose own best item the bank retrieves too (DIS).

    The activation set holds the items that the bank retrieves. A query is corrected as
    by `InvertedSoftmax` if its own best item is in the set, else it is left alone: a
    bank that says nothing about an item does no harm there.

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
    n_activation : int, default=1
        How many best items of each bank query count as retrieved, >= 1.
    min_count : int, default=1
        How many bank queries must retrieve an item for it to be in the activation set,
        >= 1.
    metric : {"cosine", "dot", "precomputed"} or callable, default="cosine"
        How `fit` compares embeddings, as in `pairwise_similarity`. With
        ``"precomputed"``, as a step of a Pipeline needs, `fit` is given similarities.
    scale : {"similarity", "probability"}, default="similarity"
        Whether scores are in the units of the input or the numbers of the paper,
        ``exp(beta s) / sum_i exp(beta p_i)``, with uncorrected rows as they came. Both
        rank the items of a query alike.
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
    activation_counts_ : ndarray of shape (n_gallery,), dtype int64
        How many bank queries retrieve each item.
    activation_mask_ : ndarray of shape (n_gallery,), dtype bool
        Which items are in the activation set.
    activation_rate_ : float
        The share of the gallery in the activation set, in [0, 1]. At 1 this is
        `InvertedSoftmax`; at 0 nothing is corrected. The share of the queries that is
        corrected is larger, where the items in the set are the hubs.
    n_bank_seen_ : int
        Number of bank queries seen by `fit` and `partial_fit`.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where these are strings.

    See Also
    --------
    InvertedSoftmax : The same for every query.

    Notes
    -----
    With the activation set :math:`A = \{j : j` is among the `n_activation` most
    similar of at least `min_count` bank queries :math:`\}`, query q scores item j

    .. math::

        s_{qj} - \alpha b_j \; \text{if} \; \arg\max_k s_{qk} \in A
        \; \text{else} \; s_{qj}

    with :math:`b_j` as in `InvertedSoftmax`. Among equal similarities the smaller
    gallery index is the more similar.

    References
    ----------
    .. [1] Bogolin, Croitoru, Jin, Liu, Albanie. Cross Modal Retrieval with Querybank
       Normalisation. CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.00513, https://arxiv.org/abs/2112.12777.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = DynamicInvertedSoftmax(metric="precomputed").fit(bank_sims)
    >>> normalizer.activation_mask_, normalizer.activation_rate_
    (array([ True, False]), 0.5)
    >>> normalizer.transform([[0.8, 0.6], [0.3, 0.6]]).round(2)
    array([[-0.08,  0.35],
           [ 0.3 ,  0.6 ]])
    """

    def __init__(
        self,
        beta: float | str = 20.0,
        *,
        alpha: float = 1.0,
        n_activation: int = 1,
        min_count: int = 1,
        metric: Metric = "cosine",
        scale: str = "similarity",
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            beta,
            alpha=alpha,
            metric=metric,
            scale=scale,
            copy=copy,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.n_activation = n_activation
        self.min_count = min_count
