"""Correct as far as the bank and the queries agree on what the hubs are."""

import copy
from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from sk_qbnorm._validation import (
    check_count,
    check_number,
    unchanged_on_error,
    unfitted_twin,
)
from sk_qbnorm.metrics import hub_agreement
from sk_qbnorm.similarity import Metric

from ._augmenting import AdditiveNormalizer
from ._delegating import Delegating
from ._gate import Retrieving
from ._probing import check_gallery_given
from ._sample import Sample
from ._sinkhorn import SinkhornNormalizer


class AgreementNormalizer(Retrieving, Delegating):
    r"""Correct as much as the bank and the queries agree on what the hubs are.

    A bank of another domain finds other hubs, or none, and does harm. A sample of the
    queries that are to be corrected, without any labels, shows what *their* hubs are;
    the strength of the correction is shrunk by how well the two agree. A bank that
    knows nothing of the queries so switches itself off.

    Parameters
    ----------
    queries : array-like of shape (n_sample, n_features) or (n_sample, n_gallery)
        Embeddings of some queries of the kind that will come, 50 to 200 of a query log,
        in any form that `fit` takes but an iterator. They must not be part of the bank.
        For ``metric="precomputed"`` their similarities to the gallery. They are not
        copied: clones share them, and `add_gallery` refuses numbers that have changed.
    normalizer : normalizer, default=None
        What corrects: any that subtracts a bias of each item with a strength `alpha`
        and has no gate. A clone is fitted, which takes the `metric` from here, and an
        `alpha` of its own. None is ``SinkhornNormalizer(beta="scale")``; where the bank
        or the gallery grows, take another, such as ``InvertedSoftmax("scale")``.
    strength : float, default=0.75
        The strength, `alpha`, where the two agree altogether, >= 0.
    n_neighbors : int, default=10
        How many best items of each query count as retrieved, >= 1.
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
    agreement_ : float
        How well the bank and the sample agree on the hubs, in [0, 1].
    alpha_ : float
        The strength of the correction, `strength` times the square of this.
    normalizer_ : normalizer
        The fitted normalizer, with that strength.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        That of `normalizer_`, of which `alpha_` is subtracted.
    n_bank_seen_ : int
        Number of bank queries seen by `fit` and `partial_fit`.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where these are strings.

    See Also
    --------
    sk_qbnorm.metrics.hub_agreement : The measure.
    sk_qbnorm.model_selection.NormalizerSearch : A choice by labelled queries.

    Notes
    -----
    With the k-occurrences of the items under the bank and under the sample, k being
    `n_neighbors`, r their agreement and :math:`b_j` the bias that `normalizer` learns,
    query q scores item j

    .. math:: s_{qj} - 0.75 \, r^2 \, b_j

    0.75 being the `strength`. :math:`r^2` is the share of the bank's unevenness that
    the queries show, times the share of the queries' unevenness that the bank shows.
    The rule is our own; ``python -m benchmarks.quality`` measures it. It cannot know
    which hubs are the right answer: where a few items are what most queries want, as
    with class labels, bank and queries agree on these too.

    A gallery of `n_neighbors` items or fewer has no hubs that count, and is not
    corrected.

    Examples
    --------
    >>> from sk_qbnorm import AgreementNormalizer
    >>> from sk_qbnorm.datasets import make_hub_retrieval
    >>> data = make_hub_retrieval(random_state=0)
    >>> normalizer = AgreementNormalizer(data.queries[:100])
    >>> normalizer.fit(data.bank_queries, data.gallery).alpha_
    0.68...
    >>> normalizer.fit(data.bank_queries_ood, data.gallery).alpha_
    0.01...
    """

    def __init__(
        self,
        queries: ArrayLike,
        normalizer: AdditiveNormalizer | None = None,
        *,
        strength: float = 0.75,
        n_neighbors: int = 10,
        metric: Metric = "cosine",
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.queries = queries
        self.normalizer = normalizer
        self.strength = strength
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def add_gallery(
        self, querybank: ArrayLike, gallery: ArrayLike | None = None
    ) -> Self:
        """Probe more gallery items; they come behind those that are known.

        Parameters
        ----------
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_new)
            All of the bank that the known items were probed with, in the same order:
            as in `fit`, similarities being those to the new items.
        gallery : array-like of shape (n_new, n_features), default=None
            The new items, as in `fit`. For ``metric="precomputed"`` set `queries` to
            their similarities to all items, before.

        Returns
        -------
        self : AgreementNormalizer
            The normalizer, fitted to the larger gallery.

        Raises
        ------
        ValueError
            As in `fit`; also if the bank has another number of queries.
        """
        with unchanged_on_error(self):
            if self.metric == "precomputed":
                self._sample = self._new_sample(None)
            elif hasattr(self, "_sample"):
                check_gallery_given(self, gallery)
                self._sample.check_same(self.queries)
                sample = copy.copy(self._sample)
                self._sample = sample.add_gallery(self.queries, gallery)
            super().add_gallery(querybank, gallery)
        return self

    def remove_gallery(
        self,
        items: ArrayLike,
        querybank: ArrayLike | None = None,
        gallery: ArrayLike | None = None,
    ) -> Self:
        """Forget gallery items; those behind them move up.

        Parameters
        ----------
        items : array-like of int of shape (n_removed,)
            Indices in the gallery, or a mask of shape (n_gallery,), True for those that
            go.
        querybank : array-like of shape (n_bank, n_features) or (n_bank, n_left)
            All of the bank, in the same order: its embeddings or, for
            ``metric="precomputed"``, its similarities to the items that are left.
        gallery : array-like of shape (n_left, n_features), default=None
            Embeddings of the items that are left. For ``metric="precomputed"`` set
            `queries` to their similarities to these, before.

        Returns
        -------
        self : AgreementNormalizer
            The normalizer, fitted to the smaller gallery.

        Raises
        ------
        ValueError
            If an item is not in the gallery, none is left, or the bank or the gallery
            is needed and was not passed.
        """
        with unchanged_on_error(self):
            if hasattr(self, "_sample"):
                self._sample = self._new_sample(gallery)
            super().remove_gallery(items, querybank, gallery)
        return self

    @property
    def _n_retrieved(self):
        return self.n_neighbors

    def _check_parameters(self):
        super()._check_parameters()
        check_count(self.n_neighbors, "n_neighbors")
        advice = "0 corrects nothing and 0.75 is usual"
        check_number(self.strength, "strength", positive=False, advice=advice)
        if not hasattr(self._inner(), "alpha"):
            raise ValueError(
                "normalizer must have a strength, alpha, got "
                f"{self._inner()!r}; take NearestNeighborNormalizer() for CSLS()."
            )
        if self.queries is None or isinstance(self.queries, Iterator):
            raise ValueError(
                "queries must be a sample of the queries that are to be corrected, got "
                f"{type(self.queries).__name__}; pass a matrix of 50 to 200 of them."
            )

    def _inner(self):
        if self.normalizer is None:
            return SinkhornNormalizer(beta="scale")
        return self.normalizer

    def _probe(self, querybank, gallery, *, reset, gallerybank=None):
        if isinstance(gallery, Iterator):
            raise ValueError(
                "The gallery is gone through for the bank and for the queries, got an "
                "iterator; pass a matrix or a numpy.memmap."
            )
        bank = super()._probe(querybank, gallery, reset=reset)
        if reset is not None:
            self._sample = self._new_sample(gallery)
        return bank

    def _new_sample(self, gallery):
        """Return what the queries retrieve of a gallery."""
        if self.metric != "precomputed":
            check_gallery_given(self, gallery)
        sample = Sample(self.n_neighbors, self.metric, self.n_jobs)
        return sample.of(self.queries, gallery)

    def _conclude(self, bank):
        sample = self._sample
        if sample.n_features_in_ != bank.n_gallery:
            raise ValueError(
                f"queries must be compared with the gallery of {bank.n_gallery} items, "
                f"got similarities to {sample.n_features_in_}."
            )
        names = getattr(sample, "feature_names_in_", None)
        both_named = names is not None and bank.names is not None
        if both_named and not np.array_equal(names, bank.names):
            raise ValueError(
                "queries must name the gallery items as the bank does, got "
                f"{', '.join(names[:3])}, ...; select its columns from theirs."
            )
        k = min(self.n_neighbors, bank.n_gallery)
        counts = bank["activation"].value(), sample.counts_
        self.agreement_ = hub_agreement(*counts, k=k)
        super()._conclude(bank)
        self.normalizer_.set_params(alpha=self.alpha_)

    @property
    def alpha_(self) -> float:
        """The strength of the correction."""
        return self.strength * self.agreement_**2

    def _correction(self):
        now = copy.copy(self.normalizer_).set_params(alpha=self.alpha_)
        return now._correction()

    def __sklearn_clone__(self):
        """Share the queries, which may be large."""
        twin = unfitted_twin(self, "_bank", "_sample")
        twin.normalizer = clone(self.normalizer, safe=False)
        return twin
