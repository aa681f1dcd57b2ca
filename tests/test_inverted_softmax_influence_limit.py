"""InvertedSoftmax with a limit of what one bank query may do."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import (
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    InvertedSoftmax,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval

from . import reference

DATA = make_hub_retrieval(150, 120, 60, n_features=8, random_state=0)
SIMS = pairwise_similarity(DATA.bank_queries, DATA.gallery)


@pytest.mark.compiled
@pytest.mark.filterwarnings("ignore:beta=")
@pytest.mark.parametrize("limit", [1.01, 2, 20, 149, 1000])
@pytest.mark.parametrize("beta", [0.5, 20, 400])
def test_the_bias_is_that_of_the_reference(beta, limit):
    fitted = InvertedSoftmax(beta=beta, influence_limit=limit).fit(SIMS)
    expected = [reference.limited_log_mean_exp(c, beta, limit) for c in SIMS.T]
    np.testing.assert_allclose(fitted.gallery_bias_, expected, rtol=0, atol=1e-10)
    weights = np.exp(beta * (SIMS - fitted.gallery_bias_))
    np.testing.assert_allclose(np.minimum(weights, limit).mean(axis=0), 1, rtol=1e-8)


def test_a_limit_that_no_query_reaches_changes_nothing():
    plain = InvertedSoftmax(beta=5).fit(SIMS)
    limited = clone(plain).set_params(influence_limit=1e6).fit(SIMS)
    np.testing.assert_array_equal(limited.gallery_bias_, plain.gallery_bias_)


def test_one_copy_of_an_item_moves_its_bias_little():
    bank = np.vstack([DATA.bank_queries, DATA.gallery[:1]])
    moved = {}
    for limit in (None, 3):
        normalizer = InvertedSoftmax(beta=40, influence_limit=limit)
        before, after = (
            normalizer.fit(each, DATA.gallery).gallery_bias_[0]
            for each in (DATA.bank_queries, bank)
        )
        moved[limit] = after - before
    assert moved[3] < moved[None] / 3


def test_other_orders_dtypes_and_threads_give_the_same_bias():
    normalizer = InvertedSoftmax(beta=20, influence_limit=5)
    expected = normalizer.fit(SIMS).gallery_bias_
    for n_jobs in (1, 2, 3):
        normalizer.set_params(n_jobs=n_jobs)
        found = normalizer.fit(np.asfortranarray(SIMS)).gallery_bias_
        np.testing.assert_array_equal(found, expected)
    single = normalizer.fit(SIMS.astype(np.float32)).gallery_bias_
    np.testing.assert_allclose(single, expected, atol=1e-5)
    of_embeddings = normalizer.fit(DATA.bank_queries, DATA.gallery).gallery_bias_
    np.testing.assert_allclose(of_embeddings, expected, atol=1e-12)


@pytest.mark.parametrize("kind", [InvertedSoftmax, DynamicInvertedSoftmax])
def test_a_gallery_may_change(kind):
    whole = kind(beta=20, influence_limit=5).fit(SIMS)
    grown = clone(whole).fit(SIMS[:, :40])
    grown = pickle.loads(pickle.dumps(grown)).add_gallery(SIMS[:, 40:])
    np.testing.assert_array_equal(grown.gallery_bias_, whole.gallery_bias_)
    grown.remove_gallery(np.arange(40), SIMS[:, 40:])
    np.testing.assert_array_equal(grown.gallery_bias_, whole.gallery_bias_[40:])


def test_a_bank_in_parts_is_refused():
    limited = InvertedSoftmax(influence_limit=50)
    for normalizer in (limited, DynamicNormalizer(limited)):
        assert not hasattr(normalizer, "partial_fit")
        with pytest.raises(ValueError, match="influence_limit"):
            normalizer.fit(iter([SIMS[:80], SIMS[80:]]))
    assert hasattr(InvertedSoftmax(), "partial_fit")
    with pytest.raises(ValueError, match="partial_fit"):
        QuerybankRetriever(limited).partial_fit(DATA.bank_queries, DATA.gallery)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"influence_limit": 1}, "influence_limit must be > 1"),
        ({"influence_limit": -2}, "influence_limit"),
        ({"influence_limit": "50"}, "influence_limit"),
        ({"influence_limit": 50, "shrinkage": "noise"}, "shrinkage must be None"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        InvertedSoftmax(**settings).fit(SIMS)


def test_a_limit_that_changes_needs_another_fit():
    fitted = InvertedSoftmax(beta=20, influence_limit=5).fit(SIMS[:, :40])
    fitted.set_params(influence_limit=6)
    with pytest.raises(ValueError, match="influence_limit was 5"):
        fitted.add_gallery(SIMS[:, 40:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_queries_over_the_limit_may_fill_the_sum_alone(dtype):
    column = np.array([0, 0, 0, 60, 60, 60], dtype)  # 3 times the limit of 2 are 6
    fitted = InvertedSoftmax(beta=1, influence_limit=2)
    with pytest.warns(UserWarning, match="beta="):
        bias = fitted.fit(column[:, None]).gallery_bias_
    assert bias[0] == pytest.approx(60 - np.log(2))
