"""Count the items that queries retrieve from a gallery."""

import numpy as np

from sk_qbnorm.tiles import walk


def visited(source, queries, make_visitors):
    """Pass the similarities of checked queries to visitors and return the visitors.

    ``make_visitors(tiles)`` returns a list of visitors.
    """
    tiles = source.tiles(queries)
    visitors = make_visitors(tiles)
    walk(tiles, visitors, source.n_jobs)
    return visitors


class Retrieved:
    """The top-k lists of some queries, counted.

    Parameters
    ----------
    found : tiles.BestItems
        After it has visited all queries.
    n_gallery : int

    Attributes
    ----------
    n_queries : int
    best : ndarray of shape (n_queries,)
        The best item of each query.
    last_scores : ndarray of shape (n_queries,), dtype float64
        Similarity of the last item of each list.
    counts, best_counts : ndarray of shape (n_gallery,), dtype int64
        How often each item is in a list, and how often it is the best item.
    """

    def __init__(self, found, n_gallery):
        scores, items = found.found
        self.n_queries = len(items)
        self.best = items[:, 0]
        self.last_scores = scores[:, -1].astype(np.float64)
        self.counts = np.bincount(items.ravel(), minlength=n_gallery)
        self.best_counts = np.bincount(self.best, minlength=n_gallery)
