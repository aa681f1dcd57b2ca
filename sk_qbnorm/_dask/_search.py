"""Search of galleries and queries that are Dask arrays."""

import itertools

from scipy import sparse

from sk_qbnorm._embeddings import check_embeddings, check_widths, is_dask
from sk_qbnorm.tiles import Gallery, walk

from ._tasks import (
    check_known_sizes,
    check_two_dimensions,
    compute,
    row_blocks,
    tree,
)


class DaskGallery:
    """A gallery that is a Dask array; the counterpart of `tiles.Gallery`.

    Parameters
    ----------
    embeddings : dask.array.Array of shape (n_gallery, n_features)
    metric : {"cosine", "dot"} or callable
    """

    def __init__(self, embeddings, metric):
        check_two_dimensions(embeddings, "gallery")
        check_known_sizes(embeddings, "the gallery", "so that its items have indices")
        self.embeddings = embeddings.rechunk({1: -1})
        self.metric = metric

    def append_items(self, embeddings):
        """Return the gallery with more items at its end."""
        from dask import array

        both = array.concatenate([self.embeddings, _as_dask(embeddings)])
        return DaskGallery(both, self.metric)

    def take_items(self, items):
        """Return some of the items, given in ascending order.

        Each block returns its own rows, as Dask cannot join dense and sparse rows.
        """
        from dask import array

        parts = []
        for block, stop in enumerate(itertools.accumulate(self.embeddings.chunks[0])):
            rows = self.embeddings.blocks[block]
            start = stop - rows.shape[0]
            left = items[(items >= start) & (items < stop)] - start
            if left.size:
                chunks = ((left.size,), rows.chunks[1])
                options = {"dtype": rows.dtype, "meta": rows._meta, "chunks": chunks}
                parts.append(rows.map_blocks(_rows_of, left, **options))
        return DaskGallery(array.concatenate(parts), self.metric)


def append_items(gallery, embeddings):
    """Return a gallery with more items; a Dask array if either of both is.

    Parameters
    ----------
    gallery : tiles.Gallery or DaskGallery
    embeddings : ndarray, CSR matrix or dask.array.Array of shape (n_new, n_features)
    """
    if is_dask(embeddings) and not is_dask(gallery.embeddings):
        gallery = DaskGallery(_as_dask(gallery.embeddings), gallery.metric)
    return gallery.append_items(embeddings)


def _as_dask(matrix):
    from dask import array

    if sparse.issparse(matrix):  # unchanged, in one block
        return array.from_array(matrix, chunks=matrix.shape, asarray=False)
    return array.asarray(matrix)


def _rows_of(block, items):
    return block[items]


def search(gallery, queries, correction, k, verbose):
    """Search every shard and merge the results.

    Parameters
    ----------
    gallery : tiles.Gallery or DaskGallery
    queries : dask.array.Array or ndarray of shape (n_queries, n_features)
    correction : correction from `sk_qbnorm.corrections`
    k : int
    verbose : bool

    Returns
    -------
    found : dict of visitors
        The argument of ``correction.assemble_scores``.
    """
    from dask import delayed

    look = delayed(_search_block, pure=True)
    shards = [
        (items, delayed(correction.take_items(items), traverse=False), shard)
        for items, shard in _shards(gallery)
    ]
    blocks = [
        tree([look(block, *shard, gallery.metric, k) for shard in shards], _merge_items)
        for block in row_blocks(queries, "queries")
    ]
    (found,) = compute([tree(blocks, _stack_queries)], "queries", verbose)
    return found


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
    walk(tiles, list(found.values()), 1)
    return {name: best.shift_items(items.start) for name, best in found.items()}


def _merge_items(found, other):
    return {name: best.joined(other[name]) for name, best in found.items()}


def _stack_queries(found, other):
    return {name: best.stacked(other[name]) for name, best in found.items()}
