"""The same workloads in other libraries, if they are installed."""

import contextlib
import importlib.util
import io
import os

import numpy as np
from scipy.special import logsumexp
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_info, threadpool_limits

NAMES = ("torch", "faiss", "nnn")  # import names; install faiss-cpu and nnn-retrieval


def absent():
    """Return the names of the libraries that are not installed."""
    return [name for name in NAMES if importlib.util.find_spec(name) is None]


def _torch(n_threads):
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(n_threads)
    return torch


def log_sum_exp(sims, beta, n_threads):
    """Column log-sum-exp of a matrix."""
    found = {
        "NumPy exp(beta * P).sum(0)": lambda: np.exp(sims * np.float32(beta)).sum(0),
        "scipy logsumexp": lambda: logsumexp(sims * np.float32(beta), axis=0),
    }
    if torch := _torch(n_threads):
        tensor = torch.from_numpy(sims)
        found["torch logsumexp"] = lambda: torch.logsumexp(tensor * beta, dim=0)
    return found


def sinkhorn(sims, beta, n_steps):
    """Sinkhorn steps in logarithms, with NumPy and scipy."""

    def by_scipy():
        scaled, of_rows = sims * np.float32(beta), np.zeros(len(sims), np.float32)
        for _ in range(n_steps):
            of_columns = logsumexp(scaled - of_rows[:, None], axis=0)
            of_rows = logsumexp(scaled - of_columns, axis=1)

    return {"NumPy, scipy logsumexp": by_scipy}


def embeddings_log_sum_exp(queries, gallery, beta, n_threads):
    """Column log-sum-exp of similarities from embeddings."""
    found = {
        "NumPy product, exp, sum": lambda: np.exp(
            queries @ gallery.T * np.float32(beta)
        ).sum(0)
    }
    if torch := _torch(n_threads):
        q, g = torch.from_numpy(queries), torch.from_numpy(gallery)
        found["torch product, logsumexp"] = lambda: torch.logsumexp(
            q @ g.T * beta, dim=0
        )
    return found


def embeddings_top_mean(queries, gallery, k, n_threads):
    """Mean similarity of each item to its k nearest bank queries."""
    found = {}
    if torch := _torch(n_threads):
        q, g = torch.from_numpy(queries), torch.from_numpy(gallery)
        found["torch product, topk, mean"] = lambda: torch.topk(
            g @ q.T, k, dim=1
        ).values.mean(dim=1)
        if importlib.util.find_spec("nnn") is not None:
            from nnn import NNNRanker, NNNRetriever

            def ranker():
                with contextlib.redirect_stderr(io.StringIO()):  # a progress bar
                    retriever = NNNRetriever(gallery.shape[1])
                    NNNRanker(retriever, gallery, queries, alternate_ks=k)

            found["nnn-retrieval"] = ranker
    return found


def k_occurrence(scores, k, n_threads):
    """How often each item is in the top k of a query."""
    n_gallery = scores.shape[1]

    def by_partition():
        best = np.argpartition(scores, n_gallery - k, axis=1)[:, n_gallery - k :]
        return np.bincount(best.ravel(), minlength=n_gallery)

    found = {"NumPy argpartition, bincount": by_partition}
    if torch := _torch(n_threads):
        tensor = torch.from_numpy(scores)
        found["torch topk, bincount"] = lambda: torch.bincount(
            torch.topk(tensor, k, dim=1).indices.ravel(), minlength=n_gallery
        )
    return found


def load_faiss(n_threads):
    """Import FAISS, if it is installed, before any library that imports it.

    Its OpenBLAS is told the processor that the one of NumPy found. Alone, it may take
    a new processor for a very old one and be several times slower.
    """
    if importlib.util.find_spec("faiss") is None:
        return
    for library in threadpool_info():
        if processor := library.get("architecture"):  # NumPy's comes first
            os.environ.setdefault("OPENBLAS_CORETYPE", processor)
    import faiss

    faiss.omp_set_num_threads(n_threads)


def raw_search(queries, gallery, k, n_threads):
    """Search a flat index, without correction."""
    if importlib.util.find_spec("faiss") is None:
        return {}
    import faiss

    index = faiss.IndexFlatIP(gallery.shape[1])
    index.add(gallery)
    return {"faiss IndexFlatIP, raw": lambda: index.search(queries, k)}


def scored_search(queries, gallery, k, n_threads):
    """Search with one product of the whole matrices, without correction."""

    def by_partition():
        scores = queries @ gallery.T
        best = np.argpartition(scores, len(gallery) - k, axis=1)[:, len(gallery) - k :]
        found = np.take_along_axis(scores, best, axis=1)
        return np.take_along_axis(best, np.argsort(-found, axis=1), axis=1)

    def by_scikit_learn():
        with threadpool_limits(n_threads):
            return neighbors.kneighbors(queries)

    neighbors = NearestNeighbors(n_neighbors=k, algorithm="brute", metric="cosine")
    neighbors.fit(gallery)
    found = {
        "NumPy product, argpartition": by_partition,
        "scikit-learn NearestNeighbors": by_scikit_learn,
    }
    if torch := _torch(n_threads):
        q, g = torch.from_numpy(queries), torch.from_numpy(gallery)
        found["torch product, topk"] = lambda: torch.topk(q @ g.T, k, dim=1)
    return found


def authors(bank, sims, beta=20.0):
    """The authors' algorithm: exponentials, full sorts and a linear search."""
    retrieved = np.unique(np.argsort(-bank, axis=1)[:, :1])
    sums = np.exp(bank * beta).sum(axis=0)
    exponentials = np.exp(sims * beta)
    first = np.argsort(-exponentials, axis=1)[:, 0]
    result = sims.copy()
    rows = np.nonzero(np.array([item in retrieved for item in first]))
    result[rows] = exponentials[rows] / sums
    return result
