"""Show all tiles to whom they concern."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sk_qbnorm._threads import count_threads, own_threads

from ._tile import column_blocks


def walk(tiles, visitors, n_jobs, progress, rounds=None):
    """Show every tile to every visitor, tiles of a round in parallel.

    A visitor has ``update(tile, rows, columns)``, called from several threads, each
    thread's columns of a round in ascending order; ``end_round(rows)``, once all
    columns of some rows have been shown; and ``end(n_threads)``.

    Parameters
    ----------
    tiles : MatrixTiles or what `Gallery.tiles` returns
    visitors : list
    n_jobs : int or None
    progress : callable
        Called with the number of similarities that have been shown since the last time.
    rounds : iterable of slice, default=None
        Which of the tiles' rounds to show; None is all of them.
    """
    n_threads = count_threads(n_jobs)
    blocks = column_blocks(tiles.shape[1])
    with own_threads(n_jobs) as alone, ThreadPoolExecutor(n_threads, "", alone) as pool:
        for rows in tiles.rounds() if rounds is None else rounds:
            tile = tiles.prepare(rows)

            def show(columns, rows=rows, tile=tile):
                shown = tile(columns)
                for visitor in visitors:
                    visitor.update(shown, rows, columns)
                return (rows.stop - rows.start) * (columns.stop - columns.start)

            run = map if n_threads == 1 else pool.map
            for n_shown in run(show, blocks):
                progress(n_shown)
            for visitor in visitors:
                visitor.end_round(rows)
        for visitor in visitors:
            visitor.end(n_threads)


def whole_matrix(tiles, n_jobs, progress):
    """Return all similarities at once, for those who were asked to hold them."""
    rows = _WholeRows(tiles)
    walk(tiles, [rows], n_jobs, progress)
    return rows.sims


class _WholeRows:
    """Keeps all that it is shown."""

    def __init__(self, tiles):
        self.sims = np.empty(tiles.shape, dtype=tiles.dtype)

    def update(self, tile, rows, columns):
        """Keep a tile."""
        matrix, top, bottom, left, right = tile
        self.sims[rows, columns] = matrix[top:bottom, left:right]

    def end_round(self, rows):
        """Nothing to do."""

    def end(self, n_threads):
        """Nothing to do."""
