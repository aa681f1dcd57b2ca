"""Items that are added to an index get their bias, and are rescored, by id."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sk_qbnorm import (
    CSLS,
    DualDynamicInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GloballyCorrected,
    InvertedSoftmax,
    ListSinkhornNormalizer,
    MixNormalizer,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
    pairwise_similarity,
)

from .cases import whole

RANDOM = np.random.default_rng(0)
BANK, GALLERY, QUERIES = (RANDOM.normal(size=(n, 4)) for n in (40, 30, 9))
SIMS = pairwise_similarity(QUERIES, GALLERY)
IDS = [f"id-{row}" for row in range(30)]
NORMALIZERS = {
    "IS": InvertedSoftmax(alpha=0.7),
    "IS probability": InvertedSoftmax(output="probability"),
    "DIS": DynamicInvertedSoftmax(),
    "CSLS": CSLS(n_neighbors=5),
    "NNN": NearestNeighborNormalizer(n_neighbors=3),
    "D-CSLS": DynamicNormalizer(CSLS(n_neighbors=5)),
}
each_normalizer = pytest.mark.parametrize(
    "normalizer", NORMALIZERS.values(), ids=NORMALIZERS
)


@each_normalizer
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_new_items_have_the_bias_of_a_larger_gallery(normalizer, metric):
    normalizer = clone(normalizer).set_params(metric=metric)
    fitted = clone(normalizer).fit(BANK, GALLERY[:20])
    before = fitted.index_bias()
    found = fitted.bias_of(BANK, GALLERY[20:])
    np.testing.assert_array_equal(fitted.index_bias(), before)
    assert fitted.n_features_in_ == 20
    grown = clone(normalizer).fit(BANK, GALLERY[:20]).add_gallery(BANK, GALLERY[20:])
    np.testing.assert_array_equal(found, grown.index_bias()[20:])
    beta = getattr(grown, "beta_", None)
    if beta is not None:
        normalizer.set_params(beta=beta)
    expected = normalizer.fit(BANK, GALLERY).index_bias()[20:]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@each_normalizer
def test_exact_products_give_the_bits_of_a_fit(normalizer):
    if hasattr(normalizer, "beta"):
        normalizer = clone(normalizer).set_params(beta=0.1)
    normalizer = clone(normalizer).set_params(metric="dot")
    bank, gallery = whole((40, 4)), whole((30, 4), seed=1)
    expected = clone(normalizer).fit(bank, gallery).index_bias()
    found = normalizer.fit(bank, gallery[:20]).bias_of(bank, gallery[20:])
    np.testing.assert_array_equal(found, expected[20:])


def test_similarities_to_new_items_have_a_bias_too():
    sims = pairwise_similarity(BANK, GALLERY)
    fitted = CSLS().fit(sims[:, :20])
    expected = CSLS().fit(sims).index_bias()
    np.testing.assert_array_equal(fitted.bias_of(sims[:, 20:]), expected[20:])


def test_names_of_new_items_need_not_be_known():
    named = pd.DataFrame(GALLERY[:20], index=IDS[:20])
    fitted = InvertedSoftmax().fit(BANK, named)
    expected = fitted.bias_of(BANK, GALLERY[20:])
    again = pd.DataFrame(GALLERY[20:], index=IDS[:10])  # embedded anew, the same ids
    np.testing.assert_allclose(fitted.bias_of(BANK, again), expected, rtol=1e-12)


def test_new_items_are_weighed_against_the_balance_of_the_last_fit():
    fitted = SinkhornNormalizer(tol=0, max_iter=3).fit(BANK, GALLERY[:20])
    found = fitted.bias_of(BANK, GALLERY[20:])
    grown = fitted.add_gallery(BANK, GALLERY[20:])
    np.testing.assert_array_equal(found, grown.index_bias()[20:])


def test_what_has_no_bias_of_its_own_is_refused_with_a_reason():
    noisy = SinkhornNormalizer(shrinkage="noise")
    for normalizer in (noisy, DynamicNormalizer(noisy), ListSinkhornNormalizer()):
        fitted = normalizer.fit(BANK, GALLERY)
        with pytest.raises(ValueError, match="depends on the whole gallery"):
            fitted.bias_of(BANK, GALLERY)
    with pytest.raises(ValueError, match="MixNormalizer"):
        MixNormalizer(BANK).fit(None, GALLERY).bias_of(BANK, GALLERY)
    with pytest.raises(NotFittedError):
        CSLS().bias_of(BANK, GALLERY)
    fitted = InvertedSoftmax().fit(BANK, GALLERY)
    with pytest.raises(ValueError, match="the complete bank that was fitted, with 40"):
        fitted.bias_of(BANK[:30], GALLERY)
    with pytest.raises(ValueError, match="beta was .* call fit again"):
        fitted.set_params(beta=3).bias_of(BANK, GALLERY)


@each_normalizer
@pytest.mark.parametrize("named", [True, False])
def test_added_items_are_rescored_by_id(normalizer, named):
    ids = np.array(IDS, dtype=object) if named else np.arange(30)
    known = pd.DataFrame(GALLERY[:20], index=IDS[:20]) if named else GALLERY[:20]
    fitted = clone(normalizer).fit(BANK, known)
    biases = fitted.bias_of(BANK, GALLERY[20:])
    added = dict(zip(ids[20:].tolist(), biases, strict=True))
    grown = clone(normalizer).fit(BANK, GALLERY[:20]).add_gallery(BANK, GALLERY[20:])
    expected = grown.transform(SIMS)
    if hasattr(fitted, "activation_mask_"):  # until the next fit, no new item is active
        corrected = getattr(grown, "normalizer_", InvertedSoftmax()).fit(BANK, GALLERY)
        if isinstance(corrected, InvertedSoftmax):
            corrected.set_params(beta=grown.beta_).fit(BANK, GALLERY)
        active = np.r_[fitted.activation_mask_, np.zeros(10, dtype=bool)]
        gate = active[SIMS.argmax(axis=1)][:, None]
        expected = np.where(gate, corrected.transform(SIMS), SIMS)
    items = np.argsort(-SIMS, axis=1)[:, ::-1]  # all of them, as CSLS needs
    sims = np.take_along_axis(SIMS, items, 1)
    scores, found = fitted.rescore(sims, ids[items], added=added, return_names=named)
    positions = found
    if named:
        positions = np.array([[IDS.index(name) for name in row] for row in found])
    order = np.argsort(-expected, axis=1, kind="stable")
    np.testing.assert_array_equal(positions, order)
    np.testing.assert_allclose(
        scores, np.take_along_axis(expected, order, 1), rtol=1e-12
    )


@pytest.mark.parametrize("named", [True, False])
def test_replaced_items_have_their_new_bias(named):
    gallery = pd.DataFrame(GALLERY, index=IDS) if named else GALLERY
    fitted = InvertedSoftmax().fit(BANK, gallery)
    ids = np.array(IDS, dtype=object) if named else np.arange(30)
    bias = fitted.index_bias()
    bias[[0, 7]] = 0.3, -0.2
    added = {ids[0]: 0.3, ids[7]: -0.2}
    everything = np.tile(ids, (9, 1))
    scores, found = fitted.rescore(SIMS, everything, added=added, return_names=True)
    expected = SIMS - bias
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1), rtol=1e-12)
    np.testing.assert_array_equal(found, ids[np.argsort(-expected, axis=1)])
    places = np.tile(np.arange(1, 7), (9, 1))  # indices are allowed next to names
    by_place = fitted.rescore(SIMS[:, 1:7], places, added=added)[0]
    np.testing.assert_allclose(
        by_place, -np.sort(-expected[:, 1:7], axis=1), rtol=1e-12
    )


def test_rows_of_different_lengths_are_filled_up():
    fitted = InvertedSoftmax().fit(BANK, pd.DataFrame(GALLERY, index=IDS))
    rows = [[0.9, 0.8, 0.1], [], [0.7]]
    names = [["id-3", "id-0", "id-9"], [], ["id-4"]]
    scores, found = fitted.rescore(rows, names, return_names=True)
    first = fitted.rescore([rows[0]], [names[0]])
    np.testing.assert_array_equal(scores[0], first[0][0])
    assert found[1:].tolist() == [[None] * 3, ["id-4", None, None]]
    assert np.isneginf(scores[1]).all()
    by_index = InvertedSoftmax().fit(BANK, GALLERY)
    places = [[3, 0, 9], [], (4,)]
    np.testing.assert_allclose(by_index.rescore(rows, places)[0], scores, rtol=1e-12)
    assert by_index.rescore(rows, places)[1].dtype == np.int64
    with pytest.raises(ValueError, match="indices|inhomogeneous"):
        by_index.rescore(rows, [[3, 0], [], [4]])


def test_what_cannot_be_added_is_refused():
    fitted = InvertedSoftmax().fit(BANK, pd.DataFrame(GALLERY, index=IDS))
    with pytest.raises(ValueError, match="'other'.* and 0 others"):
        fitted.rescore([[0.5]], [["other"]], added={"new": 0.2})
    with pytest.raises(ValueError, match="return_names=True requires names"):
        InvertedSoftmax().fit(BANK, GALLERY).rescore([[1]], [[0]], return_names=True)
    for normalizer, message in (
        (GloballyCorrected(), "corrects by rank"),
        (DualDynamicInvertedSoftmax(), "a bias per bank"),
    ):
        other = normalizer.fit(BANK, GALLERY)
        with pytest.raises(ValueError, match=message):
            other.rescore([[0.5]], [["new"]], added={"new": 0.1})


@pytest.mark.parametrize("sizes", [[10] * 3, [1, 28, 1]])
@each_normalizer
def test_a_stream_of_items_is_a_gallery_in_memory(normalizer, sizes):
    rows = np.split(GALLERY, np.cumsum(sizes)[:-1])
    streamed = clone(normalizer).fit(BANK, (part for part in rows))
    expected = clone(normalizer).fit(BANK, GALLERY)
    if hasattr(expected, "beta_"):
        assert streamed.beta_ == pytest.approx(expected.beta_, rel=1e-12)
    np.testing.assert_allclose(
        streamed.index_bias(), expected.index_bias(), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("size", [700, 4096, 8999])
def test_a_longer_stream_is_a_gallery_in_memory_too(size):
    gallery = np.random.default_rng(1).normal(size=(9000, 4))
    gallery *= np.linspace(1, 3, 9000)[:, None]  # the first items are not typical
    parts = [gallery[first : first + size] for first in range(0, 9000, size)]
    settings = {"metric": "dot"}
    streamed = InvertedSoftmax(**settings).fit(BANK[:3], iter(parts))
    expected = InvertedSoftmax(**settings).fit(BANK[:3], gallery)
    assert streamed.beta_ == pytest.approx(expected.beta_, rel=1e-12)
    np.testing.assert_allclose(
        streamed.gallery_bias_, expected.gallery_bias_, rtol=1e-12
    )


@pytest.mark.parametrize("bad", [None, np.ones((3, 9)), np.full((3, 4), np.nan)])
def test_a_bad_part_late_in_a_stream_is_refused_in_words(bad):
    parts = [np.ones((5000, 4)), bad]
    with pytest.raises(ValueError, match=r"gallery|columns|width"):
        InvertedSoftmax(metric="dot").fit(BANK[:3], iter(parts))


def test_a_longer_stream_of_a_metric_of_the_caller_is_a_gallery_in_memory_too():
    gallery = np.random.default_rng(1).normal(size=(5000, 4))
    normalizer = InvertedSoftmax(metric=lambda left, right: left @ right.T)
    expected = clone(normalizer).fit(BANK[:3], gallery)
    streamed = normalizer.fit(BANK[:3], iter(np.split(gallery, 5)))
    assert streamed.beta_ == pytest.approx(expected.beta_, rel=1e-12)


@pytest.mark.parametrize("beta", [3.0, "scale"])
def test_a_longer_stream_keeps_names_and_may_be_sparse(beta):
    dense = np.random.default_rng(1).normal(size=(5000, 4))
    gallery = sparse.csr_array(np.where(dense > 0, dense, 0))
    parts = (gallery[first : first + 900] for first in range(0, 5000, 900))
    normalizer = InvertedSoftmax(beta=beta, metric="dot")
    expected = clone(normalizer).fit(BANK[:3], gallery)
    streamed = normalizer.fit(BANK[:3], parts)
    np.testing.assert_allclose(
        streamed.gallery_bias_, expected.gallery_bias_, rtol=1e-12
    )
    frame = pd.DataFrame(gallery.toarray()).set_axis([f"i{n}" for n in range(5000)])
    parts = (frame[first : first + 900] for first in range(0, 5000, 900))
    assert_array_equal(normalizer.fit(BANK[:3], parts).gallery_names_, frame.index)
