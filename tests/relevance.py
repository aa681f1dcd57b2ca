"""Score matrices with relevant items, for the tests of metrics."""

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

TIES = ["average", "pessimistic", "optimistic"]
LISTS = [[3], [0, 5], [11], [2, 3, 4], [1], [7]]
INDICATOR = np.array([[item in row for item in range(12)] for row in LISTS])
ONE_EACH = np.array([3, 0, 11, 2, 1, 7])
small_gallery = pytest.mark.filterwarnings("ignore:recall at")


def score_matrix():
    """Scores of 6 queries and 12 items, with ties."""
    return np.random.default_rng(0).integers(0, 9, size=(6, 12)).astype(float)


@st.composite
def scores_and_relevance(draw):
    """Scores of few values, and an indicator with a relevant item in every row."""
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    scores = draw(hnp.arrays(np.float64, shape, elements=st.integers(0, 3)))
    relevance = draw(hnp.arrays(bool, shape))
    relevance[~relevance.any(axis=1), 0] = True
    return scores, relevance
