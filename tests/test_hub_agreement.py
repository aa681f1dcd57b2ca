"""hub_agreement of a querybank and a sample of queries."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_qbnorm.metrics import chance_variation, hub_agreement, k_occurrence

from . import reference


@st.composite
def counts_of_both(draw):
    """Occurrences under two sets of queries of one gallery, and the length of lists."""
    n_gallery = draw(st.integers(1, 7))
    k = draw(st.integers(1, n_gallery))
    seed = draw(st.integers(0, 999))
    random = np.random.default_rng(seed)
    popular = random.random(n_gallery) * draw(st.sampled_from([0, 1, 5]))
    sizes = draw(st.integers(1, 9)), draw(st.integers(2, 9))
    scores = [random.random((size, n_gallery)) + popular for size in sizes]
    return *(k_occurrence(each, k=k) for each in scores), k


@given(drawn=counts_of_both(), seed=st.integers(0, 99))
def test_the_agreement_matches_the_reference(drawn, seed):
    bank, sample, k = drawn
    found = hub_agreement(bank, sample, k=k)
    expected = reference.hub_agreement(bank.tolist(), sample.tolist(), k)
    assert found == pytest.approx(expected, abs=1e-9)
    assert type(found) is float
    assert 0 <= found <= 1
    order = np.random.default_rng(seed).permutation(bank.size)
    assert hub_agreement(bank[order], sample[order], k=k) == found


@given(drawn=counts_of_both())
def test_a_bank_repeated_twice_agrees_equally(drawn):
    bank, sample, k = drawn
    once = hub_agreement(bank, sample, k=k)
    assert hub_agreement(2 * bank, sample, k=k) == pytest.approx(once)


@pytest.mark.parametrize("n_sample", [2, 3, 4])
def test_the_variance_estimated_from_a_sample_is_unbiased(n_sample):
    lists = np.array([[0, 1], [0, 2], [0, 3], [1, 0]])  # the population of queries
    n_gallery, k = 5, 2
    chance = np.bincount(lists.ravel(), minlength=n_gallery) / len(lists)
    found = []
    for rows in product(range(len(lists)), repeat=n_sample):
        counts = np.bincount(lists[list(rows)].ravel(), minlength=n_gallery)
        pairs = n_sample * (n_sample - 1)
        found.append(np.mean(counts * (counts - 1)) / pairs - (k / n_gallery) ** 2)
        expected = np.sqrt(max(found[-1], 0)) / (k / n_gallery)
        assert chance_variation(counts, n_sample, k) == pytest.approx(expected)
    assert np.mean(found) == pytest.approx(chance.var())


def test_a_small_bank_agrees_less_but_a_small_sample_does_not():
    random = np.random.default_rng(0)
    popular = random.normal(size=60)

    def counts(n_queries):
        return k_occurrence(popular + random.normal(size=(n_queries, 60)))

    large, many = counts(1500), counts(1500)
    assert hub_agreement(large, many) > 0.99
    of_samples = [hub_agreement(large, counts(10)) for _ in range(50)]
    # Values above 1 are clipped, so the mean is slightly below 1.
    assert np.mean(of_samples) == pytest.approx(1, abs=0.05)
    of_banks = [hub_agreement(counts(10), many) for _ in range(50)]
    assert np.mean(of_banks) < 0.9


def test_different_hubs_have_no_agreement():
    assert hub_agreement([4, 0, 0, 0], [4, 0, 0, 0], k=1) == 1
    assert hub_agreement([4, 0, 0, 0], [0, 4, 0, 0], k=1) == 0
    assert hub_agreement([4, 0, 0, 0], [1, 1, 1, 1], k=1) == 0


@pytest.mark.parametrize("n_gallery", [1, 3, 7, 49])
def test_even_counts_have_no_agreement(n_gallery):
    even = np.full(n_gallery, 3)
    for k in {1, n_gallery}:
        assert hub_agreement(even, even, k=k) == 0
        assert chance_variation(even, 3 * n_gallery // k, k) == 0


def test_counts_may_be_small_integers_and_read_only():
    bank, sample = np.array([200, 55, 0], dtype=np.uint8), np.array([200, 54, 1])
    for counts in (bank, sample):
        counts.setflags(write=False)
    expected = reference.hub_agreement([200, 55, 0], [200, 54, 1], 1)
    assert hub_agreement(bank, sample, k=1) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("bank", "sample", "options", "match"),
    [
        ([[1, 1]], [1, 1], {}, "bank_counts"),
        ([1, 1], [0.5, 0.5], {}, "sample_counts.* float64"),
        (["a"], ["b"], {}, "bank_counts"),
        ([], [], {}, "bank_counts"),
        ([1, np.nan], [1, 1], {}, "bank_counts"),
        ([1, 1], [1, 1, 0], {}, "bank_counts has 2 .*sample_counts has 3"),
        ([1, 1], [1, 0], {}, "sample_counts.* 2 .* 1"),
        ([1, 1], [0, 0], {}, "sample_counts.* k=1"),
        ([3, -1], [1, 1], {}, "bank_counts.* -1"),
        ([2, 1], [1, 1], {"k": 2}, "bank_counts.* k=2 .* 3"),
        ([4, 0, 0], [2, 1, 1], {"k": 2}, "bank_counts.* k=2 .* 4"),
        ([1, 1], [1, 1], {"k": 3}, "k .* 3"),
        ([1, 1], [1, 1], {"k": 0}, "k must be.* 0"),
    ],
)
def test_invalid_counts_are_rejected(bank, sample, options, match):
    with pytest.raises(ValueError, match=match):
        hub_agreement(bank, sample, **{"k": 1, **options})
