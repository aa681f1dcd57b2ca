"""Visit all tiles in parallel."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from sk_qbnorm._threads import count_threads, limit_blas_threads

from ._tile import ForeignTile


class Visitor:
    """The interface of the objects to which `walk` passes tiles.

    Attributes
    ----------
    takes_foreign : bool
        Whether `update` uses a tile by its `kernels` only, so that tiles of other
        libraries need not become NumPy arrays.
    """

    takes_foreign = False

    def update(self, tile, rows, columns):
        """Visit a tile; threads call this concurrently, with disjoint columns."""

    def end_round(self, rows):
        """Finish some rows, after all of their columns have been visited."""

    def end(self, n_threads):
        """Finish the pass, after all tiles have been visited."""


def walk(tiles, visitors, n_jobs, progress=None, rounds=None):
    """Pass every tile to every visitor; the tiles of a round run in parallel.

    Each thread processes its columns of a round in ascending order. Tiles of other
    libraries are visited one by one, as each keeps its device busy.

    Parameters
    ----------
    tiles : MatrixTiles or result of `SimilaritySource.tiles`
    visitors : list of Visitor
    n_jobs : int or None
    progress : callable, default=None
        Called with the number of similarities visited since the last call.
    rounds : iterable of slice, default=None
        The rounds to visit; None visits all.
    """
    blocks = tiles.column_blocks()
    with _threads(tiles, n_jobs) as (n_threads, run):
        for rows in tiles.rounds() if rounds is None else rounds:
            make_tile = tiles.prepare(rows)

            def visit(columns, rows=rows, make_tile=make_tile):
                tile = make_tile(columns)
                for visitor in visitors:
                    visitor.update(_readable(tile, visitor), rows, columns)
                return (rows.stop - rows.start) * (columns.stop - columns.start)

            for n_visited in run(visit, blocks):
                if progress is not None:
                    progress(n_visited)
            for visitor in visitors:
                visitor.end_round(rows)
        for visitor in visitors:
            visitor.end(n_threads)


@contextmanager
def _threads(tiles, n_jobs):
    """Yield the number of threads, and a function that maps over column blocks."""
    if tiles.home is not None:
        yield 1, map
        return
    n_threads = count_threads(n_jobs)
    with (
        limit_blas_threads() as limit,
        ThreadPoolExecutor(n_threads, "", limit) as pool,
    ):
        yield n_threads, map if n_threads == 1 else pool.map


def _readable(tile, visitor):
    is_foreign = isinstance(tile, ForeignTile)
    return tile.as_numpy() if is_foreign and not visitor.takes_foreign else tile


def whole_matrix(tiles, n_jobs, progress=None):
    """Return all similarities as one matrix."""
    if tiles.home is not None:
        return tiles.whole()
    rows = _WholeRows(tiles)
    walk(tiles, [rows], n_jobs, progress)
    return rows.sims


class _WholeRows(Visitor):
    """A visitor that stores every tile."""

    def __init__(self, tiles):
        self.sims = np.empty(tiles.shape, dtype=tiles.dtype)

    def update(self, tile, rows, columns):
        matrix, top, bottom, left, right = tile
        self.sims[rows, columns] = matrix[top:bottom, left:right]
