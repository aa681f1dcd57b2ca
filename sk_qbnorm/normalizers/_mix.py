"""Mix the bias that a bank teaches with that of a sample of the queries."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Self

from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._arrays import concat, to_numpy
from sk_qbnorm._embeddings import check_embeddings, copy_if_shared, is_dask
from sk_qbnorm._validation import (
    check_alpha,
    check_count,
    clone_sharing_data,
    item_positions,
    remaining_items,
    unchanged_on_error,
)
from sk_qbnorm.corrections import Additive
from sk_qbnorm.metrics import agreement_of
from sk_qbnorm.result_lists import ResultLists, as_lists
from sk_qbnorm.similarity import Metric
from sk_qbnorm.tiles import resolve_metric

from ._accumulate import check_gallery_given
from ._base import BaseNormalizer, set_gallery_attributes
from ._list_sinkhorn import ListSinkhornNormalizer
from ._mix_parts import CountingNormalizer, ListedSinkhorn, centered
from ._sinkhorn import SinkhornNormalizer
from ._vector_index import AdditiveNormalizer, VectorIndexMixin

_LARGE_SAMPLE = 100
_SMALL_SAMPLE_WEIGHT = 2 / 3  # of a sample with fewer queries


class MixNormalizer(VectorIndexMixin, BaseNormalizer):
    r"""Mix the bias of a bank with that of a sample of the queries to correct.

    A bank from another domain has other hubs, and correcting those does harm. A sample
    of the queries, without labels, shows *their* hubs. The bank counts as far as it
    agrees with the sample on which items are hubs, and the sample counts for the rest.
    Without a bank, the sample alone corrects.

    Parameters
    ----------
    queries : array-like of shape (n_sample, n_features) or (n_sample, n_gallery)
        A sample of queries like those to correct, for example from a query log; 100 or
        more are best, and 25 help less. Embeddings, or similarities to the gallery if
        `fit` takes similarities: dense, sparse or a Dask array. They must not be part
        of the querybank. Clones share them.
    normalizer : normalizer, default=None
        How to learn from the bank: any normalizer that subtracts a bias per item and
        has no gate, such as ``InvertedSoftmax()``, the bank of which can grow. Its own
        `alpha` is ignored. None is the mean of two biases: that of
        ``SinkhornNormalizer(shrinkage="noise")``, and the one that the 50 best items of
        each bank query give (see the notes).
    alpha : float, default=0.75
        Strength of the correction, >= 0. It can be changed after `fit`.
    n_neighbors : int, default=10
        Number of best items per query that count as retrieved, >= 1.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How `fit` compares queries with the gallery, as in `pairwise_similarity`. None
        means cosine if `fit` receives a gallery, and precomputed similarities if it
        does not.
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
        Agreement of bank and sample on the hubs, in [0, 1]; 0 without a bank.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        Bias of each gallery item, of which `alpha` times is subtracted.
    bank_normalizer_ : normalizer or None
        The normalizer that was fitted to the bank.
    sample_normalizer_ : SinkhornNormalizer
        The normalizer that was fitted to the sample.
    n_sample_seen_ : int
        Number of queries in the sample.
    metric_ : str or callable
        Metric of the last `fit`.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items, strings or integers.
    n_bank_seen_ : int
        Number of bank queries; 0 without a bank.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, defined if all of them are strings.

    See Also
    --------
    sk_qbnorm.metrics.hub_agreement : The measure of agreement.
    sk_qbnorm.model_selection.NormalizerSearch : Uses labeled queries.
    SinkhornNormalizer : The bias of the sample, and the shrinkage.

    Notes
    -----
    With r the agreement of the k-occurrences under the bank and under the sample, k
    being `n_neighbors`, :math:`b_j` the bias of the bank and :math:`u_j` that of the
    sample, both minus their means, query q scores item j

    .. math:: s_{qj} - \alpha \left( r^2 b_j + c (1 - r^2) u_j \right)

    :math:`r^2` is the share of the unevenness of the bank that the queries show, times
    the share of the unevenness of the queries that the bank shows. c is 1, and 2/3 for
    fewer than 100 sample queries. u is the bias of
    ``SinkhornNormalizer(shrinkage="noise")``.

    For ``normalizer=None``, :math:`b_j` is the mean of that bias for the bank and of
    the bias of ``ListSinkhornNormalizer(n_listed=50)``.

    The rule and both estimates are our own; ``python -m benchmarks.quality`` measures
    them. None of this can detect that a hub is the right answer: if most queries want a
    few items, as with class labels, bank and sample agree on these too.

    `add_gallery` and `remove_gallery` keep the balance of `SinkhornNormalizer`.

    Examples
    --------
    >>> from sk_qbnorm import MixNormalizer
    >>> from sk_qbnorm.datasets import make_hub_retrieval
    >>> data = make_hub_retrieval(random_state=0)
    >>> normalizer = MixNormalizer(data.queries[:100])
    >>> normalizer.fit(data.bank_queries, data.gallery).agreement_
    0.95...
    >>> normalizer.fit(data.bank_queries_ood, data.gallery).agreement_
    0.0
    >>> normalizer.fit(None, data.gallery).agreement_
    0.0
    """

    agreement_: float
    bank_normalizer_: AdditiveNormalizer | None
    sample_normalizer_: SinkhornNormalizer

    _needs_a_bank = False

    def __init__(
        self,
        queries: ArrayLike,
        normalizer: AdditiveNormalizer | None = None,
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

    def fit(
        self, querybank: ArrayLike | None = None, gallery: ArrayLike | None = None
    ) -> Self:
        """Learn the bias of each gallery item from a querybank and the sample.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery), \
                default=None
            Embeddings of the bank queries if `gallery` is passed, otherwise their
            similarities to the gallery. Dense, sparse, a `numpy.memmap`, a Dask array,
            or an iterator of matrices if `normalizer` can be fitted in parts. None
            learns from the sample alone.
        gallery : array-like of shape (n_gallery, n_features), default=None
            Embeddings of the gallery, in the same forms except an iterator. The index
            of a dataframe names the items. One-dimensional input holds the labels `y`
            that a Pipeline passes: it is ignored, but if it marks some rows by -1, only
            these rows are the querybank.

        Returns
        -------
        self : MixNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, an input is not a finite matrix, the gallery
            is missing or an iterator, or bank, sample and gallery do not match.
        """
        return self._fit(querybank, gallery, self._resolve_metric(querybank, gallery))

    def _fit(self, querybank, gallery, metric, gallerybank=None, *, warn=True):
        with unchanged_on_error(self):
            self._check_parameters()
            self._check_gallery(gallery, metric)
            self._sample = _sample_of(self.queries, metric)
            bank = None
            if querybank is not None:
                bank = self._new_of_bank(metric, _are_lists(querybank, metric))
                bank._fit(querybank, gallery, metric, warn=False)
            self._finalize(bank, self._fit_sample(self.queries, gallery, metric))
            if warn:
                self._warn()
        return self

    def partial_fit(
        self,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
        queries: ArrayLike | None = None,
    ) -> Self:
        """Add queries to the sample, for example from a growing log, or to the bank.

        The bias of the sample is computed again from all of its queries. The first call
        is a `fit`.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery), \
                default=None
            More bank queries, as in `fit`, if `normalizer` can be fitted in parts. None
            keeps the bank.
        gallery : array-like of shape (n_gallery, n_features), default=None
            As in `fit`, and the same gallery in every call, because it is not stored.
        queries : array-like of shape (n_new, n_features) or (n_new, n_gallery), \
                default=None
            More queries for the sample. None keeps the sample.

        Returns
        -------
        self : MixNormalizer
            The fitted normalizer.

        Raises
        ------
        ValueError
            As in `fit`; also if `normalizer` cannot be fitted in parts.
        """
        metric = self._resolve_metric(querybank, gallery)
        with unchanged_on_error(self):
            self._check_parameters()
            self._check_gallery(gallery, metric)
            sample = getattr(self, "_sample", None)
            if sample is None:
                sample = _sample_of(self.queries, metric)
            if queries is not None:
                sample = _stacked([sample, _sample_of(queries, metric)])
            self._sample = sample
            bank = self._current(metric)
            if querybank is not None:
                of_lists = _are_lists(querybank, metric)
                bank = bank or self._new_of_bank(metric, of_lists)
                if not hasattr(bank, "partial_fit") and hasattr(bank, "_bank"):
                    raise ValueError(
                        "querybank cannot be added to the bank of a MixNormalizer "
                        f"with normalizer={self.normalizer!r}, which has no "
                        "partial_fit; call fit with the whole bank, add the queries to "
                        "the sample, or use MixNormalizer(queries, InvertedSoftmax())."
                    )
                learn = getattr(bank, "partial_fit", bank.fit)
                learn(querybank, gallery)
            self._finalize(bank, self._fit_sample(sample, gallery, metric))
        return self

    def add_gallery(
        self,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
        queries: ArrayLike | None = None,
    ) -> Self:
        """Append gallery items without comparing the known items again.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_new)
            The complete bank that was fitted, in the same order: embeddings, or
            similarities to the new items. None if there was none.
        gallery : array-like of shape (n_new, n_features), default=None
            Embeddings of the new items, as in `fit`.
        queries : array-like of shape (n_sample, n_new), default=None
            Similarities of the complete sample to the new items, if `fit` took
            similarities. The embeddings of a sample are known.

        Returns
        -------
        self : MixNormalizer
            The normalizer, fitted to the larger gallery.

        Raises
        ------
        ValueError
            As in `fit`; also if the bank or the sample has another number of queries.
        """
        check_is_fitted(self)
        metric = self._resolve_metric(querybank, gallery)
        with unchanged_on_error(self):
            self._check_gallery(gallery, metric)
            self._check_whole_bank(querybank)
            bank, sample = self._current(metric), copy.copy(self._sample_counts)
            if bank is not None:
                bank.add_gallery(querybank, gallery)
            if metric != "precomputed":
                sample.add_gallery(self._sample, gallery)
            else:
                if queries is None:
                    raise ValueError(
                        "queries must hold the similarities of the "
                        f"{self.n_sample_seen_} queries of the sample to the new "
                        "items, got None; pass them in the order of the sample."
                    )
                sample.add_gallery(queries)
                new = _sample_of(queries, metric)
                if isinstance(new, ResultLists):
                    self._sample = self._sample.append_items(new)
                else:
                    self._sample = concat([self._sample, new], axis=1)
            self._finalize(bank, sample)
        return self

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
            remaining items. Required if the bank retrieved a removed item.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the remaining items, required if the bank or the sample
            retrieved a removed item.

        Returns
        -------
        self : MixNormalizer
            The normalizer, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If an item is not in the gallery, no item remains, or the bank or the
            gallery is required and missing.
        """
        check_is_fitted(self)
        positions = item_positions(items, self.gallery_names_)
        left = remaining_items(positions, self.n_features_in_)
        with unchanged_on_error(self):
            bank = self._current(self.metric_)
            sample = copy.copy(self._sample_counts)
            if bank is not None:
                bank.remove_gallery(items, querybank, gallery)
            if self.metric_ == "precomputed":
                if isinstance(self._sample, ResultLists):
                    self._sample = self._sample.take_items(left)
                else:
                    self._sample = self._sample[:, left]
                sample.remove_gallery(items, self._sample)
            else:
                sample.remove_gallery(items, self._sample, gallery)
            self._finalize(bank, sample)
        return self

    def with_sample(self, queries: ArrayLike, gallery: ArrayLike | None = None) -> Self:
        """Return a fitted copy with the same bank and another sample.

        Parameters
        ----------
        queries : array-like of shape (n_sample, n_features) or (n_sample, n_gallery)
            The sample, in the forms that the constructor takes.
        gallery : array-like of shape (n_gallery, n_features), default=None
            The gallery of the last `fit`, which is not stored, if it took embeddings.

        Returns
        -------
        twin : MixNormalizer
            The copy; this normalizer stays as it is.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        check_is_fitted(self)
        twin = copy.copy(self).set_params(queries=queries)
        twin._check_parameters()
        twin._check_gallery(gallery, self.metric_)
        twin._sample = _sample_of(queries, self.metric_)
        sample = twin._fit_sample(queries, gallery, self.metric_)
        twin._finalize(twin._bank_counts, sample)
        return twin

    def _resolve_metric(self, querybank, gallery):
        known = self.queries if querybank is None else querybank
        return resolve_metric(self.metric, known, gallery)

    def _fit_sample(self, queries, gallery, metric):
        n_queries = self._sample.shape[0]
        if n_queries < 2:
            raise ValueError(
                "queries must hold at least 2 queries, better 100 or more, got "
                f"{n_queries}; pass a larger sample."
            )
        if _are_lists(queries, metric):
            learner = ListSinkhornNormalizer()
        else:
            learner = SinkhornNormalizer(shrinkage="noise")
        counting = self._new(learner, metric)
        counting._bank_name = "queries"
        # Labels in place of a gallery are those of the bank queries.
        items = None if metric == "precomputed" else gallery
        return counting._fit(queries, items, metric, warn=False)

    def _new_of_bank(self, metric, of_lists=False):
        normalizer = self.normalizer
        if normalizer is None:
            normalizer = ListSinkhornNormalizer() if of_lists else ListedSinkhorn()
        return self._new(normalizer, metric)

    def _new(self, normalizer, metric):
        return CountingNormalizer(
            normalizer,
            n_neighbors=self.n_neighbors,
            metric=metric,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )

    def _current(self, metric):
        """Return a copy of the normalizer of the bank, with the parameters now."""
        known = getattr(self, "_bank_counts", None)
        if known is None:
            return None
        of_lists = isinstance(known.normalizer, ListSinkhornNormalizer)
        fresh = self._new_of_bank(metric, of_lists)
        return copy.copy(known).set_params(**fresh.get_params(deep=False))

    def _finalize(self, bank, sample):
        """Store both normalizers and set all fitted attributes."""
        self._bank_counts, self._sample_counts = bank, sample
        self.sample_normalizer_ = sample.normalizer_
        self.bank_normalizer_ = None if bank is None else bank.normalizer_
        self.metric_ = sample.metric_
        self.n_sample_seen_ = sample.n_bank_seen_
        self.n_bank_seen_ = 0 if bank is None else bank.n_bank_seen_
        known = (bank or sample)._bank
        set_gallery_attributes(self, known.n_gallery, known.names, known.n_features)
        self.agreement_ = 0.0
        if bank is not None:
            if not bank._bank.has_gallery_of(sample._bank):
                raise ValueError(
                    f"queries must be compared with the {bank.n_features_in_} items of "
                    f"the gallery, got similarities to {sample.n_features_in_} items "
                    "or other names; pass one column per item, in the same order."
                )
            both = bank.retrieval_counts_, sample.retrieval_counts_
            counts = map(to_numpy, both)
            sizes = bank.n_bank_seen_, sample.n_bank_seen_
            self.agreement_ = agreement_of(*counts, *sizes)
        self.gallery_bias_ = self._mixed_bias()
        self._set_home(known.home)

    def _mixed_bias(self):
        weight = self.agreement_**2
        rest = 1 - weight
        if self.n_sample_seen_ < _LARGE_SAMPLE:
            rest *= _SMALL_SAMPLE_WEIGHT
        mixed = rest * centered(self.sample_normalizer_.gallery_bias_)
        if self.bank_normalizer_ is not None:
            mixed += weight * centered(self.bank_normalizer_.gallery_bias_)
        return mixed

    def _correction(self):
        return Additive(self.alpha * self.gallery_bias_)

    def _check_parameters(self):
        check_count(self.n_neighbors, "n_neighbors")
        check_alpha(self.alpha, usual="0.75 is usual")
        if self.normalizer is not None:
            self._new_of_bank(self.metric)._check_parameters()
        if self.queries is None or isinstance(self.queries, Iterator):
            raise ValueError(
                "queries must be a matrix with a sample of the queries to correct, got "
                f"{type(self.queries).__name__}; pass 100 or more of them."
            )

    def _check_gallery(self, gallery, metric):
        if metric == "precomputed":
            return
        check_gallery_given(self, gallery, metric)
        if isinstance(gallery, Iterator):
            raise ValueError(
                "gallery must be a matrix because querybank and queries both read it, "
                "got an iterator; pass a matrix or a numpy.memmap."
            )

    def _check_whole_bank(self, querybank):
        if (querybank is None) != (self.n_bank_seen_ == 0):
            got = "None" if querybank is None else "one"
            raise ValueError(
                "querybank must be the complete bank that was fitted, with "
                f"{self.n_bank_seen_} queries, got {got}; pass all of it, or None if "
                "there was none."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_clone__(self):
        """Share the queries, which may be large."""
        twin = clone_sharing_data(self, "_sample", "_bank_counts", "_sample_counts")
        twin.normalizer = clone(self.normalizer, safe=False)
        return twin


def _are_lists(queries, metric):
    return metric == "precomputed" and as_lists(queries) is not None


def _sample_of(queries, metric):
    """Return a sample as result lists or a matrix, and embeddings as a copy."""
    if _are_lists(queries, metric):
        return as_lists(queries)
    if is_dask(queries):
        queries = queries.compute()
    checked = check_embeddings(queries, "queries", keep_foreign=True)
    return checked if metric == "precomputed" else copy_if_shared(checked, queries)


def _stacked(parts):
    if all(isinstance(part, ResultLists) for part in parts):
        return parts[0].append_queries(parts[1])
    if any(map(sparse.issparse, parts)):
        return sparse.vstack(parts, format="csr")
    return concat(parts)
