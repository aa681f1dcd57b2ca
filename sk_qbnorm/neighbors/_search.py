"""Search for the best items of each query by corrected score."""

from sk_qbnorm import _dask
from sk_qbnorm._arrays import is_foreign
from sk_qbnorm._embeddings import is_dask
from sk_qbnorm._progress import progress_bar
from sk_qbnorm._threads import count_threads
from sk_qbnorm.tiles import walk, whole_matrix


def search(gallery, queries, correction, k, *, n_jobs, verbose):
    """Return scores and indices of the k best items of each query, best first.

    Parameters
    ----------
    gallery : tiles.Gallery or _dask.DaskGallery
    queries : ndarray, CSR matrix or dask.array.Array of shape (n_queries, n_features)
    correction : correction from `sk_qbnorm.corrections`
    k : int
        At most n_gallery.
    n_jobs : int or None
    verbose : bool

    Returns
    -------
    scores : ndarray of shape (n_queries, k)
    indices : ndarray of shape (n_queries, k), dtype int64
    """
    if is_dask(queries) or is_dask(gallery.embeddings):
        found = _dask.search(gallery, queries, correction, k, verbose)
        scores, items, _ = correction.assemble_scores(found, k)
    else:
        tiles = gallery.tiles(queries)
        found = correction.searches(tiles, k)
        with progress_bar("search", tiles.shape[0] * tiles.shape[1], verbose) as bar:
            walk(tiles, list(found.values()), n_jobs, bar)
        scores, items, unsure = correction.assemble_scores(found, k)
        if unsure.any():
            # Visit the same tiles again: products of other rows round differently.
            best = correction.second_look(tiles, found, unsure, k)
            rounds = [rows for rows in tiles.rounds() if unsure[rows].any()]
            walk(tiles, [best], n_jobs, rounds=rounds)
            scores[unsure], items[unsure] = (each[unsure] for each in best.found)
    if items.min() < 0:
        raise ValueError(
            f"Corrected scores must be in the range of {scores.dtype}, got some beyond "
            "it; scale the embeddings down, or use a smaller alpha."
        )
    return scores, items


def whole_rows(gallery, queries, correction, *, n_jobs):
    """Return the corrected scores of all items for each query."""
    sims = whole_matrix(gallery.tiles(queries), n_jobs)
    if is_foreign(sims):
        return correction.corrected(sims)
    correction.apply(sims, sims, count_threads(n_jobs))
    return sims
