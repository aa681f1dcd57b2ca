"""Arrays of other libraries go in, stay where they are, and come out."""

import copy
import os
import pickle
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    CSLS,
    CappedNormalizer,
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GallerySimilarity,
    GloballyCorrected,
    InvertedSoftmax,
    ListSinkhornNormalizer,
    MixNormalizer,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
    SinkhornNormalizer,
    move_estimator,
    pairwise_similarity,
)
from sk_qbnorm._arrays import Home, home_of, take_rows, to_numpy
from sk_qbnorm.metrics import (
    average_precision,
    hubness_skewness,
    k_occurrence,
    mean_rank,
    median_rank,
    recall_at_k,
    relevant_ranks,
)
from sk_qbnorm.model_selection import NormalizerSearch
from sk_qbnorm.neighbors import margin_scores

from .other_arrays import LIBRARIES, device_of, namespace

pytest.importorskip("array_api_compat")
pytestmark = [
    pytest.mark.small_blocks,
    pytest.mark.skipif(
        os.environ.get("SCIPY_ARRAY_API") != "1",
        reason="scikit-learn needs SCIPY_ARRAY_API=1 to dispatch",
    ),
]


def make(shape, seed):
    return np.random.default_rng(seed).normal(size=shape)


BANK, GALLERY, QUERIES = make((60, 8), 0), make((40, 8), 1), make((30, 8), 2)
SAMPLE = make((20, 8), 3)
NORMALIZERS = {
    "IS": InvertedSoftmax(),
    "IS as probabilities": InvertedSoftmax(output="probability"),
    "IS with a limit": InvertedSoftmax(influence_limit=5),
    "IS shrunken": InvertedSoftmax(shrinkage="noise"),
    "DIS": DynamicInvertedSoftmax(),
    "NNN": NearestNeighborNormalizer(n_neighbors=4),
    "CSLS": CSLS(n_neighbors=3),
    "dynamic CSLS": DynamicNormalizer(CSLS(n_neighbors=3)),
    "Sinkhorn": SinkhornNormalizer(),
    "List-Sinkhorn": ListSinkhornNormalizer(n_listed=20),
    "GC": GloballyCorrected(),
    "dual IS": DualInvertedSoftmax(),
    "dual DIS": DualDynamicInvertedSoftmax(),
    "mix": MixNormalizer(SAMPLE),
    "capped": CappedNormalizer(NearestNeighborNormalizer(), {1: 0.1}),
}
each_normalizer = pytest.mark.parametrize("name", NORMALIZERS)


@pytest.fixture(params=[name for name in LIBRARIES if find_spec(name)])
def xp(request):
    """The namespace of each library that is installed."""
    with config_context(array_api_dispatch=True):
        yield namespace(request.param)


@pytest.fixture
def moved(xp):
    """A function from NumPy arrays to the library."""
    device = device_of(xp.__name__.rpartition(".")[2])
    return lambda array: xp.asarray(np.array(array), device=device)


def dispatched(function, *args, **options):
    """Call a function on NumPy arrays without dispatch."""
    with config_context(array_api_dispatch=False):
        return function(*args, **options)


def assert_same(found, expected, like, rtol=1e-9):
    """Check values, and that the array lives where another one does."""
    assert isinstance(home_of(like), Home)  # not of NumPy
    assert home_of(found) == home_of(like)
    np.testing.assert_allclose(to_numpy(found), expected, rtol, atol=rtol)


def mix_of(normalizer, moved):
    """Return the normalizer with a sample of the library."""
    if isinstance(normalizer, MixNormalizer):
        return MixNormalizer(moved(SAMPLE))
    return clone(normalizer)


@each_normalizer
def test_embeddings_are_corrected_where_they_live(name, moved):
    expected = dispatched(clone(NORMALIZERS[name]).fit, BANK, GALLERY)
    sims = pairwise_similarity(QUERIES, GALLERY)
    bank, gallery = moved(BANK), moved(GALLERY)
    normalizer = mix_of(NORMALIZERS[name], moved).fit(bank, gallery)
    scores = normalizer.transform(moved(sims))
    assert_same(scores, dispatched(expected.transform, sims), bank)
    for attribute, value in vars(expected).items():
        if isinstance(value, np.ndarray) and attribute.endswith("_"):
            assert_same(getattr(normalizer, attribute), value, bank)
    np.testing.assert_array_equal(to_numpy(bank), BANK)


@each_normalizer
def test_similarities_are_corrected_where_they_live(name, moved):
    bank_sims = pairwise_similarity(BANK, GALLERY)
    sims = pairwise_similarity(QUERIES, GALLERY)
    normalizer = clone(NORMALIZERS[name])
    if name == "mix":
        normalizer = MixNormalizer(pairwise_similarity(SAMPLE, GALLERY))
    expected = dispatched(clone(normalizer).fit_transform, bank_sims)
    if name == "mix":
        normalizer = MixNormalizer(moved(normalizer.queries))
    scores = normalizer.fit_transform(moved(bank_sims))
    assert_same(scores, expected, moved(sims))


@pytest.mark.parametrize("name", ["dual IS", "dual DIS", "Sinkhorn"])
@pytest.mark.parametrize("is_moved", [True, False])
def test_a_gallery_bank_follows_the_querybank(name, is_moved, moved):
    others = make((25, 8), 4)
    sims = pairwise_similarity(QUERIES, GALLERY)
    expected = dispatched(clone(NORMALIZERS[name]).fit, BANK, GALLERY, others)
    given = moved(others) if is_moved else others
    normalizer = clone(NORMALIZERS[name]).fit(moved(BANK), moved(GALLERY), given)
    scores = normalizer.transform(moved(sims))
    assert_same(scores, dispatched(expected.transform, sims), scores)


@pytest.mark.parametrize("is_moved", [True, False])
def test_similarities_of_a_gallery_bank_follow_the_querybank(is_moved, moved):
    bank_sims = pairwise_similarity(BANK, GALLERY)
    other_sims = pairwise_similarity(make((25, 8), 4), BANK)
    expected = dispatched(SinkhornNormalizer().fit, bank_sims, None, other_sims)
    given = moved(other_sims) if is_moved else other_sims
    normalizer = SinkhornNormalizer().fit(moved(bank_sims), None, given)
    assert_same(normalizer.gallery_bias_, expected.gallery_bias_, moved(BANK))


def test_functions_without_array_expressions_return_numpy_arrays(moved):
    sims = pairwise_similarity(QUERIES, GALLERY) + 2
    found = margin_scores(moved(sims))
    np.testing.assert_array_equal(found, dispatched(margin_scores, sims))


@pytest.mark.parametrize("name", ["IS", "DIS", "Sinkhorn", "mix"])
def test_banks_and_galleries_change_where_they_live(name, moved):
    sims = pairwise_similarity(QUERIES, GALLERY)

    def changed(normalizer, moved):
        bank = moved(BANK)
        normalizer.fit(bank, moved(GALLERY[:30]))
        normalizer.add_gallery(bank, moved(GALLERY[30:]))
        normalizer.remove_gallery([0, 5], bank, moved(np.delete(GALLERY, [0, 5], 0)))
        if name in ("IS", "DIS"):
            more = moved(make((9, 8), 5)), moved(np.delete(GALLERY, [0, 5], 0))
            normalizer.partial_fit(*more)
        return normalizer.transform(moved(np.delete(sims, [0, 5], axis=1)))

    expected = dispatched(changed, clone(NORMALIZERS[name]), np.array)
    scores = changed(mix_of(NORMALIZERS[name], moved), moved)
    assert_same(scores, expected, moved(sims))


def test_a_bank_can_come_in_parts(moved):
    sims = pairwise_similarity(BANK, GALLERY)
    parts = (moved(part) for part in np.split(sims, 3))
    normalizer = InvertedSoftmax().fit(parts)
    expected = dispatched(InvertedSoftmax().fit, sims)
    assert_same(normalizer.gallery_bias_, expected.gallery_bias_, moved(sims))


@pytest.mark.parametrize("metric", ["cosine", "dot", lambda q, g: -((q - 1) @ g.T)])
@pytest.mark.parametrize("name", ["IS", "DIS", "CSLS", "IS as probabilities", "GC"])
def test_the_retriever_searches_where_the_gallery_lives(name, metric, moved):
    retriever = QuerybankRetriever(NORMALIZERS[name], n_neighbors=5, metric=metric)
    expected = dispatched(clone(retriever).fit, BANK, GALLERY)
    bank, queries = moved(BANK), moved(QUERIES)
    retriever.fit(bank, GALLERY)  # moves to the bank
    scores, items = retriever.kneighbors(queries)
    known_scores, known_items = dispatched(expected.kneighbors, QUERIES)
    assert_same(scores, known_scores, bank)
    assert_same(items, known_items, bank)
    found = retriever.decision_function(queries)
    assert_same(found, dispatched(expected.decision_function, QUERIES), bank)
    assert_same(retriever.predict(queries), known_items[:, 0], bank)
    graph = retriever.kneighbors_graph(queries)
    np.testing.assert_array_equal(graph.indices, known_items.ravel())
    relevant = np.arange(30)
    relevant[:3] = -1
    recall = dispatched(expected.score, QUERIES, relevant)
    assert retriever.score(queries, moved(relevant)) == recall


def test_the_gallery_of_a_retriever_changes_where_it_lives(moved):
    bank, queries = moved(BANK), moved(QUERIES)
    normalizer = DynamicInvertedSoftmax(beta=0.5)  # "scale" would stay that of fit
    retriever = QuerybankRetriever(normalizer, n_neighbors=3, metric="dot")
    retriever.fit(bank, moved(GALLERY[:20])).add_gallery(bank, GALLERY[20:])
    retriever.remove_gallery([1, 2], bank).partial_fit(moved(make((5, 8), 6)))
    left = np.delete(GALLERY, [1, 2], axis=0)
    both = np.vstack([BANK, make((5, 8), 6)])
    expected = dispatched(clone(retriever).fit, both, left)
    known = dispatched(expected.kneighbors, QUERIES)
    for found, value in zip(retriever.kneighbors(queries), known, strict=True):
        assert_same(found, value, bank)
    distances = retriever.kneighbors_graph(queries, mode="distance")
    known = dispatched(expected.kneighbors_graph, QUERIES, mode="distance")
    np.testing.assert_allclose(distances.toarray(), known.toarray())


def test_a_pipeline_stays_where_its_queries_live(moved):
    def fitted(moved):
        pipeline = make_pipeline(
            GallerySimilarity(GALLERY), InvertedSoftmax(), NearestNeighborScorer()
        )
        return pipeline.fit(moved(BANK))

    expected, pipeline = dispatched(fitted, np.array), fitted(moved)
    queries = moved(QUERIES)
    best = dispatched(expected.predict, QUERIES)
    assert_same(pipeline.predict(queries), best, queries)
    assert pipeline.score(queries, moved(best)) == 1
    back = move_estimator(pipeline)
    np.testing.assert_array_equal(back.predict(QUERIES), best)
    again = move_estimator(back, queries)
    assert_same(again.predict(queries), best, queries)
    assert type(pipeline[0].gallery_) is type(queries)
    loaded = dispatched(pickle.loads, dispatched(pickle.dumps, pipeline))
    np.testing.assert_array_equal(dispatched(loaded.predict, QUERIES), best)


def test_neighbors_of_scores_come_with_labels_and_names(moved):
    sims = pairwise_similarity(QUERIES, GALLERY)
    labels = np.arange(40) % 4
    scorer = NearestNeighborScorer(n_neighbors=3, gallery_labels=moved(labels))
    scorer.fit(moved(sims))
    best = np.argsort(-sims, axis=1, kind="stable")
    assert_same(scorer.predict(moved(sims)), labels[best[:, 0]], moved(sims))
    scores, items = scorer.kneighbors(moved(sims))
    assert_same(items, best[:, :3], moved(sims))
    assert_same(scores, np.take_along_axis(sims, best[:, :3], 1), moved(sims))
    words = np.array(["cat", "dog"] * 20)
    named = NearestNeighborScorer(gallery_labels=words).fit(moved(sims))
    np.testing.assert_array_equal(named.predict(moved(sims)), words[best[:, 0]])


def test_measures_are_those_of_numpy(moved):
    scores = make((50, 20), 0).round(1)  # ties
    relevant = [[i % 20, (3 * i) % 20] for i in range(50)]
    given = moved(scores)
    ranks = dispatched(relevant_ranks, relevant, scores)
    assert_same(relevant_ranks(relevant, given), ranks, given)
    mask = np.arange(50) % 3 > 0
    some = relevant_ranks(relevant, given, query_mask=moved(mask))
    assert_same(some, ranks[mask], given)
    for measure in (recall_at_k, median_rank, mean_rank, average_precision):
        assert measure(relevant, given) == dispatched(measure, relevant, scores)
    counts = dispatched(k_occurrence, scores, k=5)
    assert_same(k_occurrence(given, k=5), counts, given)
    skewness = dispatched(hubness_skewness, scores, k=5)
    assert hubness_skewness(given, k=5) == skewness
    assert hubness_skewness(k_occurrence(given, k=5)) == skewness
    indices = moved(np.argsort(-scores, axis=1, kind="stable")[:, :5])
    assert_same(k_occurrence(indices, k=5, n_gallery=20), counts, given)


def test_similarities_are_computed_where_the_queries_live(moved):
    expected = dispatched(pairwise_similarity, QUERIES, GALLERY)
    assert_same(pairwise_similarity(moved(QUERIES), GALLERY), expected, moved(QUERIES))
    np.testing.assert_allclose(pairwise_similarity(QUERIES, moved(GALLERY)), expected)
    zeros = moved(np.zeros((2, 8)))
    assert_same(pairwise_similarity(zeros, GALLERY), np.zeros((2, 40)), zeros)
    whole = moved(np.arange(16).reshape(2, 8))
    with_floats = dispatched(pairwise_similarity, np.arange(16.0).reshape(2, 8), BANK)
    assert_same(pairwise_similarity(whole, moved(BANK)), with_floats, whole)


def test_float32_stays_float32_and_biases_are_float64(moved, xp):
    bank, sims = (pairwise_similarity(q, GALLERY) for q in (BANK, QUERIES))
    single = np.float32
    normalizer = InvertedSoftmax().fit(moved(bank.astype(single)))
    assert normalizer.gallery_bias_.dtype == xp.float64
    scores = normalizer.transform(moved(sims.astype(single)))
    assert scores.dtype == xp.float32
    expected = dispatched(InvertedSoftmax().fit, bank)
    assert_same(scores, dispatched(expected.transform, sims), scores, rtol=1e-5)


def test_an_estimator_refuses_arrays_that_live_elsewhere(moved):
    sims = pairwise_similarity(BANK, GALLERY)
    normalizer = InvertedSoftmax().fit(moved(sims))
    with pytest.raises(ValueError, match="same namespace"):
        normalizer.transform(sims)
    with pytest.raises(ValueError, match="same namespace"):
        normalizer.partial_fit(sims)
    with pytest.raises(ValueError, match="same namespace"):
        InvertedSoftmax().fit(sims).transform(moved(sims))
    retriever = QuerybankRetriever().fit(moved(BANK), GALLERY)
    with pytest.raises(ValueError, match="same namespace"):
        retriever.kneighbors(QUERIES)


@pytest.mark.parametrize("name", ["DIS", "dual IS", "mix"])
def test_pickles_hold_numpy_arrays_and_copies_do_not(name, moved):
    sims = pairwise_similarity(QUERIES, GALLERY)
    normalizer = mix_of(NORMALIZERS[name], moved).fit(moved(BANK), moved(GALLERY))
    scores = to_numpy(normalizer.transform(moved(sims)))
    loaded = pickle.loads(pickle.dumps(normalizer))
    np.testing.assert_allclose(dispatched(loaded.transform, sims), scores)
    np.testing.assert_allclose(move_estimator(normalizer).transform(sims), scores)
    back = move_estimator(loaded, moved(sims))
    assert_same(back.transform(moved(sims)), scores, moved(sims))
    assert_same(copy.copy(normalizer).gallery_bias_, back.gallery_bias_, moved(sims))


def test_a_retriever_moves_with_its_gallery(moved):
    retriever = QuerybankRetriever().fit(moved(BANK), moved(GALLERY))
    best = to_numpy(retriever.predict(moved(QUERIES)))
    there = move_estimator(retriever)
    np.testing.assert_array_equal(there.predict(QUERIES), best)
    back = move_estimator(there, moved(BANK))
    assert_same(back.predict(moved(QUERIES)), best, moved(BANK))
    again = move_estimator(back, moved(BANK))
    assert_same(again.predict(moved(QUERIES)), best, moved(BANK))
    loaded = pickle.loads(pickle.dumps(retriever))
    np.testing.assert_array_equal(loaded.predict(QUERIES), best)


def test_ties_go_to_the_smaller_index(moved):
    scores = np.random.default_rng(0).integers(0, 3, size=(40, 30)).astype(float)
    scorer = NearestNeighborScorer(n_neighbors=7).fit(moved(scores))
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :7]
    assert_same(scorer.kneighbors(moved(scores))[1], expected, moved(scores))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full((3, 4), np.nan), "finite, got NaN in row 0"),
        (np.zeros(3), "matrix"),
        (np.zeros((0, 3)), "matrix"),
        (np.ones((2, 2), dtype=complex), "real numbers"),
    ],
)
def test_bad_arrays_get_a_sentence(bad, message, moved):
    with pytest.raises(ValueError, match=message):
        InvertedSoftmax().fit(moved(bad))


def test_bad_similarities_get_a_sentence(moved):
    bank, gallery = moved(BANK), moved(GALLERY)
    with pytest.raises(ValueError, match="one row per query"):
        InvertedSoftmax(metric=lambda q, g: q).fit(bank, gallery)
    large = bank * 1e200, gallery * 1e200
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(ValueError, match="finite"),
    ):
        InvertedSoftmax(metric="dot").fit(*large)
    with pytest.raises(ValueError, match="dense"):
        InvertedSoftmax().fit(bank, sparse.csr_array(GALLERY))


@pytest.mark.parametrize("is_moved", [True, False])
@pytest.mark.parametrize(
    "candidates",
    [pytest.param(None, marks=pytest.mark.compiled), [CSLS(), InvertedSoftmax()]],
    ids=["all", "two"],
)
def test_a_correction_is_chosen_by_labels_of_any_library(candidates, is_moved, moved):
    relevant = np.arange(30)
    expected = NormalizerSearch(QUERIES, relevant, candidates=candidates)
    dispatched(expected.fit, BANK, GALLERY)
    search = clone(expected)
    if is_moved:
        search.queries = moved(QUERIES)
    search.fit(moved(BANK), moved(GALLERY))
    assert search.best_index_ == expected.best_index_
    assert_same(search.hits_, expected.hits_, moved(BANK))


def test_only_estimators_of_the_package_move():
    with pytest.raises(ValueError, match="Pipeline of these"):
        move_estimator(3)
    pipeline = make_pipeline("passthrough", InvertedSoftmax())
    assert move_estimator(pipeline)[0] == "passthrough"


def test_without_dispatch_arrays_become_numpy_arrays(moved, xp):
    sims = pairwise_similarity(BANK, GALLERY)
    if xp.__name__ == "array_api_strict":
        given = np.asarray(moved(sims))
    else:
        given = moved(sims)
    with config_context(array_api_dispatch=False):
        normalizer = InvertedSoftmax().fit(given)
        assert type(normalizer.transform(given)) is np.ndarray


def test_arrays_of_cupy_are_asked_for_their_numbers():
    members = {"__array_namespace__": None, "get": lambda self: np.arange(3)}
    array = type("ndarray", (), {**members, "__module__": "cupy"})()
    np.testing.assert_array_equal(to_numpy(array), np.arange(3))


def test_dispatch_without_the_package_says_what_to_install(moved, monkeypatch):
    bank = moved(BANK)
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(ImportError, match="array.api.compat"):
        InvertedSoftmax().fit(bank, GALLERY)


def test_arrays_of_two_precisions_meet_in_the_wider_one(moved, xp):
    narrow = moved(BANK.astype(np.float32))
    assert pairwise_similarity(narrow, moved(GALLERY)).dtype == xp.float64
    retriever = QuerybankRetriever(InvertedSoftmax(beta=5)).fit(narrow, GALLERY[:20])
    wide = moved(GALLERY[20:])
    single = moved(GALLERY[:20].astype(np.float32))
    retriever.fit(narrow, single).add_gallery(narrow, wide)
    expected = dispatched(pairwise_similarity, BANK, GALLERY)
    best = expected - dispatched(InvertedSoftmax(beta=5).fit, expected).gallery_bias_
    found = to_numpy(retriever.predict(narrow))
    np.testing.assert_array_equal(found, best.argmax(axis=1))


def test_arrays_are_only_looked_at_if_scikit_learn_dispatches(moved):
    assert dispatched(home_of, moved(BANK)) is None
    assert home_of(BANK) is None
    assert home_of("text") is None


def test_rows_are_taken_by_mask_index_or_slice(moved):
    mask = np.arange(60) % 2 == 0
    for rows in (mask, np.flatnonzero(mask), slice(0, 9)):
        assert_same(take_rows(moved(BANK), rows), BANK[rows], moved(BANK))


def test_a_home_reads_well(moved):
    assert "array_api_compat" not in str(home_of(moved(BANK)))


def test_a_device_without_float64_gets_float32(monkeypatch):
    strict = pytest.importorskip("array_api_strict")
    monkeypatch.setattr(Home, "has_float64", False)
    with config_context(array_api_dispatch=True):
        sims = strict.asarray(pairwise_similarity(BANK, GALLERY).astype(np.float32))
        normalizer = InvertedSoftmax().fit(sims)
        assert normalizer.gallery_bias_.dtype == strict.float32


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_floats_are_multiplied_as_they_are(dtype):
    torch = pytest.importorskip("torch")
    with config_context(array_api_dispatch=True):
        half = getattr(torch, dtype)
        bank, gallery, queries = (
            torch.asarray(each).to(half) for each in (BANK, GALLERY, QUERIES)
        )
        retriever = QuerybankRetriever(n_neighbors=2).fit(bank, gallery)
        assert retriever.kneighbors(queries)[0].dtype == torch.float32
        scores = retriever.decision_function(queries)
        expected = dispatched(QuerybankRetriever().fit, BANK, GALLERY)
        known = dispatched(expected.decision_function, QUERIES)
        np.testing.assert_allclose(scores.numpy(), known, atol=0.05)
        sims = torch.asarray(pairwise_similarity(BANK, GALLERY)).to(half)
        assert InvertedSoftmax().fit_transform(sims).dtype == torch.float32
        assert to_numpy(sims).dtype == (
            np.float16 if dtype == "float16" else np.float32
        )


def test_gradients_stop_at_the_input():
    torch = pytest.importorskip("torch")
    with config_context(array_api_dispatch=True):
        sims = torch.asarray(pairwise_similarity(BANK, GALLERY)).requires_grad_()
        assert not InvertedSoftmax().fit_transform(sims).requires_grad
