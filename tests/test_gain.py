"""gain_lower_bounds: the paired gain, less its standard errors."""

import statistics

import numpy as np
import pytest

from sk_qbnorm.model_selection import gain_lower_bounds


def bounds_by_hand(results, n_standard_errors):
    """The rule as plain loops."""
    bounds = []
    for row in results:
        gains = [ours - raw for ours, raw in zip(row, results[0], strict=True)]
        error = statistics.stdev(gains) / len(gains) ** 0.5
        bounds.append(statistics.mean(gains) - n_standard_errors * error)
    return bounds


@pytest.mark.parametrize("n_standard_errors", [0, 1.5, 2])
def test_the_bound_is_the_paired_gain_minus_its_standard_errors(n_standard_errors):
    results = np.random.default_rng(0).integers(0, 2, size=(5, 30))
    found = gain_lower_bounds(results, n_standard_errors=n_standard_errors)
    expected = bounds_by_hand(results.tolist(), n_standard_errors)
    np.testing.assert_allclose(found, expected, atol=1e-15)
    assert found[0] == 0
    as_bool = gain_lower_bounds(results > 0, n_standard_errors=n_standard_errors)
    np.testing.assert_array_equal(as_bool, found)


def test_the_bound_seldom_selects_a_lucky_candidate():
    chosen = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        raw = random.random(100) < 0.5
        changed = random.random((10, 100)) < 0.1  # better as often as worse
        results = np.vstack([raw, np.where(changed, ~raw, raw)])
        options = ({"n_standard_errors": 0}, {})
        chosen.append([gain_lower_bounds(results, **each).argmax() for each in options])
        surely_better = raw | (np.arange(100) % 3 == 0)
        assert gain_lower_bounds([*results, surely_better]).argmax() == 11
    by_mean, by_bound = np.mean(np.array(chosen) > 0, axis=0)
    assert by_mean > 0.98
    assert by_bound < 0.2


def test_raw_wins_ties():
    raw = [1.0, 0.0, 1.0, 0.0]
    np.testing.assert_array_equal(gain_lower_bounds([raw, raw]), [0, 0])
    assert gain_lower_bounds([raw, raw]).argmax() == 0
