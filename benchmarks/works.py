"""The works that are measured, each with the ratio that it shall not exceed."""

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
from .timing import Work

READ, PRODUCT = "read the matrix (np.max)", "sgemm into a given array"
COPY, FRESH = "np.copyto", "S.copy()"
SHORT = {"metric": "precomputed"}
_TILES = (
    "some 5 % is that products by tile, one thread each, are slower than one by all "
    "threads; another 5 % is bringing rows to unit length, tile after tile"
)


class Works:
    """All works, over data of one size; they are made when they are measured."""

    def __init__(self, size, n_threads):
        self.size = size
        self.n_threads = n_threads
        self.jobs = {"n_jobs": n_threads}
        self.random = np.random.default_rng(0)

    def normal(self, *shape, scale=1.0):
        """Return float32 numbers of a normal distribution."""
        numbers = self.random.standard_normal(shape, dtype=np.float32)
        return numbers * np.float32(scale)

    def units(self, n_rows, n_features=512):
        """Return unit vectors."""
        vectors = self.normal(n_rows, n_features)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def __iter__(self):
        yield self.fit_matrix()
        yield from self.fit_embeddings()
        yield from self.transform_in_place()
        yield self.transform_fresh()
        yield self.sinkhorn()
        yield self.globally_corrected()
        yield from self.search()
        yield self.measures()
        yield self.authors()

    def fit_matrix(self):
        """Fit to similarities that are there."""
        bank = self.normal(self.size, self.size, scale=0.12)
        normalizer = InvertedSoftmax(**SHORT, **self.jobs)
        others = peers.log_sum_exp(bank, 20.0, self.n_threads)
        dynamic = DynamicInvertedSoftmax(**SHORT, **self.jobs)
        nearest = NearestNeighborNormalizer(n_neighbors=10, **SHORT, **self.jobs)
        others |= {
            "our DynamicInvertedSoftmax": lambda: dynamic.fit(bank),
            "our NearestNeighborNormalizer": lambda: nearest.fit(bank),
        }
        return Work(
            f"fit IS, {self.size} x {self.size} similarities",
            READ,
            2.5,
            {READ: bank.max, "InvertedSoftmax": lambda: normalizer.fit(bank)},
            others,
        )

    def fit_embeddings(self):
        """Fit to embeddings, the matrix of bank x gallery never held."""
        bank, gallery = self.units(self.size), self.units(self.size)
        product = np.zeros((self.size, self.size), dtype=np.float32)

        def sgemm():
            with threadpool_limits(self.n_threads, user_api="blas"):
                np.matmul(bank, gallery.T, out=product)

        softmax = InvertedSoftmax(**self.jobs)
        dynamic = DynamicInvertedSoftmax(**self.jobs)
        name = f"{self.size} x {self.size} embeddings, d=512"
        yield Work(
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
        yield Work(
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
        """Correct similarities where they are."""
        bank = self.normal(self.size, self.size, scale=0.12)
        sims, copy = self.normal(self.size, self.size, scale=0.12), bank.copy()
        settings = {"copy": False, **SHORT, **self.jobs}

        def in_place(normalizer):
            fitted = normalizer.set_params(**settings).fit(bank)
            return lambda: fitted.transform(sims)

        name = f"transform, copy=False, {self.size} x {self.size}"
        yield Work(
            f"{name}: IS, NNN, CSLS",
            COPY,
            2.0,
            {
                COPY: lambda: np.copyto(copy, bank),
                "InvertedSoftmax": in_place(InvertedSoftmax()),
                "NearestNeighborNormalizer": in_place(NearestNeighborNormalizer()),
                "CSLS": in_place(CSLS()),
            },
            shortfalls={
                "CSLS": "it needs the ten best of a row before it can subtract"
            },
        )
        yield Work(
            f"{name}: DIS",
            COPY,
            2.5,
            {
                COPY: lambda: np.copyto(copy, bank),
                "DynamicInvertedSoftmax": in_place(DynamicInvertedSoftmax()),
            },
        )

    def transform_fresh(self):
        """Correct similarities into a new array."""
        bank = self.normal(self.size, self.size, scale=0.12)
        fitted = InvertedSoftmax(**SHORT, **self.jobs).fit(bank)
        dynamic = DynamicInvertedSoftmax(**SHORT, **self.jobs).fit(bank)
        return Work(
            f"transform into a new array, {self.size} x {self.size}",
            FRESH,
            1.3,
            {
                FRESH: bank.copy,
                "InvertedSoftmax": lambda: fitted.transform(bank),
                "DynamicInvertedSoftmax": lambda: dynamic.transform(bank),
            },
        )

    def sinkhorn(self):
        """Five steps of Sinkhorn against the log-sum-exps that they consist of."""
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

        yardstick = "5 column, 4 row log-sum-exps"
        return Work(
            f"fit Sinkhorn, 5 steps, {self.size} x {self.size} similarities",
            yardstick,
            1.5,
            {
                yardstick: log_sum_exps,
                "SinkhornNormalizer": lambda: normalizer.fit(bank),
            },
            peers.sinkhorn(bank, 20.0, 5),
        )

    def globally_corrected(self):
        """Fit and transform of GC against NumPy, one column at a time."""
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

        yardstick = "np.sort, np.searchsorted by column"
        return Work(
            f"GC fit and transform, bank {self.size} x {n_items}, "
            f"{self.size // 5} queries",
            yardstick,
            1 / 1.8,
            {
                yardstick: by_numpy,
                "GloballyCorrected": lambda: normalizer.fit(bank).transform(sims),
            },
        )

    def search(self):
        """The ten best by corrected score, from embeddings."""
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
            yield Work(
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
                    "it keeps two lists, by raw and by corrected score",
                ),
            )

    def measures(self):
        """Measures of a matrix of scores."""
        scores, relevant = self.normal(self.size, self.size), np.arange(self.size)

        def threaded(measure, *arguments):
            def run():
                with parallel_config(n_jobs=self.n_threads):
                    measure(*arguments)

            return run

        return Work(
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
        """DIS end to end against the authors' algorithm in NumPy."""
        size = self.size // 2
        bank, sims = (self.normal(size, size, scale=0.12) for _ in range(2))
        normalizer = DynamicInvertedSoftmax(**SHORT, **self.jobs)
        yardstick = "the authors' algorithm"
        return Work(
            f"DIS fit and transform, two {size} x {size} matrices",
            yardstick,
            1 / 50,
            {
                yardstick: lambda: peers.authors(bank, sims),
                "DynamicInvertedSoftmax": lambda: normalizer.fit(bank).transform(sims),
            },
            shortfalls={
                "DynamicInvertedSoftmax": "its whole sorts take NumPy less time than "
                "the bound supposes; a fifth of ours goes into pages of the new array"
            },
        )
