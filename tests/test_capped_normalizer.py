"""Caps on the share of the bank queries that a gallery item wins."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    CSLS,
    CappedNormalizer,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    InvertedSoftmax,
    ListSinkhornNormalizer,
    MixNormalizer,
    NearestNeighborNormalizer,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.indexes import AugmentedVectors
from sk_qbnorm.statistics import _caps

from . import reference

DATA = make_hub_retrieval(150, 120, 60, n_features=8, random_state=0)
BANK, GALLERY, QUERIES = DATA.bank_queries, DATA.gallery, DATA.queries
HUB = BANK.mean(axis=0, keepdims=True)
PLANTED = np.vstack([GALLERY, HUB])
BANK_SIMS = pairwise_similarity(BANK, PLANTED)
SIMS = pairwise_similarity(QUERIES, PLANTED)
CAPS = {1: 0.04, 5: 0.15}
INNER = {
    "raw": None,
    "IS": InvertedSoftmax(beta=5, alpha=0.3),
    "NNN": NearestNeighborNormalizer(n_neighbors=4),
    "CSLS": CSLS(n_neighbors=4),
    "Sinkhorn": SinkhornNormalizer(shrinkage="noise", alpha=0.4),
    "lists": ListSinkhornNormalizer(alpha=0.5),
    "probabilities": InvertedSoftmax(beta=5, alpha=0.3, output="probability"),
    "limited": InvertedSoftmax(beta=5, alpha=0.3, influence_limit=20),
}
each_inner = pytest.mark.parametrize("inner", INNER.values(), ids=INNER)


def bias_of(inner, sims):
    if inner is None:
        return np.zeros(sims.shape[1])
    fitted = clone(inner).fit(sims)
    return fitted._correction().bias / fitted._correction().scale


def wins(scores, k):
    """In how many rows each item is among the k best; a tie counts."""
    return (scores >= np.sort(scores, axis=1)[:, [-k]]).sum(axis=0)


@each_inner
def test_bias_and_thresholds_are_those_of_the_reference(inner):
    bank = BANK_SIMS[:90, 35:]
    capped = CappedNormalizer(inner, CAPS).fit(bank)
    before = bias_of(inner, bank)
    expected = reference.capped_bias(bank.tolist(), before.tolist(), CAPS)
    np.testing.assert_allclose(capped.gallery_bias_, expected[0], atol=1e-10)
    np.testing.assert_allclose(capped.thresholds_, expected[1], atol=1e-10)
    np.testing.assert_array_equal(capped.raised_, capped.gallery_bias_ > before)
    shares = [wins(bank - before, k) / len(bank) for k in CAPS]
    np.testing.assert_allclose(capped.bank_share_, np.transpose(shares))
    assert capped.raised_.any()
    sims = SIMS[:, 35:]
    np.testing.assert_allclose(capped.transform(sims), sims - capped.gallery_bias_)


@pytest.mark.compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_inner
def test_no_item_is_among_the_best_of_more_bank_queries_than_its_cap(inner, dtype):
    capped = CappedNormalizer(inner, CAPS).fit(BANK_SIMS.astype(dtype))
    scores = capped.transform(BANK_SIMS.astype(dtype))
    assert scores.dtype == dtype
    for k, share in CAPS.items():
        of_hub = wins(scores, k)[-1]
        assert of_hub <= share * len(BANK) < wins(BANK_SIMS, k)[-1]


def test_items_within_their_shares_keep_their_bias():
    caps = {1: 0.9, 5: 0.99}
    plain = InvertedSoftmax(beta=5).fit(BANK_SIMS)
    capped = CappedNormalizer(plain, caps).fit(BANK_SIMS)
    np.testing.assert_array_equal(capped.gallery_bias_, plain.gallery_bias_)
    assert not capped.raised_.any()
    best = -np.sort(-plain.transform(BANK_SIMS), axis=1)
    np.testing.assert_allclose(capped.thresholds_, best[:, [0, 4]])


def test_copies_of_a_hub_do_not_vouch_for_each_other():
    gallery = np.vstack([GALLERY, np.repeat(HUB, 10, axis=0)])
    capped = CappedNormalizer(None, CAPS).fit(BANK, gallery)
    assert capped.raised_[-10:].all()
    scores = capped.transform(pairwise_similarity(BANK, gallery))
    best = scores.max(axis=1)
    assert (scores[:, -10:].max(axis=1) >= best).mean() <= 0.04


@pytest.mark.compiled
@pytest.mark.parametrize("inner", [INNER["raw"], INNER["IS"], INNER["NNN"]])
def test_fresh_queries_seldom_retrieve_an_item_made_without_the_bank(inner):
    random = np.random.default_rng(0)
    rates, n_bank, caps = [], 80, {1: 0.05}
    for _ in range(20):
        directions = random.normal(size=(400, 8)) + 1.0
        bank, fresh, gallery = directions[:80], directions[80:350], directions[350:]
        gallery = gallery + random.normal(size=gallery.shape)
        hub = np.ones((1, 8))  # the mean direction, whatever the bank is
        capped = CappedNormalizer(inner, caps).fit(bank, gallery)
        capped.add_gallery(bank, hub)
        scores = capped.transform(pairwise_similarity(fresh, np.vstack([gallery, hub])))
        rates.append((scores.argmax(axis=1) == len(gallery)).mean())
    error = np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) <= 5 / (n_bank + 1) + 2 * error  # (r + 1) / (n + 1)


@each_inner
def test_an_item_that_is_added_is_capped_by_the_stored_thresholds(inner):
    capped = CappedNormalizer(inner, CAPS).fit(BANK, GALLERY)
    before = capped.thresholds_
    grown = pickle.loads(pickle.dumps(capped)).add_gallery(BANK, HUB)
    np.testing.assert_array_equal(grown.thresholds_, before)
    leads = -np.sort(-(BANK_SIMS[:, [-1]] - before), axis=0)
    floor = max(leads[6, 0], leads[22, 1])  # 4 % and 15 % of 150
    assert grown.gallery_bias_[-1] == pytest.approx(floor)
    assert grown.raised_[-1]
    if inner not in (INNER["lists"], INNER["Sinkhorn"]):  # they need all items
        assert capped.bias_of(BANK, HUB)[0] == pytest.approx(floor)
    assert (grown.bank_share_[-1] > [0.04, 0.15]).all()
    ordinary = clone(capped).fit(BANK, GALLERY[:-1])
    ordinary.add_gallery(BANK, GALLERY[-1:])
    assert ordinary.n_features_in_ == 60
    grown.remove_gallery([60], BANK, GALLERY)
    if not isinstance(inner, ListSinkhornNormalizer):
        np.testing.assert_array_equal(grown.gallery_bias_, capped.gallery_bias_)
    np.testing.assert_array_equal(grown.bank_share_, capped.bank_share_)


def test_items_added_together_or_in_turn_get_the_same_floors(monkeypatch):
    together = CappedNormalizer(None, CAPS).fit(BANK_SIMS[:, :20])
    in_turn = clone(together).fit(BANK_SIMS[:, :20])
    together.add_gallery(BANK_SIMS[:, 20:])
    monkeypatch.setattr(_caps, "_BATCH_ENTRIES", 400)
    in_turn.add_gallery(BANK_SIMS[:, 20:30]).add_gallery(BANK_SIMS[:, 30:])
    np.testing.assert_array_equal(in_turn.gallery_bias_, together.gallery_bias_)
    in_batches = clone(together).fit(BANK_SIMS)
    monkeypatch.undo()
    whole = clone(together).fit(BANK_SIMS)
    np.testing.assert_array_equal(in_batches.gallery_bias_, whole.gallery_bias_)


@pytest.mark.parametrize("inner", [INNER["IS"], INNER["CSLS"]])
def test_a_vector_index_a_shortlist_and_a_search_find_the_same(inner):
    capped = CappedNormalizer(inner, CAPS).fit(BANK, PLANTED)
    expected = np.argsort(-capped.transform(SIMS), axis=1, kind="stable")[:, :5]
    vectors = AugmentedVectors().fit(PLANTED, capped.index_bias())
    index = vectors.gallery(PLANTED, capped.index_bias())
    products = vectors.queries(QUERIES) @ index.T
    found = np.argsort(-products, axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(found, expected)
    shortlist = np.argsort(-SIMS, axis=1)[:, :61]
    sims = np.take_along_axis(SIMS, shortlist, axis=1)
    np.testing.assert_array_equal(capped.rescore(sims, shortlist)[1][:, :5], expected)
    retriever = QuerybankRetriever(CappedNormalizer(inner, CAPS), n_neighbors=5)
    retriever.fit(BANK, GALLERY).add_gallery(BANK, HUB)
    assert retriever.normalizer_.raised_[-1]
    retriever.fit(BANK, PLANTED)
    np.testing.assert_array_equal(retriever.kneighbors(QUERIES)[1], expected)


@pytest.mark.compiled
@each_inner
def test_threads_orders_and_forms_of_input_do_not_matter(inner):
    expected = CappedNormalizer(inner, CAPS, metric="precomputed").fit(BANK_SIMS)
    given = BANK_SIMS.copy()
    for n_jobs in (1, 2, 3):
        for sims in (given, np.asfortranarray(given), pd.DataFrame(given)):
            found = clone(expected).set_params(n_jobs=n_jobs).fit(sims)
            np.testing.assert_array_equal(found.gallery_bias_, expected.gallery_bias_)
    np.testing.assert_array_equal(given, BANK_SIMS)
    of_embeddings = CappedNormalizer(inner, CAPS).fit(BANK, PLANTED)
    np.testing.assert_allclose(
        of_embeddings.gallery_bias_, expected.gallery_bias_, atol=1e-10
    )
    single = clone(expected).fit(BANK_SIMS.astype(np.float32))
    np.testing.assert_allclose(single.gallery_bias_, expected.gallery_bias_, atol=2e-5)


def test_the_gate_of_a_dynamic_normalizer_can_be_added():
    dynamic = DynamicNormalizer(CappedNormalizer(INNER["NNN"], CAPS))
    dynamic.fit(BANK, GALLERY).add_gallery(BANK, HUB)
    assert dynamic.normalizer_.raised_[-1]
    assert not hasattr(dynamic, "partial_fit")


def test_it_is_a_step_of_a_pipeline_and_names_items():
    names = [f"g{item}" for item in range(61)]
    pipeline = make_pipeline(CappedNormalizer(INNER["IS"], CAPS))
    pipeline.fit(pd.DataFrame(BANK_SIMS, columns=names))
    assert pipeline[-1].gallery_names_[-1] == "g60"
    assert pipeline.get_feature_names_out()[-1] == "g60"


def test_a_gallery_with_fewer_items_than_a_cap_ignores_this_cap():
    with pytest.warns(UserWarning, match="k=5 is ignored"):
        capped = CappedNormalizer(None, CAPS).fit(BANK_SIMS[:, -4:])
    assert np.isinf(capped.thresholds_[:, 1]).all()
    assert wins(capped.transform(BANK_SIMS[:, -4:]), 1).size == 4
    capped.add_gallery(BANK_SIMS[:, -5:-4])
    with pytest.warns(UserWarning, match="is ignored"):
        alone = CappedNormalizer(None, {1: 0.1}).fit(BANK_SIMS[:, -1:])
    assert not alone.raised_.any()
    assert np.isfinite(alone.add_gallery(BANK_SIMS[:, :1]).gallery_bias_).all()


def test_a_bank_too_small_for_its_caps_is_reported():
    with pytest.warns(UserWarning, match="at least 100 bank queries"):
        CappedNormalizer(InvertedSoftmax(beta=5)).fit(BANK_SIMS[:50])


def test_if_all_items_are_over_their_share_all_are_compared():
    sims = np.zeros((10, 4))
    capped = CappedNormalizer(None, {1: 0.2}).fit(sims)
    np.testing.assert_array_equal(capped.gallery_bias_, capped.gallery_bias_[0])


def test_a_bank_in_parts_is_refused_with_the_reason():
    capped = CappedNormalizer(InvertedSoftmax(beta=5), CAPS)
    assert not hasattr(capped, "partial_fit")
    with pytest.raises(AttributeError) as caught:
        capped.partial_fit(BANK_SIMS)
    assert "call fit with all bank queries" in str(caught.value.__cause__)
    with pytest.raises(ValueError, match="thresholds depend"):
        capped.fit(iter([BANK_SIMS[:80], BANK_SIMS[80:]]))
    with pytest.raises(ValueError, match="thresholds depend"):
        capped.fit(BANK, iter([GALLERY[:30], GALLERY[30:]]))


def test_dask_queries_are_searched():
    array = pytest.importorskip("dask.array")
    retriever = QuerybankRetriever(CappedNormalizer(INNER["IS"], CAPS))
    retriever.fit(BANK, PLANTED)
    found = retriever.kneighbors(array.from_array(QUERIES, chunks=(50, -1)))[1]
    np.testing.assert_array_equal(found, retriever.kneighbors(QUERIES)[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"normalizer": DynamicInvertedSoftmax()}, "normalizer"),
        ({"normalizer": MixNormalizer(SIMS, alpha=-1)}, "alpha"),
        ({"normalizer": MixNormalizer(SIMS, metric="dot")}, "metric"),
        ({"normalizer": InvertedSoftmax(beta=-1)}, "beta"),
        ({"caps": {}}, "caps"),
        ({"caps": 0.01}, "caps"),
        ({"caps": {0: 0.1}}, "caps"),
        ({"caps": {True: 0.1}}, "caps"),
        ({"caps": {1: 1.0}}, "caps"),
        ({"caps": {1: "1 %"}}, "caps"),
        ({"caps": {1.5: 0.1}}, "caps"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    capped = CappedNormalizer(None).set_params(**settings)
    with pytest.raises(ValueError, match=message):
        capped.fit(BANK_SIMS)
    assert not hasattr(capped, "gallery_bias_")


def test_changes_that_need_another_fit_are_refused():
    fitted = CappedNormalizer(None, CAPS).fit(BANK_SIMS[:, :50])
    before = fitted.gallery_bias_
    with pytest.raises(ValueError, match="150 rows"):
        fitted.add_gallery(BANK_SIMS[:99, 50:])
    fitted.set_params(caps={1: 0.5})
    with pytest.raises(ValueError, match="caps was"):
        fitted.add_gallery(BANK_SIMS[:, 50:])
    np.testing.assert_array_equal(fitted.gallery_bias_, before)
