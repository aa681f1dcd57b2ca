"""Sinkhorn: a bias that balances how often each item is the answer."""

from __future__ import annotations

from typing import Self

from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from sk_qbnorm._validation import (
    check_alpha,
    check_beta,
    check_choice,
    check_count,
    check_number,
)
from sk_qbnorm.corrections import Additive
from sk_qbnorm.similarity import Metric
from sk_qbnorm.statistics import (
    SHRINKAGES,
    Potentials,
    beta_warning,
    resolve_beta,
    shrunken_bias,
)
from sk_qbnorm.tiles import resolve_metric

from ._vector_index import AdditiveNormalizer

_SCALE_FACTOR = 2.0  # beta="scale", times the standard deviation


class SinkhornNormalizer(AdditiveNormalizer):
    r"""Subtract a bias that balances how often the bank retrieves each item.

    `InvertedSoftmax` is the first half step. Sinkhorn continues until the biases of
    items and bank queries agree: the balanced assignment of bank queries to items.

    Parameters
    ----------
    beta : float or "scale", default="scale"
        Inverse temperature, > 0. ``"scale"`` is 2 divided by the standard deviation of
        the similarities of the first 256 bank queries, so it fits similarities of any
        scale. 50 is usual for cosine similarities.
    max_iter : int, default=10
        Largest number of steps, >= 1.
    tol : float, default=1.5
        Stop if no two biases move against each other by more than this, >= 0, in units
        of ``1 / beta``. A `ConvergenceWarning` reports that `max_iter` was too small. 0
        takes all steps without a warning. The default stops early on purpose: shares of
        the bank become equal only for a small `tol` and many steps.
    alpha : float, default=1.0
        Strength of the correction, >= 0. 0 keeps the raw ranking. It can be changed
        after `fit`.
    shrinkage : {None, "noise"}, default=None
        ``"noise"`` shrinks each bias towards the mean of all biases, the more it would
        vary from bank to bank (see the notes). Use it for small banks.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How `fit` compares the querybank with the gallery, as in `pairwise_similarity`.
        None means cosine if `fit` receives a gallery, and precomputed similarities if
        it does not.
    memory_budget : int, default=0
        Bytes of similarities that `fit` may store. If the bank's similarities fit,
        embeddings are multiplied once instead of once per half step. Ignored for Dask
        arrays.
    copy : bool, default=True
        If False, `transform` may overwrite its input.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.
    verbose : bool, default=False
        Whether `fit` reports its progress.

    Attributes
    ----------
    beta_ : float
        Inverse temperature of the last `fit`.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Bias :math:`b_j` of each gallery item, in units of the similarities.
    n_iter_ : int
        Number of steps taken.
    metric_ : str or callable
        Metric of the last `fit`.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items, strings or integers.
    n_bank_seen_ : int
        Number of bank queries.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, defined if all of them are strings.

    See Also
    --------
    InvertedSoftmax : The first half step, which can be fitted in parts.

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

    and query q scores item j :math:`s_{qj} - \alpha b_j`. All :math:`b_j` and
    :math:`a_i` depend on each other, so the class has no `partial_fit`. `add_gallery`
    and `remove_gallery` keep :math:`a_i`, and with it the bias of every other item:
    removing an item and adding it again changes nothing but rounding. Call `fit` again
    once a large part of the gallery has changed.

    ``shrinkage="noise"`` replaces :math:`b_j` by an empirical Bayes estimate. With
    :math:`w_{ij} = e^{\beta (p_{ij} - a_i - b_j)}`, whose mean over the bank is 1, the
    delta method gives the sampling variance :math:`v_j` of a bias, and the method of
    moments the variance t of the true biases:

    .. math::

        v_j &= \frac{\overline{w_j^2} - 1}{(n_{bank} - 1) \beta^2}, \qquad
        t = \max(0, \mathrm{var}_j \, b_j - \bar v), \\
        \tilde b_j &= \bar b + \frac{t}{t + v_j} (b_j - \bar b)

    It costs one more pass over the bank. The formula is our own.

    With a gallery bank, the dual bank of [1]_, j runs over the items of both, and only
    :math:`b_j` of the gallery is used. Without one, every bank query is assigned to
    items of the gallery, even if none of them is relevant.

    The hubless nearest neighbor search of [2]_ is the same method. It maximizes
    :math:`\sum_{ij} P_{ij} p_{ij}` plus the entropy of P divided by `beta` over the
    assignments :math:`P_{ij}` of bank queries to items with equal shares per item. The
    Lagrange multipliers of the shares, found by gradient descent on the dual, are
    :math:`b_j`. The dual

    .. math::

        \min_b \; \frac{1}{\beta n_{bank}} \sum_i \log \sum_j
        e^{\beta (p_{ij} - b_j)} + \frac{1}{n_{gallery}} \sum_j b_j

    has its minimum where all shares are equal, which is a fixed point of the iteration.
    A Sinkhorn step solves for all :math:`b_j` at once, with :math:`a_i` fixed.

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
    >>> normalizer = SinkhornNormalizer(beta=10).fit(bank_sims)
    >>> normalizer.transform([[0.8, 0.6]]).round(2)
    array([[-0.09,  0.38]])
    """

    _fits_in_parts = False

    def __init__(
        self,
        *,
        beta: float | str = "scale",
        max_iter: int = 10,
        tol: float = 1.5,
        alpha: float = 1.0,
        shrinkage: str | None = None,
        metric: Metric | None = None,
        memory_budget: int = 0,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.beta = beta
        self.max_iter = max_iter
        self.tol = tol
        self.alpha = alpha
        self.shrinkage = shrinkage
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
        """Balance a querybank and a gallery, with an optional gallery bank.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Embeddings of the bank queries if `gallery` is passed, otherwise their
            similarities to the gallery. Dense, sparse, a `numpy.memmap` or a Dask
            array.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, in the same forms. The index of a dataframe names
            the items. One-dimensional input holds the labels `y` that a Pipeline
            passes: it is ignored, but if it marks some rows by -1, only these rows are
            the querybank.
        gallerybank : array-like of shape (n_gallerybank, n_features) or \
                (n_gallerybank, n_bank), default=None
            Embeddings of other items, or their similarities to the bank queries. They
            take the bank queries that have no relevant item in the gallery, and are
            never retrieved.

        Returns
        -------
        self : SinkhornNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, an input is not a finite matrix, the
            gallery is missing, the inputs do not match, or an input is an iterator.

        Warns
        -----
        ConvergenceWarning
            If a bias still moved by more than `tol` in the last step.
        """
        metric = resolve_metric(self.metric, querybank, gallery)
        return self._fit(querybank, gallery, metric, gallerybank)

    @property
    def _needs_all_items(self):
        return self.shrinkage is not None

    def _check_parameters(self):
        check_beta(self.beta, advice="50 is usual for cosine similarities")
        check_count(self.max_iter, "max_iter")
        check_number(self.tol, "tol", positive=False, advice="0 takes all steps")
        check_alpha(self.alpha)
        check_choice(self.shrinkage, "shrinkage", SHRINKAGES)
        check_number(
            self.memory_budget,
            "memory_budget",
            positive=False,
            advice="0 stores no similarities",
        )

    def _statistics(self, tiles, spread):
        beta = resolve_beta(self.beta, _SCALE_FACTOR, spread)
        settings = int(self.max_iter), float(self.tol), self.memory_budget
        with_noise = self.shrinkage == "noise"
        return {"potentials": Potentials(tiles, beta, *settings, with_noise=with_noise)}

    def _set_fitted_attributes(self, bank):
        potentials = bank["potentials"]
        self.beta_, self.n_iter_ = potentials.settings["beta"], potentials.n_steps
        self.gallery_bias_ = potentials.value()
        if potentials.second_moment is not None:
            moments = self.gallery_bias_, potentials.second_moment
            self.gallery_bias_ = shrunken_bias(*moments, self.beta_, bank.n_bank)

    def _correction(self):
        return Additive(self.alpha * self.gallery_bias_)

    def _fit_warnings(self):
        yield from beta_warning(self.beta, _SCALE_FACTOR, self._bank.spread)
        change = self._bank["potentials"].change
        if self.tol > 0 and change > self.tol and self.max_iter > 1:
            yield (
                f"Sinkhorn did not converge: a bias moved by {change:.2g} / beta, "
                f"more than tol={self.tol}, in the last of max_iter={self.max_iter} "
                "steps; increase max_iter or decrease beta.",
                ConvergenceWarning,
            )
