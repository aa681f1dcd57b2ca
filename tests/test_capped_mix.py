"""Caps on the biases of a mix of a bank and a sample."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import (
    CappedNormalizer,
    DynamicNormalizer,
    InvertedSoftmax,
    MixNormalizer,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.querybanks import admission_report

from . import reference

DATA = make_hub_retrieval(150, 120, 60, n_features=8, random_state=0)
BANK, QUERIES = DATA.bank_queries, DATA.queries
HUB = BANK.mean(axis=0, keepdims=True)
GALLERY = np.vstack([DATA.gallery, HUB])
BANK_SIMS = pairwise_similarity(BANK, GALLERY)
SIMS = pairwise_similarity(QUERIES, GALLERY)
CAPS = {1: 0.04, 5: 0.15}
WEAK = MixNormalizer(QUERIES, alpha=0.3)


def test_the_biases_of_the_mix_are_capped():
    mix = clone(WEAK).fit(BANK, GALLERY)
    capped = CappedNormalizer(WEAK, CAPS).fit(BANK, GALLERY)
    before = mix.index_bias()
    expected = reference.capped_bias(BANK_SIMS.tolist(), before.tolist(), CAPS)
    np.testing.assert_allclose(capped.gallery_bias_, expected[0], atol=1e-10)
    np.testing.assert_allclose(capped.thresholds_, expected[1], atol=1e-10)
    assert capped.raised_[-1]
    assert not capped.raised_.all()
    assert capped.normalizer_.agreement_ == mix.agreement_
    assert not hasattr(WEAK, "agreement_")


def test_similarities_searches_and_dask_arrays_give_the_same():
    expected = CappedNormalizer(WEAK, CAPS).fit(BANK, GALLERY)
    of_sims = CappedNormalizer(MixNormalizer(SIMS, alpha=0.3), CAPS)
    retriever = QuerybankRetriever(CappedNormalizer(WEAK, CAPS), n_neighbors=5)
    retriever.fit(BANK, GALLERY)
    scores = of_sims.fit_transform(BANK_SIMS)
    np.testing.assert_allclose(scores, expected.transform(BANK_SIMS), atol=1e-12)
    found = np.argsort(-expected.transform(SIMS), axis=1)[:, :5]
    np.testing.assert_array_equal(retriever.kneighbors(QUERIES)[1], found)
    array = pytest.importorskip("dask.array")
    of_blocks = clone(expected).fit(array.from_array(BANK, chunks=(40, -1)), GALLERY)
    np.testing.assert_allclose(
        of_blocks.gallery_bias_, expected.gallery_bias_, atol=1e-10
    )


@pytest.mark.parametrize("inner", [None, InvertedSoftmax()], ids=["usual", "IS"])
def test_a_hub_that_is_added_is_capped_and_other_items_keep_their_mean(inner):
    normalizer = clone(WEAK).set_params(normalizer=inner)
    capped = CappedNormalizer(normalizer, CAPS).fit(BANK, GALLERY[:-1])
    mix, before = capped.normalizer_, capped.gallery_bias_
    grown = clone(capped).fit(BANK, GALLERY[:-1]).add_gallery(BANK, HUB)
    leads = -np.sort(-(BANK_SIMS[:, [-1]] - capped.thresholds_), axis=0)
    floor = max(leads[6, 0], leads[22, 1])  # 4 % and 15 % of 150
    assert grown.gallery_bias_[-1] == pytest.approx(floor)
    assert grown.raised_[-1]
    wins = capped.transform(BANK_SIMS[:, :-1]).max(axis=1)
    wins = BANK_SIMS[:, -1] - grown.gallery_bias_[-1] >= wins
    assert wins.mean() <= 0.05  # the other biases have moved a little
    free = ~(capped.raised_ | grown.raised_[:-1])
    moved = (grown.gallery_bias_[:-1] - before)[free]
    of_mix = grown.normalizer_.index_bias()[:-1] - mix.index_bias()
    np.testing.assert_allclose(moved, (of_mix - of_mix.mean())[free], atol=1e-12)
    assert abs(of_mix.mean()) > 1e-4
    np.testing.assert_array_equal(mix.n_features_in_, 60)  # it stays as it is
    report = admission_report(capped, BANK, GALLERY[:-1], HUB)
    assert report["verdict"] == ["correct"]


@pytest.mark.parametrize("is_of_sims", [True, False])
def test_items_can_be_removed(is_of_sims):
    left = GALLERY[2:]
    if is_of_sims:
        capped = CappedNormalizer(MixNormalizer(SIMS, alpha=0.3), CAPS).fit(BANK_SIMS)
        rest = clone(capped).fit(BANK_SIMS).remove_gallery([0, 1], BANK_SIMS[:, 2:])
        fresh = clone(capped.normalizer_).set_params(queries=SIMS[:, 2:])
        fresh.fit(BANK_SIMS[:, 2:])
    else:
        capped = CappedNormalizer(WEAK, CAPS).fit(BANK, GALLERY)
        rest = clone(capped).fit(BANK, GALLERY).remove_gallery([0, 1], BANK, left)
        fresh = clone(WEAK).fit(BANK, left)
    shift = capped.normalizer_.index_bias()[2:] - rest.normalizer_.index_bias()
    expected = rest.normalizer_.index_bias() + shift.mean()
    free = ~rest.raised_
    np.testing.assert_allclose(rest.gallery_bias_[free], expected[free], atol=1e-12)
    np.testing.assert_array_equal(rest.raised_[-1], True)
    np.testing.assert_array_equal(rest.thresholds_, capped.thresholds_)
    np.testing.assert_allclose(
        rest.normalizer_.agreement_, fresh.agreement_, atol=1e-12
    )


def test_items_that_leave_and_return_have_the_bias_they_had():
    capped = CappedNormalizer(WEAK, CAPS).fit(BANK, GALLERY)
    changed = clone(capped).fit(BANK, GALLERY)
    changed.remove_gallery([60], BANK, GALLERY[:-1]).add_gallery(BANK, HUB)
    np.testing.assert_allclose(
        changed.gallery_bias_[:-1], capped.gallery_bias_[:-1], atol=1e-12
    )


def test_what_a_capped_mix_cannot_do_is_refused():
    capped = CappedNormalizer(WEAK, CAPS)
    for act, message in (
        (lambda: capped.fit(None, GALLERY), "querybank .* without caps"),
        (lambda: capped.fit(iter([BANK]), GALLERY), "thresholds depend"),
        (lambda: DynamicNormalizer(capped).fit(BANK, GALLERY), "fitted itself"),
        (lambda: MixNormalizer(QUERIES, capped).fit(BANK, GALLERY), "fitted itself"),
    ):
        with pytest.raises(ValueError, match=message):
            act()
    assert not hasattr(capped, "gallery_bias_")
    capped.fit(BANK, GALLERY)
    before = capped.gallery_bias_
    of_sims = CappedNormalizer(MixNormalizer(SIMS), CAPS).fit(BANK_SIMS)
    for act, message in (
        (lambda: capped.bias_of(BANK, HUB), "whole gallery"),
        (lambda: of_sims.add_gallery(BANK_SIMS[:, :1]), "needs embeddings"),
        (lambda: capped.remove_gallery([60]), "querybank is required"),
        (lambda: capped.add_gallery(BANK[:9], HUB), "150 rows"),
    ):
        with pytest.raises(ValueError, match=message):
            act()
    np.testing.assert_array_equal(capped.gallery_bias_, before)


def test_another_normalizer_replaces_the_mix_at_the_next_fit():
    capped = CappedNormalizer(WEAK, CAPS).fit(BANK, GALLERY)
    capped.set_params(normalizer=None).fit(BANK, GALLERY)
    expected = CappedNormalizer(None, CAPS).fit(BANK, GALLERY)
    np.testing.assert_array_equal(capped.gallery_bias_, expected.gallery_bias_)
