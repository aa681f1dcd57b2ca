"""InvertedSoftmax: its beta, too small, huge or in units of the spread."""

import numpy as np
import pytest

from sk_qbnorm import InvertedSoftmax, pairwise_similarity

from . import reference

pytestmark = pytest.mark.small_blocks
precomputed = {"metric": "precomputed"}
BANK, GALLERY = np.split(np.random.default_rng(0).normal(size=(65, 5)), [40])
SIMS = pairwise_similarity(BANK, GALLERY)
UNIFORM = np.random.default_rng(0).uniform(size=(40, 6))
each_dtype = pytest.mark.parametrize(
    ("dtype", "too_small"), [(np.float64, 1e-17), (np.float32, 1e-7)]
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [1e30, 3e38, 1e300])
def test_a_huge_beta_gives_the_maximum(dtype, beta):
    bank = np.eye(3, dtype=dtype)
    fitted = InvertedSoftmax(beta=beta, **precomputed).fit(bank)
    np.testing.assert_allclose(fitted.gallery_bias_, 1, rtol=1e-6)


@each_dtype
def test_a_refused_beta_keeps_the_last_fit(dtype, too_small):
    sims = UNIFORM.astype(dtype)
    normalizer = InvertedSoftmax(beta=5.0, **precomputed).fit(sims)
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
        bias = InvertedSoftmax(beta=1.01 * beta, **precomputed).fit(bank).gallery_bias_
        mean = bank.mean(axis=0, dtype=np.float64)  # to 1e-5
        np.testing.assert_allclose(bias, mean, atol=0.05)


@each_dtype
def test_a_beta_too_small_for_parts_of_a_bank_is_refused(dtype, too_small):
    sims = UNIFORM.astype(dtype)
    normalizer = InvertedSoftmax(beta=too_small, **precomputed)
    with pytest.raises(ValueError, match="beta"):
        normalizer.partial_fit(sims[:20])
    one = InvertedSoftmax(beta=too_small, **precomputed).partial_fit(
        sims[:1]
    )  # the mean of one row is the row
    np.testing.assert_array_equal(one.gallery_bias_, sims[0])
    with pytest.raises(ValueError, match="beta"):
        one.partial_fit(sims[1:2])
    grown = InvertedSoftmax(beta=too_small, **precomputed).fit(np.zeros((40, 2), dtype))
    with pytest.raises(ValueError, match="beta"):
        grown.add_gallery(sims)


def test_a_beta_too_small_is_refused_if_all_columns_have_the_same_maximum():
    with pytest.raises(ValueError, match="beta .*got 1e-17"):
        InvertedSoftmax(beta=1e-17, **precomputed).fit(np.eye(4) * 3)
    with pytest.raises(ValueError, match="beta .*got 1e-17"):
        InvertedSoftmax(beta=1e-17, **precomputed).fit(np.eye(4) - 1)


def test_constant_items_can_be_what_is_left_of_a_gallery():
    bank = np.zeros((4, 3))
    bank[0, 1] = 0.125
    left = InvertedSoftmax(beta=5.0, **precomputed).fit(bank)
    left.remove_gallery([1], bank[:, [0, 2]])
    np.testing.assert_array_equal(left.gallery_bias_, [0, 0])


def test_large_similarities_may_come_late():
    random = np.random.default_rng(0)
    bank = np.zeros((20, 3))
    bank[10:] = random.uniform(size=(10, 3))
    bias = InvertedSoftmax(beta=5.0, **precomputed).fit(bank).gallery_bias_
    expected = [reference.log_mean_exp(column, 5.0) for column in bank.T.tolist()]
    np.testing.assert_allclose(bias, expected, rtol=1e-12)


def test_a_scale_needs_similarities_with_a_finite_spread():
    constant = InvertedSoftmax(beta="scale", **precomputed).fit(np.ones((4, 3)))
    assert constant.beta_ == 1.5
    with pytest.raises(ValueError, match="beta"):
        InvertedSoftmax(beta="scael").fit(BANK, GALLERY)
    with pytest.raises(ValueError, match="beta"):
        InvertedSoftmax(beta="scale", **precomputed).fit(SIMS * 1e300)


@pytest.mark.compiled
@pytest.mark.parametrize("sizes", [[256, 144], [1, 255, 144], [399, 1]])
def test_the_sample_is_the_same_for_any_split_of_the_bank(sizes):
    random = np.random.default_rng(1)
    bank, gallery = random.normal(size=(400, 4)), random.normal(size=(5000, 4))
    expected = InvertedSoftmax().fit(bank, gallery)
    parts = np.split(bank, np.cumsum(sizes)[:-1])
    assert InvertedSoftmax().fit(iter(parts), gallery).beta_ == expected.beta_
    if sizes[0] >= 256:
        in_calls = InvertedSoftmax()
        for part in parts:
            in_calls.partial_fit(part, gallery)
        assert in_calls.beta_ == expected.beta_
        bias = in_calls.gallery_bias_
        np.testing.assert_allclose(bias, expected.gallery_bias_, rtol=1e-12)
    whole = pairwise_similarity(bank, gallery).std()
    assert expected.beta_ == pytest.approx(1.5 / whole, rel=0.05)


def test_a_gallery_in_parts_can_have_a_scale():
    halves = iter([GALLERY[:10], GALLERY[10:]])
    expected = InvertedSoftmax().fit(BANK, GALLERY)
    assert InvertedSoftmax().fit(BANK, halves).beta_ == pytest.approx(expected.beta_)


@pytest.mark.parametrize("factor", [0.04, 11])
def test_a_number_far_from_the_scale_warns_with_the_better_value(factor):
    fitted = InvertedSoftmax().fit(SIMS)
    beta = factor / SIMS.std()
    with pytest.warns(UserWarning, match=f"{fitted.beta_:.3g}") as seen:
        InvertedSoftmax(beta=beta).fit(SIMS)
    assert len(seen) == 1
    assert seen[0].filename == __file__


@pytest.mark.filterwarnings("error")
def test_a_number_near_the_scale_does_not_warn():
    InvertedSoftmax(beta=2 / SIMS.std()).fit(SIMS)


@pytest.mark.filterwarnings("error")
def test_a_callable_metric_is_not_called_for_a_warning_only():
    asked = []

    def metric(queries, gallery):
        asked.append(len(queries))
        return pairwise_similarity(queries, gallery)

    InvertedSoftmax(beta=1e3, metric=metric).fit(BANK, GALLERY)
    assert sum(asked) == len(BANK)
