"""The block-wise search equals correcting and sorting whole rows."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    GallerySimilarity,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.datasets import load_emoji_names_hi_en
from sk_qbnorm.metrics import recall_scorer

from .cases import ALL

pytestmark = pytest.mark.small_blocks
VARIANTS = {
    **ALL,
    "IS probability": InvertedSoftmax(output="probability"),
    "DIS probability": DynamicInvertedSoftmax(beta=3, output="probability"),
    "DIS of two": DynamicInvertedSoftmax(n_activation=2, min_count=2),
}
each_variant = pytest.mark.parametrize("normalizer", VARIANTS.values(), ids=VARIANTS)
may_clip = pytest.mark.filterwarnings("ignore:n_neighbors=", "ignore:n_activation=")


def best(scores, k):
    """The k best of each row by a stable sort."""
    indices = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, indices, axis=1), indices


def assert_is_search(retriever, queries, sims, k):
    """Check that the search agrees with `transform`, including ties."""
    expected_scores, expected = best(retriever.normalizer_.transform(sims), k)
    scores, indices = retriever.kneighbors(queries, k)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(scores, expected_scores)
    assert scores.dtype == sims.dtype


@st.composite
def embeddings(draw):
    """Draw small integers, so that products and ties are exact."""
    n_features = draw(st.integers(1, 3))

    def rows(most):
        n_rows = draw(st.integers(1, most))
        flat = draw(
            st.lists(
                st.integers(-2, 2),
                min_size=n_rows * n_features,
                max_size=n_rows * n_features,
            )
        )
        return np.array(flat, dtype=np.float64).reshape(n_rows, n_features)

    return rows(6), rows(9), rows(5)


@may_clip
@each_variant
@given(drawn=embeddings(), k=st.integers(1, 9), single=st.booleans())
def test_the_search_equals_transform_and_a_stable_sort(normalizer, drawn, k, single):
    bank, gallery, queries = drawn
    if single:
        bank, gallery, queries = (each.astype(np.float32) for each in drawn)
    retriever = QuerybankRetriever(normalizer, n_neighbors=1, metric="dot").fit(
        bank, gallery
    )
    sims = pairwise_similarity(queries, gallery, "dot")
    assert_is_search(retriever, queries, sims, min(k, len(gallery)))


@pytest.mark.compiled
@each_variant
@pytest.mark.parametrize(
    "metric", ["cosine", "dot", lambda q, g: q[:, :2] @ g[:, :2].T]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tiles_and_threads_do_not_change_the_result(
    normalizer, metric, dtype, monkeypatch
):
    random = np.random.default_rng(0)
    bank, gallery, queries = (
        random.normal(size=(n, 4)).astype(dtype) for n in (30, 300, 25)
    )
    gallery[200:] = gallery[:100]
    for name, size in {"_TILE_ROWS": 8, "_TILE_COLUMNS": 37, "_NARROWEST": 20}.items():
        monkeypatch.setattr(f"sk_qbnorm.tiles._tile.{name}", size)
    found = []
    for n_jobs in (1, 3):
        retriever = QuerybankRetriever(
            normalizer, n_neighbors=40, metric=metric, n_jobs=n_jobs
        )
        retriever.fit(bank, gallery)
        scores, indices = retriever.kneighbors(queries)
        whole, expected = best(retriever.decision_function(queries), 40)
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_array_equal(scores, whole)
        found.append((scores, indices))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.compiled
@pytest.mark.parametrize("k", [1, 10, 200])
def test_the_retriever_agrees_with_the_pipeline_on_real_data(k):
    data = load_emoji_names_hi_en()
    for normalizer in (
        DynamicInvertedSoftmax(),
        CSLS(),
        GloballyCorrected(),
        NearestNeighborNormalizer(),
    ):
        retriever = QuerybankRetriever(normalizer, n_neighbors=k).fit(
            data.bank_queries, data.gallery
        )
        pipeline = make_pipeline(
            GallerySimilarity(data.gallery),
            clone(normalizer).set_params(metric="precomputed"),
            NearestNeighborScorer(n_neighbors=k),
        ).fit(data.bank_queries)
        _, indices = retriever.kneighbors(data.queries)
        _, expected = pipeline[-1].kneighbors(pipeline[:-1].transform(data.queries))
        assert (indices == expected).mean() > 0.998  # except for rounding of products
        assert retriever.score(data.queries, data.relevant) == pipeline.score(
            data.queries, data.relevant
        )
        assert (retriever.predict(data.queries) == indices[:, 0]).all()


@pytest.mark.compiled
def test_grid_search_reaches_the_normalizer():
    data = load_emoji_names_hi_en()
    queries = np.vstack([data.bank_queries, data.queries[:200]])
    relevant = np.r_[np.full(len(data.bank_queries), -1), data.relevant[:200]]
    fold = np.r_[np.full(len(data.bank_queries), -1), np.zeros(200)]
    retriever = QuerybankRetriever(
        DynamicInvertedSoftmax(), n_neighbors=1, gallery=data.gallery
    )
    grid = {"normalizer__beta": [0.1, 20], "normalizer__alpha": [0.5, 1.0]}
    for scoring in (None, recall_scorer(k=1)):
        search = GridSearchCV(
            retriever,
            grid,
            scoring=scoring,
            cv=PredefinedSplit(fold),
            refit=False,
            n_jobs=2,
        ).fit(queries, relevant)
        assert search.best_params_["normalizer__beta"] == 20
        assert search.best_score_ > 0.5


def test_clones_share_the_gallery_and_not_the_normalizer():
    gallery = np.eye(3)
    normalizer = InvertedSoftmax()
    retriever = QuerybankRetriever(normalizer, n_neighbors=1, gallery=gallery).fit(
        gallery
    )
    twin = clone(retriever)
    assert twin.gallery is gallery
    assert twin.normalizer is not normalizer
    assert not hasattr(twin, "normalizer_")
    assert not hasattr(twin, "_gallery")
    assert not hasattr(normalizer, "n_bank_seen_")
    again = pickle.loads(pickle.dumps(retriever))
    np.testing.assert_array_equal(again.predict(gallery), retriever.predict(gallery))


def test_the_default_is_dynamic_inverted_softmax():
    retriever = QuerybankRetriever(n_neighbors=2).fit(np.eye(3), np.eye(3))
    assert isinstance(retriever.normalizer_, DynamicInvertedSoftmax)
    assert retriever.kneighbors(np.eye(3), return_score=False).shape == (3, 2)


@pytest.mark.parametrize("y", ["indices", "lists", "sparse", "dense"])
def test_the_recall_is_the_same_in_any_form_and_in_parts(y, monkeypatch):
    from scipy import sparse

    random = np.random.default_rng(1)
    bank, gallery, queries = (random.normal(size=(n, 3)) for n in (9, 12, 10))
    relevant = np.arange(10)
    indicator = np.eye(10, 12)
    forms = {
        "indices": relevant,
        "lists": [[item] for item in relevant],
        "sparse": sparse.csc_array(indicator),
        "dense": indicator,
    }
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=3).fit(bank, gallery)
    at_once = retriever.score(queries, relevant)
    monkeypatch.setattr("sk_qbnorm.neighbors._retriever._BLOCK_ENTRIES", 40)
    assert retriever.score(queries, forms[y]) == at_once
    hits = retriever.kneighbors(queries, return_score=False) == relevant[:, None]
    assert at_once == hits.any(axis=1).mean()


@each_variant
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_graphs_are_sorted_and_contain_the_neighbors(normalizer, metric):
    random = np.random.default_rng(2)
    bank, gallery, queries = (random.normal(size=(n, 4)) * 3 for n in (20, 15, 9))
    retriever = QuerybankRetriever(normalizer, n_neighbors=6, metric=metric).fit(
        bank, gallery
    )
    scores, indices = retriever.kneighbors(queries)
    for mode in ("connectivity", "score", "distance"):
        graph = retriever.kneighbors_graph(queries, mode=mode)
        assert graph.shape == (9, 15)
        np.testing.assert_array_equal(graph.indices.reshape(9, 6), indices)
        data = graph.data.reshape(9, 6)
        if mode == "connectivity":
            assert (data == 1).all()
        elif mode == "score":
            np.testing.assert_array_equal(data, scores)
        else:
            assert data.min() >= 0
            assert (np.diff(data, axis=1) >= 0).all()
            if getattr(normalizer, "output", "similarity") == "similarity":
                differences = -np.diff(scores, axis=1)
                np.testing.assert_allclose(np.diff(data), differences, atol=1e-6)


@pytest.mark.compiled
def test_neither_matrix_is_stored():
    import tracemalloc

    random = np.random.default_rng(4)
    bank, queries = random.normal(size=(2, 3000, 8)).astype(np.float32)
    gallery = random.normal(size=(30_000, 8)).astype(np.float32)
    for normalizer in (DynamicInvertedSoftmax(), CSLS(), NearestNeighborNormalizer()):
        retriever = QuerybankRetriever(normalizer, n_jobs=2)
        retriever.fit(bank[:20], gallery).kneighbors(queries[:2])  # compile
        tracemalloc.start()
        retriever.fit(bank, gallery).kneighbors(queries)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3000 * 30_000 * 4 / 4


def test_distances_are_not_negative_if_a_similarity_is_rounded_above_one():
    random = np.random.default_rng(0)
    gallery = random.normal(size=(500, 7)).astype(np.float32)
    gallery[:, 6] = 0
    bank = np.eye(7, dtype=np.float32)[6:]  # orthogonal to all items: no bias
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=1).fit(bank, gallery)
    assert retriever.kneighbors_graph(gallery, mode="score").data.max() > 1
    assert retriever.kneighbors_graph(gallery, mode="distance").data.min() == 0


def test_estimators_of_scikit_learn_accept_the_graph():
    random = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], 20)
    centres = np.array([[8, 0, 0], [0, 8, 0], [0, 0, 8]])
    gallery, queries = (centres[labels] + random.normal(size=(2, 60, 3))).astype(
        np.float32
    )
    retriever = QuerybankRetriever(CSLS(n_neighbors=5), n_neighbors=10).fit(
        queries, gallery
    )
    classifier = KNeighborsClassifier(5, metric="precomputed", weights="distance")
    classifier.fit(retriever.kneighbors_graph(gallery, mode="distance"), labels)
    graph = retriever.kneighbors_graph(queries, mode="distance")
    np.testing.assert_array_equal(classifier.predict(graph), labels)
    square = retriever.kneighbors_graph(gallery, mode="distance")
    clusters = DBSCAN(eps=np.median(square.data), metric="precomputed").fit(square)
    assert len(set(clusters.labels_) - {-1}) >= 2


@may_clip
def test_a_retriever_may_start_with_a_part_of_the_bank():
    random = np.random.default_rng(0)
    bank, gallery = random.normal(size=(10, 3)), random.normal(size=(7, 3))
    in_parts = QuerybankRetriever(CSLS(n_neighbors=4), n_neighbors=2).partial_fit(
        bank[:3], gallery
    )
    in_parts.partial_fit(bank[3:])
    at_once = QuerybankRetriever(CSLS(n_neighbors=4), n_neighbors=2).fit(bank, gallery)
    np.testing.assert_allclose(
        in_parts.kneighbors(bank)[0], at_once.kneighbors(bank)[0], rtol=1e-12
    )
