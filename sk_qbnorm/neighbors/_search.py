"""The corrected best items of each query, never the whole row."""

from sk_qbnorm import distributed
from sk_qbnorm._progress import progress_bar
from sk_qbnorm._threads import count_threads
from sk_qbnorm.tiles import walk, whole_matrix


def search(gallery, queries, correction, k, *, n_jobs, verbose):
    """Return scores and indices of the k best items of each query, best first.

    Parameters
    ----------
    gallery : tiles.Gallery or distributed.DaskGallery
    queries : ndarray, CSR matrix or dask.array.Array of shape (n_queries, n_features)
    correction : one of those in `corrections`
    k : int
        At most n_gallery.
    n_jobs : int or None
    verbose : bool

    Returns
    -------
    scores : ndarray of shape (n_queries, k)
    indices : ndarray of shape (n_queries, k), dtype int64
    """
    if distributed.is_dask(queries) or distributed.is_dask(gallery.embeddings):
        found = distributed.search(gallery, queries, correction, k, verbose)
        scores, items, _ = correction.conclude(found, k)
    else:
        tiles = gallery.tiles(queries)
        found = correction.searches(tiles, k)
        with progress_bar("search", tiles.shape[0] * tiles.shape[1], verbose) as bar:
            walk(tiles, list(found.values()), n_jobs, bar)
        scores, items, unsure = correction.conclude(found, k)
        if unsure.any():  # the same tiles, as products of other rows round otherwise
            best = correction.second_look(tiles, found, unsure, k)
            rounds = [rows for rows in tiles.rounds() if unsure[rows].any()]
            walk(tiles, [best], n_jobs, lambda n_shown: None, rounds)
            scores[unsure], items[unsure] = (each[unsure] for each in best.found)
    if items.min() < 0:
        raise ValueError(
            f"Corrected scores must be in the range of {scores.dtype}, got some beyond "
            "it; scale the embeddings down, or correct by less."
        )
    return scores, items


def whole_rows(gallery, queries, correction, *, n_jobs):
    """Return the corrected scores of all items for each query."""
    sims = whole_matrix(gallery.tiles(queries), n_jobs, lambda n_shown: None)
    correction.apply(sims, sims, count_threads(n_jobs))
    return sims
