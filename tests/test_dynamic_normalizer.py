"""DynamicNormalizer: a gate for any additive normalizer."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sk_qbnorm import (
    CSLS,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GloballyCorrected,
    InvertedSoftmax,
    SinkhornNormalizer,
    pairwise_similarity,
)

pytestmark = pytest.mark.small_blocks
precomputed = {"metric": "precomputed"}
BANK, GALLERY = np.split(np.random.default_rng(0).normal(size=(65, 6)), [40])
SIMS = pairwise_similarity(BANK, GALLERY)


def test_the_gate_passes_on_warnings_of_the_normalizer():
    for normalizer, category, message in (
        (
            CSLS(n_neighbors=99),
            UserWarning,
            "n_neighbors=99",
        ),
        (
            SinkhornNormalizer(beta=20, max_iter=2, tol=1e-9),
            ConvergenceWarning,
            "max_iter=2",
        ),
    ):
        with pytest.warns(category, match=message) as seen:
            DynamicNormalizer(normalizer, **precomputed).fit(SIMS)
        assert len(seen) == 1
        assert seen[0].filename == __file__


def test_any_additive_normalizer_can_be_gated():
    sims = np.random.default_rng(1).normal(size=(30, 25))
    for normalizer in (
        CSLS(n_neighbors=3),
        SinkhornNormalizer(beta=5, max_iter=3, tol=0),
        InvertedSoftmax(beta=5),
    ):
        plain = clone(normalizer).set_params(**precomputed).fit(SIMS)
        dynamic = DynamicNormalizer(normalizer, **precomputed).fit(SIMS)
        opened = dynamic.activation_mask_[sims.argmax(axis=1)]
        assert 0 < opened.mean() < 1
        np.testing.assert_array_equal(
            dynamic.transform(sims),
            np.where(opened[:, None], plain.transform(sims), sims),
        )
        assert not hasattr(normalizer, "gallery_bias_")
    for wrong in (
        GloballyCorrected(),
        DynamicInvertedSoftmax(),
        DualInvertedSoftmax(),
        "csls",
        None,
    ):
        with pytest.raises(ValueError, match="bias"):
            DynamicNormalizer(wrong, **precomputed).fit(SIMS)


def test_the_gate_passes_on_the_memory_budget():
    asked = []

    def metric(queries, gallery):
        asked.append(len(queries))
        return pairwise_similarity(queries, gallery)

    sinkhorn = SinkhornNormalizer(beta=20, max_iter=4, tol=0, memory_budget=SIMS.nbytes)
    DynamicNormalizer(sinkhorn, metric=metric).fit(BANK, GALLERY)
    assert sum(asked) == len(BANK)


def test_another_normalizer_in_the_gate_starts_a_new_fit():
    dynamic = DynamicNormalizer(CSLS(n_neighbors=3), **precomputed).fit(SIMS)
    dynamic.set_params(normalizer=InvertedSoftmax())
    with pytest.raises(ValueError, match="log_mean_exp"):
        dynamic.partial_fit(SIMS)
