"""From embeddings to the corrected best items, in one estimator."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm import distributed
from sk_qbnorm._validation import check_choice, check_count, check_unmasked
from sk_qbnorm.metrics import Relevance, relevant_ranks
from sk_qbnorm.normalizers._base import BaseNormalizer, correction_of
from sk_qbnorm.similarity import Metric
from sk_qbnorm.tiles import row_lengths

from ._graph import MODES, neighbors_graph
from ._keeper import GalleryKeeper
from ._search import search, whole_rows

_BLOCK_ENTRIES = 2**24  # of scores that are held at once, where all are looked at


class QuerybankRetriever(GalleryKeeper):
    """Search a gallery of embeddings for the best items by corrected score.

    Products, corrections and the choice of the best are made together, block by block:
    neither n_bank x n_gallery nor n_queries x n_gallery numbers are ever held, but by
    `GloballyCorrected`, by `SinkhornNormalizer` where its `memory_budget` allows it,
    and by `decision_function`, which is asked for them. The search is exact: the answer
    is that of `transform` and a stable sort.

    Parameters
    ----------
    normalizer : normalizer, default=None
        What corrects. A clone of it is fitted, with the `metric`, `n_jobs` and
        `verbose` of the retriever. None is ``DynamicInvertedSoftmax()``; pass that
        instead where its parameters are to be searched, as ``normalizer__beta``.
    n_neighbors : int, default=10
        How many items a query is given, >= 1, and the k of the recall in `score`.
    metric : {"cosine", "dot"} or callable, default="cosine"
        How embeddings are compared, as in `pairwise_similarity`. A callable is shown
        some of the gallery where that is a Dask array.
    gallery : array-like of shape (n_gallery, n_features), default=None
        Embeddings of the gallery, for use with `GridSearchCV` and the like: `fit` then
        takes the querybank alone and ignores its second argument, as `y` is. Clones
        share it. `fit` copies it, so that you may change the array afterwards. A
        `numpy.memmap` and a Dask array are not copied: do not change these after `fit`.
    n_jobs : int, default=None
        Number of threads, -1 for all processors; the result does not depend on it.
        None means 1 outside of `joblib.parallel_config`, with matrix products left to
        the threads of BLAS, which may round them otherwise.
    verbose : bool, default=False
        Whether `fit` and `kneighbors` show a progress bar, for which tqdm has to be
        installed.

    Attributes
    ----------
    normalizer_ : normalizer
        The fitted normalizer.
    n_neighbors_ : int
        `n_neighbors`, or the size of the gallery where that is smaller.
    n_gallery_ : int
        Number of gallery items.
    n_features_in_ : int
        Number of features of the queries.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of these features, where `fit` was given a dataframe.

    See Also
    --------
    GallerySimilarity : For a Pipeline of single steps, which holds the scores.
    augment_gallery : To search in a vector index instead.

    Notes
    -----
    A copy of the gallery is kept, in its own dtype; for ``metric="cosine"`` its rows
    have length 1, to the precision of that dtype. A `numpy.memmap` is kept as it is,
    and its rows are scaled whenever they are read.

    The search for `CSLS` goes through the gallery a second time for queries of which
    rounding makes more equal scores than it has candidates; on Dask arrays it does not.

    Examples
    --------
    >>> from sk_qbnorm import InvertedSoftmax, QuerybankRetriever
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> data = load_emoji_names_hi_en()
    >>> retriever = QuerybankRetriever(InvertedSoftmax(beta=20), n_neighbors=3)
    >>> retriever.fit(data.bank_queries, data.gallery)
    QuerybankRetriever(n_neighbors=3, normalizer=InvertedSoftmax(beta=20))
    >>> scores, indices = retriever.kneighbors(data.queries)
    >>> indices.shape
    (600, 3)
    >>> retriever.set_params(n_neighbors=1).score(data.queries, data.relevant)
    0.61
    """

    def __init__(
        self,
        normalizer: BaseNormalizer | None = None,
        n_neighbors: int = 10,
        metric: Metric = "cosine",
        *,
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
    ) -> tuple[NDArray, NDArray] | NDArray:
        """Return the best gallery items of each query, best first.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, dense, sparse or a Dask array.
        n_neighbors : int, default=None
            How many items, in [1, n_gallery]; None for that of the constructor.
        return_score : bool, default=True
            Whether to return the scores too.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_neighbors)
            Corrected scores, descending; float32 if the embeddings are, else float64.
        indices : ndarray of shape (n_queries, n_neighbors), dtype int64
            Their places in the gallery. Of equal scores the smaller index is first.

        Raises
        ------
        ValueError
            If `queries` is not a finite matrix of as many features as the bank, or
            there are fewer than `n_neighbors` items.
        """
        check_is_fitted(self)
        k = self._count(n_neighbors)
        checked = self._check_queries(queries, "queries", reset=False)
        scores, indices = search(
            self._gallery,
            checked,
            correction_of(self.normalizer_),
            k,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        return (scores, indices) if return_score else indices

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
            How many items, in [1, n_gallery]; None for that of the constructor.
        mode : {"connectivity", "score", "distance"}, default="connectivity"
            What entries are: 1, the corrected score, or how far the score is below what
            none can exceed. The distances are what scikit-learn's estimators with
            ``metric="precomputed"`` take; they need ``metric`` "cosine" or "dot".

        Returns
        -------
        graph : CSR array of shape (n_queries, n_gallery)
            The entries of a row are in the order of `kneighbors`, distances ascending.

        Raises
        ------
        ValueError
            As in `kneighbors`; also if `mode` is unknown, or distances are asked for
            and the metric is a callable.
        """
        check_is_fitted(self)
        check_choice(mode, "mode", MODES)
        has_ceiling = self.metric == "cosine" or not (
            callable(self.metric) or self._is_dask(queries)
        )
        if mode == "distance" and not has_ceiling:
            raise ValueError(
                "Distances need the largest similarity that there can be, which is "
                "not known of a callable metric, nor of inner products of Dask arrays; "
                "use mode='score'."
            )
        scores, items = self.kneighbors(queries, n_neighbors)
        ceiling = None
        if mode == "distance":
            checked = self._check_queries(queries, "queries", reset=False)
            peak = np.ones((1, 1))
            if self.metric != "cosine":
                peak = self._gallery.longest() * row_lengths(checked)
            ceiling = correction_of(self.normalizer_).ceiling(peak)
        given = None if mode == "connectivity" else scores
        return neighbors_graph(given, items, self.n_gallery_, ceiling)

    def predict(self, queries: ArrayLike) -> NDArray:
        """Return the best gallery item of each query.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, as in `kneighbors`.

        Returns
        -------
        best : ndarray of shape (n_queries,), dtype int64
            Its place in the gallery.
        """
        _, best = self.kneighbors(queries, 1)
        return best[:, 0]

    def decision_function(self, queries: ArrayLike) -> NDArray:
        """Return the corrected scores of all gallery items, all of them held.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, dense or sparse.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_gallery)
            What ``normalizer_.transform`` makes of the similarities.
        """
        check_is_fitted(self)
        checked = self._check_queries(queries, "queries", reset=False)
        if self._is_dask(checked):
            raise ValueError(
                "All scores of Dask arrays are not gathered; call kneighbors for the "
                "best of each query, or fit and ask with arrays in memory."
            )
        correction = correction_of(self.normalizer_)
        return whole_rows(self._gallery, checked, correction, n_jobs=self.n_jobs)

    def score(self, queries: ArrayLike, y: Relevance) -> float:
        """Return the recall at `n_neighbors`.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings, dense or sparse.
        y : array-like, list of array-like or sparse matrix
            The relevant items, in any form that `recall_at_k` takes.

        Returns
        -------
        recall : float
            In [0, 1]; ties are judged as in `recall_at_k`. Scores are held for some
            queries at a time.
        """
        check_is_fitted(self)
        k = self._count(None)
        checked = self._check_queries(queries, "queries", reset=False)
        check_unmasked(y, "y")
        _check_length(y, checked.shape[0])
        n_rows = max(1, _BLOCK_ENTRIES // self.n_gallery_)
        ranks = [
            relevant_ranks(_rows_of(y, rows), self.decision_function(checked[rows]))
            for rows in gen_batches(checked.shape[0], n_rows)
        ]
        return float((np.concatenate(ranks) <= k).mean())

    def _is_dask(self, queries):
        gallery = self._gallery.embeddings
        return distributed.is_dask(queries) or distributed.is_dask(gallery)

    def _count(self, n_neighbors):
        if n_neighbors is None:
            k = check_count(self.n_neighbors, "n_neighbors")
            return min(k, self.n_gallery_)
        return check_count(n_neighbors, "n_neighbors", largest=self.n_gallery_)


def _check_length(relevant, n_queries):
    found = relevant.shape[0] if hasattr(relevant, "shape") else len(relevant)
    if found != n_queries:
        raise ValueError(
            f"There must be one entry of y a query, expected {n_queries}, got {found}."
        )


def _rows_of(relevant, rows):
    """Return what is relevant to some of the queries, in the form it came in."""
    if sparse.issparse(relevant):
        return relevant.tocsr()[rows]
    if isinstance(relevant, (list, tuple)):
        return relevant[rows]
    return np.asarray(relevant)[rows]
