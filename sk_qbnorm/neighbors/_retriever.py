"""Exact search for the best items of a gallery of embeddings by corrected score."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import _arrays
from sk_qbnorm._bank_rows import labeled_rows, take_rows
from sk_qbnorm._embeddings import (
    is_dask,
)
from sk_qbnorm._validation import (
    check_choice,
    check_count,
    check_unmasked,
    clone_sharing_data,
)
from sk_qbnorm.metrics import Relevance, indices_of_names, relevant_ranks
from sk_qbnorm.normalizers import (
    BaseNormalizer,
    correction_of,
)
from sk_qbnorm.similarity import Metric
from sk_qbnorm.tiles import row_lengths

from ._graph import MODES, neighbors_graph
from ._normalized_gallery import NormalizedGallery
from ._search import search, whole_rows

_BLOCK_ENTRIES = 2**24  # of scores that `score` stores at once


class QuerybankRetriever(NormalizedGallery):
    """Search a gallery of embeddings for the best items by corrected score.

    Products, corrections and top-k are computed together, block by block, without
    storing n_bank x n_gallery or n_queries x n_gallery numbers. Exceptions are
    `GloballyCorrected`, `SinkhornNormalizer` within its `memory_budget`, and
    `decision_function`. The search is exact: it returns what `transform` and a stable
    sort return.

    Parameters
    ----------
    normalizer : normalizer, default=None
        The correction. A clone is fitted, with the `metric`, `n_jobs` and `verbose` set
        here. None means ``DynamicInvertedSoftmax()``; pass one to search over its
        parameters, as ``normalizer__beta``.
    n_neighbors : int, default=10
        Number of items per query, >= 1, and the k of the recall in `score`. It can be
        changed after `fit`.
    metric : {"cosine", "dot"} or callable, default="cosine"
        How embeddings are compared, as in `pairwise_similarity`. A callable gets a part
        of the gallery if that is a Dask array.
    gallery : array-like of shape (n_gallery, n_features), default=None
        Embeddings of the gallery. If set, `fit` takes the querybank alone and ignores
        its second argument, so that `GridSearchCV` can pass `y`; if that marks some
        rows by -1, only these are the querybank. Clones share it.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.
    verbose : bool, default=False
        Whether `fit` and `kneighbors` report their progress.

    Attributes
    ----------
    normalizer_ : normalizer
        The fitted normalizer.
    n_gallery_ : int
        Number of gallery items.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items: the index of a dataframe, strings or integers.
    n_features_in_ : int
        Number of features of the queries.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of these features, defined if `fit` was given a dataframe.

    See Also
    --------
    GallerySimilarity : The first step of a Pipeline of separate steps.
    sk_qbnorm.indexes.QueryShift : Search a vector index instead.

    Notes
    -----
    The retriever stores a copy of the gallery, for the cosine with rows of length 1. A
    `numpy.memmap` stays on disk and must not change; its rows are scaled when they are
    read.

    For `CSLS`, rounding can make more scores equal than the search has candidates. The
    rounds of such queries are searched a second time, except on Dask arrays.

    Examples
    --------
    >>> from sk_qbnorm import InvertedSoftmax, QuerybankRetriever
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> data = load_emoji_names_hi_en()
    >>> retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=3)
    >>> retriever.fit(data.bank_queries, data.gallery)
    QuerybankRetriever(n_neighbors=3, normalizer=InvertedSoftmax())
    >>> scores, indices = retriever.kneighbors(data.queries)
    >>> indices.shape
    (600, 3)
    >>> retriever.set_params(n_neighbors=1).score(data.queries, data.relevant)
    0.6...
    """

    def __init__(
        self,
        normalizer: BaseNormalizer | None = None,
        *,
        n_neighbors: int = 10,
        metric: Metric = "cosine",
        gallery: ArrayLike | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.normalizer = normalizer
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.gallery = gallery
        self.n_jobs = n_jobs
        self.verbose = verbose

    def kneighbors(
        self,
        queries: ArrayLike,
        n_neighbors: int | None = None,
        return_score: bool = True,
        *,
        return_names: bool = False,
    ) -> tuple[NDArray, NDArray] | NDArray:
        """Return the best gallery items of each query, best first.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, dense, sparse or a Dask array.
        n_neighbors : int, default=None
            Number of items, in [1, n_gallery]; None for the value of the constructor.
        return_score : bool, default=True
            Whether to return the scores too.
        return_names : bool, default=False
            Whether to return the names of the items instead of their indices.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_neighbors)
            Corrected scores, descending; float32 if the embeddings are, else float64.
        indices : ndarray of shape (n_queries, n_neighbors), dtype int64
            Gallery indices, or names of dtype object. Of equal scores the smaller index
            comes first.

        Raises
        ------
        ValueError
            If `queries` is not a finite matrix with as many features as the querybank,
            there are fewer than `n_neighbors` items, or the items have no names.
        """
        check_is_fitted(self)
        self._check_home(queries, "kneighbors")
        names = self._names() if return_names else None
        scores, items = self._search(queries, n_neighbors)
        found = _arrays.like(items, queries) if names is None else names[items]
        return (_arrays.like(scores, queries), found) if return_score else found

    def kneighbors_graph(
        self,
        queries: ArrayLike,
        n_neighbors: int | None = None,
        mode: str = "connectivity",
    ) -> sparse.csr_array:
        """Return the best gallery items of each query as a sparse graph.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, as in `kneighbors`.
        n_neighbors : int, default=None
            Number of items, in [1, n_gallery]; None for the value of the constructor.
        mode : {"connectivity", "score", "distance"}, default="connectivity"
            What the entries are: 1, the corrected score, or the distance of the score
            from an upper bound of all scores. Distances are what scikit-learn's
            estimators with ``metric="precomputed"`` take; they require ``metric``
            "cosine" or "dot".

        Returns
        -------
        graph : CSR array of shape (n_queries, n_gallery)
            The entries of a row are in the order of `kneighbors`, distances ascending.

        Raises
        ------
        ValueError
            As in `kneighbors`; also if `mode` is unknown, or distances are requested
            for a callable metric or for inner products of Dask arrays.
        """
        check_is_fitted(self)
        check_choice(mode, "mode", MODES)
        has_ceiling = self.metric == "cosine" or not (
            callable(self.metric) or self._is_dask(queries)
        )
        if mode == "distance" and not has_ceiling:
            raise ValueError(
                "mode='distance' requires the largest possible similarity, which is "
                "unknown for a callable metric and for inner products of Dask arrays; "
                "use mode='score'."
            )
        self._check_home(queries, "kneighbors_graph")
        scores, items = self._search(queries, n_neighbors)
        ceiling = None
        if mode == "distance":
            checked = self._check_queries(queries, "queries", reset=False)
            peak = np.ones((1, 1))
            if self.metric != "cosine":
                peak = self._gallery.longest() * row_lengths(checked)
            ceiling = correction_of(self.normalizer_).ceiling(peak)
        given = None if mode == "connectivity" else scores
        return neighbors_graph(given, items, self.n_gallery_, ceiling)

    def predict(self, queries: ArrayLike, *, return_names: bool = False) -> NDArray:
        """Return the best gallery item of each query.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, as in `kneighbors`.
        return_names : bool, default=False
            Whether to return the names of the items instead of their indices.

        Returns
        -------
        best : ndarray of shape (n_queries,), dtype int64
            Gallery index, or name of dtype object.
        """
        check_is_fitted(self)
        self._check_home(queries, "predict")
        names = self._names() if return_names else None
        best = self._search(queries, 1)[1][:, 0]
        return _arrays.like(best, queries) if names is None else names[best]

    def decision_function(self, queries: ArrayLike) -> NDArray:
        """Return the corrected scores of all gallery items.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, dense or sparse.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_gallery)
            What ``normalizer_.transform`` returns for the similarities.
        """
        check_is_fitted(self)
        self._check_home(queries, "decision_function")
        return self._scores(queries, correction_of(self.normalizer_))

    def score(self, queries: ArrayLike, y: Relevance) -> float:
        """Return the recall at `n_neighbors`.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, dense or sparse.
        y : array-like, list of array-like or sparse matrix
            The relevant items, in any form that `recall_at_k` takes, or by their names
            in ``gallery_names_``. Queries without a relevant item, marked by -1, an
            empty list or a row of zeros, are left out.

        Returns
        -------
        recall : float
            In [0, 1], with the tie rule of `recall_at_k`; NaN if no query remains.
        """
        check_is_fitted(self)
        self._check_home(queries, "score")
        k = self._count(None)
        checked = self._check_queries(queries, "queries", reset=False)
        check_unmasked(y, "y")
        _check_length(y, checked.shape[0])
        labeled = labeled_rows(y, checked.shape[0])
        if labeled is None:
            return math.nan
        checked, y = _arrays.take_rows(checked, labeled), take_rows(y, labeled)
        shape = checked.shape[0], self.n_gallery_
        y = indices_of_names(y, self.gallery_names_, shape)
        n_rows = max(1, _BLOCK_ENTRIES // self.n_gallery_)
        ranks = []
        for rows in gen_batches(checked.shape[0], n_rows):
            scores = self.decision_function(checked[rows, :])
            found = relevant_ranks(take_rows(y, rows), scores)
            ranks.append(_arrays.to_numpy(found))
        return float((np.concatenate(ranks) <= k).mean())

    def _search(self, queries, n_neighbors):
        """Return the scores and items of `kneighbors` as NumPy arrays."""
        return search(
            self._gallery,
            self._check_queries(queries, "queries", reset=False),
            correction_of(self.normalizer_),
            self._count(n_neighbors),
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )

    def _scores(self, queries, correction):
        checked = self._check_queries(queries, "queries", reset=False)
        if self._is_dask(checked):
            raise ValueError(
                "queries and gallery must be arrays in memory to return all scores, "
                "got Dask arrays; call kneighbors for the best items."
            )
        return whole_rows(self._gallery, checked, correction, n_jobs=self.n_jobs)

    def _names(self):
        if self.gallery_names_ is None:
            raise ValueError(
                "return_names=True requires names of the gallery items, got a gallery "
                "without; pass a dataframe whose index names the items."
            )
        return self.gallery_names_

    def _is_dask(self, queries):
        return is_dask(queries) or is_dask(self._gallery.embeddings)

    def _count(self, n_neighbors):
        if n_neighbors is None:
            k = check_count(self.n_neighbors, "n_neighbors")
            return min(k, self.n_gallery_)
        return check_count(n_neighbors, "n_neighbors", largest=self.n_gallery_)

    def __sklearn_clone__(self):
        """Share the gallery, which may be large; clone the normalizer."""
        twin = clone_sharing_data(self, "_gallery")
        twin.normalizer = clone(self.normalizer, safe=False)
        return twin

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _check_length(relevant, n_queries):
    found = relevant.shape[0] if hasattr(relevant, "shape") else len(relevant)
    if found != n_queries:
        raise ValueError(
            f"y must have one entry per query, expected {n_queries}, got {found}."
        )
