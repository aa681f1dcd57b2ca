"""Banks and galleries that are Dask arrays: blocks as tasks, merged as a tree.

Dask is imported by whoever has such an array, and so it is here, inside the functions.
"""

import itertools
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import reduce

from sklearn.utils import gen_batches

from ._embeddings import check_embeddings, check_widths
from ._validation import check_matrix, row_names
from .bank import Bank
from .tiles import Gallery, MatrixTiles, walk

_FAN_IN = 4  # how many blocks of statistics a task joins


def is_dask(matrix):
    """Tell whether this is a Dask array."""
    return type(matrix).__module__.startswith("dask.array")


def probe(querybank, gallery, metric, make_statistics, verbose, name):
    """Return what a bank tells about a gallery, of which some are Dask arrays.

    Every block of the bank meets every block of the gallery in a task of its own, on
    one thread; a tree of tasks merges the statistics, and the last gives them here.
    Lost tasks are done again by the scheduler, and sums do not depend on who did them.

    Parameters
    ----------
    querybank : dask.array.Array or ndarray of shape (n_bank, n_features)
        Or, for ``metric="precomputed"``, the similarities.
    gallery : dask.array.Array or ndarray of shape (n_gallery, n_features)
        None for ``metric="precomputed"``.
    metric : {"cosine", "dot", "precomputed"} or callable
    make_statistics : callable
        From tiles to fresh statistics.
    verbose : bool
        Whether a bar is shown; a cluster has a dashboard instead.
    name : str
        What errors call the bank.

    Returns
    -------
    bank : Bank
    """
    from dask import delayed

    show = delayed(_show_block, pure=True)
    if metric == "precomputed":
        check_two_dimensions(querybank, name)
        grid = querybank.to_delayed()
        columns = [
            [show(block, None, metric, make_statistics, name) for block in column]
            for column in grid.T
        ]
    else:
        queries = row_blocks(querybank, name)
        columns = [
            [show(block, items, metric, make_statistics, name) for block in queries]
            for items in row_blocks(gallery, "gallery")
        ]
    merged = [tree(column, Bank.merged) for column in columns]
    bank = compute(tree(merged, Bank.extended), f"{name} or gallery", verbose)
    # Not by the tasks: a callable is another object in every process.
    settings = {**bank.settings, "metric": metric}
    return replace(bank, settings=settings, names=row_names(gallery))


def row_blocks(matrix, name):
    """Return the blocks of rows of a Dask array, or the one of another matrix."""
    from dask import delayed

    if not is_dask(matrix):
        if isinstance(matrix, Iterator):
            raise ValueError(
                f"{name} must be a matrix where the other is a Dask array, got an "
                "iterator; make a Dask array of it too."
            )
        matrix = check_embeddings(matrix, name)
        return [delayed(matrix, traverse=False)]
    check_two_dimensions(matrix, name)
    return matrix.rechunk({1: -1}).to_delayed().ravel().tolist()


def check_two_dimensions(matrix, name):
    """Raise if a Dask array is no matrix."""
    if matrix.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {matrix.ndim}D array for {name}; give it one row "
            "a query or item."
        )


def tree(parts, join):
    """Return a task that joins parts, a few at a time and in their order."""
    from dask import delayed

    fold = delayed(_folded, pure=True)
    while len(parts) > 1:
        parts = [fold(parts[some], join) for some in gen_batches(len(parts), _FAN_IN)]
    return parts[0]


def compute(task, name, verbose):
    """Return the result of a task, on whatever scheduler is in force."""
    from dask.diagnostics import ProgressBar

    with ProgressBar() if verbose else nullcontext():
        result = task.compute()
    if result is None:
        raise ValueError(
            f"Found array with 0 sample(s) in all blocks of {name}, while a minimum of "
            "1 is required."
        )
    return result


def _shards(gallery):
    """Return the slice of items, and the block of the gallery, of every shard."""
    from dask import delayed

    if not is_dask(gallery.embeddings):
        items = slice(0, gallery.embeddings.shape[0])
        return [(items, delayed(gallery, traverse=False))]
    sizes = gallery.embeddings.chunks[0]
    stops = list(itertools.accumulate(sizes))
    items = [slice(stop - size, stop) for size, stop in zip(sizes, stops, strict=True)]
    return list(zip(items, row_blocks(gallery.embeddings, "gallery"), strict=True))


def _search_block(queries, items, correction, gallery, metric, k):
    if queries.shape[0] == 0 or items.start == items.stop:
        return None
    queries = check_embeddings(queries, "a block of queries")
    if not isinstance(gallery, Gallery):
        gallery = Gallery(check_embeddings(gallery, "a block of the gallery"), metric)
    check_widths(queries, gallery.embeddings, "queries", metric)
    tiles = gallery.tiles(queries)
    found = correction.searches(tiles, k)
    walk(tiles, list(found.values()), 1, _no_bar)
    return {name: best.moved(items.start) for name, best in found.items()}


def _joined(found, other):
    return {name: best.joined(other[name]) for name, best in found.items()}


def _stacked(found, other):
    return {name: best.stacked(other[name]) for name, best in found.items()}


def _folded(parts, join):
    """Return all parts joined in their order, but for those that are None."""
    parts = [part for part in parts if part is not None]
    return reduce(join, parts) if parts else None


def _show_block(queries, gallery, metric, make_statistics, name):
    """Return what a block tells, None if it is empty, as filters leave some."""
    if 0 in queries.shape or (gallery is not None and gallery.shape[0] == 0):
        return None
    if metric == "precomputed":
        tiles = MatrixTiles(check_matrix(queries, f"a block of {name}"))
    else:
        queries = check_embeddings(queries, f"a block of {name}")
        gallery = check_embeddings(gallery, "a block of the gallery")
        check_widths(queries, gallery, name, metric)
        tiles = Gallery(gallery, metric).tiles(queries)
    return Bank.probe(tiles, make_statistics, 1, _no_bar)


def _no_bar(n_shown):
    """Show nothing: a task has no terminal."""


class DaskGallery:
    """A gallery that is a Dask array; the counterpart of `tiles.Gallery`.

    Parameters
    ----------
    embeddings : dask.array.Array of shape (n_gallery, n_features)
    metric : {"cosine", "dot"} or callable
    """

    def __init__(self, embeddings, metric):
        check_two_dimensions(embeddings, "gallery")
        if any(math.isnan(size) for size in embeddings.chunks[0]):
            raise ValueError(
                "The blocks of the gallery must have known sizes, so that its items "
                "have places, got a Dask array with unknown ones; call "
                "compute_chunk_sizes() on it first."
            )
        self.embeddings = embeddings
        self.metric = metric

    def extended(self, embeddings):
        """Return the gallery with more items behind those of this one."""
        from dask import array

        both = array.concatenate([self.embeddings, array.asarray(embeddings)])
        return DaskGallery(both, self.metric)

    def kept(self, items):
        """Return some of the items alone."""
        return DaskGallery(self.embeddings[items], self.metric)


def search(gallery, queries, correction, k, verbose):
    """Return what the best items of each query need, of every shard merged.

    Parameters
    ----------
    gallery : tiles.Gallery or DaskGallery
    queries : dask.array.Array or ndarray of shape (n_queries, n_features)
    correction : one of those in `corrections`
    k : int
    verbose : bool

    Returns
    -------
    found : dict of visitors
        What ``correction.conclude`` takes.
    """
    from dask import delayed

    look = delayed(_search_block, pure=True)
    shards = [
        (items, delayed(correction.part(items), traverse=False), shard)
        for items, shard in _shards(gallery)
    ]
    blocks = [
        tree([look(block, *shard, gallery.metric, k) for shard in shards], _joined)
        for block in row_blocks(queries, "queries")
    ]
    return compute(tree(blocks, _stacked), "queries", verbose)
