"""Statistics of a querybank: merged from parts, or refused with the reason."""

import numpy as np
import pytest

from sk_qbnorm.statistics import Bank, LogMeanExp, Statistic, TopMean
from sk_qbnorm.tiles import MatrixTiles

TILES = MatrixTiles(np.eye(3))


class Counter(Statistic):
    """Counts similarities, and defines no way to merge."""

    def __init__(self, tiles):
        self.settings = {}
        self.n_seen = 0

    def update(self, tile, rows, columns):
        self.n_seen += (rows.stop - rows.start) * (columns.stop - columns.start)

    def value(self):
        return self.n_seen


class CounterWithReason(Counter):
    not_mergeable_reason = "Counter cannot be merged; call fit."


CHANGES = {
    "merge": lambda bank: bank.merge(bank),
    "append_items": lambda bank: bank.append_items(bank),
    "take_items": lambda bank: bank.take_items([0, 1]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("statistic", [Counter, CounterWithReason])
def test_a_statistic_without_merge_is_refused_with_its_reason(statistic, change):
    bank = Bank.accumulate(TILES, {"n": statistic(TILES)}, 1)
    assert bank["n"].value() == 9
    assert not bank["n"].mergeable
    with pytest.raises(ValueError, match="call fit"):
        CHANGES[change](bank)
    with pytest.raises(ValueError, match="call fit"):
        getattr(bank["n"], change)(None)


@pytest.mark.parametrize(
    "make", [lambda t: LogMeanExp(t, 2.0), lambda t: TopMean(t, 2)]
)
def test_merging_leaves_the_parts_unchanged(make):
    sims = np.random.default_rng(0).normal(size=(9, 5))
    parts = [MatrixTiles(sims[:4]), MatrixTiles(sims[4:])]
    banks = [Bank.accumulate(each, {"s": make(each)}, 1) for each in parts]
    before = [bank["s"].value() for bank in banks]
    both = banks[0].merge(banks[1])
    whole = MatrixTiles(sims)
    expected = Bank.accumulate(whole, {"s": make(whole)}, 1)["s"].value()
    np.testing.assert_allclose(both["s"].value(), expected, rtol=1e-12)
    for bank, value in zip(banks, before, strict=True):
        np.testing.assert_array_equal(bank["s"].value(), value)
