"""NearestNeighborNormalizer, and what it shares with CSLS."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_qbnorm import CSLS, NearestNeighborNormalizer

from .cases import bank_and_sims

pytestmark = pytest.mark.small_blocks
precomputed = {"metric": "precomputed"}
may_clip = pytest.mark.filterwarnings("ignore:n_neighbors=")


def assert_close(scores, others):
    np.testing.assert_allclose(scores, others, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("normalizer_class", [CSLS, NearestNeighborNormalizer])
def test_a_small_bank_clips_the_neighbors_with_one_warning(normalizer_class):
    normalizer = normalizer_class(n_neighbors=5, **precomputed)
    with pytest.warns(UserWarning, match="n_neighbors=5") as seen:
        normalizer.fit(np.eye(3))
    assert len(seen) == 1
    assert seen[0].filename == __file__
    assert normalizer.n_neighbors_ == 3
    assert normalizer.n_neighbors == 5


@may_clip
@given(drawn=bank_and_sims(), k=st.integers(1, 4))
def test_csls_ranks_like_nnn_with_alpha_one_half(drawn, k):
    bank, sims = drawn
    local = CSLS(n_neighbors=k, metric="precomputed").fit(bank).transform(sims)
    nearest = NearestNeighborNormalizer(alpha=0.5, n_neighbors=k, metric="precomputed")
    nearest = nearest.fit(bank).transform(sims)
    both = local - 2 * nearest  # minus r_q: one number per row
    assert_close(both, np.broadcast_to(both[:, :1], both.shape))
