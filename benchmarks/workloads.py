"""The workloads, each with a baseline and a limit for the ratio to it."""

from functools import partial

import numpy as np
from joblib import parallel_config
from threadpoolctl import threadpool_limits

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    QuerybankRetriever,
    SinkhornNormalizer,
    _kernels,
)
from sk_qbnorm.metrics import k_occurrence, recall_at_k, relevant_ranks

from . import peers
from .timing import Workload

READ, PRODUCT = "read the matrix (np.max)", "sgemm into a given array"
COPY, FRESH = "np.copyto", "S.copy()"
SHORT = {"metric": "precomputed"}
_TILES = (
    "products by tile, with one thread each, are about 5 % slower than one product "
    "with all threads; scaling rows to unit length, tile by tile, takes another 5 %"
)


class Workloads:
    """Iterate over all workloads on data of one size, created when needed."""

    def __init__(self, size, n_threads):
        self.size = size
        self.n_threads = n_threads
        self.jobs = {"n_jobs": n_threads}
        self.random = np.random.default_rng(0)

    def normal(self, *shape, scale=1.0):
        """Draw float32 numbers from a normal distribution."""
        numbers = self.random.standard_normal(shape, dtype=np.float32)
        return numbers * np.float32(scale)

    def units(self, n_rows, n_features=512):
        """Draw random unit vectors."""
        vectors = self.normal(n_rows, n_features)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def __iter__(self):
        yield self.fit_matrix()
        yield from self.fit_embeddings()
        yield self.fit_with_scale()
        yield from self.transform_in_place()
        yield self.transform_to_new_array()
        yield self.sinkhorn()
        yield self.globally_corrected()
        yield from self.search()
        yield self.measures()
        yield self.authors()

    def fit_matrix(self):
        """Fit to a matrix of similarities."""
        bank = self.normal(self.size, self.size, scale=0.12)
        normalizer = InvertedSoftmax(**SHORT, **self.jobs)
        others = peers.log_sum_exp(bank, 20.0, self.n_threads)
        dynamic = DynamicInvertedSoftmax(**SHORT, **self.jobs)
        nearest = NearestNeighborNormalizer(n_neighbors=10, **SHORT, **self.jobs)
        others |= {
            "our DynamicInvertedSoftmax": lambda: dynamic.fit(bank),
            "our NearestNeighborNormalizer": lambda: nearest.fit(bank),
        }
        return Workload(
            f"fit IS, {self.size} x {self.size} similarities",
            READ,
            2.5,
            {READ: bank.max, "InvertedSoftmax": lambda: normalizer.fit(bank)},
            others,
        )

    def fit_embeddings(self):
        """Fit to embeddings, without storing the bank x gallery matrix."""
        bank, gallery = self.units(self.size), self.units(self.size)
        product = np.zeros((self.size, self.size), dtype=np.float32)

        def sgemm():
            with threadpool_limits(self.n_threads, user_api="blas"):
                np.matmul(bank, gallery.T, out=product)

        softmax = InvertedSoftmax(**self.jobs)
        dynamic = DynamicInvertedSoftmax(**self.jobs)
        name = f"{self.size} x {self.size} embeddings, d=512"
        yield Workload(
            f"fit IS and DIS, {name}",
            PRODUCT,
            1.2,
            {
                PRODUCT: sgemm,
                "InvertedSoftmax": lambda: softmax.fit(bank, gallery),
                "DynamicInvertedSoftmax": lambda: dynamic.fit(bank, gallery),
            },
            peers.embeddings_log_sum_exp(bank, gallery, 20.0, self.n_threads),
            dict.fromkeys(["InvertedSoftmax", "DynamicInvertedSoftmax"], _TILES),
        )
        local = CSLS(**self.jobs)
        nearest = NearestNeighborNormalizer(n_neighbors=10, **self.jobs)
        yield Workload(
            f"fit CSLS and NNN, k=10, {name}",
            PRODUCT,
            1.3,
            {
                PRODUCT: sgemm,
                "CSLS": lambda: local.fit(bank, gallery),
                "NearestNeighborNormalizer": lambda: nearest.fit(bank, gallery),
            },
            peers.embeddings_top_mean(bank, gallery, 10, self.n_threads),
            dict.fromkeys(["CSLS", "NearestNeighborNormalizer"], _TILES),
        )

    def transform_in_place(self):
        """Correct similarities in place."""
        bank = self.normal(self.size, self.size, scale=0.12)
        sims, copy = self.normal(self.size, self.size, scale=0.12), bank.copy()
        settings = {"copy": False, **SHORT, **self.jobs}

        def in_place(normalizer):
            fitted = normalizer.set_params(**settings).fit(bank)
            return lambda: fitted.transform(sims)

        name = f"transform, copy=False, {self.size} x {self.size}"
        yield Workload(
            f"{name}: IS, NNN, CSLS",
            COPY,
            2.0,
            {
                COPY: lambda: np.copyto(copy, bank),
                "InvertedSoftmax": in_place(InvertedSoftmax()),
                "NearestNeighborNormalizer": in_place(NearestNeighborNormalizer()),
                "CSLS": in_place(CSLS()),
            },
            reasons={"CSLS": "it needs the top 10 of a row before it can subtract"},
        )
        yield Workload(
            f"{name}: DIS",
            COPY,
            2.5,
            {
                COPY: lambda: np.copyto(copy, bank),
                "DynamicInvertedSoftmax": in_place(DynamicInvertedSoftmax()),
            },
        )

    def transform_to_new_array(self):
        """Correct similarities into a new array."""
        bank = self.normal(self.size, self.size, scale=0.12)
        fitted = InvertedSoftmax(**SHORT, **self.jobs).fit(bank)
        dynamic = DynamicInvertedSoftmax(**SHORT, **self.jobs).fit(bank)
        return Workload(
            f"transform into a new array, {self.size} x {self.size}",
            FRESH,
            1.3,
            {
                FRESH: bank.copy,
                "InvertedSoftmax": lambda: fitted.transform(bank),
                "DynamicInvertedSoftmax": lambda: dynamic.transform(bank),
            },
        )

    def fit_with_scale(self):
        """Fit embeddings with ``beta="scale"``; the baseline is a number for beta."""
        bank, gallery = self.units(self.size), self.units(self.size)
        settings = {"metric": "dot", **self.jobs}
        number = InvertedSoftmax(beta=20.0, **settings)
        scale = InvertedSoftmax(beta="scale", **settings)
        baseline = "beta=20.0"
        return Workload(
            f"fit IS with beta='scale', {self.size} x {self.size}, d=512",
            baseline,
            1.05,
            {
                baseline: lambda: number.fit(bank, gallery),
                "InvertedSoftmax": lambda: scale.fit(bank, gallery),
            },
        )

    def sinkhorn(self):
        """Fit 5 Sinkhorn steps; the baseline is their log-sum-exps."""
        bank = self.normal(self.size, self.size, scale=0.12)
        normalizer = SinkhornNormalizer(
            beta=20.0, max_iter=5, tol=0.0, **SHORT, **self.jobs
        )
        softmax = InvertedSoftmax(**SHORT, **self.jobs)
        bias = np.zeros(self.size, dtype=np.float32)

        def of_rows(start, stop):
            tile = bank, start, stop, 0, self.size
            _kernels.row_log_sum_exp(tile, 20.0, bias)

        def log_sum_exps():
            for _ in range(5):
                softmax.fit(bank)
            for _ in range(4):
                _kernels.share(of_rows, self.size, self.n_threads)

        baseline = "5 column, 4 row log-sum-exps"
        return Workload(
            f"fit Sinkhorn, 5 steps, {self.size} x {self.size} similarities",
            baseline,
            1.5,
            {
                baseline: log_sum_exps,
                "SinkhornNormalizer": lambda: normalizer.fit(bank),
            },
            peers.sinkhorn(bank, 20.0, 5),
        )

    def globally_corrected(self):
        """Fit and transform with GC; the baseline is NumPy, column by column."""
        n_items = self.size // 10
        bank, sims = (
            self.normal(self.size, n_items),
            self.normal(self.size // 5, n_items),
        )
        normalizer = GloballyCorrected(**SHORT, **self.jobs)

        def by_numpy():
            columns, ranks = np.sort(bank, axis=0), np.empty(sims.shape, dtype=np.int64)
            for j in range(n_items):
                up_to = np.searchsorted(columns[:, j], sims[:, j], side="right")
                ranks[:, j] = len(bank) - up_to
            return ranks

        baseline = "np.sort, np.searchsorted by column"
        return Workload(
            f"GC fit and transform, bank {self.size} x {n_items}, "
            f"{self.size // 5} queries",
            baseline,
            1 / 1.8,
            {
                baseline: by_numpy,
                "GloballyCorrected": lambda: normalizer.fit(bank).transform(sims),
            },
        )

    def search(self):
        """Search embeddings for the top 10 by corrected score."""
        gallery = self.units(10 * self.size)
        bank = self.units(self.size // 10)
        retrievers = {
            type(normalizer).__name__: QuerybankRetriever(
                normalizer, n_neighbors=10, metric="dot", **self.jobs
            ).fit(bank, gallery)
            for normalizer in (
                InvertedSoftmax(),
                NearestNeighborNormalizer(),
                CSLS(),
                DynamicInvertedSoftmax(),
            )
        }
        for n_queries, limit in ((self.size // 10, 1.0), (32, 0.7)):
            queries = self.units(n_queries)
            raw = peers.raw_search(queries, gallery, 10, self.n_threads)
            if not raw:
                return
            yield Workload(
                f"top-10 search, {n_queries} queries x {len(gallery)}, d=512",
                next(iter(raw)),
                limit,
                raw
                | {
                    name: partial(retriever.kneighbors, queries)
                    for name, retriever in retrievers.items()
                },
                peers.scored_search(queries, gallery, 10, self.n_threads),
                dict.fromkeys(
                    ["CSLS", "DynamicInvertedSoftmax"],
                    "it keeps two lists, one by raw and one by corrected score",
                ),
            )

    def measures(self):
        """Compute measures of a matrix of scores."""
        scores, relevant = self.normal(self.size, self.size), np.arange(self.size)

        def threaded(measure, *arguments):
            def run():
                with parallel_config(n_jobs=self.n_threads):
                    measure(*arguments)

            return run

        return Workload(
            f"measures, {self.size} x {self.size} scores",
            READ,
            3.0,
            {
                READ: scores.max,
                "k_occurrence, k=10": threaded(k_occurrence, scores),
                "recall_at_k": threaded(recall_at_k, relevant, scores),
                "relevant_ranks": threaded(relevant_ranks, relevant, scores),
            },
            peers.k_occurrence(scores, 10, self.n_threads),
        )

    def authors(self):
        """Fit and transform with DIS; the baseline is the authors' algorithm."""
        size = self.size // 2
        bank, sims = (self.normal(size, size, scale=0.12) for _ in range(2))
        normalizer = DynamicInvertedSoftmax(**SHORT, **self.jobs)
        baseline = "the authors' algorithm"
        return Workload(
            f"DIS fit and transform, two {size} x {size} matrices",
            baseline,
            1 / 50,
            {
                baseline: lambda: peers.authors(bank, sims),
                "DynamicInvertedSoftmax": lambda: normalizer.fit(bank).transform(sims),
            },
            reasons={
                "DynamicInvertedSoftmax": "NumPy sorts faster than the limit assumes; "
                "a fifth of our time is the allocation of the new array"
            },
        )
