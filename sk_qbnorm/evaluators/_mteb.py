"""A search backend for MTEB."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from sk_qbnorm._validation import check_matrix
from sk_qbnorm.neighbors import QuerybankRetriever
from sk_qbnorm.normalizers import BaseNormalizer, MixNormalizer, SinkhornNormalizer
from sk_qbnorm.similarity import Metric

_BLOCK_ENTRIES = 2**24  # of scores that reranking stores at once


class QuerybankIndex:
    """Search documents by corrected score, as a backend for MTEB.

    Pass it as ``SearchEncoderWrapper(model, index_backend=...)`` to evaluate an
    embedding model with a correction on any retrieval task of MTEB.

    Parameters
    ----------
    querybank : array-like of shape (n_bank, n_features), default=None
        Embeddings of bank queries by the same model, such as the training queries of
        the task.
    normalizer : normalizer, default=None
        The correction. None means ``SinkhornNormalizer(alpha=0.5)``, or with
        `use_queries` a `MixNormalizer`.
    use_queries : bool, default=False
        Whether the queries of each search serve as a sample for a `MixNormalizer`. The
        results are then *transductive*: say so when you report them.
    metric : {"cosine", "dot"} or callable, default="cosine"
        How to compare embeddings; use the similarity of the model.

    See Also
    --------
    sk_qbnorm.QuerybankRetriever : The search.
    to_run : For other evaluation tools.

    Notes
    -----
    The class has the three methods of MTEB's ``IndexEncoderSearchProtocol`` and does
    not import MTEB. The scores that it returns are corrected similarities.

    Examples
    --------
    >>> from sk_qbnorm.datasets import make_hub_retrieval
    >>> from sk_qbnorm.evaluators import QuerybankIndex
    >>> data = make_hub_retrieval(random_state=0)
    >>> index = QuerybankIndex(data.bank_queries)
    >>> index.add_documents(data.gallery, [f"d{i}" for i in range(len(data.gallery))])
    >>> scores, places = index.search(data.queries, top_k=3)
    >>> len(places), len(places[0])
    (500, 3)
    """

    def __init__(
        self,
        querybank: ArrayLike | None = None,
        normalizer: BaseNormalizer | None = None,
        *,
        use_queries: bool = False,
        metric: Metric = "cosine",
    ) -> None:
        self.querybank = querybank
        self.normalizer = normalizer
        self.use_queries = use_queries
        self.metric = metric
        self.clear()

    def add_documents(self, embeddings: ArrayLike, idxs: Sequence[str]) -> None:
        """Add documents.

        Parameters
        ----------
        embeddings : array-like of shape (n_documents, n_features)
            Their embeddings, also as a tensor of PyTorch.
        idxs : sequence of str
            Their names.
        """
        self._parts.append(_as_array(embeddings, "embeddings"))
        self._names.extend(idxs)

    def search(
        self,
        embeddings: ArrayLike,
        top_k: int,
        similarity_fn: Callable | None = None,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        query_idx_to_id: Mapping[int, str] | None = None,
    ) -> tuple[list[list[float]], list[list[int]]]:
        """Return the best documents of each query by corrected score.

        Parameters
        ----------
        embeddings : array-like of shape (n_queries, n_features)
            Embeddings of the queries.
        top_k : int
            Number of documents per query; all if there are fewer.
        similarity_fn : callable, default=None
            Ignored; set `metric`.
        top_ranked : mapping of str to sequence of str, default=None
            Documents to rank, by query, for reranking tasks.
        query_idx_to_id : mapping of int to str, default=None
            Name of each query; required with `top_ranked`.

        Returns
        -------
        scores : list of list of float
            Corrected scores, best first.
        places : list of list of int
            Index of each document among the added ones; with `top_ranked`, among the
            documents to rank.

        Raises
        ------
        ValueError
            If there are no documents, or neither a bank nor `use_queries`.
        """
        queries = _as_array(embeddings, "embeddings")
        if not self._parts:
            raise ValueError("There are no documents to search; call add_documents.")
        retriever = self._fitted(queries)
        if top_ranked is not None and query_idx_to_id is not None:
            return self._rerank(retriever, queries, top_k, top_ranked, query_idx_to_id)
        n_neighbors = min(top_k, len(self._names))
        scores, places = retriever.kneighbors(queries, n_neighbors=n_neighbors)
        return scores.tolist(), places.tolist()

    def clear(self) -> None:
        """Remove all documents; the querybank stays."""
        self._parts: list[Any] = []
        self._names: list[str] = []

    def _fitted(self, queries):
        normalizer = self.normalizer
        if self.use_queries:
            normalizer = MixNormalizer(queries)
            if self.normalizer is not None:
                normalizer.set_params(normalizer=clone(self.normalizer))
        elif self.querybank is None:
            raise ValueError(
                "querybank must hold embeddings of bank queries, got None; pass some, "
                "or set use_queries=True, which is transductive."
            )
        elif normalizer is None:
            normalizer = SinkhornNormalizer(alpha=0.5)
        bank = self.querybank
        bank = None if bank is None else _as_array(bank, "querybank")
        retriever = QuerybankRetriever(normalizer, metric=self.metric)
        return retriever.fit(bank, np.concatenate(self._parts))

    def _rerank(self, retriever, queries, top_k, top_ranked, query_idx_to_id):
        places = {name: place for place, name in enumerate(self._names)}
        n_rows = max(1, _BLOCK_ENTRIES // len(places))
        all_scores, all_places = [], []
        for row in range(len(queries)):
            if row % n_rows == 0:
                scores = retriever.decision_function(queries[row : row + n_rows])
            names = top_ranked.get(query_idx_to_id[row], ())
            found = scores[row % n_rows][[places[name] for name in names]]
            best = np.argsort(-found, kind="stable")[:top_k]
            all_scores.append(found[best].tolist())
            all_places.append(best.tolist())
        return all_scores, all_places


def _as_array(embeddings, name):
    """Return embeddings as float32 or float64, from numpy or PyTorch."""
    if hasattr(embeddings, "detach"):
        embeddings = embeddings.detach().cpu().float().numpy()
    return check_matrix(embeddings, name)
