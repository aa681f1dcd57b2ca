"""CSLS; what it shares with NearestNeighborNormalizer is tested there."""

import warnings

import numpy as np
import pytest

from sk_qbnorm import CSLS

pytestmark = pytest.mark.small_blocks
precomputed = {"metric": "precomputed"}


def test_partial_fit_does_not_warn_of_a_small_bank():
    normalizer = CSLS(n_neighbors=5, **precomputed).partial_fit(np.eye(3))
    assert normalizer.n_neighbors_ == 3
    normalizer.partial_fit(np.eye(3))
    assert normalizer.n_neighbors_ == 5
    assert normalizer.n_bank_seen_ == 6


@pytest.mark.filterwarnings("error")
def test_a_fit_whose_warning_is_an_error_stores_nothing():
    normalizer = CSLS(n_neighbors=10, **precomputed)
    with pytest.raises(UserWarning, match="queries"):
        normalizer.fit(np.eye(3))
    assert not hasattr(normalizer, "n_bank_seen_")


def test_csls_scores_out_of_range_are_refused():
    random = np.random.default_rng(0)
    bank, sims = random.uniform(size=(40, 6)), random.uniform(size=(5, 6))
    fitted = CSLS(n_neighbors=3, **precomputed).fit(bank * 1e300)
    with pytest.raises(ValueError, match="float32"):
        fitted.transform(sims.astype(np.float32))


def test_a_fit_to_similarities_never_mistakes_similarities_for_embeddings():
    square = np.random.default_rng(0).normal(size=(9, 4)) * 3
    fitted = CSLS(n_neighbors=2).fit(square)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.transform(square)
        fitted.transform(square / np.linalg.norm(square, axis=1, keepdims=True))
