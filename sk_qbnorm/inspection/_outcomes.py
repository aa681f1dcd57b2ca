"""What becomes of queries, by their first items before and after a correction."""

import numpy as np

from sk_qbnorm.metrics._relevance import kept_queries, relevant_items


def judged(before, after, n_gallery, relevant, gallery_labels, query_mask):
    """Return the first items of the kept queries, and whether they are right.

    Parameters
    ----------
    before, after : ndarray of shape (n_queries,), dtype int64
        The first item of each query, without a correction and with it.
    n_gallery : int
    relevant : in any form that `relevant_ranks` takes, or None
    gallery_labels : array-like of shape (n_gallery,) or None
    query_mask : array-like of shape (n_queries,) or None

    Returns
    -------
    best : ndarray of shape (n_kept,), dtype int64
        Of `before`.
    right_before, right_after : ndarray of shape (n_kept,), dtype bool, or None
        None where `relevant` is.
    """
    kept = kept_queries(query_mask, before.size)
    best = before[kept]
    if relevant is None:
        return best, None, None
    shape = before.size, n_gallery
    indicator = relevant_items(relevant, shape, gallery_labels, kept)
    rows = np.arange(best.size)
    return best, *(
        np.asarray(indicator[rows, items], dtype=bool).ravel()
        for items in (best, after[kept])
    )


def outcomes(right_before, right_after):
    """Return which queries come to which end, a dict of masks."""
    return {
        "better": ~right_before & right_after,
        "still_right": right_before & right_after,
        "still_wrong": ~right_before & ~right_after,
        "worse": right_before & ~right_after,
    }
