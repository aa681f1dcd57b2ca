"""A shift of the queries and a rest per item are the bias."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sk_qbnorm import InvertedSoftmax
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.indexes import QueryShift

from . import reference

RANDOM = np.random.default_rng(0)
GALLERY, QUERIES = RANDOM.normal(size=(12, 3)), RANDOM.normal(size=(5, 3))
NOISE = 0.1 * RANDOM.normal(size=12)
BIAS = GALLERY @ [0.5, -1.0, 0.2] + 0.3 + NOISE


def units(matrix):
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_the_shift_is_that_of_the_reference(metric, seed):
    random = np.random.default_rng(seed)
    gallery = random.normal(size=(9, 3))
    bias = gallery @ random.normal(size=3) + random.normal(size=9)
    shift = QueryShift(metric=metric).fit(gallery, bias)
    items = units(gallery) if metric == "cosine" else gallery
    w, rests = reference.query_shift(items.tolist(), bias.tolist())
    np.testing.assert_allclose(shift.coef_, w, rtol=1e-8)
    np.testing.assert_allclose(shift.rest_, rests, rtol=1e-8, atol=1e-12)
    assert shift.r2_ == pytest.approx(1 - np.var(rests) / np.var(bias))


def test_a_bias_that_is_linear_needs_no_rests():
    shift = QueryShift(metric="dot").fit(GALLERY, BIAS - NOISE)
    assert shift.r2_ > 0.999
    assert np.ptp(shift.rest_) < 0.01


def test_scores_are_similarities_less_the_bias():
    shift = QueryShift(metric="dot").fit(GALLERY, BIAS)
    flags = np.array([True, False, True, True, False])
    products = shift.queries(QUERIES, flags) @ GALLERY.T
    items = np.tile(np.arange(12), (5, 1))
    scores, found = shift.rescore(products, items, flags)
    expected = QUERIES @ GALLERY.T - flags[:, None] * BIAS
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1), atol=1e-12)
    np.testing.assert_array_equal(found, np.argsort(-expected, axis=1))


def test_a_sample_of_the_gallery_is_enough():
    data = make_hub_retrieval(300, 60, 3000, random_state=0)
    normalizer = InvertedSoftmax().fit(data.bank_queries, data.gallery)
    bias = normalizer.index_bias()
    few = QueryShift(max_samples=1000).fit(data.gallery, bias)
    everything = QueryShift(max_samples=3000).fit(data.gallery, bias)
    assert everything.r2_ - 0.02 < few.r2_ <= everything.r2_ + 1e-9
    assert len(few.rest_) == 3000


def test_a_gallery_on_disk_is_one_in_memory(tmp_path):
    np.save(tmp_path / "gallery.npy", GALLERY.astype(np.float16))
    on_disk = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    expected = QueryShift().fit(np.array(on_disk), BIAS.tolist())
    shift = QueryShift().fit(on_disk, BIAS)
    np.testing.assert_array_equal(shift.rest_, expected.rest_)


def test_new_items_get_a_rest_and_the_shift_stays():
    shift = QueryShift().fit(GALLERY[:8], BIAS[:8])
    coef = shift.coef_.copy()
    rest = shift.rest(GALLERY[8:], BIAS[8:])
    scores = shift.queries(QUERIES) @ units(GALLERY[8:]).T - rest
    expected = units(QUERIES) @ units(GALLERY[8:]).T - BIAS[8:]
    np.testing.assert_allclose(scores, expected, atol=1e-12)
    np.testing.assert_array_equal(shift.coef_, coef)
    np.testing.assert_allclose(shift.rest(GALLERY[:8], BIAS[:8]), shift.rest_)


def test_candidates_are_rescored_by_id():
    ids = [f"id-{row}" for row in range(8)]
    shift = QueryShift().fit(pd.DataFrame(GALLERY[:8], index=ids), BIAS[:8])
    new = shift.rest(GALLERY[8:10], BIAS[8:10])
    added = {"new-8": new[0], "new-9": new[1]}
    products = shift.queries(QUERIES[:2]) @ units(GALLERY).T
    candidates = [["id-3", "new-9", "id-0"], ["new-8"]]
    rows = [products[0, [3, 9, 0]].tolist(), products[1, [8]].tolist()]
    scores, found = shift.rescore(rows, candidates, added=added, return_names=True)
    expected = units(QUERIES[:2]) @ units(GALLERY).T - BIAS
    best = [3, 9, 0]
    best.sort(key=lambda j: -expected[0, j])
    np.testing.assert_allclose(scores[0], expected[0, best], atol=1e-12)
    assert list(found[0]) == [(*ids, "new-8", "new-9")[j] for j in best]
    assert list(found[1]) == ["new-8", None, None]
    assert scores[1, 0] == pytest.approx(expected[1, 8])
    assert np.isneginf(scores[1, 1:]).all()
    positions = shift.rescore(rows, candidates, added=added)[1]
    np.testing.assert_array_equal(positions[1], [8, -1, -1])


@pytest.mark.parametrize("gallery", [GALLERY[:1], GALLERY[[0] * 12]])
def test_equal_items_have_no_shift(gallery):
    shift = QueryShift().fit(gallery, BIAS[: len(gallery)])
    np.testing.assert_array_equal(shift.coef_, 0)
    np.testing.assert_array_equal(shift.rest_, BIAS[: len(gallery)])
    assert shift.r2_ == (1 if len(gallery) == 1 else 0)


def test_invalid_input_is_refused():
    with pytest.raises(NotFittedError):
        QueryShift().queries(QUERIES)
    shift = QueryShift().fit(GALLERY, BIAS)
    for call, message in (
        (lambda: QueryShift(metric="l2").fit(GALLERY, BIAS), "metric must be one of"),
        (lambda: QueryShift(max_samples=0).fit(GALLERY, BIAS), "max_samples must be"),
        (lambda: QueryShift().fit(GALLERY, BIAS[:3]), "one number per item"),
        (lambda: shift.queries(QUERIES[:, :2]), "queries must have the 3 features"),
        (lambda: shift.rest(GALLERY, np.ones((12, 2))), "bias must have the 1 columns"),
        (lambda: shift.rescore([[0.5]], [[12]]), r"gallery items in \[0, 11\]"),
        (lambda: shift.rescore([[0.5]], [[1]], return_names=True), "requires names"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
