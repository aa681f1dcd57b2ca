"""Corrected search in real indexes is `transform`."""

import logging
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from sk_qbnorm import CSLS, DynamicInvertedSoftmax, pairwise_similarity
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.indexes import AugmentedVectors, QueryShift, engine_similarities

from .cases import NORMALIZERS

pytestmark = pytest.mark.compiled
K = 10
ADDITIVE = {name: NORMALIZERS[name] for name in ("IS", "DIS", "CSLS k=3", "NNN k=3")}
each_normalizer = pytest.mark.parametrize("name", ADDITIVE)
each_metric = pytest.mark.parametrize("metric", ["cosine", "dot"])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@cache
def case(name, metric="cosine", dtype=np.float32):
    """Return a fitted normalizer, and the expected result of an index."""
    data = make_hub_retrieval(200, 120, 1000, n_features=32, random_state=0)
    parts = data.bank_queries, data.queries, data.gallery
    bank, queries, gallery = (part.astype(dtype) for part in parts)
    normalizer = clone(ADDITIVE[name]).set_params(metric=metric).fit(bank, gallery)
    known = SimpleNamespace(normalizer=normalizer, queries=queries, gallery=gallery)
    known.sims = pairwise_similarity(queries, gallery, metric)
    known.metric, known.bias = metric, normalizer.index_bias()
    known.scores = normalizer.transform(known.sims)
    if isinstance(normalizer, CSLS):  # an index does not know r_q
        known.scores += best(known.sims, 3)[0].mean(axis=1, keepdims=True)
        known.scores /= 2
    leading, items = best(known.scores, K + 1)
    known.items = items[:, :K]
    known.clear = np.diff(leading).max(axis=1) < -1e-5  # no two are nearly equal
    known.atol = 1e-5 if dtype == np.float32 else 1e-12
    return known


def best(scores, k):
    items = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, items, axis=1), items


def augmented_items(known, **settings):
    """Return the vectors for an index."""
    known.augmented = AugmentedVectors(metric=known.metric, **settings)
    return known.augmented.fit(known.gallery, known.bias).gallery(
        known.gallery, known.bias
    )


def answer(known, search, k=K):
    """Ask an index; twice for `DynamicInvertedSoftmax`."""
    corrected, augmented = True, known.augmented
    if isinstance(known.normalizer, DynamicInvertedSoftmax):
        raw = augmented.queries(known.queries, False)
        corrected = known.normalizer.activation_mask_[search(raw, 1)[1][:, 0]]
        assert 0 < corrected.mean() < 1
    products, found = search(augmented.queries(known.queries, corrected), k)
    return augmented.scores(products, corrected), found


def by_value(search, kind, item_length=1.0):
    """Make inner products of the values that a search returns."""

    def searched(queries, k):
        values, found = search(queries, k)
        options = {"queries": queries, "item_length": item_length}
        return engine_similarities(values, kind, **options), found

    return searched


def nearest(items, algorithm):
    index = NearestNeighbors(algorithm=algorithm).fit(items)

    def search(queries, k):
        return index.kneighbors(queries, k)

    return by_value(search, "euclidean", np.linalg.norm(items, axis=1).max())


def differences(known, scores, found):
    return np.abs(scores - np.take_along_axis(known.scores, found, axis=1))


def assert_exact(known, scores, found):
    assert differences(known, scores, found).max() < known.atol
    assert known.clear.mean() > 0.9
    np.testing.assert_array_equal(found[known.clear, :K], known.items[known.clear])


def recall(known, found):
    """Return recall@10, and show it with ``pytest --log-cli-level=info``."""
    pairs = zip(known.items, found, strict=True)
    share = np.mean([np.isin(items, row) for items, row in pairs])
    logging.getLogger(__name__).info("recall@10 %.3f", share)
    return share


@each_normalizer
@each_metric
@each_dtype
def test_products_of_augmented_embeddings_are_the_scores(name, metric, dtype):
    known = case(name, metric, dtype)
    items = augmented_items(known)
    found = answer(known, lambda queries, k: best(queries @ items.T, k), len(items))
    assert found[0].dtype == dtype
    assert_exact(known, *found)


@each_normalizer
@each_metric
def test_an_augmented_gallery_still_gives_raw_similarities(name, metric):
    known = case(name, metric)
    items = augmented_items(known, multiple_of=8)
    assert items.shape == (1000, 40)
    raw = known.augmented.queries(known.queries, corrected=False) @ items.T
    np.testing.assert_allclose(raw, known.sims, rtol=0, atol=known.atol)


@each_normalizer
@each_metric
@each_dtype
@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
def test_the_nearest_augmented_items_have_the_largest_scores(
    name, metric, dtype, algorithm
):
    known = case(name, metric, dtype)
    items = augmented_items(known)
    assert_exact(known, *answer(known, nearest(items, algorithm), len(items)))


@each_normalizer
@each_metric
def test_cosines_of_items_of_one_length_rank_by_score(name, metric):
    known = case(name, metric)
    items = augmented_items(known)
    lengths = np.linalg.norm(items, axis=1)
    np.testing.assert_allclose(lengths, known.augmented.radius_, rtol=1e-6)

    def search(queries, k):
        return best(normalize(queries) @ normalize(items).T, k)

    search = by_value(search, "cosine", known.augmented.radius_)
    assert_exact(known, *answer(known, search, len(items)))


def test_a_gallery_is_augmented_in_parts():
    known = case("NNN k=3", "dot", np.float32)
    whole = augmented_items(known)
    parts = np.array_split(np.arange(len(known.gallery)), 3)
    augment = known.augmented.gallery
    items = np.vstack([augment(known.gallery[p], known.bias[p]) for p in parts])
    np.testing.assert_array_equal(items, whole)
    assert_exact(known, *answer(known, nearest(items, "brute"), len(items)))


def faiss_index(items, kind, by_product=True):
    faiss = pytest.importorskip("faiss")
    metric = faiss.METRIC_INNER_PRODUCT if by_product else faiss.METRIC_L2
    index = faiss.index_factory(items.shape[1], kind, metric)
    index.train(items)
    index.add(items)
    return index


@each_normalizer
@each_metric
def test_faiss_finds_the_best_items_of_transform(name, metric):
    known = case(name, metric)
    items = augmented_items(known)
    flat, lists = faiss_index(items, "Flat"), faiss_index(items, "IVF20,Flat")
    assert_exact(known, *answer(known, flat.search))
    lists.nprobe = 20
    assert_exact(known, *answer(known, lists.search))
    lists.nprobe = 10
    _, found = answer(known, lists.search)
    assert 0.8 < recall(known, found) < 1


def faiss_graph(items, by_product):
    index = faiss_index(items, "HNSW32", by_product)
    index.hnsw.efSearch = 100
    return index.search


def hnswlib_graph(items, by_product):
    hnswlib = pytest.importorskip("hnswlib")
    index = hnswlib.Index("ip" if by_product else "l2", items.shape[1])
    index.init_index(len(items), M=16, ef_construction=100)
    index.add_items(items, num_threads=1)  # threads build another graph each time
    index.set_ef(100)

    def search(queries, k):
        found, distances = index.knn_query(queries, k)
        return distances, found

    return by_value(search, "hnswlib ip") if by_product else search


def usearch_graph(items, by_product):
    usearch = pytest.importorskip("usearch.index")
    settings = {"dtype": "f32", "expansion_add": 100, "expansion_search": 100}
    kind = "ip" if by_product else "l2sq"
    index = usearch.Index(ndim=items.shape[1], metric=kind, **settings)
    index.add(np.arange(len(items)), items, threads=1)

    def search(queries, k):
        found = index.search(queries, k)
        return found.distances, found.keys

    return by_value(search, "usearch ip") if by_product else search


@each_normalizer
@each_metric
@pytest.mark.parametrize("graph", [faiss_graph, hnswlib_graph, usearch_graph])
def test_graphs_find_nearly_all(name, metric, graph):
    known = case(name, metric)
    items = augmented_items(known)
    search = graph(items, by_product=metric == "cosine")
    if metric == "dot":
        search = by_value(search, "squared_euclidean", known.augmented.radius_)
    scores, found = answer(known, search)
    assert recall(known, found) >= 0.9
    # If the raw best item is missed, the query may be gated wrongly.
    right = differences(known, scores, found).max(axis=1) < known.atol
    assert right.mean() >= 0.9


@each_normalizer
@each_metric
@each_dtype
def test_a_shifted_query_finds_the_items_of_transform(name, metric, dtype):
    known = case(name, metric, dtype)
    shift = QueryShift(metric=metric).fit(known.gallery, known.bias)
    units = normalize(known.gallery) if metric == "cosine" else known.gallery
    corrected = True
    if isinstance(known.normalizer, DynamicInvertedSoftmax):
        raw = best(shift.queries(known.queries, False) @ units.T, 1)[1]
        corrected = known.normalizer.activation_mask_[raw[:, 0]]
    asked = shift.queries(known.queries, corrected)
    products, candidates = best(asked @ units.T, len(units))
    scores, found = shift.rescore(products, candidates, corrected)
    assert scores.dtype == asked.dtype == dtype
    assert_exact(known, scores, found)
    _, few = shift.rescore(products[:, :50], candidates[:, :50], corrected)
    assert recall(known, few[:, :K]) > 0.95


@each_normalizer
@pytest.mark.parametrize("graph", [faiss_graph, hnswlib_graph, usearch_graph])
def test_a_graph_of_raw_vectors_serves_shifted_queries(name, graph):
    known = case(name)
    shift = QueryShift().fit(known.gallery, known.bias)
    search, corrected = graph(normalize(known.gallery), True), True
    if isinstance(known.normalizer, DynamicInvertedSoftmax):
        raw = search(shift.queries(known.queries, False), 1)[1]
        corrected = known.normalizer.activation_mask_[raw[:, 0].astype(int)]
    products, candidates = search(shift.queries(known.queries, corrected), 50)
    scores, found = shift.rescore(products, candidates.astype(int), corrected)
    assert recall(known, found[:, :K]) >= 0.9
    assert np.mean(differences(known, scores, found) < 1e-5) >= 0.9


@each_normalizer
@each_metric
def test_rescored_candidates_have_the_scores_of_transform(name, metric):
    known = case(name, metric)
    units = normalize if metric == "cosine" else np.asarray
    queries, items = units(known.queries), units(known.gallery)
    lists = faiss_index(items, "IVF20,Flat")
    lists.nprobe = 20
    for index, k in ((faiss_index(items, "Flat"), 50), (lists, 1020)):
        sims, candidates = index.search(queries, k)
        scores, found = known.normalizer.rescore(sims, candidates)
        np.testing.assert_array_equal(np.sort(found), np.sort(candidates))
        missing = found < 0  # inverted lists fill up with -1
        assert (missing.sum(axis=1) == max(0, k - len(items))).all()
        expected = known.normalizer.transform(known.sims)
        expected = np.take_along_axis(expected, found, axis=1)
        expected[missing] = -np.inf
        np.testing.assert_allclose(scores, expected, rtol=0, atol=known.atol)
        assert (scores[:, :-1] >= scores[:, 1:]).all()
