"""Choose by labels: NormalizerSearch and its options."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import (
    ConvergenceWarning,
    NotFittedError,
    UndefinedMetricWarning,
)
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    GallerySimilarity,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import (
    load_digits_labels,
    load_emoji_vendor_nohub,
    make_hub_retrieval,
)
from sk_qbnorm.metrics import recall_at_k
from sk_qbnorm.model_selection import (
    NormalizerSearch,
    _labeled,
    default_candidates,
    gain_lower_bounds,
)

from .cases import ALL

FEW = [
    InvertedSoftmax(beta=10.0),
    InvertedSoftmax(beta=40.0),
    NearestNeighborNormalizer(),
]
FEW += [
    InvertedSoftmax(beta=10.0, alpha=0.5),
    CSLS(n_neighbors=5),
    DynamicInvertedSoftmax(beta=10.0),
]
pytestmark = pytest.mark.filterwarnings("ignore:n_neighbors=")


@pytest.fixture(scope="module")
def data():
    return make_hub_retrieval(120, 80, 40, n_features=8, noise=1.0, random_state=0)


@pytest.fixture(scope="module")
def sims(data):
    rows = data.bank_queries, data.queries
    return [pairwise_similarity(queries, data.gallery) for queries in rows]


@pytest.mark.parametrize("metric", ["cosine", "precomputed"])
def test_the_search_matches_its_candidates_fitted_alone(data, sims, metric):
    bank, queries = sims
    given = (bank,) if metric == "precomputed" else (data.bank_queries, data.gallery)
    shown = queries if metric == "precomputed" else data.queries
    search = NormalizerSearch(shown, data.relevant, FEW, metric=metric).fit(*given)
    recalls = [recall_at_k(data.relevant, queries)]
    results = [NearestNeighborScorer().fit(queries).predict(queries) == data.relevant]
    for candidate in FEW:
        candidate = clone(candidate).set_params(metric="precomputed")
        scores = candidate.fit(bank).transform(queries)
        recalls.append(recall_at_k(data.relevant, scores))
        results.append(scores.argmax(axis=1) == data.relevant)
    np.testing.assert_array_equal(search.hits_, results)
    np.testing.assert_allclose(search.results_["recall"], recalls)
    bounds = gain_lower_bounds(results, n_standard_errors=3)
    np.testing.assert_allclose(search.results_["lower_bound"], bounds, atol=1e-15)
    assert search.best_index_ == bounds.argmax() > 0
    best = clone(FEW[search.best_index_ - 1]).set_params(metric="precomputed").fit(bank)
    expected = best.transform(queries)
    np.testing.assert_allclose(search.transform(queries), expected, atol=1e-12)
    params = search.candidates_[search.best_index_].get_params()
    assert search.best_params_.items() <= params.items()


def test_every_normalizer_can_be_a_candidate(data, sims):
    search = NormalizerSearch(
        sims[1], data.relevant, ALL.values(), metric="precomputed"
    ).fit(sims[0])
    assert search.hits_.shape == (len(ALL) + 1, 80)
    expected = [type(each).__name__ for each in ALL.values()]
    assert search.results_["name"] == ["raw", *expected]


def test_candidates_that_differ_in_alpha_share_a_fit(data):
    asked = []

    def metric(queries, gallery):
        asked.append(len(queries))
        return queries @ gallery.T

    candidates = [
        NearestNeighborNormalizer(alpha=a, n_neighbors=4) for a in (0.3, 0.5, 1.0)
    ]
    search = NormalizerSearch(data.queries, data.relevant, candidates, metric=metric)
    search.set_params(n_standard_errors=0).fit(data.bank_queries, data.gallery)
    assert asked == [120, 120, 80]  # raw, the 3 candidates, and the labeled queries
    assert search.best_estimator_.alpha == search.best_params_["alpha"]


def test_block_sizes_do_not_change_the_hits(data, monkeypatch):
    relevant = [[item, (item + 7) % 40] for item in data.relevant]
    search = NormalizerSearch(data.queries, relevant, FEW, k=2)
    expected = search.fit(data.bank_queries, data.gallery).hits_
    monkeypatch.setattr(_labeled, "_BLOCK_ENTRIES", 40 * 7)
    hits = search.fit(data.bank_queries, data.gallery).hits_
    np.testing.assert_array_equal(hits, expected)


def test_embeddings_may_have_any_form(data, tmp_path):
    search = NormalizerSearch(data.queries, data.relevant, FEW)
    expected = search.fit(data.bank_queries, data.gallery).hits_
    np.save(tmp_path / "gallery.npy", data.gallery)
    on_disk = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    for form, gallery in (
        (sparse.csr_array, data.gallery),
        (np.asfortranarray, on_disk),
    ):
        again = clone(search).set_params(queries=form(data.queries))
        hits = again.fit(form(data.bank_queries), gallery).hits_
        assert (hits == expected).mean() > 0.99  # to rounding


def test_dask_arrays_are_rejected(data):
    array = pytest.importorskip("dask.array")
    search = NormalizerSearch(data.queries, data.relevant, FEW)
    with pytest.raises(ValueError, match="gallery"):
        search.fit(data.bank_queries, array.from_array(data.gallery))


def test_ties_with_another_item_are_misses():
    bank = [[0.5, 0.2, 0.1], [0.4, 0.3, 0.2]]
    queries = [[0.5, 0.5, 0.1], [0.1, 0.2, 0.3]]
    search = NormalizerSearch(
        queries, [0, 2], [CSLS(n_neighbors=1)], metric="precomputed"
    )
    np.testing.assert_array_equal(search.fit(bank).hits_[0], [False, True])


def test_relevance_may_have_any_form(data, sims):
    def hits(relevant, **options):
        search = NormalizerSearch(sims[1], relevant, FEW, metric="precomputed")
        return search.set_params(**options).fit(sims[0]).hits_

    expected = hits(data.relevant)
    indicator = np.eye(40)[data.relevant]
    labels = {"gallery_labels": np.arange(40)}
    for found in (
        hits([[item] for item in data.relevant]),
        hits(sparse.csr_array(indicator)),
        hits(indicator),
        hits(data.relevant, **labels),
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.compiled
def test_raw_similarities_win_if_no_candidate_gains():
    solved, no_hubs = load_digits_labels(), load_emoji_vendor_nohub()
    labels = {"gallery_labels": solved.gallery_labels}
    for data, relevant, options in (
        (solved, solved.query_labels, labels),
        (no_hubs, no_hubs.relevant[:200], {}),
    ):
        queries = data.queries[: len(relevant)]
        search = NormalizerSearch(queries, relevant, default_candidates(), **options)
        search.fit(data.bank_queries, data.gallery)
        assert (search.best_index_, search.best_params_) == (0, {})
        assert len(search.candidates_) == len(default_candidates()) + 1
        raw = pairwise_similarity(queries, data.gallery)
        np.testing.assert_array_equal(search.transform(raw), raw)
        careless = search.set_params(n_standard_errors=0)
        assert careless.fit(data.bank_queries, data.gallery).best_index_ > 0


def cross_fitted_hits(bank, gallery, queries, relevant):
    """Hits of mixes, each with a sample of the four fifths without the query."""
    hits = np.empty(len(queries), dtype=bool)
    folds = np.arange(len(queries)) % 5
    for fold in range(5):
        mix = MixNormalizer(queries[folds != fold]).fit(bank, gallery)
        scores = mix.transform(pairwise_similarity(queries[folds == fold], gallery))
        hits[folds == fold] = scores.argmax(axis=1) == relevant[folds == fold]
    return hits


@pytest.mark.compiled
def test_the_search_starts_from_a_cross_fitted_mix(data, sims):
    given = data.bank_queries, data.gallery
    search = NormalizerSearch(data.queries, data.relevant).fit(*given)
    expected = cross_fitted_hits(*given, data.queries, data.relevant)
    np.testing.assert_array_equal(search.hits_[1], expected)
    assert search.start_index_ == 1
    assert search.results_["lower_bound"][1] == 0
    over_mix = gain_lower_bounds(
        np.vstack([expected, search.hits_]), n_standard_errors=3
    )
    np.testing.assert_allclose(search.results_["lower_bound"], over_mix[1:])
    if over_mix.max() == 0:
        assert search.best_index_ == 1
    mix = MixNormalizer(data.queries).fit(*given)
    np.testing.assert_allclose(
        search.set_params(n_standard_errors=99).fit(*given).transform(sims[1]),
        mix.transform(sims[1]),
    )
    of_sims = NormalizerSearch(sims[1], data.relevant, n_standard_errors=99)
    np.testing.assert_array_equal(of_sims.fit(sims[0]).hits_[1], expected)


@pytest.mark.compiled
def test_raw_similarities_win_if_hubs_are_right_answers():
    random = np.random.default_rng(0)
    centers = random.normal(size=(6, 16))

    def draw(labels):
        return centers[labels] + 1.5 * random.normal(size=(len(labels), 16))

    gallery_labels = np.repeat(np.arange(6), 30)
    popular = [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]
    bank_labels, labels = (random.choice(6, 300, p=popular) for _ in range(2))
    bank, gallery, queries = map(draw, (bank_labels, gallery_labels, labels))
    for n_labels in (50, 100, 300):
        search = NormalizerSearch(
            queries[:n_labels], labels[:n_labels], gallery_labels=gallery_labels
        )
        search.fit(bank, gallery)
        assert search.results_["gain"][1] < -0.02
        assert (search.start_index_, search.best_index_) == (0, 0)


def test_a_mix_needs_a_few_labeled_queries(data):
    few = NormalizerSearch(data.queries[:3], data.relevant[:3])
    with pytest.raises(ValueError, match="at least 4"):
        few.fit(data.bank_queries, data.gallery)


def test_the_search_can_be_a_step_of_a_pipeline(data, sims):
    search = NormalizerSearch(sims[1][:40], data.relevant[:40], FEW)
    search.set_params(metric="precomputed")
    pipeline = make_pipeline(
        GallerySimilarity(data.gallery), search, NearestNeighborScorer()
    )
    relevant = np.full(len(data.bank_queries), -1)  # as passed by a Pipeline
    found = pipeline.fit(data.bank_queries, relevant).predict(data.queries[40:])
    expected = search.fit(sims[0]).transform(sims[1][40:])
    np.testing.assert_array_equal(found, expected.argmax(axis=1))
    corrected = search.fit_transform(sims[0])
    np.testing.assert_array_equal(corrected, search.transform(sims[0]))


def test_the_search_can_be_the_normalizer_of_a_retriever(data):
    search = NormalizerSearch(data.queries[:40], data.relevant[:40], FEW)
    retriever = QuerybankRetriever(search, n_neighbors=1)
    retriever.fit(data.bank_queries, data.gallery)
    best = retriever.normalizer_.best_estimator_
    alone = QuerybankRetriever(best, n_neighbors=1).fit(data.bank_queries, data.gallery)
    for given in (data.queries, data.bank_queries):
        expected = alone.kneighbors(given)
        for ours, theirs in zip(retriever.kneighbors(given), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_changes_of_bank_and_gallery_keep_the_choice(data):
    search = NormalizerSearch(data.queries, data.relevant, FEW[:1])
    search.set_params(n_standard_errors=0)
    bank, gallery = data.bank_queries, data.gallery
    in_parts = clone(search).partial_fit(bank[:100], gallery)
    in_parts.partial_fit(bank[100:], gallery)
    assert in_parts.n_bank_seen_ == 120
    whole = clone(search).fit(bank, gallery)
    raw = pairwise_similarity(data.queries, gallery)
    np.testing.assert_allclose(in_parts.transform(raw), whole.transform(raw), atol=1e-6)
    fitted = whole.best_estimator_
    retriever = QuerybankRetriever(search, n_neighbors=1).fit(bank, gallery)
    retriever.add_gallery(bank, gallery[:5]).remove_gallery(np.arange(3))
    retriever.partial_fit(bank[:10])
    assert retriever.normalizer_.n_features_in_ == 42
    assert retriever.normalizer_.n_bank_seen_ == 130
    assert retriever.kneighbors(data.queries)[1].max() < 42
    whole.add_gallery(bank, gallery[:5])
    assert fitted.n_features_in_ == 40  # the old estimator is not changed


def test_names_of_the_gallery_are_kept(data):
    pandas = pytest.importorskip("pandas")
    names = [f"clip {item}" for item in range(40)]
    frame = pandas.DataFrame(data.gallery, index=names)
    search = NormalizerSearch(data.queries, data.relevant, FEW)
    search.fit(data.bank_queries, frame)
    assert list(search.get_feature_names_out()) == names
    assert not hasattr(search.fit(data.bank_queries, data.gallery), "feature_names_in_")
    table = pandas.DataFrame(search.results_)
    assert table["name"][0] == "raw"
    assert len(table) == len(FEW) + 1


def test_clones_share_the_queries(data, sims):
    search = NormalizerSearch(sims[1], data.relevant, FEW, metric="precomputed")
    params = search.get_params()
    assert params["candidates"] is FEW
    fitted = clone(search).fit(sims[0])
    assert fitted.queries is sims[1]
    assert fitted.candidates is not FEW
    expected = fitted.transform(sims[1])
    thawed = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(thawed.transform(sims[1]), expected)
    with pytest.raises(NotFittedError):
        clone(fitted).transform(sims[1])
    default = clone(NormalizerSearch(sims[1], data.relevant))
    assert default.candidates is None
    with pytest.raises(NotFittedError):
        default.add_gallery(sims[0])


def test_the_input_is_not_changed(data, sims):
    bank, queries = (matrix.copy() for matrix in sims)
    for matrix in (bank, queries):
        matrix.flags.writeable = False
    candidates = [InvertedSoftmax(beta=10.0)]
    search = NormalizerSearch(queries, data.relevant, candidates, metric="precomputed")
    search.fit(np.asfortranarray(bank)).transform(queries)
    assert not hasattr(candidates[0], "gallery_bias_")
    assert candidates[0].metric is None


def test_what_the_chosen_normalizer_cannot_do_is_refused(data, sims):
    search = NormalizerSearch(sims[1], data.relevant, [SinkhornNormalizer()])
    search.set_params(n_standard_errors=0).fit(sims[0])
    with pytest.raises(ValueError, match="partial_fit"):
        search.partial_fit(sims[0])


def test_only_the_chosen_normalizer_warns(data, sims):
    unsettled = SinkhornNormalizer(beta=20, max_iter=2, tol=1e-9)
    search = NormalizerSearch(sims[1], data.relevant, [unsettled], metric="precomputed")
    search.set_params(n_standard_errors=0)
    with pytest.warns(ConvergenceWarning) as seen:
        search.fit(sims[0])
    assert [warning.filename for warning in seen] == [__file__]
    search.set_params(n_standard_errors=99)  # so that none is chosen
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert search.fit(sims[0]).best_index_ == 0


def test_verbose_shows_progress_bars(data, sims, capsys):
    pytest.importorskip("tqdm")
    search = NormalizerSearch(sims[1], data.relevant, FEW, verbose=True)
    search.set_params(metric="precomputed").fit(sims[0])
    shown = capsys.readouterr().err
    assert "fit CSLS" in shown
    assert "compare candidates" in shown


def test_the_candidates_are_those_of_the_documentation():
    candidates = default_candidates()
    assert len(candidates) == 68
    assert len({repr(candidate) for candidate in candidates}) == 68
    assert {candidate.alpha for candidate in candidates} == {0.25, 0.5, 0.75, 1.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": [PCA()]}, "candidates .* PCA"),
        ({"k": 0}, "k .* 0"),
        ({"n_standard_errors": -1}, "n_standard_errors .* -1"),
        ({"metric": "euclid"}, "metric .* 'euclid'"),
        ({"candidates": CSLS()}, "candidates .* CSLS"),
        ({"candidates": 3}, "candidates .* 3"),
        ({"queries": None, "relevant": None}, "queries .* None"),
        ({"relevant": None}, "relevant .* None"),
        (
            {"relevant": [[]] * 80},
            "relevant",
        ),
        ({"relevant": [-1] * 80}, "relevant"),
        ({"relevant": [0]}, "relevant.* 80.* 1"),
        (
            {"queries": np.ones((80, 3))},
            "queries and gallery",
        ),
        ({"queries": [[np.nan] * 8] * 80}, "queries .* NaN"),
        ({"queries": iter([])}, "queries .* list_iterator"),
        ({"queries": np.ones((1, 8)), "relevant": [0]}, "queries"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_invalid_parameters_are_rejected(data, options, message):
    search = NormalizerSearch(data.queries, data.relevant, FEW)
    search.set_params(**options)
    with pytest.raises(ValueError, match=message):
        search.fit(data.bank_queries, data.gallery)
    assert not hasattr(search, "n_features_in_")


def test_k_of_the_whole_gallery_warns(sims, data):
    options = {"k": 40, "metric": "precomputed"}
    search = NormalizerSearch(sims[1], data.relevant, [CSLS(n_neighbors=5)], **options)
    with pytest.warns(UndefinedMetricWarning, match="k=40 .* 40 items") as found:
        search.fit(sims[0])
    assert found[0].filename == __file__
    assert search.best_index_ == 0


def test_embeddings_without_a_gallery_are_rejected(data):
    search = NormalizerSearch(data.queries, data.relevant, FEW)
    with pytest.raises(ValueError, match="gallery is None"):
        search.fit(data.bank_queries)
    assert not hasattr(search, "n_features_in_")


def test_unknown_relevant_items_are_rejected_as_such(data, sims):
    search = NormalizerSearch(data.queries, [40] * 80, FEW)
    with pytest.raises(ValueError, match="^relevant"):
        search.fit(data.bank_queries, data.gallery)
    search.set_params(queries=sims[1], metric="precomputed")
    with pytest.raises(ValueError, match="^relevant"):
        search.fit(sims[0])


def test_invalid_banks_and_galleries_are_rejected(data, sims):
    search = NormalizerSearch(data.queries, data.relevant, FEW)
    bank = data.bank_queries
    for given, message in (
        ((bank,), "gallery .* None"),
        ((bank, data.relevant), "gallery"),
        ((iter([bank]), data.gallery), "querybank .* list_iterator"),
        ((bank, iter([data.gallery])), "gallery .* list_iterator"),
    ):
        with pytest.raises(ValueError, match=message):
            clone(search).set_params(metric="cosine").fit(*given)
    search.set_params(queries=sims[1][:, :5], metric="precomputed")
    with pytest.raises(ValueError, match="5 features"):
        search.fit(sims[0])
    for results, message in (
        ([[1.0], [0.0]], "queries .* 1"),
        ([1.0, 0.0], "2D"),
        ([[1.0, np.nan]], "results .* NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            gain_lower_bounds(results)
