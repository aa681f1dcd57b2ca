"""A balanced bias that is learned from result lists."""

from __future__ import annotations

from typing import Self

from numpy.typing import ArrayLike

from sk_qbnorm._validation import check_alpha, check_choice, check_count, check_number
from sk_qbnorm.corrections import Additive
from sk_qbnorm.result_lists import as_lists
from sk_qbnorm.similarity import Metric
from sk_qbnorm.statistics import ListPotentials

from ._vector_index import AdditiveNormalizer

_WEIGHTS = ("scores", "ranks", "equal")
_LISTINGS_PER_ITEM = 5  # below which `fit` warns


class ListSinkhornNormalizer(AdditiveNormalizer):
    r"""Balance how often items are listed among the best of the bank queries.

    It needs only the best items of each bank query, as a search engine returns them or
    as a log contains them, and no similarities to all other items. With a good bank,
    lists of 20 or more gain nearly as much as `SinkhornNormalizer`.

    Parameters
    ----------
    n_listed : int, default=50
        Number of best items per bank query that count, >= 2; 20 to 100 are usual. At
        most a tenth of the gallery counts, but at least 2 items.
    weights : {"scores", "ranks", "equal"}, default="scores"
        How much a listed item counts. ``"scores"`` uses the similarities, ``"ranks"`` 1
        over the rank, and ``"equal"`` counts all alike.
    temperature : float, default=None
        Unit of the bias, > 0, in units of the similarities. None means the mean excess
        of scores in the lists, which lists without scores do not have: pass that of
        some queries with scores, ``temperature_`` of a fit to them.
    alpha : float, default=0.75
        Strength of the correction, >= 0. It can be changed after `fit`.
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
        Bias of each gallery item, in units of the similarities.
    listing_counts_ : ndarray of shape (n_gallery,), dtype int64
        Number of lists with each item, of the first `n_listed` items.
    temperature_ : float
        The temperature.
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
    ResultLists : Result lists as input, with or without scores.
    MixNormalizer : Also safe with lists of a foreign bank.
    SinkhornNormalizer : The same idea for all similarities.

    Notes
    -----
    Of the listed items of each bank query i, let :math:`z_{ij}` be the similarity in
    excess of the last one, :math:`\tau` the temperature, by default the mean excess of
    all but the last ones, and :math:`c_j` the number of lists with item j. From l = 0,
    three times

    .. math::

        w_{ij} &= e^{z_{ij} / \tau}, \qquad
        L_j = \sum_i \frac{w_{ij}}{\sum_k w_{ik} e^{-l_k}}, \qquad
        l_j = \log \frac{L_j + p \bar L}{\bar L + p \bar L}, \qquad
        p = \frac{\bar c}{\mathrm{var}_j \, c_j - \bar c}

    and query q scores item j :math:`s_{qj} - \alpha \tau l_j`. Each query gives one
    unit away among the items of its list, and an item that receives more than its share
    costs more in the next step. Items that nobody lists are not infinitely cheap: the
    pseudo-count p is the empirical Bayes estimate of a gamma-Poisson model of the
    counts, and large if these vary no more than by chance. The method is our own;
    ``python -m benchmarks.quality`` measures it.

    Inverted softmax of lists, with nothing for items that are not listed, destroys the
    ranking; the other normalizers therefore refuse lists.

    Lists of a bank from another domain do harm, as with other normalizers. Use
    `MixNormalizer` with lists of a sample.

    Examples
    --------
    >>> from sk_qbnorm import ListSinkhornNormalizer, QuerybankRetriever, ResultLists
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> data = load_emoji_names_hi_en()
    >>> engine = QuerybankRetriever(ListSinkhornNormalizer(alpha=0), n_neighbors=20)
    >>> engine = engine.fit(data.bank_queries, data.gallery)  # any search engine
    >>> scores, indices = engine.kneighbors(data.bank_queries)
    >>> lists = ResultLists(scores, indices, n_gallery=600)
    >>> normalizer = ListSinkhornNormalizer(n_listed=20).fit(lists)
    >>> corrected, best = normalizer.rescore(*engine.kneighbors(data.queries))
    >>> (best[:, 0] == data.relevant).mean().round(3)
    np.float64(0.618)
    """

    _needs_all_items = True

    def __init__(
        self,
        *,
        n_listed: int = 50,
        weights: str = "scores",
        temperature: float | None = None,
        alpha: float = 0.75,
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_listed = n_listed
        self.weights = weights
        self.temperature = temperature
        self.alpha = alpha
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, querybank: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Learn the bias of each gallery item from the best items of bank queries.

        Parameters
        ----------
        querybank : ResultLists, sparse matrix of shape (n_bank, n_gallery), or \
                array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
            Result lists; or a sparse matrix whose explicit entries are the similarities
            of the listed items, such as a neighbors graph. Embeddings and dense
            similarities are searched for the best items, in all forms that other
            normalizers take.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, if the querybank holds embeddings. The index of a
            dataframe names the items.

        Returns
        -------
        self : ListSinkhornNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, an input is not a finite matrix, the gallery
            is missing or does not match the querybank, or lists have no scores and
            `temperature` or `weights` requires them.

        Warns
        -----
        UserWarning
            If there are fewer than 5 listed items per gallery item.
        """
        lists = None if gallery is not None else as_lists(querybank)
        needs_scores = self.temperature is None or self.weights == "scores"
        if lists is not None and not lists.has_scores and needs_scores:
            raise ValueError(
                "querybank has no scores, which weights='scores' and temperature=None "
                f"require, got weights={self.weights!r}, temperature="
                f"{self.temperature!r}; set weights='ranks' and the temperature_ of a "
                "fit to lists with scores."
            )
        return super().fit(querybank, gallery)

    def _check_parameters(self):
        check_count(self.n_listed, "n_listed")
        if self.n_listed == 1:
            raise ValueError("n_listed must be an integer >= 2, got 1.")
        check_choice(self.weights, "weights", _WEIGHTS)
        if self.temperature is not None:
            advice = "None uses the mean excess of scores"
            check_number(self.temperature, "temperature", positive=True, advice=advice)
        check_alpha(self.alpha, usual="0.75 is usual")

    def _statistics(self, tiles, spread):
        settings = int(self.n_listed), self.weights, self.temperature
        return {"lists": ListPotentials(tiles, *settings)}

    def _set_fitted_attributes(self, bank):
        lists = bank["lists"]
        self.gallery_bias_, self.temperature_ = lists.balance()
        self.listing_counts_ = lists.counts()

    def _correction(self):
        return Additive(self.alpha * self.gallery_bias_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _fit_warnings(self):
        n_listings = int((self._bank["lists"].items >= 0).sum())
        n_gallery = self.n_features_in_
        if n_listings < _LISTINGS_PER_ITEM * n_gallery and n_gallery > 1:
            yield (
                f"The lists have {n_listings} items for {n_gallery} gallery items, "
                f"fewer than {_LISTINGS_PER_ITEM} per item; use longer lists or more "
                "bank queries.",
                UserWarning,
            )
