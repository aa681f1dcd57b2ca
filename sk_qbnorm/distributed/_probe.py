"""Banks and galleries that are Dask arrays: blocks as tasks, merged as a tree."""

from dataclasses import replace

import numpy as np

from sk_qbnorm._embeddings import check_columns, check_embeddings, check_widths
from sk_qbnorm._validation import check_matrix, row_names
from sk_qbnorm.bank import Bank, Scaled, Spread
from sk_qbnorm.tiles import Gallery, MatrixTiles

from ._balance import balance
from ._tasks import (
    check_known_sizes,
    check_two_dimensions,
    compute,
    is_dask,
    no_bar,
    row_blocks,
    tree,
)


def probe(querybank, gallery, metric, make_statistics, verbose, name, gallerybank=None):
    """Return what a bank tells about a gallery, of which some are Dask arrays.

    Every block of the bank meets every block of the gallery in a task of its own, on
    one thread; a tree of tasks merges the statistics, and the last gives them here.
    Lost tasks are done again by the scheduler, and sums do not depend on who did them.
    Statistics that are not those of parts are seen to afterwards, by `balance`.

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
    gallerybank : dask.array.Array or ndarray, default=None
        Items, or similarities to items, beside the gallery, for statistics that are
        balanced.

    Returns
    -------
    bank : Bank
    """
    from dask import delayed

    columns, beside = _grid(querybank, gallery, metric, name, "gallery"), []
    if gallerybank is not None:
        check_columns(gallerybank, gallery, "gallerybank", metric)
        beside = _grid_beside(querybank, gallerybank, metric, name)

    def shown(make, columns):
        show = delayed(_show_block, pure=True)
        merged = [
            tree([show(*block, make) for block in column], Bank.merged)
            for column in columns
        ]
        tasks = [tree(merged, Bank.extended)]
        return compute(tasks, f"{name} or gallery", verbose)[0]

    fresh = _fresh(make_statistics)
    if any(isinstance(each, Scaled) for each in fresh.values()):
        spread = shown(_spread, columns + beside)["spread"].value()
        make_statistics = _AtSpread(make_statistics, spread)
    bank = shown(make_statistics, columns)
    # Not by the tasks: a callable is another object in every process.
    settings = {**bank.settings, "metric": metric}
    bank = replace(bank, settings=settings, names=row_names(gallery), title=name)
    for key, statistic in _fresh(make_statistics).items():
        if statistic.not_mergeable_reason:
            balance(columns, beside, statistic, verbose)
            bank = bank.with_statistic(key, statistic)
    return bank


def _spread(tiles):
    return {"spread": Spread(tiles)}


class _AtSpread:
    """Make statistics whose `beta` goes by a spread that is known."""

    def __init__(self, make, spread):
        self.make, self.spread = make, spread

    def __call__(self, tiles):
        return {
            name: each.at(tiles, self.spread) if isinstance(each, Scaled) else each
            for name, each in self.make(tiles).items()
        }


def _fresh(make_statistics):
    """Return statistics that have seen nothing."""
    return make_statistics(MatrixTiles(np.zeros((1, 1), dtype=np.float32)))


def _grid(querybank, gallery, metric, name, gallery_name):
    """Return the blocks of the bank, of each block of the gallery.

    With each comes what makes tiles of it, which knows the names for errors.
    """
    tiles_of = _TilesOf(metric, name, gallery_name)
    if metric == "precomputed":
        check_two_dimensions(querybank, name)
        return [
            [(block, None, tiles_of) for block in column]
            for column in querybank.to_delayed().T
        ]
    queries = row_blocks(querybank, name)
    return [
        [(block, items, tiles_of) for block in queries]
        for items in row_blocks(gallery, gallery_name)
    ]


def _grid_beside(querybank, gallerybank, metric, name):
    """Return the same of the gallery bank, whose similarities may be cut elsewhere."""
    if metric != "precomputed":
        return _grid(querybank, gallerybank, metric, name, "gallerybank")
    from dask import array

    if not is_dask(gallerybank):
        gallerybank = array.asarray(check_matrix(gallerybank, "gallerybank"))
    check_two_dimensions(gallerybank, "gallerybank")
    for matrix, whose in ((querybank, name), (gallerybank, "gallerybank")):
        check_known_sizes(matrix, whose, "so that its rows go with those beside them")
    if gallerybank.shape[0] != querybank.shape[0]:
        raise ValueError(
            f"gallerybank must have one row a query of the bank, expected "
            f"{querybank.shape[0]}, got {gallerybank.shape[0]}; pass the similarities "
            "of the same queries to the items of the gallery bank."
        )
    sims = gallerybank.rechunk({0: querybank.chunks[0]})
    return _grid(sims, None, metric, "gallerybank", None)


class _TilesOf:
    """Make the tiles of a block, None if it is empty, as filters leave some."""

    def __init__(self, metric, name, gallery_name):
        self.metric, self.name, self.gallery_name = metric, name, gallery_name

    def __call__(self, queries, gallery):
        if 0 in queries.shape or (gallery is not None and gallery.shape[0] == 0):
            return None
        if self.metric == "precomputed":
            return MatrixTiles(check_matrix(queries, f"a block of {self.name}"))
        queries = check_embeddings(queries, f"a block of {self.name}")
        gallery = check_embeddings(gallery, f"a block of {self.gallery_name}")
        check_widths(queries, gallery, self.name, self.metric, self.gallery_name)
        return Gallery(gallery, self.metric).tiles(queries)


def _show_block(queries, gallery, tiles_of, make_statistics):
    tiles = tiles_of(queries, gallery)
    if tiles is None:
        return None
    statistics = make_statistics(tiles)
    mergeable = {
        name: each for name, each in statistics.items() if not each.not_mergeable_reason
    }
    return Bank.probe(tiles, lambda tiles: mergeable, 1, no_bar)
