"""Edge cases of searches and of their input."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_qbnorm import (
    CSLS,
    DualDynamicInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GallerySimilarity,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborScorer,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.metrics import recall_scorer

RANDOM = np.random.default_rng(0)
BANK, QUERIES = RANDOM.normal(size=(30, 6)), RANDOM.normal(size=(10, 6))
GALLERY = RANDOM.normal(size=(40, 6))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_that_become_equal_by_rounding_are_searched_again(dtype):
    peak = 2.0 ** (30 if dtype == np.float32 else 60)
    gallery = np.c_[np.r_[peak, np.zeros(59)], -np.arange(60.0)].astype(dtype)
    bank, query = np.array([[0, 1]], dtype), np.array([[1, 0]], dtype)
    retriever = QuerybankRetriever(
        CSLS(n_neighbors=1), n_neighbors=5, metric="dot"
    ).fit(bank, gallery)
    whole = retriever.normalizer_.transform(pairwise_similarity(query, gallery, "dot"))
    expected = np.argsort(-whole, axis=1, kind="stable")[:, :5]
    scores, indices = retriever.kneighbors(query)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(scores, np.take_along_axis(whole, expected, 1))


@pytest.mark.compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_gallery", [60, 300, 2000])
@pytest.mark.parametrize(
    "normalizer",
    [CSLS(n_neighbors=3), DynamicNormalizer(CSLS(n_neighbors=3))],
    ids=["CSLS", "dynamic"],
)
def test_near_duplicates_are_ordered_as_in_whole_rows(
    normalizer, n_gallery, dtype, monkeypatch
):
    monkeypatch.setattr("sk_qbnorm.tiles._tile._TILE_ROWS", 64)
    random = np.random.default_rng(5)
    kinds = random.normal(size=(n_gallery // 60, 33)).repeat(60, axis=0)
    gallery = kinds * (1 + np.finfo(dtype).eps * random.integers(-1, 2, kinds.shape))
    queries = random.normal(size=(200, 33))
    # The bias is almost as large as the similarity, so subtracting r_q rounds.
    bank = 2 * queries[:50]
    gallery, bank, queries = (each.astype(dtype) for each in (gallery, bank, queries))
    for n_jobs, k in ((1, 1), (1, 5), (2, 5)):
        retriever = QuerybankRetriever(
            normalizer, n_neighbors=k, metric="dot", n_jobs=n_jobs
        )
        retriever.fit(bank, gallery)
        whole = retriever.decision_function(queries)
        expected = np.argsort(-whole, axis=1, kind="stable")[:, :k]
        scores, indices = retriever.kneighbors(queries)
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_array_equal(scores, np.take_along_axis(whole, expected, 1))


def test_a_second_look_visits_only_the_rows_that_need_one(monkeypatch):
    from sk_qbnorm.tiles import _products

    monkeypatch.setattr("sk_qbnorm.tiles._tile._TILE_ROWS", 4)
    prepared = []
    prepare = _products.DenseTiles.prepare

    def counted(tiles, rows):
        prepared.append(rows.start)
        return prepare(tiles, rows)

    gallery = np.c_[np.r_[2.0**60, np.zeros(59)], -np.arange(60.0)]
    queries = np.tile([0.0, 1.0], (12, 1))
    queries[5] = 1, 0
    retriever = QuerybankRetriever(
        CSLS(n_neighbors=1), n_neighbors=5, metric="dot"
    ).fit([[0, 1.0]], gallery)
    monkeypatch.setattr(_products.DenseTiles, "prepare", counted)
    retriever.kneighbors(queries)
    assert prepared == [0, 4, 8, 4]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_out_of_range_raise(dtype):
    retriever = QuerybankRetriever(InvertedSoftmax(alpha=1e308), n_neighbors=3).fit(
        BANK.astype(dtype), abs(GALLERY).astype(dtype)
    )
    retriever.normalizer_.gallery_bias_ += 10  # none is corrected the other way
    message = f"in the range of {np.dtype(dtype)}, got some beyond it"
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=message):
        retriever.kneighbors(QUERIES.astype(dtype))


def test_a_long_list_by_rank_equals_that_of_whole_rows():
    retriever = QuerybankRetriever(GloballyCorrected(), n_neighbors=40).fit(
        BANK, GALLERY
    )
    whole = retriever.decision_function(QUERIES)
    expected = np.argsort(-whole, axis=1, kind="stable")
    np.testing.assert_array_equal(retriever.kneighbors(QUERIES)[1], expected)


def frames():
    pandas = pytest.importorskip("pandas")
    columns = list("abcdef")
    names = [f"item {j}" for j in range(len(GALLERY))]
    return (
        pandas.DataFrame(BANK, columns=columns),
        pandas.DataFrame(GALLERY, columns=columns, index=names),
    )


def test_a_named_gallery_grows_and_shrinks_in_a_retriever():
    bank, gallery = frames()
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=3).fit(
        bank, gallery[:30]
    )
    retriever.add_gallery(bank, gallery[30:]).remove_gallery([0])
    names = retriever.normalizer_.get_feature_names_out()
    assert list(names) == list(gallery.index[1:])


def test_columns_in_another_order_are_refused():
    bank, gallery = frames()
    turned = gallery[gallery.columns[::-1]]
    message = "columns .* a, b, c, ... and f, e, d"
    for act in (
        lambda: QuerybankRetriever(CSLS(n_neighbors=3), n_neighbors=3).fit(
            bank, turned
        ),
        lambda: InvertedSoftmax().fit(bank, turned),
        lambda: InvertedSoftmax().fit(bank, iter([gallery[:9], turned])),
        lambda: InvertedSoftmax().fit(iter([bank]), turned),
        lambda: pairwise_similarity(bank, turned),
        lambda: GallerySimilarity(turned).fit(bank),
    ):
        with pytest.raises(ValueError, match=message):
            act()
    QuerybankRetriever(metric=lambda q, g: q @ g.T, n_neighbors=3).fit(bank, turned)


@pytest.mark.parametrize(
    "y",
    [np.arange(20), list(range(9)), sparse.csr_array(np.eye(20, 40)), np.eye(9, 40)],
)
def test_labels_of_other_queries_are_refused(y):
    retriever = QuerybankRetriever(CSLS(n_neighbors=3), n_neighbors=3).fit(
        BANK, GALLERY
    )
    with pytest.raises(ValueError, match="y"):
        retriever.score(QUERIES, y)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer__beta": 5}, "beta was"),
        ({"metric": "dot"}, "metric was 'cosine'"),
        ({"normalizer": CSLS(n_neighbors=3)}, "normalizer was InvertedSoftmax"),
    ],
)
def test_changed_parameters_are_refused(changes, message):
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=3).fit(BANK, GALLERY)
    before = retriever.kneighbors(QUERIES)
    retriever.set_params(**changes)
    for act in (retriever.partial_fit, lambda b: retriever.add_gallery(b, GALLERY)):
        with pytest.raises(ValueError, match=message):
            act(BANK)
    np.testing.assert_array_equal(retriever.kneighbors(QUERIES), before)


@pytest.mark.parametrize(
    ("normalizer", "message"),
    [
        ("csls", "normalizer .* 'csls'"),
        (CSLS, "normalizer .* <class"),
        (
            StandardScaler(),
            r"normalizer .* StandardScaler\(\)",
        ),
        (CSLS(metric="dot"), "metric .* 'cosine'"),
    ],
)
def test_other_objects_than_normalizers_are_refused(normalizer, message):
    with pytest.raises(ValueError, match=message):
        QuerybankRetriever(normalizer, n_neighbors=3).fit(BANK, GALLERY)


def test_inputs_of_other_shapes_are_refused():
    retriever = QuerybankRetriever(CSLS(n_neighbors=3), n_neighbors=3).fit(
        BANK, GALLERY
    )
    with pytest.raises(ValueError, match="queries"):
        retriever.kneighbors(iter([QUERIES]))
    with pytest.raises(ValueError, match="gallery .* 6, got 3"):
        retriever.add_gallery(BANK, GALLERY[:, :3])
    dynamic = QuerybankRetriever(DynamicInvertedSoftmax(), n_neighbors=3).fit(
        BANK, GALLERY
    )
    busiest = dynamic.normalizer_.activation_counts_.argmax()
    with pytest.raises(ValueError, match="querybank .* iterator"):
        dynamic.remove_gallery([busiest], iter([BANK]))
    assert dynamic.n_gallery_ == 40


def test_sparse_and_dense_items_may_be_added_to_each_other():
    whole = (
        QuerybankRetriever(CSLS(n_neighbors=3), n_neighbors=3)
        .fit(BANK, GALLERY)
        .kneighbors(QUERIES)
    )
    for first, then in (
        (GALLERY[:20], sparse.csr_array(GALLERY[20:])),
        (sparse.csr_array(GALLERY[:20]), GALLERY[20:]),
    ):
        grown = (
            QuerybankRetriever(CSLS(n_neighbors=3), n_neighbors=3)
            .fit(BANK, first)
            .add_gallery(BANK, then)
        )
        for found, expected in zip(grown.kneighbors(QUERIES), whole, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_duplicate_entries_of_a_sparse_matrix_are_summed():
    twice = sparse.csr_array(([1.0, 2.0], [0, 0], [0, 2]), shape=(1, 6))
    before = twice.data.copy()
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=1, metric="dot").fit(
        BANK, twice
    )
    graph = retriever.kneighbors_graph(twice, mode="distance")
    assert graph.data[0] == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(twice.data, before)


@pytest.mark.compiled
def test_workers_that_receive_memmaps_find_the_same():
    # joblib passes large arrays to its workers as memory maps, whatever their dtype.
    random = np.random.default_rng(0)
    gallery = random.integers(-100, 100, size=(20_000, 64)).astype(np.int8)
    queries = np.vstack([BANK[:, :1] * np.ones(64), gallery[:20]])
    pipeline = make_pipeline(
        GallerySimilarity(gallery),
        InvertedSoftmax(metric="precomputed"),
        NearestNeighborScorer(),
    )
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=1, gallery=gallery)
    for estimator, name in ((pipeline, "invertedsoftmax"), (retriever, "normalizer")):
        search = GridSearchCV(
            estimator,
            {f"{name}__beta": [1, 20]},
            scoring=recall_scorer(),
            cv=PredefinedSplit(np.r_[np.full(30, -1), np.zeros(20)]),
            n_jobs=2,
            error_score="raise",
        )
        search.fit(queries, np.r_[np.full(30, -1), np.arange(20)])
        assert search.best_score_ == 1


def test_an_unfitted_retriever_and_a_missing_gallery_raise():
    from sklearn.exceptions import NotFittedError

    for metric in ("cosine", "dot"):
        with pytest.raises(NotFittedError):
            QuerybankRetriever(metric=metric).kneighbors_graph(QUERIES, mode="distance")
    retriever = QuerybankRetriever(CSLS(n_neighbors=3), n_neighbors=3).fit(
        BANK, GALLERY
    )
    for gallery in (iter([GALLERY]), None):
        with pytest.raises(ValueError, match="gallery"):
            retriever.add_gallery(BANK, gallery)


def test_columns_in_another_order_change_no_gallery():
    bank, gallery = frames()
    turned, other = bank[bank.columns[::-1]], gallery[gallery.columns[::-1]]
    retriever = QuerybankRetriever(DynamicInvertedSoftmax(), n_neighbors=3).fit(
        bank, gallery
    )
    busiest = [retriever.normalizer_.activation_counts_.argmax()]
    left = gallery.drop(gallery.index[busiest[0]])
    for act in (
        lambda: retriever.remove_gallery(busiest, turned),
        lambda: retriever.add_gallery(turned, other),
        lambda: retriever.add_gallery(bank, other),
        lambda: retriever.normalizer_.remove_gallery(busiest, turned, left),
    ):
        with pytest.raises(ValueError, match="columns|order"):
            act()
        assert retriever.n_gallery_ == 40


@pytest.mark.parametrize(
    "normalizer",
    [
        InvertedSoftmax(alpha=1e300),
        InvertedSoftmax(alpha=1e300, output="probability"),
        DualDynamicInvertedSoftmax(alpha=1e300),
    ],
    ids=["IS", "IS probability", "DualDIS"],
)
def test_a_search_refuses_scores_out_of_range(normalizer):
    random = np.random.default_rng(0)
    bank, gallery = random.normal(size=(2, 30, 4)).astype(np.float32)
    gates = {"gallerybank": gallery} if "Dual" in type(normalizer).__name__ else {}
    retriever = QuerybankRetriever(normalizer, n_neighbors=3).fit(
        bank, gallery, **gates
    )
    for act in (retriever.kneighbors, retriever.decision_function):
        with pytest.raises(ValueError, match="float32.*alpha"):
            act(bank)


@pytest.mark.filterwarnings("ignore:overflow encountered")  # of kernels without JIT
def test_a_search_refuses_single_scores_out_of_range():
    gallery = np.array([[1e300], [-1e300]])
    retriever = QuerybankRetriever(
        CSLS(n_neighbors=1), n_neighbors=2, metric="dot"
    ).fit([[1e8]], gallery)
    message = "float64"
    with pytest.raises(ValueError, match=message):
        retriever.kneighbors([[1.5e8]])


def test_a_retriever_passes_on_warnings_of_its_normalizer():
    for normalizer, category in (
        (SinkhornNormalizer(beta=20, max_iter=2, tol=1e-9), ConvergenceWarning),
        (CSLS(n_neighbors=99), UserWarning),
    ):
        with pytest.warns(category) as seen:
            QuerybankRetriever(normalizer).fit(BANK, GALLERY)
        assert len(seen) == 1
        assert seen[0].filename == __file__
    QuerybankRetriever(CSLS(n_neighbors=99)).partial_fit(BANK, GALLERY)
    with pytest.raises(ValueError, match="SinkhornNormalizer"):
        QuerybankRetriever(SinkhornNormalizer()).partial_fit(BANK, GALLERY)
