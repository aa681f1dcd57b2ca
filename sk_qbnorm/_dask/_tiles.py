"""Tiles of Dask arrays, for statistics that visit the whole bank several times."""

import threading
from itertools import accumulate

import numpy as np

from sk_qbnorm.tiles import Tiles, even_rounds, whole

from ._tasks import compute


class BlockTiles(Tiles):
    """The tiles of a grid of blocks; a block is computed whenever it is reached.

    Only the latest block of the bank and the latest block of the gallery are in memory.

    Parameters
    ----------
    columns : list of list of tuples
        For each block of the gallery, the blocks of the bank and the function that
        makes their tiles.
    row_sizes : list of int
        Number of bank queries in each block.
    column_sizes : list of int
        Number of items in each block.
    dtype : dtype
    most_rows : int or None
        Largest number of bank queries in a round; None means the usual number.
    """

    def __init__(self, columns, row_sizes, column_sizes, dtype, most_rows):
        self.shape, self.dtype = (sum(row_sizes), sum(column_sizes)), dtype
        self._columns = columns
        self._row_stops = list(accumulate(row_sizes))
        self._column_stops = list(accumulate(column_sizes))
        self._most_rows = most_rows
        self._bank, self._gallery = _LatestBlock(), _LatestBlock()
        self._lock = threading.Lock()
        self._place = self._tile = None

    def rounds(self):
        """Yield the rows of each round, all of one block."""
        start = 0
        for stop in self._row_stops:
            if start < stop:
                for rows in even_rounds(stop - start, self._most_rows):
                    yield slice(start + rows.start, start + rows.stop)
            start = stop

    def prepare(self, rows):
        """Return a function from a block of columns to the tile of these rows."""
        ((block, rows),) = _parts(rows, self._row_stops)

        def tile(columns):
            tiles = [
                self._tile_of(block, rows, shard)(items)
                for shard, items in _parts(columns, self._column_stops)
            ]
            if len(tiles) == 1 and tiles[0].matrix.dtype == self.dtype:
                return tiles[0]
            sims = np.hstack(
                [
                    matrix[top:bottom, left:right]
                    for matrix, top, bottom, left, right in tiles
                ]
            )
            return whole(np.ascontiguousarray(sims, dtype=self.dtype))

        return tile

    def _tile_of(self, block, rows, shard):
        """Return a function from items of a gallery block to the tile of some rows."""
        place = block, rows, shard
        with self._lock:  # threads reach the same block at the same time
            if place != self._place:
                self._place = self._tile = None
                queries, items, make_tiles = self._columns[shard][block]
                tiles = make_tiles(self._bank(queries), self._gallery(items))
                self._place, self._tile = place, tiles.prepare(rows)
            return self._tile


class _LatestBlock:
    """Compute a task, unless it is the latest one."""

    def __init__(self):
        self._task = self._block = None

    def __call__(self, task):
        if task is not self._task:
            self._task = self._block = None  # free the memory first
            (self._block,) = compute([task], "a block", verbose=False)
            self._task = task
        return self._block


def _parts(places, stops):
    """Yield the blocks that contain some places, and the places within each block."""
    start = 0
    for block, stop in enumerate(stops):
        first, last = max(places.start, start), min(places.stop, stop)
        if first < last:
            yield block, slice(first - start, last - start)
        start = stop
