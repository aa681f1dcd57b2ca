"""Inverse temperatures in units of the spread of the similarities."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import (
    DualDynamicInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    InvertedSoftmax,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)

RANDOM = np.random.default_rng(0)
BANK, GALLERY, QUERIES = (RANDOM.normal(size=(n, 5)) for n in (40, 25, 30))
SIMS = pairwise_similarity(BANK, GALLERY)
precomputed = {"metric": "precomputed"}
SCALED = {
    "IS": (InvertedSoftmax(beta="scale"), 1.5),
    "DIS": (DynamicInvertedSoftmax(beta="scale"), 1.5),
    "Sinkhorn": (SinkhornNormalizer(beta="scale", max_iter=4, tol=0), 2.0),
    "Dynamic Sinkhorn": (
        DynamicNormalizer(SinkhornNormalizer(beta="scale", max_iter=4, tol=0)),
        2.0,
    ),
}
each_scaled = pytest.mark.parametrize(
    ("normalizer", "factor"), SCALED.values(), ids=SCALED
)


def beta_of(fitted):
    return getattr(fitted, "normalizer_", fitted).beta_


@pytest.mark.compiled
@each_scaled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_beta_depends_on_the_spread_of_all_similarities(normalizer, factor, dtype):
    random = np.random.default_rng(0)
    for n_rows, n_columns in ((1, 1), (7, 33), (40, 1500)):
        sims = random.normal(5, 0.1, size=(n_rows, n_columns)).astype(dtype)
        fitted = clone(normalizer).set_params(**precomputed).fit(sims)
        spread = sims.std(dtype=np.float64) or 1.0
        assert beta_of(fitted) == pytest.approx(factor / spread, rel=1e-9)
        assert fitted.transform(sims).dtype == dtype


@each_scaled
def test_the_unit_of_similarities_does_not_matter(normalizer, factor):
    random = np.random.default_rng(0)
    sims = random.normal(size=(9, 25))
    scores = clone(normalizer).set_params(**precomputed).fit(SIMS).transform(sims)
    moved = clone(normalizer).set_params(**precomputed).fit(SIMS * 40 - 7)
    found = moved.transform(sims * 40)  # up to a constant
    gaps = [each - each.mean(axis=1, keepdims=True) for each in (found, scores * 40)]
    np.testing.assert_allclose(*gaps, atol=1e-9)


@each_scaled
def test_scale_equals_a_fit_with_that_number(normalizer, factor):
    expected = clone(normalizer)
    beta = factor / SIMS.std()
    name = "normalizer__beta" if "normalizer" in expected.get_params() else "beta"
    expected.set_params(**{name: beta}).fit(BANK, GALLERY)
    fitted = clone(normalizer).fit(BANK, GALLERY)
    np.testing.assert_allclose(fitted.gallery_bias_, expected.gallery_bias_)
    array = pytest.importorskip("dask.array")
    bank, gallery = (array.from_array(x, chunks=(7, -1)) for x in (BANK, GALLERY))
    in_blocks = clone(normalizer).fit(bank, gallery)
    np.testing.assert_allclose(in_blocks.gallery_bias_, expected.gallery_bias_)
    for n_jobs in (2, 5):
        threaded = clone(normalizer).set_params(n_jobs=n_jobs).fit(BANK, GALLERY)
        alone = clone(normalizer).set_params(n_jobs=1).fit(BANK, GALLERY)
        np.testing.assert_array_equal(threaded.gallery_bias_, alone.gallery_bias_)


def test_partial_fit_keeps_the_first_beta():
    for normalizer in (
        InvertedSoftmax(beta="scale"),
        DynamicInvertedSoftmax(beta="scale"),
        DynamicNormalizer(InvertedSoftmax(beta="scale")),
    ):
        fitted = clone(normalizer).fit(BANK[:30], GALLERY[:20])
        beta = beta_of(fitted)
        fitted.partial_fit(BANK[30:], GALLERY[:20]).add_gallery(BANK, GALLERY[20:])
        fitted.remove_gallery([0], BANK, GALLERY[1:])
        assert beta_of(fitted) == beta
        name = "normalizer__beta" if hasattr(fitted, "normalizer_") else "beta"
        expected = clone(normalizer).set_params(**{name: beta}).fit(BANK, GALLERY[1:])
        np.testing.assert_allclose(fitted.gallery_bias_, expected.gallery_bias_)
        assert beta_of(fitted.fit(BANK, GALLERY)) != beta


def test_both_banks_have_their_own_scale():
    dual = DualDynamicInvertedSoftmax(beta_query="scale", beta_gallery="scale").fit(
        BANK, GALLERY, QUERIES
    )
    other_sims = pairwise_similarity(QUERIES, GALLERY)
    assert dual.querybank_normalizer_.beta_ == pytest.approx(1.5 / SIMS.std())
    quarter = 1.5 / 4 / other_sims.std()
    assert dual.gallerybank_normalizer_.beta_ == pytest.approx(quarter)
    beta = dual.querybank_normalizer_.beta_
    assert dual.partial_fit(QUERIES, GALLERY).querybank_normalizer_.beta_ == beta


def test_a_retriever_supports_scale():
    retriever = QuerybankRetriever(InvertedSoftmax(beta="scale")).fit(BANK, GALLERY)
    assert retriever.normalizer_.beta_ == pytest.approx(1.5 / SIMS.std())
    retriever.partial_fit(QUERIES)
    assert retriever.normalizer_.n_bank_seen_ == 70
