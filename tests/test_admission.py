"""admission_report: check items before they are added to a gallery."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import binom

from sk_qbnorm import (
    CSLS,
    CappedNormalizer,
    DynamicInvertedSoftmax,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.querybanks import _admission, admission_report

DATA = make_hub_retrieval(150, 120, 60, n_features=8, random_state=0)
BANK, GALLERY, ORDINARY = DATA.bank_queries, DATA.gallery[5:], DATA.gallery[:5]
HUB = BANK.mean(axis=0, keepdims=True)
ITEMS = np.vstack([ORDINARY, HUB])
CAPS = {1: 0.04, 5: 0.2}
NORMALIZERS = [
    InvertedSoftmax(beta=5),
    CSLS(n_neighbors=4),
    SinkhornNormalizer(),
    NearestNeighborNormalizer(n_neighbors=4),
    DynamicInvertedSoftmax(beta=5),
    CappedNormalizer(None, CAPS),
]
each_normalizer = pytest.mark.parametrize(
    "normalizer", NORMALIZERS, ids=lambda each: type(each).__name__
)


@each_normalizer
def test_shares_are_those_of_a_gallery_with_the_item(normalizer):
    fitted = normalizer.fit(BANK, GALLERY)
    report = admission_report(fitted, BANK, GALLERY, HUB, caps=CAPS)
    assert fitted.n_features_in_ == 55
    gallery = np.vstack([GALLERY, HUB])
    sims = pairwise_similarity(BANK, gallery)
    served = normalizer.fit(BANK, GALLERY).add_gallery(BANK, HUB).transform(sims)
    for k in CAPS:
        for name, scores in (("raw_share", sims), ("share", served)):
            last = np.sort(scores[:, :-1], axis=1)[:, [-k]]
            expected = (scores[:, -1:] >= last).mean()
            assert report[f"{name}@{k}"][0] == pytest.approx(expected)


def test_the_verdict_tells_which_test_fails():
    verdicts = {}
    for name, normalizer in (
        ("raw", CappedNormalizer(None, {1: 0.9, 5: 0.99})),
        ("weak", InvertedSoftmax(beta=20, alpha=0.1)),
        ("capped", CappedNormalizer(InvertedSoftmax(beta=20, alpha=0.1), CAPS)),
    ):
        fitted = normalizer.fit(BANK, GALLERY)
        report = admission_report(fitted, BANK, GALLERY, ITEMS, caps=CAPS)
        verdicts[name] = report["verdict"][-1]
        assert (report["floor"][report["verdict"] == "cap"] > 0).all()
        assert (report["floor"][report["verdict"] != "cap"] == 0).all()
    assert verdicts == {"raw": "cap", "weak": "cap", "capped": "correct"}
    fitted = CappedNormalizer(None, {1: 0.5}).fit(BANK, GALLERY)
    report = admission_report(fitted, BANK, GALLERY, ORDINARY)
    assert set(report["verdict"]) == {"admit"}


def test_a_hub_against_the_correction_shows_in_the_served_scores_alone():
    weights = np.exp(5 * pairwise_similarity(BANK, -BANK[:1])[:, 0])
    antihub = -(weights @ BANK)[None]  # far from most queries
    normalizer = InvertedSoftmax(beta=1, alpha=2).fit(BANK, GALLERY)
    report = admission_report(normalizer, BANK, GALLERY, antihub, caps=CAPS)
    assert report["raw_share@1"][0] < report["share@1"][0]


def test_the_floor_is_what_keeps_an_item_within_its_caps():
    fitted = NearestNeighborNormalizer(n_neighbors=4).fit(BANK, GALLERY)
    floor = admission_report(fitted, BANK, GALLERY, HUB, caps=CAPS)["floor"][0]
    sims = pairwise_similarity(BANK, np.vstack([GALLERY, HUB]))
    scores = fitted.add_gallery(BANK, HUB).transform(sims)
    wins = {}
    for excess in (-1e-9, 1e-9):
        of_hub = scores[:, -1] - floor - excess
        wins[excess] = [
            (of_hub >= np.sort(scores[:, :-1], axis=1)[:, -k]).sum() for k in CAPS
        ]
    most = [6, 30]
    assert np.all(np.array(wins[1e-9]) <= most)
    assert np.any(np.array(wins[-1e-9]) > most)


def test_the_upper_bound_covers_the_count_with_its_confidence():
    fitted = InvertedSoftmax(beta=5, alpha=0.3).fit(BANK, GALLERY)
    report = admission_report(fitted, BANK, GALLERY, ITEMS, caps=CAPS, confidence=0.9)
    for share, bound in zip(report["share@5"], report["upper_bound@5"], strict=True):
        found = binom.cdf(round(share * 150), 150, bound)
        assert found == pytest.approx(0.1 / len(ITEMS))
    everywhere = admission_report(fitted, BANK, GALLERY, HUB * 2, caps={55: 0.5})
    assert everywhere["upper_bound@55"][0] == 1


def test_the_dispersion_tells_a_universal_hub_from_one_of_a_topic():
    random = np.random.default_rng(0)
    topics = np.eye(6)[random.integers(6, size=300)]
    bank = topics + 0.1 * random.normal(size=(300, 6)) + 0.2
    gallery = random.normal(size=(80, 6))
    items = np.vstack([np.ones(6), np.eye(6)[0] + 0.2, -np.ones(6)])
    fitted = InvertedSoftmax(alpha=0).fit(bank, gallery)
    dispersion = admission_report(fitted, bank, gallery, items)["dispersion"]
    assert dispersion[0] == pytest.approx(1, abs=0.2)
    assert dispersion[1] < 0.5
    assert np.isnan(dispersion[2])


@each_normalizer
def test_similarities_blocks_and_sparse_rows_give_the_same(normalizer, monkeypatch):
    fitted = normalizer.fit(BANK, GALLERY)
    expected = admission_report(fitted, BANK, GALLERY, ITEMS, caps=CAPS)
    given = sparse.csr_array(BANK), GALLERY, sparse.csr_array(ITEMS)
    found = [admission_report(fitted, *given, caps=CAPS)]
    monkeypatch.setattr(_admission, "_BLOCK_ENTRIES", 500)
    found.append(admission_report(fitted, BANK, GALLERY, ITEMS, caps=CAPS))
    sims = (pairwise_similarity(BANK, each) for each in (GALLERY, ITEMS))
    bank_sims, item_sims = sims
    fitted = normalizer.fit(bank_sims)
    of_sims = admission_report(fitted, bank_sims, None, item_sims, caps=CAPS)
    assert np.isnan(of_sims["dispersion"]).all()
    of_sims["dispersion"] = expected["dispersion"]
    for report in (*found, of_sims):
        assert report.keys() == expected.keys()
        for name in ("verdict", "raw_share@1", "share@5"):
            np.testing.assert_array_equal(report[name], expected[name])
        for name in ("floor", "dispersion", "upper_bound@1"):
            np.testing.assert_allclose(report[name], expected[name], atol=1e-9)


def test_a_frame_names_the_items():
    names = [f"new {item}" for item in range(6)]
    gallery = pd.DataFrame(GALLERY, index=[f"g{item}" for item in range(55)])
    fitted = CappedNormalizer(InvertedSoftmax(beta=5), CAPS).fit(BANK, gallery)
    items = pd.DataFrame(ITEMS, index=names)
    frame = admission_report(fitted, BANK, gallery, items, as_frame=True)
    assert list(frame.index) == names
    assert "share@5" in frame  # the caps of the normalizer
    plain = InvertedSoftmax(beta=5).fit(BANK, GALLERY)
    frame = admission_report(plain, BANK, GALLERY, ITEMS, as_frame=True)
    assert list(frame.index) == [*range(6)]
    assert "share@10" in frame


def test_inputs_that_do_not_match_the_fit_are_refused():
    fitted = InvertedSoftmax(beta=5).fit(BANK, GALLERY)
    of_sims = InvertedSoftmax(beta=5).fit(pairwise_similarity(BANK, GALLERY))
    for normalizer, given, message in (
        (InvertedSoftmax(), (BANK, GALLERY, ITEMS), "fitted"),
        (GloballyCorrected().fit(BANK, GALLERY), (BANK, GALLERY, ITEMS), "bias"),
        (fitted, (BANK[:9], GALLERY, ITEMS), "150 rows"),
        (fitted, (BANK, GALLERY, ITEMS[:, :3]), "features|columns|dimension"),
        (of_sims, (BANK @ GALLERY[:9].T, None, BANK @ ITEMS.T), "querybank .* 55"),
    ):
        with pytest.raises(ValueError, match=message):
            admission_report(normalizer, *given)
    for settings in ({"caps": {56: 0.5}}, {"caps": {}}, {"confidence": 1}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            admission_report(fitted, BANK, GALLERY, ITEMS, **settings)
