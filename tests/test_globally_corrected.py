"""GloballyCorrected: ranks in the bank."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from sk_qbnorm import GloballyCorrected

from . import reference
from .cases import bank_and_sims

pytestmark = pytest.mark.small_blocks
precomputed = {"metric": "precomputed"}


def in_order(scores, indices):
    """Sort each row: larger score first, then smaller index."""
    order = np.lexsort((indices, -scores))
    return np.take_along_axis(scores, order, 1), np.take_along_axis(indices, order, 1)


def test_bank_ranks_count_the_closer_bank_queries():
    bank, sims = np.random.default_rng(7).integers(0, 4, size=(2, 8, 5)).astype(float)
    fitted = GloballyCorrected(**precomputed).fit(bank)
    ranks = reference.bank_ranks(bank.tolist(), sims.tolist())
    np.testing.assert_array_equal(fitted.bank_ranks(sims), ranks)
    np.testing.assert_array_equal(fitted.bank_columns_, np.sort(bank.T, axis=1))


def test_bank_ranks_of_an_unfitted_normalizer_raise():
    with pytest.raises(NotFittedError):
        GloballyCorrected().bank_ranks(np.eye(4))


@given(drawn=bank_and_sims(), shift=st.integers(-16, 16))
def test_shifting_an_item_in_bank_and_queries_keeps_its_bank_ranks(drawn, shift):
    bank, sims = drawn
    normalizer = GloballyCorrected(metric="precomputed")
    ranks = normalizer.fit(bank).bank_ranks(sims)
    bank[:, 0] += shift / 8
    sims[:, 0] += shift / 8
    np.testing.assert_array_equal(normalizer.fit(bank).bank_ranks(sims), ranks)


def test_ranks_of_a_shortlist_count_candidates_only():
    bank, sims = np.random.default_rng(1).integers(0, 5, size=(2, 9, 6)).astype(float)
    fitted = GloballyCorrected(**precomputed).fit(bank)
    items = np.tile([5, 0, 3], (9, 1))
    some = GloballyCorrected(**precomputed).fit(bank[:, [0, 3, 5]])
    expected = some.transform(sims[:, [0, 3, 5]])[:, [2, 0, 1]]
    scores, found = fitted.rescore(np.take_along_axis(sims, items, 1), items)
    np.testing.assert_array_equal(found, in_order(expected, items)[1])
    np.testing.assert_array_equal(scores, in_order(expected, items)[0])
