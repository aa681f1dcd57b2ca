"""Show all tiles to whom they concern."""

from concurrent.futures import ThreadPoolExecutor

from sk_qbnorm._threads import count_threads, own_threads

from ._tile import column_blocks


def walk(tiles, visitors, n_jobs, progress):
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
    """
    n_threads = count_threads(n_jobs)
    blocks = column_blocks(tiles.shape[1])
    with own_threads(n_jobs), ThreadPoolExecutor(n_threads) as pool:
        for rows in tiles.rounds():
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
