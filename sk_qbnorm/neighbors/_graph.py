"""Best items as a sparse graph, as accepted by scikit-learn's estimators."""

import numpy as np
from scipy import sparse

MODES = ("connectivity", "score", "distance")


def neighbors_graph(scores, items, n_gallery, ceiling=None):
    """Return a CSR array whose rows list items best first.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, k) or None
        Descending; None for ones.
    items : ndarray of shape (n_queries, k)
    n_gallery : int
    ceiling : ndarray of shape (n_queries, 1), default=None
        If given, the entries are distances from it: ascending, and none negative.
    """
    n_queries, k = items.shape
    if scores is None:
        data = np.ones(items.shape)
    elif ceiling is None:
        data = scores
    else:  # float64: differences of scores are small relative to the ceiling
        data = np.maximum(ceiling - scores, 0)
    indptr = np.arange(n_queries + 1) * k
    shape = n_queries, n_gallery
    return sparse.csr_array((data.ravel(), items.ravel(), indptr), shape=shape)
