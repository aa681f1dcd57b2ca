"""Biases of inverted softmax that shrink by their own noise."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import (
    DynamicInvertedSoftmax,
    InvertedSoftmax,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import recall_at_k

from . import reference

DATA = make_hub_retrieval(300, 400, 200, noise=1.5, random_state=0)
BANK, GALLERY = DATA.bank_queries, DATA.gallery
BANK_SIMS = pairwise_similarity(BANK, GALLERY)
each_class = pytest.mark.parametrize("of", [InvertedSoftmax, DynamicInvertedSoftmax])


@each_class
def test_it_is_the_empirical_bayes_estimate_of_the_reference(of):
    sims = BANK_SIMS[:20, :30]
    plain = of(beta=8).fit(sims).gallery_bias_
    weights = np.exp(8 * (sims - plain))
    expected = reference.shrunken(plain.tolist(), weights.tolist(), 8)
    found = of(beta=8, shrinkage="noise").fit(sims).gallery_bias_
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_the_first_half_step_of_sinkhorn_is_inverted_softmax():
    settings = {"beta": 8, "shrinkage": "noise"}
    sinkhorn = SinkhornNormalizer(max_iter=1, **settings).fit(BANK_SIMS)
    inverted = InvertedSoftmax(**settings).fit(BANK_SIMS)
    np.testing.assert_array_equal(sinkhorn.gallery_bias_, inverted.gallery_bias_)


@each_class
def test_banks_and_galleries_may_change(of):
    make = of(beta=8, shrinkage="noise")
    expected = clone(make).fit(BANK, GALLERY).gallery_bias_
    parts = clone(make).partial_fit(BANK[:99], GALLERY).partial_fit(BANK[99:], GALLERY)
    grown = clone(make).fit(BANK, GALLERY[:150]).add_gallery(BANK, GALLERY[150:])
    for found in (parts, grown):
        np.testing.assert_allclose(found.gallery_bias_, expected, atol=1e-12)
    with pytest.raises(ValueError, match="second_moment"):
        grown.set_params(shrinkage=None).add_gallery(BANK, GALLERY[:1])


@pytest.mark.parametrize("of", [InvertedSoftmax, SinkhornNormalizer])
def test_a_small_bank_gains_from_it(of):
    data = make_hub_retrieval(300, 400, 200, noise=3, random_state=0)
    sims = pairwise_similarity(data.queries, data.gallery)
    recall = {}
    for shrinkage in (None, "noise"):
        normalizer = of(shrinkage=shrinkage).fit(data.bank_queries[:15], data.gallery)
        recall[shrinkage] = recall_at_k(data.relevant, normalizer.transform(sims))
    assert recall["noise"] > recall[None]
