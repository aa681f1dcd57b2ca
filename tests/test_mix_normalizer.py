"""The mix of the biases of a bank and of a sample of the queries."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GallerySimilarity,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import hub_agreement, k_occurrence, recall_at_k
from sk_qbnorm.model_selection import NormalizerSearch

from . import reference

DATA = make_hub_retrieval(150, 120, 60, n_features=8, random_state=0)
BANK, GALLERY, QUERIES = DATA.bank_queries, DATA.gallery, DATA.queries
SIMS = pairwise_similarity(QUERIES, GALLERY)
BANK_SIMS = pairwise_similarity(BANK, GALLERY)
NORMALIZERS = {
    "default": None,
    "IS": InvertedSoftmax(beta=5, alpha=0.3),
    "NNN": NearestNeighborNormalizer(n_neighbors=4),
    "CSLS": CSLS(n_neighbors=4),
}
each_normalizer = pytest.mark.parametrize(
    "normalizer", NORMALIZERS.values(), ids=NORMALIZERS
)


def bias_of_sinkhorn(sims):
    return SinkhornNormalizer(shrinkage="noise").fit(sims).gallery_bias_


def bias_of_best_items(sims, n_listed):
    lists = [
        {int(item): row[item] for item in np.argsort(-row, kind="stable")[:n_listed]}
        for row in sims
    ]
    return reference.list_sinkhorn_bias(lists, sims.shape[1])


@pytest.mark.parametrize("n_sample", [60, 99, 100, 120])
def test_the_bias_is_that_of_the_reference(n_sample):
    mix = MixNormalizer(SIMS[:n_sample]).fit(BANK_SIMS)
    agreement = hub_agreement(k_occurrence(BANK_SIMS), k_occurrence(SIMS[:n_sample]))
    assert 0.5 < agreement < 1
    assert mix.agreement_ == agreement
    of_bank = np.mean(
        [
            reference.centered(bias_of_sinkhorn(BANK_SIMS)),
            reference.centered(bias_of_best_items(BANK_SIMS, 6)),  # a tenth of 60
        ],
        axis=0,
    )
    of_sample = bias_of_sinkhorn(SIMS[:n_sample])
    expected = reference.mixed_bias(agreement, of_bank, of_sample, n_sample)
    np.testing.assert_allclose(mix.gallery_bias_, expected, atol=1e-12)
    np.testing.assert_allclose(mix.transform(SIMS), SIMS - 0.75 * mix.gallery_bias_)
    assert (mix.n_sample_seen_, mix.n_bank_seen_) == (n_sample, 150)


@each_normalizer
def test_any_normalizer_of_one_bank_learns_from_the_bank(normalizer):
    mix = MixNormalizer(SIMS, normalizer).fit(BANK_SIMS)
    if normalizer is not None:
        plain = clone(normalizer).fit(BANK_SIMS)
        expected = reference.mixed_bias(
            mix.agreement_, plain.gallery_bias_, bias_of_sinkhorn(SIMS), len(SIMS)
        )
        np.testing.assert_allclose(mix.gallery_bias_, expected, atol=1e-12)
        assert not hasattr(normalizer, "gallery_bias_")
    of_embeddings = MixNormalizer(QUERIES, normalizer).fit(BANK, GALLERY)
    np.testing.assert_allclose(
        of_embeddings.gallery_bias_, mix.gallery_bias_, atol=1e-12
    )


def test_without_a_bank_the_sample_corrects_alone():
    for mix in (
        MixNormalizer(SIMS).fit(None),
        MixNormalizer(SIMS, metric="precomputed").fit(),
        MixNormalizer(QUERIES).fit(None, GALLERY),
    ):
        assert (mix.agreement_, mix.n_bank_seen_, mix.bank_normalizer_) == (0, 0, None)
        expected = reference.centered(bias_of_sinkhorn(SIMS))
        np.testing.assert_allclose(mix.gallery_bias_, expected, atol=1e-12)
        mix.set_params(queries=SIMS[:50], metric="precomputed")
        few = np.multiply(reference.centered(bias_of_sinkhorn(SIMS[:50])), 2 / 3)
        np.testing.assert_allclose(mix.fit().gallery_bias_, few, atol=1e-12)
    retriever = QuerybankRetriever(MixNormalizer(QUERIES)).fit(None, GALLERY)
    best = MixNormalizer(SIMS).fit(None).transform(SIMS).argmax(axis=1)
    np.testing.assert_array_equal(retriever.kneighbors(QUERIES)[1][:, 0], best)


def test_other_normalizers_need_a_bank():
    with pytest.raises(ValueError, match="querybank .* InvertedSoftmax"):
        QuerybankRetriever(InvertedSoftmax()).fit(None, GALLERY)


def test_the_normalizer_of_the_bank_can_be_used_alone():
    of_bank = MixNormalizer(SIMS).fit(BANK_SIMS).bank_normalizer_
    np.testing.assert_allclose(of_bank.transform(SIMS), SIMS - of_bank.gallery_bias_)


def test_a_foreign_bank_counts_for_nothing():
    foreign = MixNormalizer(QUERIES).fit(DATA.bank_queries_ood, GALLERY)
    alone = MixNormalizer(QUERIES).fit(None, GALLERY)
    assert foreign.agreement_ < 0.1
    np.testing.assert_allclose(foreign.gallery_bias_, alone.gallery_bias_, atol=0.01)


@each_normalizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_embeddings_similarities_and_searches_give_the_same_scores(normalizer, dtype):
    bank, gallery, queries = (each.astype(dtype) for each in (BANK, GALLERY, QUERIES))
    sims = pairwise_similarity(queries, gallery)
    of_embeddings = MixNormalizer(queries, normalizer).fit(bank, gallery)
    of_sims = MixNormalizer(sims, normalizer).fit(pairwise_similarity(bank, gallery))
    scores = of_embeddings.transform(sims)
    assert scores.dtype == dtype
    atol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(scores, of_sims.transform(sims), atol=atol)
    retriever = QuerybankRetriever(MixNormalizer(queries, normalizer))
    retriever.fit(bank, gallery)
    best = np.argsort(-retriever.decision_function(queries), axis=1, kind="stable")
    np.testing.assert_array_equal(retriever.kneighbors(queries)[1], best[:, :10])


def test_it_is_a_step_of_a_pipeline():
    pipeline = make_pipeline(
        GallerySimilarity(GALLERY),
        MixNormalizer(SIMS[:40]),
        NearestNeighborScorer(n_neighbors=1),
    )
    found = pipeline.fit(BANK).predict(QUERIES)
    normalizer = MixNormalizer(QUERIES[:40]).fit(BANK, GALLERY)
    np.testing.assert_array_equal(found, normalizer.transform(SIMS).argmax(axis=1))


@pytest.mark.parametrize("is_of_sims", [True, False])
def test_the_sample_grows_with_a_log(is_of_sims):
    gallery = () if is_of_sims else (GALLERY,)
    bank, queries = (BANK_SIMS, SIMS) if is_of_sims else (BANK, QUERIES)
    expected = MixNormalizer(queries).fit(bank, *gallery)
    grown = MixNormalizer(queries[:30]).fit(bank, *gallery)
    for rows in (slice(30, 100), slice(100, None)):
        grown.partial_fit(None, *gallery, queries=queries[rows])
    at_once = MixNormalizer(queries[:30])
    at_once.partial_fit(bank, *gallery, queries=queries[30:])
    for found in (grown, at_once):
        assert (found.n_sample_seen_, found.agreement_) == (120, expected.agreement_)
        np.testing.assert_allclose(
            found.gallery_bias_, expected.gallery_bias_, atol=1e-12
        )
    before = grown.gallery_bias_
    with pytest.raises(ValueError, match="querybank .* fit"):
        grown.partial_fit(bank, *gallery)
    np.testing.assert_array_equal(grown.gallery_bias_, before)


@pytest.mark.parametrize("normalizer", [NORMALIZERS["IS"], NORMALIZERS["NNN"]])
def test_the_bank_grows_if_its_normalizer_can(normalizer):
    expected = MixNormalizer(QUERIES, normalizer).fit(BANK, GALLERY)
    parts = MixNormalizer(QUERIES, normalizer)
    parts.partial_fit(BANK[:60], GALLERY).partial_fit(BANK[60:], GALLERY)
    iterated = MixNormalizer(QUERIES, normalizer)
    iterated.fit(iter([BANK[:60], BANK[60:]]), GALLERY)
    late = MixNormalizer(QUERIES, normalizer).fit(None, GALLERY)
    late.partial_fit(BANK, GALLERY)
    for found in (parts, iterated, late):
        assert found.agreement_ == pytest.approx(expected.agreement_, rel=1e-12)
        np.testing.assert_allclose(found.transform(SIMS), expected.transform(SIMS))


@each_normalizer
@pytest.mark.parametrize("has_bank", [True, False])
def test_items_that_leave_and_return_have_the_bias_they_had(normalizer, has_bank):
    bank, bank_sims = (BANK, BANK_SIMS) if has_bank else (None, None)
    expected = MixNormalizer(QUERIES, normalizer).fit(bank, GALLERY)
    changed = clone(expected).fit(bank, GALLERY)
    changed.remove_gallery(np.arange(50, 60), bank, GALLERY[:50])
    assert changed.n_features_in_ == 50
    changed.add_gallery(bank, GALLERY[50:])
    of_sims = MixNormalizer(SIMS, normalizer, metric="precomputed").fit(bank_sims)
    left = None if bank is None else BANK_SIMS[:, :50]
    new = None if bank is None else BANK_SIMS[:, 50:]
    of_sims.remove_gallery(np.arange(50, 60), left)
    of_sims.add_gallery(new, queries=SIMS[:, 50:])
    retriever = QuerybankRetriever(MixNormalizer(QUERIES, normalizer))
    retriever.fit(bank, GALLERY).remove_gallery(np.arange(50, 60), bank)
    retriever.add_gallery(bank, GALLERY[50:])
    for found in (changed, of_sims, retriever.normalizer_):
        assert found.agreement_ == pytest.approx(expected.agreement_, rel=1e-12)
        np.testing.assert_allclose(
            found.gallery_bias_, expected.gallery_bias_, atol=1e-12
        )


def test_a_changed_gallery_is_what_the_sample_grows_on():
    grown = MixNormalizer(SIMS[:60, :40]).fit(BANK_SIMS[:, :40])
    grown.add_gallery(BANK_SIMS[:, 40:], queries=SIMS[:60, 40:])
    grown.remove_gallery([0], BANK_SIMS[:, 1:])
    grown.partial_fit(queries=SIMS[60:, 1:])
    of_sample = bias_of_sinkhorn(SIMS[:, 1:])
    np.testing.assert_allclose(grown.sample_normalizer_.gallery_bias_, of_sample)


@pytest.mark.parametrize("as_matrix", [sparse.csr_array, sparse.csc_array, list])
def test_samples_of_any_form_are_taken(as_matrix):
    expected = MixNormalizer(QUERIES).fit(BANK, GALLERY)
    found = MixNormalizer(as_matrix(QUERIES)).fit(BANK, GALLERY)
    found.partial_fit(None, GALLERY, as_matrix(QUERIES[:1]))
    expected.partial_fit(None, GALLERY, QUERIES[:1])
    np.testing.assert_allclose(found.gallery_bias_, expected.gallery_bias_, atol=1e-12)


def test_dask_arrays_give_the_scores_of_arrays():
    array = pytest.importorskip("dask.array")
    bank, gallery, queries = (
        array.from_array(each, chunks=(40, -1)) for each in (BANK, GALLERY, QUERIES)
    )
    expected = MixNormalizer(QUERIES).fit(BANK, GALLERY)
    for found in (
        MixNormalizer(queries).fit(bank, gallery),
        MixNormalizer(QUERIES).fit(bank, GALLERY),
    ):
        np.testing.assert_allclose(found.gallery_bias_, expected.gallery_bias_)
        found.remove_gallery([59], BANK, GALLERY[:59]).add_gallery(bank, gallery[59:])
        np.testing.assert_allclose(found.gallery_bias_, expected.gallery_bias_)


def test_a_change_of_the_callers_sample_is_not_seen():
    queries = QUERIES.copy()
    expected = MixNormalizer(QUERIES).fit(BANK, GALLERY[:50])
    fitted = MixNormalizer(queries).fit(BANK, GALLERY[:50])
    queries[:] = 1
    for each in (expected, fitted):
        each.add_gallery(BANK, GALLERY[50:])
    np.testing.assert_array_equal(fitted.gallery_bias_, expected.gallery_bias_)


@pytest.mark.parametrize("reload", ["pickle", "joblib", "joblib on disk"])
def test_a_stored_and_loaded_mix_follows_its_gallery(reload, tmp_path):
    fitted = MixNormalizer(QUERIES).fit(BANK, GALLERY[:50])
    if reload == "pickle":
        loaded = pickle.loads(pickle.dumps(fitted))
    else:
        joblib.dump(fitted, tmp_path / "fitted")
        mmap_mode = "r" if "disk" in reload else None
        loaded = joblib.load(tmp_path / "fitted", mmap_mode=mmap_mode)
    for each in (loaded, fitted):
        each.add_gallery(BANK, GALLERY[50:])
    np.testing.assert_array_equal(loaded.gallery_bias_, fitted.gallery_bias_)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"queries": None}, "queries"),
        ({"queries": iter([SIMS])}, "queries"),
        ({"queries": SIMS[:1]}, "at least 2"),
        ({"queries": SIMS[:, :4]}, "queries .* 60"),
        ({"queries": SIMS * np.nan}, "queries must be finite"),
        ({"alpha": -1}, "alpha"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"normalizer": DynamicInvertedSoftmax()}, "normalizer"),
        ({"normalizer": "IS"}, "normalizer"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    mix = MixNormalizer(SIMS, metric="precomputed").set_params(**settings)
    with pytest.raises(ValueError, match=message):
        mix.fit(BANK_SIMS)
    assert not hasattr(mix, "agreement_")


def test_embeddings_need_the_gallery_whenever_it_changes():
    fitted = MixNormalizer(QUERIES).fit(BANK, GALLERY)
    before = fitted.gallery_bias_
    for act in (
        lambda: fitted.set_params(metric="cosine").fit(BANK),
        lambda: fitted.add_gallery(BANK),
        lambda: fitted.add_gallery(None, GALLERY),
        lambda: fitted.partial_fit(queries=QUERIES),
        lambda: fitted.remove_gallery(np.arange(30), BANK),
        lambda: fitted.fit(BANK, iter([GALLERY])),
    ):
        with pytest.raises(ValueError, match=r"gallery|querybank"):
            act()
        np.testing.assert_array_equal(fitted.gallery_bias_, before)
    with pytest.raises(ValueError, match="normalizer"):
        DynamicNormalizer(fitted).fit(BANK, GALLERY)
    mix = MixNormalizer(QUERIES)
    for act in (
        lambda: mix.add_gallery(BANK, GALLERY),
        lambda: mix.remove_gallery([0], BANK, GALLERY),
    ):
        with pytest.raises(ValueError, match="not fitted"):
            act()
    of_sims = MixNormalizer(SIMS[:, :50]).fit(BANK_SIMS[:, :50])
    with pytest.raises(ValueError, match="queries"):
        of_sims.add_gallery(BANK_SIMS[:, 50:])


def test_names_of_the_gallery_have_to_agree():
    names = [f"g{item}" for item in range(60)]
    bank, queries = (pd.DataFrame(each, columns=names) for each in (BANK_SIMS, SIMS))
    mix = MixNormalizer(queries).fit(bank)
    assert mix.agreement_ == mix.fit(BANK_SIMS).agreement_
    mix.set_params(queries=queries[names[::-1]])
    with pytest.raises(ValueError, match="queries"):
        mix.fit(bank)


def test_clones_share_the_sample():
    mix = MixNormalizer(QUERIES, InvertedSoftmax(beta=5)).fit(BANK, GALLERY)
    twin = clone(mix)
    assert twin.queries is QUERIES
    assert twin.normalizer is not mix.normalizer
    assert not hasattr(twin, "agreement_")
    assert not hasattr(twin, "_sample")
    framed = MixNormalizer(SIMS).set_output(transform="pandas")
    assert hasattr(clone(framed).fit(BANK_SIMS).transform(SIMS), "columns")


def test_strengths_can_be_chosen_among():
    candidates = [MixNormalizer(QUERIES[:40], alpha=alpha) for alpha in (0.25, 0.75)]
    search = NormalizerSearch(QUERIES[40:], DATA.relevant[40:], candidates)
    found = search.fit(BANK, GALLERY).results_["recall"]
    expected = [
        recall_at_k(DATA.relevant[40:], each.fit(BANK, GALLERY).transform(SIMS[40:]))
        for each in candidates
    ]
    np.testing.assert_allclose(found[1:], expected)


def test_the_strength_counts_at_once():
    mix = MixNormalizer(SIMS).fit(BANK_SIMS).set_params(alpha=0)
    np.testing.assert_array_equal(mix.transform(SIMS), SIMS)


def test_another_sample_needs_no_other_fit_to_the_bank():
    fitted = MixNormalizer(QUERIES[:50]).fit(BANK, GALLERY)
    before = fitted.gallery_bias_
    expected = MixNormalizer(QUERIES[50:]).fit(BANK, GALLERY)
    other = fitted.with_sample(QUERIES[50:], GALLERY)
    np.testing.assert_array_equal(other.gallery_bias_, expected.gallery_bias_)
    np.testing.assert_array_equal(fitted.gallery_bias_, before)
    assert fitted.queries.shape == (50, 8)
    with pytest.raises(ValueError, match="gallery"):
        fitted.with_sample(QUERIES[50:])
