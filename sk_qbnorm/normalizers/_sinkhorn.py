"""Sinkhorn: the bias that balances how often items are the answer."""

from functools import partial
from typing import Self

from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from sk_qbnorm._validation import check_beta, check_count, check_number
from sk_qbnorm.bank import Potentials
from sk_qbnorm.corrections import Additive
from sk_qbnorm.similarity import Metric

from ._augmenting import AdditiveNormalizer
from ._scale import at_beta

_SPREADS = 2.0  # beta="scale" is this, over the standard deviation


class SinkhornNormalizer(AdditiveNormalizer):
    r"""Subtract the bias that balances how often the items answer the bank.

    `InvertedSoftmax` makes up for what the bank makes of each item; that changes what
    the queries of the bank make of all items, and so on. This goes on until both agree:
    its first half step is `InvertedSoftmax`, its end the balanced assignment of the
    bank's queries to the items.

    Parameters
    ----------
    beta : float or "scale", default=50.0
        Inverse temperature, > 0; the default is for cosine similarities. ``"scale"`` is
        2 over the standard deviation of the similarities, whatever their scale, and
        shows the bank once more to find it.
    n_iter : int, default=10
        How many steps are taken at the most, >= 1.
    tol : float, default=1.5
        It ends when no two biases move by more than this against each other, >= 0, in
        units of ``1 / beta``; a `ConvergenceWarning` says where `n_iter` was not
        enough. At 0 all steps are taken, without a word. The default ends early on
        purpose: the items' shares of the bank are equal in the limit only, with a small
        `tol` and many steps.
    alpha : float, default=1.0
        Strength of the correction, >= 0: 0 leaves the ranking as it is.
    metric : {"cosine", "dot", "precomputed"} or callable, default="cosine"
        How `fit` compares embeddings, as in `pairwise_similarity`. With
        ``"precomputed"``, as a step of a Pipeline needs, `fit` is given similarities.
    memory_budget : int, default=0
        How many bytes of similarities `fit` may hold. Where the bank's to the whole
        gallery and gallery bank fit in, embeddings are multiplied once, else anew for
        each half step. It is not used on Dask arrays.
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
    n_iter_ : int
        How many steps were taken.
    n_bank_seen_ : int
        Number of bank queries.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where these are strings.

    See Also
    --------
    InvertedSoftmax : The first half step, which banks in parts can take.

    Notes
    -----
    With :math:`K_{ji} = \beta p_{ij}` the iteration of [1]_ is, in logarithms,

    .. math::

        \log u_j &= -\log n_{gallery} - \mathrm{LSE}_i (K_{ji} + \log v_i), \\
        \log v_i &= -\log n_{bank} - \mathrm{LSE}_j (K_{ji} + \log u_j)

    from v = 1, ending on u. In units of the similarity, with :math:`b_j = -\log(u_j) /
    \beta` and :math:`a_i = -\log(v_i) / \beta` and up to constants, which move all
    scores alike,

    .. math::

        b_j &= \tfrac{1}{\beta} \log \tfrac{1}{n_{bank}}
        \sum_i e^{\beta (p_{ij} - a_i)}, \\
        a_i &= \tfrac{1}{\beta} \log \tfrac{1}{n_{gallery}} \sum_j
        e^{\beta (p_{ij} - b_j)}

    and query q scores item j :math:`s_{qj} - \alpha b_j`. The potentials :math:`b_j` of
    all items and :math:`a_i` of all bank queries depend on each other, so there is no
    `partial_fit` to more than one part, and items neither come nor go.

    With a gallery bank, the dual bank of [1]_, j goes over the items of both, and
    :math:`b_j` of the gallery is kept. Without one, every query of the bank is given
    away among the items of the gallery, also those that belong to none.

    The hubless nearest neighbour search of [2]_ is the same thing. It asks for the
    assignment :math:`P_{ij}` of the bank's queries to the items that is worth most,
    :math:`\sum_{ij} P_{ij} p_{ij}` and the entropy of P divided by `beta`, among those
    that give every item the same share. Its multipliers of these shares, which it finds
    by gradients of the dual and subtracts, are :math:`b_j`: the dual

    .. math::

        \min_b \; \frac{1}{\beta n_{bank}} \sum_i \log \sum_j
        e^{\beta (p_{ij} - b_j)} + \frac{1}{n_{gallery}} \sum_j b_j

    is least where the items' shares are equal, where a step changes nothing. A step of
    Sinkhorn solves for all :math:`b_j` at once, the :math:`a_i` held.

    References
    ----------
    .. [1] Pan, Wang, Wu, Zhang, Bu. Hubness Reduction with Dual Bank Sinkhorn
       Normalization for Cross-Modal Retrieval. ACM Multimedia 2025,
       https://doi.org/10.1145/3746027.3755468.
    .. [2] Huang, Qiu, Church. Hubless Nearest Neighbor Search for Bilingual Lexicon
       Induction. ACL 2019, https://doi.org/10.18653/v1/P19-1399.

    Examples
    --------
    >>> from sk_qbnorm import SinkhornNormalizer
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = SinkhornNormalizer(beta=10, metric="precomputed").fit(bank_sims)
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.09,  0.38]])
    """

    def __init__(
        self,
        beta: float | str = 50.0,
        n_iter: int = 10,
        tol: float = 1.5,
        *,
        alpha: float = 1.0,
        metric: Metric = "cosine",
        memory_budget: int = 0,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.beta = beta
        self.n_iter = n_iter
        self.tol = tol
        self.alpha = alpha
        self.metric = metric
        self.memory_budget = memory_budget
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Balance a querybank and the gallery, at will with a gallery bank beside it.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank's queries, dense, sparse or a `numpy.memmap`. For
            ``metric="precomputed"`` their similarities to the gallery.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery; the index of a dataframe names its items. For
            ``metric="precomputed"`` it is ignored, unless it is the `y` of a Pipeline
            that marks rows: where it is -1 for some rows, these alone are the bank.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            Embeddings of items that stand beside the gallery while it is balanced, as
            answers to those queries of the bank that have none in the gallery; they are
            never retrieved. For ``metric="precomputed"`` the similarities of the bank's
            queries to them, of shape (n_bank, n_gallerybank).

        Returns
        -------
        self : SinkhornNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, an input is not a finite matrix, the
            gallery is missing, the three do not match, or an input comes in parts.

        Warns
        -----
        ConvergenceWarning
            If some bias still moved by more than `tol` in the last step.
        """
        return self._fit(querybank, gallery, gallerybank=gallerybank)

    def partial_fit(
        self,
        querybank: ArrayLike,
        gallery: ArrayLike | None = None,
        gallerybank: ArrayLike | None = None,
    ) -> Self:
        """Fit to a first and only part of a bank, without a word on convergence.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            As in `fit`.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`.
        gallerybank : array-like of shape (n_gallerybank, n_features), default=None
            As in `fit`.

        Returns
        -------
        self : SinkhornNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            As in `fit`; also at a second call, as the biases depend on all of the bank.
        """
        return self._partial_fit(querybank, gallery, gallerybank=gallerybank)

    def _check_parameters(self):
        check_beta(self.beta, advice="50 is usual for cosine similarities")
        check_count(self.n_iter, "n_iter")
        check_number(self.tol, "tol", positive=False, advice="0 takes all n_iter steps")
        check_number(
            self.alpha,
            "alpha",
            positive=False,
            advice="0 corrects nothing and 1 is the paper's value",
        )
        check_number(
            self.memory_budget,
            "memory_budget",
            positive=False,
            advice="0 holds no similarities",
        )

    def _statistics(self, tiles):
        settings = {"n_iter": int(self.n_iter), "tol": float(self.tol)}
        make = partial(Potentials, **settings)
        return {"potentials": at_beta(tiles, self.beta, _SPREADS, make)}

    def _conclude(self, bank):
        self.beta_ = bank["potentials"].settings["beta"]
        # Behind the gallery come the items of a gallery bank.
        self.gallery_bias_ = bank["potentials"].value()[: bank.n_gallery]
        self.n_iter_ = bank["potentials"].n_steps

    def _correction(self):
        return Additive(self.alpha * self.gallery_bias_)

    def _bytes_to_hold(self):
        return self.memory_budget

    def _doubts(self):
        change = self._bank["potentials"].change
        if self.tol > 0 and change > self.tol and self.n_iter > 1:
            yield (
                f"Some bias still moved by {change:.2g} / beta, more than "
                f"tol={self.tol}, in the last of n_iter={self.n_iter} steps; take more "
                "of them or a smaller beta.",
                ConvergenceWarning,
            )
