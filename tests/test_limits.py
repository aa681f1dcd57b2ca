"""Parameters beyond the precision of floating point are refused."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import (
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
)

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


@each_beta_normalizer
@pytest.mark.parametrize("value", [0.0, 1e-30, -3.0])
def test_equal_similarities_accept_any_beta(make, value):
    bank = np.full((9, 6), value)
    for beta in (1e-17, 5.0, "scale"):
        scores = make(beta).fit(bank).transform(SIMS)
        np.testing.assert_allclose(np.diff(scores), np.diff(SIMS), atol=1e-9)


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
