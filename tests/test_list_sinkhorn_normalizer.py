"""Biases that are learned from result lists, and the lists themselves."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone

from sk_qbnorm import (
    InvertedSoftmax,
    ListSinkhornNormalizer,
    MixNormalizer,
    QuerybankRetriever,
    ResultLists,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import recall_at_k

from . import reference

DATA = make_hub_retrieval(150, 120, 60, n_features=8, random_state=0)
BANK, GALLERY, QUERIES = DATA.bank_queries, DATA.gallery, DATA.queries
BANK_SIMS = pairwise_similarity(BANK, GALLERY)
SIMS = pairwise_similarity(QUERIES, GALLERY)


def best_of(sims, n):
    items = np.argsort(-sims, axis=1, kind="stable")[:, :n]
    return np.take_along_axis(sims, items, axis=1), items


def lists_of(sims, n, **options):
    return ResultLists(*best_of(sims, n), n_gallery=sims.shape[1], **options)


def graph_of(sims, n):
    scores, items = best_of(sims, n)
    rows = np.repeat(np.arange(len(sims)), n)
    entries = scores.ravel(), (rows, items.ravel())
    return sparse.csr_array(entries, shape=sims.shape)


@pytest.mark.parametrize("n_listed", [2, 4, 6, 50])
def test_the_bias_is_that_of_the_reference(n_listed):
    fitted = ListSinkhornNormalizer(n_listed=n_listed).fit(BANK_SIMS)
    scores, items = best_of(BANK_SIMS, min(n_listed, 6))  # a tenth of the gallery
    lists = [dict(zip(*row, strict=True)) for row in zip(items, scores, strict=True)]
    expected = reference.list_sinkhorn_bias(lists, 60)
    np.testing.assert_allclose(fitted.gallery_bias_, expected, atol=1e-13)
    scored = fitted.transform(SIMS)
    np.testing.assert_allclose(scored, SIMS - 0.75 * fitted.gallery_bias_)


def test_ragged_lists_are_those_of_the_reference():
    random = np.random.default_rng(0)
    scores, items = best_of(BANK_SIMS, 6)
    items[random.random(items.shape) < 0.3] = -1
    items[:3] = -1  # nothing was found
    fitted = ListSinkhornNormalizer().fit(ResultLists(scores, items, n_gallery=60))
    lists = [
        {item: score for item, score in zip(*row, strict=True) if item >= 0}
        for row in zip(items, scores, strict=True)
    ]
    expected = reference.list_sinkhorn_bias(lists, 60)
    np.testing.assert_allclose(fitted.gallery_bias_, expected, atol=1e-13)
    counts = np.bincount(items[items >= 0], minlength=60)
    np.testing.assert_array_equal(fitted.listing_counts_, counts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_forms_of_the_same_lists_give_the_same_bias(dtype):
    bank, gallery = BANK.astype(dtype), GALLERY.astype(dtype)
    sims = pairwise_similarity(bank, gallery)
    make = ListSinkhornNormalizer(n_listed=6)
    expected = clone(make).fit(sims)
    order = np.random.default_rng(0).permutation(6)
    scores, items = best_of(sims, 6)
    shuffled = ResultLists(scores[:, order], items[:, order], n_gallery=60)
    halves = clone(make).partial_fit(lists_of(sims[:70], 6))
    halves.partial_fit(graph_of(sims[70:], 6))
    mixed = clone(make).partial_fit(sims[:70]).partial_fit(lists_of(sims[70:], 20))
    for found in (
        clone(make).fit(bank, gallery),
        clone(make).fit(lists_of(sims, 6)),
        clone(make).fit(lists_of(sims, 20)),
        clone(make).fit(graph_of(sims, 6)),
        clone(make).fit(sparse.csc_matrix(graph_of(sims, 6))),
        clone(make).fit(shuffled),
        halves,
        mixed,
    ):
        np.testing.assert_array_equal(found.gallery_bias_, expected.gallery_bias_)
        assert found.temperature_ == expected.temperature_
        assert (found.n_bank_seen_, found.n_features_in_) == (150, 60)


def test_lists_follow_a_changing_gallery():
    make = ListSinkhornNormalizer(n_listed=6)
    expected = clone(make).fit(BANK_SIMS)
    dense = clone(make).fit(BANK_SIMS[:, :40]).add_gallery(BANK_SIMS[:, 40:])
    grown = clone(make).fit(lists_of(BANK_SIMS[:, :40], 6))
    grown.add_gallery(lists_of(BANK_SIMS[:, 40:], 6))
    for found in (dense, grown):
        np.testing.assert_array_equal(found.gallery_bias_, expected.gallery_bias_)
    dense.remove_gallery(np.arange(10), BANK_SIMS[:, 10:])
    fewer = clone(make).fit(BANK_SIMS[:, 10:])
    np.testing.assert_array_equal(dense.gallery_bias_, fewer.gallery_bias_)
    grown.remove_gallery(np.arange(10))  # lists get shorter
    scores, items = best_of(BANK_SIMS, 6)
    left = ResultLists(scores, np.where(items < 10, -1, items - 10), n_gallery=50)
    shorter = clone(make).fit(left)
    np.testing.assert_allclose(grown.gallery_bias_, shorter.gallery_bias_, atol=1e-13)
    with pytest.raises(ValueError, match="complete bank"):
        grown.add_gallery(lists_of(BANK_SIMS[:9, :5], 2))


def test_lists_without_scores_need_a_temperature():
    _, items = best_of(BANK_SIMS, 6)
    ranked = ResultLists(None, items, n_gallery=60)
    with pytest.raises(ValueError, match="temperature"):
        ListSinkhornNormalizer(weights="ranks").fit(ranked)
    with pytest.raises(ValueError, match="weights"):
        ListSinkhornNormalizer(temperature=0.1).fit(ranked)
    known = ListSinkhornNormalizer(weights="ranks").fit(lists_of(BANK_SIMS, 6))
    settings = {"weights": "ranks", "temperature": known.temperature_}
    found = ListSinkhornNormalizer(**settings).fit(ranked)
    np.testing.assert_allclose(found.gallery_bias_, known.gallery_bias_, atol=1e-13)
    equal = ListSinkhornNormalizer(weights="equal", temperature=known.temperature_)
    assert np.ptp(equal.fit(ranked).gallery_bias_) > 0


def test_every_kind_of_weights_corrects_hubs():
    raw = recall_at_k(DATA.relevant, SIMS)
    for weights in ("scores", "ranks", "equal"):
        fitted = ListSinkhornNormalizer(n_listed=6, weights=weights).fit(BANK_SIMS)
        assert recall_at_k(DATA.relevant, fitted.transform(SIMS)) > raw + 0.1


def test_items_that_nobody_lists_get_a_finite_bias():
    lists = ResultLists([[0.9, 0.5], [0.8, 0.7]], [[0, 1], [0, 2]], n_gallery=40)
    with pytest.warns(UserWarning, match="4 items"):
        bias = ListSinkhornNormalizer().fit(lists).gallery_bias_
    assert np.isfinite(bias).all()
    assert bias[0] > bias[1] > bias[3] == bias[39]


def test_lists_that_tell_nothing_correct_nothing():
    equal = ResultLists(np.ones((30, 2)), [[0, 1]] * 30, n_gallery=3)
    np.testing.assert_array_equal(ListSinkhornNormalizer().fit(equal).gallery_bias_, 0)
    with pytest.warns(UserWarning, match="0 items"):
        fitted = ListSinkhornNormalizer().fit(
            ResultLists(np.ones((2, 2)), np.full((2, 2), -1), n_gallery=3)
        )
    np.testing.assert_array_equal(fitted.gallery_bias_, 0)


def test_names_are_known_from_lists():
    names = [f"g{item}" for item in range(60)]
    scores, items = best_of(BANK_SIMS, 6)
    named = np.array(names, dtype=object)[items]
    named[0, 3:] = None
    lists = ResultLists(scores, named, gallery_ids=names)
    assert (lists.items[0] >= 0).sum() == 3
    fitted = ListSinkhornNormalizer().fit(lists)
    np.testing.assert_array_equal(fitted.get_feature_names_out(), names)
    best = [["g7", "g3", None]]
    found = fitted.rescore([[0.9, 0.8, 0.0]], best)[1]
    assert {*found[0].tolist()} == {7, 3, -1}
    fitted.remove_gallery(["g0"])
    assert fitted.n_features_in_ == 59
    frame = pd.DataFrame(BANK_SIMS, columns=names)
    assert ListSinkhornNormalizer().fit(frame).gallery_names_[0] == "g0"
    nothing = ResultLists([[0.0]], [[None]], gallery_ids=names)
    assert (nothing.items < 0).all()
    integers = ResultLists([[0.9, 0.1]], [[70, 50]], gallery_ids=[50, 60, 70])
    np.testing.assert_array_equal(integers.items, [[2, 0]])


def test_other_normalizers_refuse_lists():
    for lists in (lists_of(BANK_SIMS, 6), graph_of(BANK_SIMS, 6)):
        with pytest.raises(TypeError, match="ListSinkhornNormalizer"):
            InvertedSoftmax().fit(lists)
        with pytest.raises(TypeError, match="ListSinkhornNormalizer"):
            MixNormalizer(SIMS, InvertedSoftmax()).fit(lists)


def test_a_mix_takes_lists_for_bank_and_sample():
    bank, sample = lists_of(BANK_SIMS, 20), lists_of(SIMS, 20)
    mix = MixNormalizer(sample).fit(bank)
    of_bank = ListSinkhornNormalizer().fit(bank).gallery_bias_
    of_sample = ListSinkhornNormalizer().fit(sample).gallery_bias_
    expected = reference.mixed_bias(mix.agreement_, of_bank, of_sample, 120)
    np.testing.assert_allclose(mix.gallery_bias_, expected, atol=1e-12)
    assert mix.agreement_ == MixNormalizer(SIMS).fit(BANK_SIMS).agreement_
    graphs = MixNormalizer(graph_of(SIMS, 20)).fit(graph_of(BANK_SIMS, 20))
    np.testing.assert_array_equal(graphs.gallery_bias_, mix.gallery_bias_)
    grown = MixNormalizer(sample[:50]).partial_fit(bank[:70])
    grown.partial_fit(bank[70:], queries=sample[50:])
    np.testing.assert_allclose(grown.gallery_bias_, mix.gallery_bias_, atol=1e-12)
    alone = MixNormalizer(sample).fit()
    np.testing.assert_allclose(
        alone.gallery_bias_, reference.centered(of_sample), atol=1e-12
    )
    recall = recall_at_k(DATA.relevant, mix.transform(SIMS))
    assert recall > recall_at_k(DATA.relevant, SIMS) + 0.1


def test_a_mix_of_lists_follows_a_changing_gallery():
    fitted = MixNormalizer(lists_of(SIMS[:, :40], 10))
    fitted.fit(lists_of(BANK_SIMS[:, :40], 10))
    new = lists_of(BANK_SIMS[:, 40:], 10), lists_of(SIMS[:, 40:], 10)
    fitted.add_gallery(new[0], queries=new[1])
    fitted.remove_gallery([0, 5])
    assert fitted.n_features_in_ == 58
    before = fitted.sample_normalizer_.gallery_bias_
    fitted.partial_fit(queries=lists_of(SIMS[:, 2:], 10)[:0])  # nothing new
    after = fitted.sample_normalizer_.gallery_bias_
    np.testing.assert_allclose(after, before, atol=1e-12)


def test_a_search_in_all_items_takes_a_bias_of_lists():
    retriever = QuerybankRetriever(ListSinkhornNormalizer(n_listed=6)).fit(
        BANK, GALLERY
    )
    expected = ListSinkhornNormalizer(n_listed=6).fit(BANK_SIMS).transform(SIMS)
    best = np.argsort(-expected, axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(retriever.kneighbors(QUERIES)[1], best)


@pytest.mark.parametrize(
    ("scores", "indices", "options", "message"),
    [
        ([[0.5]], [[0]], {}, "n_gallery"),
        ([[0.5]], [[3]], {"n_gallery": 3}, "indices .* 3"),
        ([[0.5]], [[-2]], {"n_gallery": 3}, "indices"),
        ([[0.5, 0.4]], [[1, 1]], {"n_gallery": 3}, "twice"),
        ([[0.5]], [[0, 1]], {"n_gallery": 3}, "scores"),
        ([[np.nan]], [[0]], {"n_gallery": 3}, "finite"),
        ([0.5], [0], {"n_gallery": 3}, "matrix"),
        ([[0.5]], [[0.0]], {"n_gallery": 3}, "integers"),
        ([[0.5]], [["x"]], {"n_gallery": 3}, "integers"),
        ([[0.5]], [["x"]], {"gallery_ids": ["a", "b"]}, "x"),
        ([[0.5]], [[0]], {"n_gallery": 0}, "n_gallery"),
    ],
)
def test_lists_that_cannot_be_read_are_refused(scores, indices, options, message):
    with pytest.raises(ValueError, match=message):
        ResultLists(scores, indices, **options)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_listed": 1},
        {"n_listed": 2.5},
        {"weights": "ids"},
        {"temperature": 0},
        {"alpha": -1},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ListSinkhornNormalizer(**settings).fit(BANK_SIMS)


def test_lists_of_other_galleries_are_not_joined():
    lists = lists_of(SIMS, 5)
    assert "120 queries" in repr(lists)
    assert len(lists[:7]) == 7
    with pytest.raises(ValueError, match="same gallery"):
        lists.append_queries(lists_of(SIMS[:, :50], 5))
    with pytest.raises(ValueError, match="scores or none"):
        lists.append_queries(ResultLists(None, lists.items, n_gallery=60))
    with pytest.raises(ValueError, match="120 queries"):
        lists.append_items(lists[:3])
    names = np.arange(60) + 100
    named = ResultLists(lists.scores, lists.items + 100, gallery_ids=names)
    both = named.append_items(named).take_items([0, 60, 119])
    np.testing.assert_array_equal(both.gallery_ids, [100, 100, 159])
    assert both.shape == (120, 3)
