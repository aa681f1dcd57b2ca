"""Statistics of a bank say whether parts determine them, and if not, why."""

import numpy as np
import pytest

from sk_qbnorm.bank import Bank
from sk_qbnorm.bank._statistic import Statistic
from sk_qbnorm.tiles import MatrixTiles

TILES = MatrixTiles(np.eye(3))


class Counter(Statistic):
    """Counts similarities; nobody has said how two of them are merged."""

    def __init__(self, tiles):
        self.settings = {}
        self.n_seen = 0

    def update(self, tile, rows, columns):
        self.n_seen += (rows.stop - rows.start) * (columns.stop - columns.start)


class WholeCounter(Counter):
    not_mergeable_reason = "Counts of parts do not determine this one; call fit."


def bank_of(statistic):
    return Bank.probe(TILES, lambda tiles: {"n": statistic(tiles)}, 1, lambda n: None)


CHANGES = {
    "merged": lambda bank: bank.merged(bank),
    "extended": lambda bank: bank.extended(bank),
    "kept": lambda bank: bank.kept([0, 1]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_statistic_that_parts_do_not_determine_is_refused_with_its_reason(change):
    bank = bank_of(WholeCounter)
    assert not bank.is_joinable
    with pytest.raises(ValueError, match="Counts of parts do not determine this one"):
        CHANGES[change](bank)


@pytest.mark.parametrize("change", CHANGES)
def test_a_statistic_without_a_method_and_without_a_reason_is_told_of_both(change):
    bank = bank_of(Counter)
    assert bank["n"].n_seen == 9
    with pytest.raises(
        NotImplementedError, match=rf"{change}\(\).*not_mergeable_reason"
    ):
        CHANGES[change](bank)
