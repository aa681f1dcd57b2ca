"""Corrections without array expressions."""

import numpy as np

from sk_qbnorm._arrays import like, to_numpy
from sk_qbnorm._threads import count_threads


def corrected_by_numpy(correction, sims):
    """Return the corrected similarities of another array library, through NumPy."""
    scores = np.array(to_numpy(sims), order="C")
    correction.apply(scores, scores, count_threads(None))
    return like(scores, sims)
