"""QuerybankSplit: the bank is trained on, the other rows are tested."""

import numpy as np
import pytest
from scipy import sparse

from sk_qbnorm.model_selection import QuerybankSplit


def test_the_bank_is_always_in_the_training_set_and_never_tested():
    split = QuerybankSplit(3)
    assert split.get_n_splits() == 1
    assert repr(split) == "QuerybankSplit(n_bank=3)"
    for given in (np.zeros((5, 2)), sparse.csr_array((5, 2)), [[0.0]] * 5):
        ((train, test),) = split.split(given)
        np.testing.assert_array_equal(train, [0, 1, 2])
        np.testing.assert_array_equal(test, [3, 4])
    with pytest.raises(ValueError, match="3"):
        next(split.split(np.zeros((3, 2))))
    with pytest.raises(ValueError, match="n_bank"):
        next(QuerybankSplit(0.5).split(np.zeros((3, 2))))
