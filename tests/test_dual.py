"""Two banks for one gallery: the formula, and everything that involves both banks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from sk_qbnorm import (
    CSLS,
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    InvertedSoftmax,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.indexes import AugmentedVectors, QueryShift

from . import reference
from .cases import bank_and_sims

RANDOM = np.random.default_rng(0)
BANK, ITEMS, GALLERY, QUERIES = (RANDOM.normal(size=(n, 5)) for n in (40, 30, 25, 60))
SIMS = [pairwise_similarity(each, GALLERY) for each in (BANK, ITEMS, QUERIES)]
BETAS = {"beta_query": 20.0, "beta_gallery": 5.0}
DUALS = [DualInvertedSoftmax(**BETAS), DualDynamicInvertedSoftmax(min_count=2, **BETAS)]
each_dual = pytest.mark.parametrize("dual", DUALS, ids=["DualIS", "DualDIS"])
SCALED = {"beta_query": "scale", "beta_gallery": "scale"}
precomputed = {"metric": "precomputed"}


@given(bank_and_sims(), st.data())
def test_scores_are_those_of_the_formula(bank_and_sims, data):
    bank, sims = bank_and_sims
    items = data.draw(st.permutations(range(len(sims)))), bank[::-1]
    items = np.vstack([sims[items[0]], items[1]])[: data.draw(st.integers(1, 9))]
    settings = {"beta_query": 4.0, "beta_gallery": 7.0, "alpha": 0.5}
    gates = {"n_activation": 1, "min_count": data.draw(st.integers(1, 3))}
    for dual, gate in (
        (DualInvertedSoftmax(**settings, **precomputed), None),
        (DualDynamicInvertedSoftmax(**settings, **gates, **precomputed), (1, gates)),
    ):
        if gate is not None:
            gate = 1, gates["min_count"]
        scores = dual.fit(bank, gallerybank=items).transform(sims)
        banks = [bank.tolist(), items.tolist()]
        expected = reference.dual_inverted_softmax(
            banks, sims.tolist(), [4.0, 7.0], 0.5, gate
        )
        np.testing.assert_allclose(scores, expected, atol=1e-12)


def test_all_four_combinations_of_gates_occur():
    dual = DualDynamicInvertedSoftmax(min_count=2, **BETAS)
    dual.fit(BANK, GALLERY, ITEMS)
    opened = dual.activation_mask_[SIMS[2].argmax(axis=1)]
    assert len(np.unique(opened, axis=0)) == 4
    assert dual.activation_mask_.shape == (25, 2)
    assert (dual.n_bank_seen_, dual.n_gallerybank_seen_) == (40, 30)


def test_without_a_gallery_bank_scores_are_those_of_one_bank():
    for dual, alone in (
        (DualInvertedSoftmax(beta_query=7), InvertedSoftmax(beta=7)),
        (DualDynamicInvertedSoftmax(beta_query=7), DynamicInvertedSoftmax(beta=7)),
    ):
        expected = alone.fit(BANK, GALLERY).transform(SIMS[2])
        np.testing.assert_array_equal(
            dual.fit(BANK, GALLERY).transform(SIMS[2]), expected
        )
        assert dual.gallerybank_normalizer_ is None
        assert dual.n_gallerybank_seen_ == 0


@each_dual
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_similarities_and_embeddings_give_the_same_scores(dual, dtype):
    data = [each.astype(dtype) for each in (BANK, GALLERY, ITEMS)]
    sims = [each.astype(dtype) for each in SIMS]
    of_embeddings = clone(dual).fit(*data)
    of_sims = clone(dual).set_params(**precomputed)
    of_sims.fit(sims[0], "a Pipeline's y is ignored", sims[1])
    scores = of_embeddings.transform(sims[2])
    assert scores.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(scores, of_sims.transform(sims[2]), atol=tolerance)


@each_dual
def test_banks_in_parts_give_the_same_fit_as_whole_banks(dual):
    expected = clone(dual).fit(BANK, GALLERY, ITEMS)
    parts = clone(dual).partial_fit(BANK[:7], GALLERY)
    parts.partial_fit(BANK[7:20], GALLERY, ITEMS[:11])
    parts.partial_fit(BANK[20:], GALLERY, ITEMS[11:])
    iterators = clone(dual).fit(iter([BANK[:7], BANK[7:]]), GALLERY, iter([ITEMS]))
    for found in (parts, iterators):
        assert found.n_gallerybank_seen_ == 30
        np.testing.assert_allclose(
            found.transform(SIMS[2]), expected.transform(SIMS[2]), atol=1e-12
        )
    with pytest.raises(ValueError, match="gallery"):
        dual.fit(BANK, iter([GALLERY]), ITEMS)


@each_dual
@pytest.mark.parametrize("betas", [BETAS, SCALED], ids=["numbers", "scale"])
def test_dask_arrays_give_the_scores_of_arrays(dual, betas):
    array = pytest.importorskip("dask.array")
    blocks = [array.from_array(each, chunks=(9, -1)) for each in (BANK, GALLERY, ITEMS)]
    dual = clone(dual).set_params(**betas)
    expected = clone(dual).fit(BANK, GALLERY, ITEMS).transform(SIMS[2])
    found = clone(dual).fit(*blocks).transform(SIMS[2])
    np.testing.assert_allclose(found, expected, atol=1e-12)


@each_dual
def test_the_search_returns_the_items_that_transform_ranks_first(dual):
    retriever = QuerybankRetriever(dual, n_neighbors=4).fit(BANK, GALLERY, ITEMS)
    scores = retriever.normalizer_.transform(SIMS[2])
    best = np.argsort(-scores, axis=1, kind="stable")[:, :4]
    found_scores, found = retriever.kneighbors(QUERIES)
    np.testing.assert_array_equal(found, best)
    expected = np.take_along_axis(scores, best, 1)
    np.testing.assert_allclose(found_scores, expected, atol=1e-12)
    ceiling = retriever.kneighbors_graph(QUERIES, mode="distance")
    assert ceiling.data.min() >= 0
    array = pytest.importorskip("dask.array")
    blocks = array.from_array(QUERIES, chunks=(13, -1))
    on_dask = QuerybankRetriever(dual, n_neighbors=4)
    on_dask.fit(BANK, array.from_array(GALLERY, chunks=(7, -1)), ITEMS)
    np.testing.assert_array_equal(on_dask.kneighbors(blocks)[1], best)


@each_dual
def test_a_shortlist_has_the_scores_of_the_whole_row(dual):
    fitted = clone(dual).fit(BANK, GALLERY, ITEMS)
    items = np.argsort(-SIMS[2], axis=1)[:, :6]
    shortlist = np.take_along_axis(SIMS[2], items, 1)
    scores, found = fitted.rescore(shortlist, items)
    whole = np.take_along_axis(fitted.transform(SIMS[2]), found, 1)
    np.testing.assert_allclose(scores, whole, atol=1e-12)
    items[:, -1] = -1
    assert np.isneginf(fitted.rescore(shortlist, items)[0][:, -1]).all()


@each_dual
def test_an_index_subtracts_the_biases_that_a_query_flags(dual):
    fitted = clone(dual).set_params(metric="dot").fit(BANK, GALLERY, ITEMS)
    sims = QUERIES @ GALLERY.T
    bias = fitted.index_bias()
    augmented = AugmentedVectors(metric="dot").fit(GALLERY, bias)
    index = augmented.gallery(GALLERY, bias)
    raw = augmented.queries(QUERIES, False) @ index.T
    np.testing.assert_allclose(raw, sims, atol=1e-12)
    asked = True
    if isinstance(dual, DualDynamicInvertedSoftmax):
        asked = fitted.activation_mask_[raw.argmax(axis=1)]
        both = augmented.scores(augmented.queries(QUERIES) @ index.T)
        np.testing.assert_allclose(both, sims - fitted.gallery_bias_, atol=1e-12)
        with pytest.raises(ValueError, match=r"corrected must .* \(\d+, 2\), got bool"):
            augmented.queries(QUERIES, asked[:, 0])
    scores = augmented.scores(augmented.queries(QUERIES, asked) @ index.T, asked)
    np.testing.assert_allclose(scores, fitted.transform(sims), atol=1e-12)
    part = augmented.gallery(GALLERY[3:5], bias[3:5])
    np.testing.assert_array_equal(part, index[3:5])


@each_dual
def test_a_query_is_shifted_by_the_biases_that_it_flags(dual):
    fitted = clone(dual).set_params(metric="dot").fit(BANK, GALLERY, ITEMS)
    sims = QUERIES @ GALLERY.T
    shift = QueryShift(metric="dot").fit(GALLERY, fitted.index_bias())
    asked = True
    if isinstance(dual, DualDynamicInvertedSoftmax):
        asked = fitted.activation_mask_[sims.argmax(axis=1)]
        assert shift.coef_.shape == (2, GALLERY.shape[1])
        assert shift.r2_.shape == (2,)
    products = shift.queries(QUERIES, asked) @ GALLERY.T
    items = np.tile(np.arange(len(GALLERY)), (len(QUERIES), 1))
    scores, found = shift.rescore(products, items, asked)
    expected = np.take_along_axis(fitted.transform(sims), found, axis=1)
    np.testing.assert_allclose(scores, expected, atol=1e-12)


@each_dual
def test_items_of_two_banks_need_a_new_fit(dual):
    fitted = clone(dual).fit(BANK, GALLERY, ITEMS)
    with pytest.raises(ValueError, match="depends on more"):
        fitted.bias_of(BANK, GALLERY[:2])


@each_dual
def test_the_gallery_may_change(dual):
    expected = clone(dual).fit(BANK, GALLERY[:20], ITEMS)
    grown = clone(dual).fit(BANK, GALLERY[:12], ITEMS)
    grown.add_gallery(BANK, GALLERY[12:20], ITEMS)
    shrunk = clone(dual).fit(BANK, GALLERY, ITEMS)
    shrunk.remove_gallery(np.arange(20, 25), BANK, GALLERY[:20], ITEMS)
    retriever = QuerybankRetriever(dual).fit(BANK, GALLERY[3:23], ITEMS)
    retriever.add_gallery(BANK, GALLERY[23:], ITEMS)
    retriever.remove_gallery([18, 19, 20, 21], BANK, ITEMS)
    again = clone(dual).fit(BANK, np.vstack([GALLERY[3:21]]), ITEMS)
    sims = SIMS[2][:, :20]
    for found in (grown, shrunk):
        np.testing.assert_allclose(
            found.transform(sims), expected.transform(sims), atol=1e-12
        )
    np.testing.assert_allclose(
        retriever.normalizer_.gallery_bias_, again.gallery_bias_, atol=1e-12
    )
    alone = clone(dual).fit(BANK, GALLERY[:20]).add_gallery(BANK, GALLERY[20:])
    alone.remove_gallery([0], BANK, GALLERY[1:])
    assert alone.n_features_in_ == 24


@each_dual
def test_a_retriever_takes_both_banks_in_parts(dual):
    expected = QuerybankRetriever(dual).fit(BANK, GALLERY, ITEMS)
    parts = QuerybankRetriever(dual, gallery=GALLERY).partial_fit(BANK[:9])
    parts.partial_fit(BANK[9:], None, ITEMS)
    np.testing.assert_allclose(
        parts.decision_function(QUERIES),
        expected.decision_function(QUERIES),
        atol=1e-12,
    )


@each_dual
def test_inputs_that_do_not_match_are_refused_and_change_nothing(dual):
    fitted = clone(dual).fit(BANK, GALLERY, ITEMS)
    of_sims = clone(dual).set_params(**precomputed)
    of_sims.fit(SIMS[0], gallerybank=SIMS[1])
    alone = clone(dual).fit(BANK, GALLERY)
    of_embeddings = clone(dual).set_params(metric="cosine")
    before = fitted.transform(SIMS[2])
    for act, message in (
        (lambda: fitted.fit(BANK, GALLERY, ITEMS[:, :4]), "gallerybank"),
        (lambda: fitted.fit(BANK, GALLERY, ITEMS * np.nan), "gallerybank"),
        (lambda: of_embeddings.fit(BANK, None, ITEMS), "gallery"),
        (
            lambda: of_sims.fit(SIMS[0], gallerybank=SIMS[1][:, :9]),
            "gallerybank",
        ),
        (lambda: fitted.add_gallery(BANK, GALLERY[:2]), "30 items, got None"),
        (lambda: alone.add_gallery(BANK, GALLERY[:2], ITEMS), "gallerybank"),
        (lambda: fitted.add_gallery(BANK, GALLERY, ITEMS[:4]), "30 rows, got 4"),
        (lambda: fitted.set_params(beta_gallery=0).fit(BANK, GALLERY), "beta_gallery"),
        (
            lambda: fitted.set_params(beta_gallery=3).partial_fit(BANK, GALLERY, ITEMS),
            "beta",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            act()
        fitted.set_params(beta_gallery=5.0)
        np.testing.assert_array_equal(fitted.transform(SIMS[2]), before)


def test_removing_items_needs_the_bank_of_each_gate():
    dual = DualDynamicInvertedSoftmax().fit(BANK, GALLERY, ITEMS)
    of_queries, of_items = dual.activation_mask_.T
    (first, *_) = np.flatnonzero(of_items)
    with pytest.raises(ValueError, match="gallerybank"):
        dual.remove_gallery([first], BANK, np.delete(GALLERY, first, 0))
    (first, *_) = np.flatnonzero(of_queries)
    with pytest.raises(ValueError, match="querybank"):
        dual.remove_gallery([first], None, np.delete(GALLERY, first, 0), ITEMS)


def test_beta_needs_a_new_fit_but_alpha_does_not():
    dual = DualInvertedSoftmax(**BETAS).fit(BANK, GALLERY, ITEMS)
    before = dual.gallery_bias_
    dual.set_params(beta_gallery=50, alpha=0.5).partial_fit(BANK[:0:-1], GALLERY)
    assert np.abs(dual.gallery_bias_ - before).max() < 0.1
    halved = dual.transform(SIMS[2])
    np.testing.assert_allclose(halved, SIMS[2] - 0.5 * dual.gallery_bias_)


def test_a_warning_is_issued_once_at_the_line_of_the_caller():
    dual = DualDynamicInvertedSoftmax(n_activation=99)
    with pytest.warns(UserWarning, match="n_activation=99") as seen:
        dual.fit(BANK, GALLERY, ITEMS)
    assert len(seen) == 1
    assert seen[0].filename == __file__


def test_normalizers_of_one_bank_refuse_a_second():
    for normalizer in (None, CSLS(n_neighbors=3)):
        with pytest.raises(ValueError, match="gallery"):
            QuerybankRetriever(normalizer).fit(BANK, GALLERY, ITEMS)
