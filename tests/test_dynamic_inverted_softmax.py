"""DynamicInvertedSoftmax: the activation set and what it lets through."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_qbnorm import DynamicInvertedSoftmax, InvertedSoftmax

from . import reference
from .cases import NORMALIZERS, bank_and_sims

pytestmark = pytest.mark.small_blocks
precomputed = {"metric": "precomputed"}
may_clip = pytest.mark.filterwarnings("ignore:n_neighbors=", "ignore:n_activation=")


@given(drawn=bank_and_sims(max_rows=20, max_items=9), n_activation=st.integers(1, 3))
@may_clip
def test_probabilities_match_the_algorithm_of_the_authors(drawn, n_activation):
    bank, sims = drawn
    before = bank.copy(), sims.copy()
    theirs, retrieved = reference.authors_qb_norm(bank, sims, k=n_activation)
    ours = DynamicInvertedSoftmax(
        beta=20, n_activation=n_activation, output="probability", **precomputed
    ).fit(bank)
    assert set(np.flatnonzero(ours.activation_mask_)) == retrieved
    np.testing.assert_allclose(ours.transform(sims), theirs, rtol=1e-12)
    np.testing.assert_array_equal(bank, before[0])
    np.testing.assert_array_equal(sims, before[1])


def test_activating_all_items_warns_and_equals_inverted_softmax():
    bank, sims = np.random.default_rng(6).normal(size=(2, 4, 3))
    dynamic = DynamicInvertedSoftmax(n_activation=9, **precomputed)
    with pytest.warns(UserWarning, match="n_activation=9"):
        dynamic.fit(bank)
    assert dynamic.activation_rate_ == 1
    inverted = InvertedSoftmax(**precomputed).fit(bank)
    np.testing.assert_array_equal(dynamic.transform(sims), inverted.transform(sims))


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("n_activation", [1, 2, 5])
def test_the_best_items_of_a_row_are_found_across_tiles(n_activation, n_jobs):
    bank = np.random.default_rng(8).integers(0, 9, size=(40, 300)).astype(np.float32)
    fitted = DynamicInvertedSoftmax(
        n_activation=n_activation, n_jobs=n_jobs, **precomputed
    ).fit(bank)
    counts = reference.activation_counts(bank.tolist(), n_activation)
    np.testing.assert_array_equal(fitted.activation_counts_, counts)


def test_the_activation_set_is_exposed():
    bank = [[0.9, 0.1, 0.0], [0.8, 0.1, 0.0], [0.1, 0.2, 0.0]]
    fitted = DynamicInvertedSoftmax(min_count=2, **precomputed).fit(bank)
    np.testing.assert_array_equal(fitted.activation_counts_, [2, 1, 0])
    np.testing.assert_array_equal(fitted.activation_mask_, [True, False, False])
    assert fitted.activation_rate_ == pytest.approx(1 / 3)


def test_an_interrupted_partial_fit_adds_nothing(monkeypatch):
    bank, more = np.random.default_rng(9).normal(size=(2, 8, 5))
    normalizer = DynamicInvertedSoftmax(beta=20, **precomputed).fit(bank)

    def interrupted(statistic, other):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sk_qbnorm.statistics.Activations.merge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            normalizer.partial_fit(more)
    assert normalizer.n_bank_seen_ == 8
    both = DynamicInvertedSoftmax(beta=20, **precomputed).fit(np.vstack([bank, more]))
    np.testing.assert_allclose(
        normalizer.partial_fit(more).gallery_bias_, both.gallery_bias_, rtol=1e-12
    )


def test_partial_fit_does_not_change_exposed_arrays():
    normalizer = DynamicInvertedSoftmax(**precomputed).fit(np.eye(3))
    normalizer.activation_counts_ += 5
    normalizer.partial_fit(np.eye(3))
    np.testing.assert_array_equal(normalizer.activation_counts_, [2, 2, 2])


@given(drawn=bank_and_sims())
def test_dynamic_rows_are_corrected_or_raw_according_to_the_mask(drawn):
    bank, sims = drawn
    dynamic = NORMALIZERS["DIS"].fit(bank)
    corrected = NORMALIZERS["IS"].fit(bank).transform(sims)
    opened = dynamic.activation_mask_[sims.argmax(axis=1)]
    np.testing.assert_array_equal(
        dynamic.transform(sims), np.where(opened[:, None], corrected, sims)
    )


def test_only_bank_queries_that_lost_an_item_are_compared_again():
    random = np.random.default_rng(0)
    bank, gallery = random.normal(size=(50, 3)), random.normal(size=(30, 3))
    asked = []

    def metric(queries, items):
        asked.append(len(queries))
        return queries @ items.T

    normalizer = DynamicInvertedSoftmax(metric=metric).fit(bank, gallery)
    idle, busiest = normalizer.activation_counts_.argsort()[[0, -1]]
    count = normalizer.activation_counts_[busiest]
    asked.clear()
    normalizer.remove_gallery([busiest], bank, np.delete(gallery, busiest, 0))
    assert sum(asked) == count
    fresh = DynamicInvertedSoftmax(metric="dot").fit(bank, gallery)
    assert fresh.activation_counts_[idle] == 0
    fresh.remove_gallery([idle])  # no bank query is compared again
    assert fresh.activation_counts_.sum() == 50
