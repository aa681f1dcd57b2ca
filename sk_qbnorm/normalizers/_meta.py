"""Normalizers that wrap another one: to gate it, or to set its strength."""

import copy
from collections.abc import Iterator
from hashlib import blake2b
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils import gen_batches

from sk_qbnorm._embeddings import check_embeddings, is_dask
from sk_qbnorm._repr import ShortReprMixin
from sk_qbnorm._validation import (
    check_alpha,
    check_count,
    clone_sharing_data,
    unchanged_on_error,
)
from sk_qbnorm.metrics import hub_agreement
from sk_qbnorm.similarity import Metric
from sk_qbnorm.statistics import Activations
from sk_qbnorm.tiles import check_same_items

from ._accumulate import BankAccumulator, check_gallery_given
from ._activation import ActivationMixin, DynamicMixin
from ._vector_index import AdditiveNormalizer

_BLOCK_ROWS = 4096


class WrappingNormalizer(AdditiveNormalizer):
    """Learn and correct as another additive normalizer does.

    Subclasses have the parameter `normalizer` and the attribute `normalizer_`.
    """

    @property
    def _fits_in_parts(self):
        return getattr(self.normalizer, "_fits_in_parts", True)

    def _check_parameters(self):
        is_additive = isinstance(self.normalizer, AdditiveNormalizer)
        if not is_additive or isinstance(self.normalizer, ActivationMixin):
            raise ValueError(
                "normalizer must learn a bias per item from one querybank and have no "
                f"gate, such as CSLS(), got {self.normalizer!r}."
            )
        self.normalizer._check_parameters()

    def _statistics(self, tiles, spread):
        return self.normalizer._statistics(tiles, spread)

    def _set_fitted_attributes(self, bank):
        self.normalizer_ = clone(self.normalizer).set_params(metric=self.metric)
        self.normalizer_._finalize(bank)
        self.gallery_bias_ = self.normalizer_.gallery_bias_

    def _correction(self):
        return self.normalizer_._correction()

    def _fit_warnings(self):
        return self.normalizer_._fit_warnings()


class DynamicNormalizer(DynamicMixin, WrappingNormalizer):
    r"""Apply any additive normalizer to the queries whose best item is activated.

    It adds the gate of `DynamicInvertedSoftmax` to every normalizer that subtracts a
    bias: a query is corrected if its own best item is in the activation set, the items
    that the bank retrieves, and otherwise keeps its raw similarities.

    Parameters
    ----------
    normalizer : normalizer
        Any normalizer that subtracts a bias per item and has no gate, such as
        ``CSLS()``. A clone is fitted, with the `metric` set here. Changes to it take
        effect at the next fit.
    n_activation : int, default=1
        Number of best items per bank query that count as retrieved, >= 1.
    min_count : int, default=1
        Number of bank queries that must retrieve an item to put it into the activation
        set, >= 1.
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
    normalizer_ : normalizer
        The fitted normalizer, without the gate.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Bias of each gallery item, that of `normalizer_`.
    activation_counts_ : ndarray of shape (n_gallery,), dtype int64
        Number of bank queries that retrieve each item.
    activation_mask_ : ndarray of shape (n_gallery,), dtype bool
        Which items are in the activation set.
    activation_rate_ : float
        Share of the gallery in the activation set, in [0, 1].
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
    DynamicInvertedSoftmax : The normalizer of the paper, in one class.

    Notes
    -----
    With c the correction of `normalizer` and A the activation set, query q scores item
    j

    .. math::

        c(s_{qj}) \; \text{if} \; \arg\max_k s_{qk} \in A \; \text{else} \; s_{qj}

    The gate comes from the paper [1]_; applying it to other biases is our own. `CSLS`
    doubles similarities, so scores of corrected queries cannot be compared with those
    of uncorrected queries. Each ranking is valid on its own.

    References
    ----------
    .. [1] Bogolin, Croitoru, Jin, Liu, Albanie. Cross Modal Retrieval with Querybank
       Normalisation. CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.00513, https://arxiv.org/abs/2112.12777.

    Examples
    --------
    >>> from sk_qbnorm import DynamicNormalizer, NearestNeighborNormalizer
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = DynamicNormalizer(NearestNeighborNormalizer(n_neighbors=2))
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
        metric: Metric | None = None,
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


class AgreementNormalizer(ShortReprMixin, ActivationMixin, WrappingNormalizer):
    r"""Correct as strongly as bank and queries agree on which items are hubs.

    A bank from another domain has other hubs, and correcting those does harm. A sample
    of the queries to correct, without labels, shows *their* hubs. The strength of the
    correction shrinks if the two disagree; with no hubs in common, nothing is
    corrected.

    Parameters
    ----------
    queries : array-like of shape (n_sample, n_features) or (n_sample, n_gallery)
        A sample of 50 to 200 queries like those to correct, for example from a query
        log: embeddings, or similarities to the gallery if `fit` takes similarities. Any
        form that `fit` takes, except an iterator. They must not be part of the
        querybank. The sample is not copied, clones share it, and `add_gallery` raises
        if its values have changed.
    normalizer : normalizer
        Any normalizer that subtracts a bias per item with a strength `alpha` and has no
        gate. A clone is fitted, with the `metric` set here and an `alpha` of its own.
        ``SinkhornNormalizer()`` gains most; ``InvertedSoftmax()`` also works if the
        bank or the gallery grows.
    alpha : float, default=0.75
        Strength of the correction at full agreement, >= 0. It can be changed after
        `fit`.
    n_neighbors : int, default=10
        Number of best items per query that count as retrieved, >= 1.
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
    agreement_ : float
        Agreement of bank and sample on the hubs, in [0, 1].
    alpha_ : float
        Strength of the correction, `alpha` times the square of the agreement.
    normalizer_ : normalizer
        The fitted normalizer, with that strength.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Bias of each gallery item, of which `alpha_` times is subtracted.
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
    sk_qbnorm.metrics.hub_agreement : The measure of agreement.
    sk_qbnorm.model_selection.NormalizerSearch : Uses labelled queries.

    Notes
    -----
    With r the agreement of the k-occurrences under the bank and under the sample, k
    being `n_neighbors`, and :math:`b_j` the bias of `normalizer`, query q scores item j

    .. math:: s_{qj} - 0.75 \, r^2 \, b_j

    with `alpha` in place of 0.75. :math:`r^2` is the share of the unevenness of the
    bank that the queries show, times the share of the unevenness of the queries that
    the bank shows. The rule is our own; ``python -m benchmarks.quality`` measures it.
    It cannot detect that a hub is the right answer: if most queries want a few items,
    as with class labels, bank and sample agree on these too.

    A gallery of at most `n_neighbors` items has no hubs that can be counted, and is not
    corrected.

    If `fit` takes similarities, set `queries` to the similarities to the changed
    gallery before `add_gallery` and `remove_gallery`.

    Examples
    --------
    >>> from sk_qbnorm import AgreementNormalizer, SinkhornNormalizer
    >>> from sk_qbnorm.datasets import make_hub_retrieval
    >>> data = make_hub_retrieval(random_state=0)
    >>> normalizer = AgreementNormalizer(data.queries[:100], SinkhornNormalizer())
    >>> normalizer.fit(data.bank_queries, data.gallery).alpha_
    0.68...
    >>> normalizer.fit(data.bank_queries_ood, data.gallery).alpha_
    0.01...
    """

    def __init__(
        self,
        queries: ArrayLike,
        normalizer: AdditiveNormalizer,
        *,
        alpha: float = 0.75,
        n_neighbors: int = 10,
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.queries = queries
        self.normalizer = normalizer
        self.alpha = alpha
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
    ) -> Self:
        """Remove gallery items; the items behind them move up.

        Parameters
        ----------
        items : array-like of shape (n_removed,)
            Gallery indices or names of the items to remove, or a boolean mask of shape
            (n_gallery,).
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_left)
            The complete bank, in the same order: embeddings, or similarities to the
            remaining items.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the remaining items.

        Returns
        -------
        self : AgreementNormalizer
            The normalizer, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If an item is not in the gallery, no item remains, or the bank or the
            gallery is required and missing.
        """
        with unchanged_on_error(self):
            if hasattr(self, "_sample"):
                self._sample = self._new_sample(gallery, self.metric_)
            super().remove_gallery(items, querybank, gallery)
        return self

    @property
    def alpha_(self) -> float:
        """Strength of the correction."""
        return self.alpha * self.agreement_**2

    @property
    def _n_retrieved(self):
        return self.n_neighbors

    def _check_parameters(self):
        super()._check_parameters()
        check_count(self.n_neighbors, "n_neighbors")
        check_alpha(self.alpha, usual="0.75 is usual")
        if not hasattr(self.normalizer, "alpha"):
            raise ValueError(
                "normalizer must have a strength, alpha, got "
                f"{self.normalizer!r}; use NearestNeighborNormalizer() for CSLS()."
            )
        if self.queries is None or isinstance(self.queries, Iterator):
            raise ValueError(
                "queries must be a matrix with a sample of the queries to correct, got "
                f"{type(self.queries).__name__}; pass 50 to 200 of them."
            )

    def _accumulate(
        self, querybank, gallery, metric, gallerybank=None, known=None, same_items=True
    ):
        if isinstance(gallery, Iterator):
            raise ValueError(
                "gallery must be a matrix because querybank and queries both read it, "
                "got an iterator; pass a matrix or a numpy.memmap."
            )
        given = querybank, gallery, metric, gallerybank, known, same_items
        bank = super()._accumulate(*given)
        if same_items or metric == "precomputed":
            self._sample = self._new_sample(gallery, metric)
            return bank
        if _hash_of(self.queries) != self._sample_hash:
            raise ValueError(
                "queries must be the sample that was fitted, got other values; call "
                "fit again."
            )
        more = self._count_retrieved(gallery, metric)
        self._sample = self._sample.append_items(more)
        return bank

    def _new_sample(self, gallery, metric):
        """Return the bank of the sample, whose statistic is what it retrieves."""
        sample = self._count_retrieved(gallery, metric)
        if sample.n_bank < 2:
            raise ValueError(
                "queries must hold at least 2 queries, better 50 to 200, got 1; pass a "
                "larger sample."
            )
        self._sample_hash = _hash_of(self.queries)
        return sample

    def _count_retrieved(self, gallery, metric):
        counter = _RetrievalCounter(self.n_neighbors, self.n_jobs)
        accumulator = BankAccumulator(counter, metric)
        if metric == "precomputed":
            return accumulator.of_similarities(self.queries)
        check_gallery_given(self, gallery, metric)
        return accumulator.of_embeddings(self.queries, gallery)

    def _set_fitted_attributes(self, bank):
        sample = self._sample
        if sample.n_gallery != bank.n_gallery:
            raise ValueError(
                f"queries must be compared with the {bank.n_gallery} items of the "
                f"gallery, got similarities to {sample.n_gallery}."
            )
        check_same_items(sample.names, bank.names, "queries")
        k = min(self.n_neighbors, bank.n_gallery)
        counts = bank["activation"].value(), sample["activation"].value()
        self.agreement_ = hub_agreement(*counts, k=k)
        super()._set_fitted_attributes(bank)
        self.normalizer_.set_params(alpha=self.alpha_)

    def _correction(self):
        now = copy.copy(self.normalizer_).set_params(alpha=self.alpha_)
        return now._correction()

    def __sklearn_clone__(self):
        """Share the queries, which may be large."""
        twin = clone_sharing_data(self, "_bank", "_sample", "_sample_hash")
        twin.normalizer = clone(self.normalizer, safe=False)
        return twin


class _RetrievalCounter(BaseEstimator):
    """Count what queries retrieve, without learning anything else."""

    _bank_name = "queries"

    def __init__(self, n_neighbors, n_jobs=None, verbose=False):
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _statistics(self, tiles, spread):
        return {"activation": Activations(tiles, int(self.n_neighbors))}


def _hash_of(queries):
    """Return a hash of the values and the dtype of a sample.

    It depends on neither strides nor the kind of container, which pickling changes.
    """
    if is_dask(queries):
        queries = queries.compute()
    options = {"name": "queries", "finite": False}
    checked = check_embeddings(queries, keep_on_disk=True, **options)
    found = blake2b(repr(checked.shape).encode())
    for rows in gen_batches(checked.shape[0], _BLOCK_ROWS):
        block = sparse.csr_array(check_embeddings(checked[rows], **options), copy=True)
        block.eliminate_zeros()
        found.update(block.dtype.str.encode())
        for places in (block.indptr, block.indices):
            found.update(places.astype(np.int64))
        found.update(block.data)
    return found.hexdigest()
