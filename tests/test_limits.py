"""Parameters beyond the precision of floating point are refused."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import (
    CSLS,
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    QuerybankRetriever,
    SinkhornNormalizer,
)

from . import reference

RANDOM = np.random.default_rng(0)
BANK, SIMS = RANDOM.uniform(size=(40, 6)), RANDOM.uniform(size=(5, 6))
PRECOMPUTED = {"metric": "precomputed"}
BETA_NORMALIZERS = {
    "IS": lambda beta: InvertedSoftmax(beta=beta, **PRECOMPUTED),
    "DIS": lambda beta: DynamicInvertedSoftmax(beta=beta, **PRECOMPUTED),
    "Sinkhorn": lambda beta: SinkhornNormalizer(beta=beta, **PRECOMPUTED),
    "DualIS": lambda beta: DualInvertedSoftmax(beta_query=beta, **PRECOMPUTED),
    "DualDIS": lambda beta: DualDynamicInvertedSoftmax(beta_query=beta, **PRECOMPUTED),
    "Dynamic": lambda beta: DynamicNormalizer(
        InvertedSoftmax(beta=beta), **PRECOMPUTED
    ),
}
OF_AN_ALPHA = {
    "IS": InvertedSoftmax(alpha=1e300, **PRECOMPUTED),
    "IS probability": InvertedSoftmax(alpha=1e300, output="probability", **PRECOMPUTED),
    "DIS": DynamicInvertedSoftmax(alpha=1e300, **PRECOMPUTED),
    "Sinkhorn": SinkhornNormalizer(alpha=1e300, **PRECOMPUTED),
    "NNN": NearestNeighborNormalizer(alpha=1e300, n_neighbors=3, **PRECOMPUTED),
    "DualIS": DualInvertedSoftmax(alpha=1e300, **PRECOMPUTED),
    "DualDIS": DualDynamicInvertedSoftmax(alpha=1e300, **PRECOMPUTED),
    "Dynamic": DynamicNormalizer(InvertedSoftmax(alpha=1e300), **PRECOMPUTED),
}
each_beta_normalizer = pytest.mark.parametrize(
    "make", BETA_NORMALIZERS.values(), ids=BETA_NORMALIZERS
)
each_dtype = pytest.mark.parametrize(
    ("dtype", "too_small"), [(np.float64, 1e-17), (np.float32, 1e-7)]
)


@each_beta_normalizer
@each_dtype
def test_a_beta_that_loses_the_bias_to_rounding_is_refused(make, dtype, too_small):
    for scale in (1, 1e-6, 1e6):
        sims = (BANK * scale).astype(dtype)
        with pytest.raises(ValueError, match=rf"beta\w* .*got {too_small / scale}"):
            make(too_small / scale).fit(sims)
        make(1e4 * too_small / scale).fit(sims)


@each_dtype
def test_a_refused_beta_keeps_the_last_fit(dtype, too_small):
    sims = BANK.astype(dtype)
    normalizer = BETA_NORMALIZERS["IS"](5.0).fit(sims)
    before = normalizer.gallery_bias_
    with pytest.raises(ValueError, match="beta"):
        normalizer.set_params(beta=too_small).fit(sims)
    np.testing.assert_array_equal(normalizer.gallery_bias_, before)


@each_dtype
def test_at_the_smallest_beta_the_bias_is_close_to_the_mean(dtype, too_small):
    random = np.random.default_rng(0)
    for _ in range(20):
        bank = random.uniform(-1, 1, size=(200, 9)).astype(dtype)
        beta = float(100 * np.finfo(dtype).eps / abs(bank[:8].max(axis=0)).max())
        bias = BETA_NORMALIZERS["IS"](1.01 * beta).fit(bank).gallery_bias_
        mean = bank.mean(axis=0, dtype=np.float64)  # to 1e-5
        np.testing.assert_allclose(bias, mean, atol=0.05)


@each_dtype
def test_a_beta_too_small_for_parts_of_a_bank_is_refused(dtype, too_small):
    sims = BANK.astype(dtype)
    normalizer = BETA_NORMALIZERS["IS"](too_small)
    with pytest.raises(ValueError, match="beta"):
        normalizer.partial_fit(sims[:20])
    one = BETA_NORMALIZERS["IS"](too_small).partial_fit(
        sims[:1]
    )  # the mean of one row is the row
    np.testing.assert_array_equal(one.gallery_bias_, sims[0])
    with pytest.raises(ValueError, match="beta"):
        one.partial_fit(sims[1:2])
    grown = BETA_NORMALIZERS["IS"](too_small).fit(np.zeros((40, 2), dtype))
    with pytest.raises(ValueError, match="beta"):
        grown.add_gallery(sims)


def test_a_beta_too_small_is_refused_if_all_columns_have_the_same_maximum():
    with pytest.raises(ValueError, match="beta .*got 1e-17"):
        BETA_NORMALIZERS["IS"](1e-17).fit(np.eye(4) * 3)


@each_beta_normalizer
@pytest.mark.parametrize("value", [0.0, 1e-30, -3.0])
def test_equal_similarities_accept_any_beta(make, value):
    bank = np.full((9, 6), value)
    for beta in (1e-17, 5.0, "scale"):
        scores = make(beta).fit(bank).transform(SIMS)
        np.testing.assert_allclose(np.diff(scores), np.diff(SIMS), atol=1e-9)


def test_large_similarities_may_come_late():
    random = np.random.default_rng(0)
    bank = np.zeros((20, 3))
    bank[10:] = random.uniform(size=(10, 3))
    bias = BETA_NORMALIZERS["IS"](5.0).fit(bank).gallery_bias_
    expected = [reference.log_mean_exp(column, 5.0) for column in bank.T.tolist()]
    np.testing.assert_allclose(bias, expected, rtol=1e-12)


@pytest.mark.parametrize("normalizer", OF_AN_ALPHA.values(), ids=OF_AN_ALPHA)
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_alpha_with_scores_out_of_range_is_refused(normalizer, order):
    bank, sims = BANK.astype(np.float32), SIMS.astype(np.float32)
    gates = {"gallerybank": bank} if "Dual" in type(normalizer).__name__ else {}
    fitted = clone(normalizer).fit(bank, **gates)
    items = np.tile(np.arange(3), (5, 1))
    with pytest.raises(ValueError, match="float32.*alpha"):
        fitted.transform(np.array(sims, order=order))
    with pytest.raises(ValueError, match="float32.*alpha"):
        fitted.rescore(sims[:, :3], items)
    assert np.isfinite(fitted.transform(SIMS)).all()  # float64 has the range
    fitted.set_params(**{name: 1 for name in fitted.get_params() if "alpha" in name})
    if "Dynamic" not in type(normalizer).__name__:
        assert np.isfinite(fitted.transform(sims)).all()


def test_csls_scores_out_of_range_are_refused():
    fitted = CSLS(n_neighbors=3, **PRECOMPUTED).fit(BANK * 1e300)
    with pytest.raises(ValueError, match="float32"):
        fitted.transform(SIMS.astype(np.float32))


@pytest.mark.parametrize(
    "normalizer",
    [
        InvertedSoftmax(alpha=1e300),
        InvertedSoftmax(alpha=1e300, output="probability"),
        DualDynamicInvertedSoftmax(alpha=1e300),
    ],
    ids=["IS", "IS probability", "DualDIS"],
)
def test_a_search_refuses_scores_out_of_range(normalizer):
    random = np.random.default_rng(0)
    bank, gallery = random.normal(size=(2, 30, 4)).astype(np.float32)
    gates = {"gallerybank": gallery} if "Dual" in type(normalizer).__name__ else {}
    retriever = QuerybankRetriever(normalizer, n_neighbors=3).fit(
        bank, gallery, **gates
    )
    for act in (retriever.kneighbors, retriever.decision_function):
        with pytest.raises(ValueError, match="float32.*alpha"):
            act(bank)


@pytest.mark.filterwarnings("ignore:overflow encountered")  # of kernels without JIT
def test_a_search_refuses_single_scores_out_of_range():
    gallery = np.array([[1e300], [-1e300]])
    retriever = QuerybankRetriever(
        CSLS(n_neighbors=1), n_neighbors=2, metric="dot"
    ).fit([[1e8]], gallery)
    message = "float64"
    with pytest.raises(ValueError, match=message):
        retriever.kneighbors([[1.5e8]])
