"""What engines return becomes arrays of inner products."""

import numpy as np
import pytest

from sk_qbnorm.indexes import candidate_arrays, engine_similarities

RANDOM = np.random.default_rng(0)
QUERIES = RANDOM.normal(size=(4, 3))
ITEMS = RANDOM.normal(size=(5, 3))
ITEMS *= 1.7 / np.linalg.norm(ITEMS, axis=1, keepdims=True)
PRODUCTS = QUERIES @ ITEMS.T
COSINES = PRODUCTS / np.linalg.norm(QUERIES, axis=1)[:, None] / 1.7
DISTANCES = np.linalg.norm(QUERIES[:, None] - ITEMS, axis=2)
VALUES = {
    "inner_product": PRODUCTS,
    "negative_inner_product": -PRODUCTS,
    "inner_product_distance": 1 - PRODUCTS,
    "cosine": COSINES,
    "cosine_distance": 1 - COSINES,
    "squared_euclidean": DISTANCES**2,
    "euclidean": DISTANCES,
    "faiss IP": PRODUCTS,
    "faiss L2": DISTANCES**2,
    "pgvector <#>": -PRODUCTS,
    "pgvector <->": DISTANCES,
    "pgvector <=>": 1 - COSINES,
    "qdrant Cosine": COSINES,
    "lancedb dot": 1 - PRODUCTS,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", VALUES)
def test_values_become_inner_products(kind, dtype):
    values = VALUES[kind].astype(dtype)
    values[1, 2] = np.nan  # no candidate
    found = engine_similarities(values, kind, queries=QUERIES, item_length=1.7)
    assert found.dtype == dtype
    assert np.isnan(found[1, 2])
    there = ~np.isnan(found)
    atol = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(found[there], PRODUCTS[there], atol=atol)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "hamming"}, "kind must be one of 'inner_product'"),
        ({"kind": ["cosine"]}, "kind must be one of 'inner_product'"),
        ({"kind": "cosine"}, "queries must be the vectors that the engine was asked"),
        ({"kind": "cosine", "queries": QUERIES}, "values must have one row per query"),
        (
            {"kind": "euclidean", "queries": QUERIES, "item_length": 0},
            "item_length must be a finite number > 0",
        ),
    ],
)
def test_values_that_cannot_be_converted_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        engine_similarities([[0.5]], **options)


def test_rows_of_pairs_become_arrays():
    rows = [[("a", 0.9), ("b", 0.5)], [], iter([("c", 0.7)])]
    values, ids = candidate_arrays(rows)
    np.testing.assert_array_equal(values, [[0.9, 0.5], [np.nan] * 2, [0.7, np.nan]])
    assert ids.tolist() == [["a", "b"], [None, None], ["c", None]]


def test_integer_ids_stay_integers():
    values, ids = candidate_arrays([{7: 0.9, 3: 0.5}, {3: 0.7}])
    np.testing.assert_array_equal(ids, [[7, 3], [3, -1]])
    assert ids.dtype == np.int64
    np.testing.assert_array_equal(values, [[0.9, 0.5], [0.7, np.nan]])


@pytest.mark.parametrize("rows", [[], [[], []]])
def test_rows_without_candidates_are_refused(rows):
    with pytest.raises(ValueError, match="rows must have at least one candidate"):
        candidate_arrays(rows)
