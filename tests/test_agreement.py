"""A correction that is as strong as the bank and the queries agree on the hubs."""

import pickle
from copy import copy

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    CSLS,
    AgreementNormalizer,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GallerySimilarity,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import hub_agreement, k_occurrence, recall_at_k
from sk_qbnorm.model_selection import NormalizerSearch

DATA = make_hub_retrieval(150, 90, 60, n_features=8, random_state=0)
BANK, GALLERY, QUERIES = DATA.bank_queries, DATA.gallery, DATA.queries
SIMS = pairwise_similarity(QUERIES, GALLERY)
BANK_SIMS = pairwise_similarity(BANK, GALLERY)
precomputed = {"metric": "precomputed"}
NORMALIZERS = {
    "IS": InvertedSoftmax(beta=5, alpha=0.3),
    "NNN": NearestNeighborNormalizer(n_neighbors=4),
    "Sinkhorn": SinkhornNormalizer(beta=5, max_iter=3, tol=0),
    "scale": InvertedSoftmax(beta="scale"),
}
each_normalizer = pytest.mark.parametrize(
    "normalizer", NORMALIZERS.values(), ids=NORMALIZERS
)


@each_normalizer
def test_it_is_the_normalizer_at_the_strength_of_the_agreement(normalizer):
    agreeing = AgreementNormalizer(SIMS, normalizer, alpha=0.6, **precomputed)
    agreeing.fit(BANK_SIMS)
    counts = k_occurrence(BANK_SIMS), k_occurrence(SIMS)
    agreement = hub_agreement(*counts)
    assert 0.5 < agreeing.agreement_ == agreement < 1
    assert agreeing.alpha_ == 0.6 * agreement**2
    plain = clone(normalizer).set_params(alpha=agreeing.alpha_, **precomputed)
    np.testing.assert_array_equal(
        agreeing.transform(SIMS), plain.fit(BANK_SIMS).transform(SIMS)
    )
    assert not hasattr(normalizer, "gallery_bias_")


def test_a_foreign_bank_switches_itself_off():
    agreeing = AgreementNormalizer(QUERIES, SinkhornNormalizer())
    foreign = clone(agreeing).fit(DATA.bank_queries_ood, GALLERY)
    own = clone(agreeing).fit(BANK, GALLERY)
    assert foreign.alpha_ < 0.05 < 0.4 < own.alpha_ <= 0.75
    assert isinstance(own.normalizer_, SinkhornNormalizer)


@each_normalizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_embeddings_similarities_and_searches_give_the_same_scores(normalizer, dtype):
    bank, gallery, queries = (each.astype(dtype) for each in (BANK, GALLERY, QUERIES))
    sims = pairwise_similarity(queries, gallery)
    of_embeddings = AgreementNormalizer(queries, normalizer).fit(bank, gallery)
    of_sims = AgreementNormalizer(sims, normalizer, **precomputed)
    of_sims.fit(pairwise_similarity(bank, gallery))
    scores = of_embeddings.transform(sims)
    assert scores.dtype == dtype
    atol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(scores, of_sims.transform(sims), atol=atol)
    retriever = QuerybankRetriever(AgreementNormalizer(queries, normalizer))
    retriever.fit(bank, gallery)
    best = np.argsort(-retriever.decision_function(queries), axis=1, kind="stable")
    np.testing.assert_array_equal(retriever.kneighbors(queries)[1], best[:, :10])
    bias = of_embeddings.index_bias()
    np.testing.assert_allclose(sims - bias, scores, atol=10 * atol)
    with pytest.raises(ValueError, match="depends on the whole gallery"):
        of_embeddings.bias_of(bank, gallery)


def test_it_is_a_step_of_a_pipeline():
    pipeline = make_pipeline(
        GallerySimilarity(GALLERY),
        AgreementNormalizer(SIMS[:40], SinkhornNormalizer()),
        NearestNeighborScorer(n_neighbors=1),
    )
    found = pipeline.fit(BANK).predict(QUERIES)
    normalizer = AgreementNormalizer(QUERIES[:40], SinkhornNormalizer())
    normalizer.fit(BANK, GALLERY)
    np.testing.assert_array_equal(found, normalizer.transform(SIMS).argmax(axis=1))


@pytest.mark.parametrize("normalizer", [NORMALIZERS["IS"], NORMALIZERS["NNN"]])
def test_banks_and_galleries_may_change(normalizer):
    expected = AgreementNormalizer(QUERIES, normalizer).fit(BANK, GALLERY[:50])
    parts = AgreementNormalizer(QUERIES, normalizer)
    parts.partial_fit(BANK[:60], GALLERY[:50]).partial_fit(BANK[60:], GALLERY[:50])
    grown = AgreementNormalizer(QUERIES, normalizer).fit(BANK, GALLERY[:30])
    grown.add_gallery(BANK, GALLERY[30:50])
    shrunk = AgreementNormalizer(QUERIES, normalizer).fit(BANK, GALLERY)
    shrunk.remove_gallery(np.arange(50, 60), BANK, GALLERY[:50])
    retriever = QuerybankRetriever(AgreementNormalizer(QUERIES, normalizer))
    retriever.fit(BANK, GALLERY[:30]).add_gallery(BANK, GALLERY[30:])
    retriever.remove_gallery(np.arange(50, 60), BANK)
    iterated = AgreementNormalizer(QUERIES, normalizer)
    iterated.fit(iter([BANK[:60], BANK[60:]]), GALLERY[:50])
    for found in (parts, grown, shrunk, retriever.normalizer_, iterated):
        assert found.agreement_ == pytest.approx(expected.agreement_, rel=1e-12)
        np.testing.assert_allclose(
            found.transform(SIMS[:, :50]), expected.transform(SIMS[:, :50]), atol=1e-12
        )


def test_similarities_of_a_changed_gallery_are_set_before():
    grown = AgreementNormalizer(SIMS[:, :30], InvertedSoftmax(beta=5), **precomputed)
    grown.fit(BANK_SIMS[:, :30])
    with pytest.raises(ValueError, match="gallery"):
        grown.add_gallery(BANK_SIMS[:, 30:])
    grown.set_params(queries=SIMS).add_gallery(BANK_SIMS[:, 30:])
    expected = AgreementNormalizer(SIMS, InvertedSoftmax(beta=5), **precomputed)
    expected.fit(BANK_SIMS)
    assert grown.alpha_ == expected.alpha_
    grown.set_params(queries=SIMS[:, 1:]).remove_gallery([0], BANK_SIMS[:, 1:])
    assert grown.n_features_in_ == 59


def test_dask_arrays_give_the_scores_of_arrays():
    array = pytest.importorskip("dask.array")
    bank, gallery, queries = (
        array.from_array(each, chunks=(40, -1)) for each in (BANK, GALLERY, QUERIES)
    )
    expected = AgreementNormalizer(QUERIES, SinkhornNormalizer()).fit(BANK, GALLERY)
    for found in (
        AgreementNormalizer(queries, SinkhornNormalizer()).fit(bank, gallery),
        AgreementNormalizer(QUERIES, SinkhornNormalizer()).fit(bank, GALLERY),
    ):
        assert found.alpha_ == pytest.approx(expected.alpha_, rel=1e-12)
        np.testing.assert_allclose(found.gallery_bias_, expected.gallery_bias_)


def test_a_small_gallery_has_no_hubs_that_count():
    few = AgreementNormalizer(SIMS[:, :8], SinkhornNormalizer())
    few.fit(BANK_SIMS[:, :8])
    assert few.alpha_ == 0
    np.testing.assert_array_equal(few.transform(SIMS[:, :8]), SIMS[:, :8])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"queries": None}, "queries"),
        ({"queries": iter([SIMS])}, "queries must be a matrix"),
        ({"queries": SIMS[:1]}, "queries"),
        ({"queries": SIMS[:, :4]}, "queries .* 60"),
        ({"queries": SIMS * np.nan}, "queries must be finite"),
        ({"alpha": -1}, "alpha must be a finite number >= 0, got -1"),
        ({"n_neighbors": 0}, "n_neighbors must be an integer >= 1, got 0"),
        ({"normalizer": CSLS()}, "normalizer .* alpha"),
        ({"normalizer": DynamicInvertedSoftmax()}, "normalizer"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    agreeing = AgreementNormalizer(SIMS, SinkhornNormalizer(), **precomputed)
    agreeing.set_params(**settings)
    with pytest.raises(ValueError, match=message):
        agreeing.fit(BANK_SIMS)
    assert not hasattr(agreeing, "agreement_")


def test_embeddings_need_the_gallery_whenever_it_changes():
    fitted = AgreementNormalizer(QUERIES, InvertedSoftmax(beta=5)).fit(BANK, GALLERY)
    before = fitted.alpha_
    for act in (
        lambda: fitted.set_params(metric="cosine").fit(BANK),
        lambda: fitted.add_gallery(BANK),
        lambda: fitted.remove_gallery([0], BANK),
        lambda: fitted.fit(BANK, iter([GALLERY])),
    ):
        with pytest.raises(ValueError, match="gallery"):
            act()
        assert fitted.alpha_ == before
    agreeing = AgreementNormalizer(QUERIES, InvertedSoftmax())
    with pytest.raises(ValueError, match="normalizer"):
        DynamicNormalizer(agreeing).fit(BANK, GALLERY)
    for act in (
        lambda: agreeing.add_gallery(BANK, GALLERY),
        lambda: agreeing.remove_gallery([0], BANK, GALLERY),
    ):
        with pytest.raises(ValueError, match="not fitted"):
            act()


def test_names_of_the_gallery_have_to_agree():
    names = [f"g{item}" for item in range(60)]
    bank, queries = (pd.DataFrame(each, columns=names) for each in (BANK_SIMS, SIMS))
    agreeing = AgreementNormalizer(queries, InvertedSoftmax(beta=5), **precomputed)
    assert agreeing.fit(bank).alpha_ == agreeing.fit(BANK_SIMS).alpha_
    agreeing.set_params(queries=queries[names[::-1]])
    with pytest.raises(ValueError, match="queries"):
        agreeing.fit(bank)


def test_another_sample_starts_anew():
    fitted = AgreementNormalizer(QUERIES, InvertedSoftmax(beta=5)).fit(
        BANK, GALLERY[:50]
    )
    other = QUERIES[::-1] + 1
    with pytest.raises(ValueError, match="queries"):
        fitted.set_params(queries=other).add_gallery(BANK, GALLERY[50:])
    twice = np.vstack([BANK, BANK])
    fitted.partial_fit(BANK, GALLERY[:50]).remove_gallery([0], twice, GALLERY[1:50])
    expected = AgreementNormalizer(other, InvertedSoftmax(beta=5)).fit(
        twice, GALLERY[1:50]
    )
    assert fitted.agreement_ == pytest.approx(expected.agreement_, rel=1e-12)
    fitted = AgreementNormalizer(QUERIES.copy(), InvertedSoftmax(beta=5))
    fitted.fit(BANK, GALLERY[:50]).set_params(queries=QUERIES)  # the same numbers
    assert fitted.add_gallery(BANK, GALLERY[50:]).n_features_in_ == 60


def strided(queries):
    return np.repeat(queries, 2, axis=0)[::2]


def on_disk(queries, folder):
    np.save(folder / "queries.npy", queries)
    return np.load(folder / "queries.npy", mmap_mode="r")


def in_blocks(queries, chunks=(70, 3)):
    return pytest.importorskip("dask.array").from_array(queries, chunks=chunks)


SAMPLES = {
    "strided": strided,
    "F order": np.asfortranarray,
    "reversed": lambda queries: queries[::-1].copy()[::-1],
    "list": np.ndarray.tolist,
    "pandas": lambda queries: pd.DataFrame(strided(queries)),
    "sparse": sparse.csc_array,
    "Dask": in_blocks,
}


@pytest.mark.parametrize("form", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("reload", ["pickle", "joblib", "joblib on disk"])
def test_a_sample_that_was_stored_and_loaded_is_the_same(form, reload, tmp_path):
    queries = form(QUERIES)
    fitted = AgreementNormalizer(queries, InvertedSoftmax(beta=5)).fit(
        BANK, GALLERY[:50]
    )
    if reload == "pickle":
        loaded = pickle.loads(pickle.dumps(fitted))
    else:
        joblib.dump(fitted, tmp_path / "fitted")
        mmap_mode = "r" if "disk" in reload else None
        loaded = joblib.load(tmp_path / "fitted", mmap_mode=mmap_mode)
    loaded.add_gallery(BANK, GALLERY[50:])
    expected = AgreementNormalizer(QUERIES, InvertedSoftmax(beta=5)).fit(BANK, GALLERY)
    assert loaded.agreement_ == pytest.approx(expected.agreement_, rel=1e-12)


def test_a_sample_is_known_by_its_numbers_in_every_form(tmp_path):
    queries = QUERIES.copy()
    queries[0, :2] = 0
    forms = [form(queries) for form in SAMPLES.values()]
    with_zeros = sparse.csr_array(np.where(queries == 0, 7, queries))
    with_zeros.data[with_zeros.data == 7] = 0
    forms += [queries, on_disk(queries, tmp_path), in_blocks(queries, -1), with_zeros]
    for known in forms:
        fitted = AgreementNormalizer(known, InvertedSoftmax(beta=5)).fit(
            BANK, GALLERY[:50]
        )
        for form in forms:
            grown = copy(fitted).set_params(queries=form)
            assert grown.add_gallery(BANK, GALLERY[50:]).n_features_in_ == 60


@pytest.mark.parametrize(
    "change",
    [
        lambda queries: queries[:-1],
        lambda queries: np.vstack([queries, queries[:1]]),
        lambda queries: queries[:, ::-1],
        lambda queries: queries[::-1],
        lambda queries: np.where(np.arange(queries.size) == 7, 0, queries.ravel()),
        lambda queries: np.nextafter(queries, 9),
    ],
)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, in_blocks])
def test_a_sample_with_other_numbers_is_another(change, form):
    fitted = AgreementNormalizer(QUERIES, InvertedSoftmax(beta=5)).fit(
        BANK, GALLERY[:50]
    )
    other = change(QUERIES).reshape(-1, QUERIES.shape[1])
    with pytest.raises(ValueError, match="queries"):
        fitted.set_params(queries=form(other)).add_gallery(BANK, GALLERY[50:])


def test_a_sample_that_was_written_into_is_another():
    queries = QUERIES.copy()
    fitted = AgreementNormalizer(queries, InvertedSoftmax(beta=5)).fit(
        BANK, GALLERY[:50]
    )
    queries[3, 2] += 1
    with pytest.raises(ValueError, match="queries"):
        fitted.add_gallery(BANK, GALLERY[50:])


def test_clones_share_the_sample():
    agreeing = AgreementNormalizer(QUERIES, InvertedSoftmax(beta=5)).fit(BANK, GALLERY)
    twin = clone(agreeing)
    assert twin.queries is QUERIES
    assert twin.normalizer is not agreeing.normalizer
    assert not hasattr(twin, "alpha_")
    framed = AgreementNormalizer(SIMS, SinkhornNormalizer())
    pandas = clone(framed.set_output(transform="pandas")).fit(BANK_SIMS)
    assert hasattr(pandas.transform(SIMS), "columns")


def test_strengths_can_be_chosen_among():
    candidates = [
        AgreementNormalizer(QUERIES[:40], SinkhornNormalizer(), alpha=alpha)
        for alpha in (0.25, 0.75)
    ]
    search = NormalizerSearch(QUERIES[40:], DATA.relevant[40:], candidates)
    found = search.fit(BANK, GALLERY).results_["recall"]
    expected = [
        recall_at_k(DATA.relevant[40:], each.fit(BANK, GALLERY).transform(SIMS[40:]))
        for each in candidates
    ]
    np.testing.assert_allclose(found[1:], expected)


def test_the_strength_counts_at_once():
    agreeing = AgreementNormalizer(SIMS, InvertedSoftmax(beta=5), **precomputed)
    agreeing.fit(BANK_SIMS).set_params(alpha=0)
    np.testing.assert_array_equal(agreeing.transform(SIMS), SIMS)
    assert agreeing.alpha_ == 0
