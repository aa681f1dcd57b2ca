"""Retrieval results as scores, lists and graphs, for the tests of hubness."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from . import reference


@st.composite
def scores_and_k(draw):
    """Draw scores with ties, with more queries than items or fewer."""
    shape = draw(st.integers(1, 7)), draw(st.integers(1, 8))
    scores = draw(hnp.arrays(np.float64, shape, elements=st.integers(-3, 3)))
    return scores, draw(st.integers(1, shape[1]))


def top_k(scores, k):
    return np.array([reference.order(row)[:k] for row in scores.tolist()])


def graph_of(lists, n_gallery, data=1.0):
    """A graph with one row per list, in the order of the list, without -1."""
    lists = [[item for item in row if item >= 0] for row in np.asarray(lists).tolist()]
    items = np.array([item for row in lists for item in row], dtype=np.int32)
    indptr = np.cumsum([0, *map(len, lists)])
    shape = len(lists), n_gallery
    return sparse.csr_array((np.full(items.size, data), items, indptr), shape=shape)
