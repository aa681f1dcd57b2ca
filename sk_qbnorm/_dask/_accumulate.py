"""Statistics of querybanks and galleries that are Dask arrays."""

import math
from dataclasses import replace
from functools import partial

import numpy as np

from sk_qbnorm._embeddings import check_columns, check_embeddings, is_dask
from sk_qbnorm._progress import progress_bar
from sk_qbnorm._validation import check_matrix, float_dtype, item_names
from sk_qbnorm.statistics import Bank, Potentials, Spread
from sk_qbnorm.tiles import MatrixTiles, SimilaritySource, rows_per_call, sample_tiles

from ._balance import balance
from ._tasks import (
    check_filled,
    check_known_sizes,
    check_two_dimensions,
    compute,
    head,
    row_blocks,
    tree,
)
from ._tiles import BlockTiles


def accumulate(
    querybank,
    gallery,
    metric,
    make_statistics,
    spread_from,
    verbose,
    name,
    gallerybank,
    known,
    n_jobs,
):
    """Accumulate a bank of Dask arrays: one task per pair of blocks, merged as a tree.

    Each task runs on one thread. The scheduler may repeat lost tasks on any worker:
    sums agree up to rounding, as BLAS may round by where an array lies in memory.
    `balance` computes potentials afterwards. If any other statistic cannot be merged,
    all of them visit `BlockTiles` on this machine.

    Parameters
    ----------
    querybank : dask.array.Array or ndarray of shape (n_bank, n_features)
        Similarities for ``metric="precomputed"``.
    gallery : dask.array.Array or ndarray of shape (n_gallery, n_features) or None
    metric : {"cosine", "dot", "precomputed"} or callable
    make_statistics : callable
        Takes tiles and a spread and returns new statistics.
    spread_from : callable
        Takes a function that returns sample tiles and returns a spread.
    verbose : bool
    name : str
        Name of the bank in error messages.
    gallerybank : dask.array.Array, ndarray or None
    known : Bank or None
        The bank to which these gallery items will be appended.
    n_jobs : int or None
        Number of threads for statistics that cannot be merged.

    Returns
    -------
    bank : Bank
    """
    from dask import delayed

    columns = _grid(querybank, gallery, metric, name, "gallery")
    gallerybank_columns = []
    if gallerybank is not None:
        check_columns(gallerybank, gallery, "gallerybank", metric)
        gallerybank_columns = _gallerybank_grid(querybank, gallerybank, metric, name)
    spread = spread_from(lambda: _sample(querybank, gallery, metric, name))
    unused = MatrixTiles(np.zeros((1, 1), dtype=np.float32))
    statistics = make_statistics(unused, spread)  # may compute the spread
    if any(statistic.stores_bank for statistic in statistics.values()):
        raise ValueError(
            "querybank and gallery must not be Dask arrays for a normalizer that "
            "stores all n_bank x n_gallery similarities; pass arrays in memory, as "
            "x.compute() returns, or use another normalizer."
        )
    attributes = {
        # A callable metric is a different object in each process: keep ours.
        "settings": {"metric": metric},
        "names": item_names(gallery),
        "spread": spread.value,
        "n_features": None if metric == "precomputed" else int(querybank.shape[1]),
        "title": name,
    }
    if not all(
        each.mergeable or isinstance(each, Potentials) for each in statistics.values()
    ):
        tiles = _block_tiles(columns, querybank, gallery, metric, name)
        statistics = make_statistics(tiles, spread)
        if known is not None:
            for key in statistics.keys() & known.statistics.keys():
                statistics[key].start_from(known[key])
        with progress_bar("fit", None, verbose) as progress:
            return Bank.accumulate(tiles, statistics, n_jobs, progress, **attributes)
    make = partial(make_statistics, spread=Spread(value=spread.value))
    visit = delayed(_visit_block, pure=True)
    merged = [
        tree([visit(*block, make) for block in column], Bank.merge)
        for column in columns
    ]
    (bank,) = compute([tree(merged, Bank.append_items)], f"{name} or gallery", verbose)
    bank = replace(bank, **attributes)
    for key, statistic in statistics.items():
        if not statistic.mergeable:
            statistic.shape = bank.n_bank, bank.n_gallery
            statistic.n_gallery = bank.n_gallery
            if known is not None:
                if is_dask(querybank):
                    reason = "to match the bank that was fitted"
                    check_known_sizes(querybank, name, reason)
                statistic.start_from(known[key])
            row_sizes = _row_sizes(querybank)
            balance(columns, gallerybank_columns, row_sizes, statistic, verbose)
            bank = bank.with_statistic(key, statistic)
    return bank


def _row_sizes(matrix):
    """Return the number of rows in each block; None for unknown numbers."""
    if not is_dask(matrix):
        return [matrix.shape[0]]
    sizes = matrix.chunks[0]
    return None if any(map(math.isnan, sizes)) else list(sizes)


def _block_tiles(columns, querybank, gallery, metric, name):
    """Return the tiles of all blocks, to be visited several times."""
    items, title = gallery, "gallery"
    if metric == "precomputed":
        items, title = querybank.T, name
    both = []
    for matrix, each in ((querybank, name), (items, title)):
        if is_dask(matrix):
            check_known_sizes(matrix, each, "because they are read several times")
        else:
            matrix = check_embeddings(matrix, each)
        both.append(matrix)
        if matrix.shape[0] == 0:
            check_filled([None], each)
    sizes, dtype = [_row_sizes(each) for each in both], float_dtype(*both)
    most_rows = rows_per_call(dtype, max(sizes[1])) if callable(metric) else None
    return BlockTiles(columns, *sizes, dtype, most_rows)


def _sample(querybank, gallery, metric, name):
    """Return tiles of the first bank queries and of evenly spaced items."""
    source = None
    if metric == "precomputed":
        source = SimilaritySource(None, metric)
    else:
        items = head(gallery, spaced=not callable(metric))
        source = SimilaritySource(items, metric)
    checked = source.check(head(querybank), name)
    return sample_tiles(checked, source.gallery)


def _grid(querybank, gallery, metric, name, gallery_name):
    """Return the blocks of the bank for each block of the gallery.

    Each is a tuple with the function that makes its tiles.
    """
    make_tiles = _TileMaker(metric, name, gallery_name)
    if metric == "precomputed":
        check_two_dimensions(querybank, name)
        return [
            [(block, None, make_tiles) for block in column]
            for column in querybank.to_delayed().T
        ]
    queries = row_blocks(querybank, name)
    return [
        [(block, items, make_tiles) for block in queries]
        for items in row_blocks(gallery, gallery_name)
    ]


def _gallerybank_grid(querybank, gallerybank, metric, name):
    """Return the same grid for the gallery bank, rechunked to the bank queries."""
    if metric != "precomputed":
        return _grid(querybank, gallerybank, metric, name, "gallerybank")
    from dask import array

    if not is_dask(gallerybank):
        gallerybank = array.asarray(check_matrix(gallerybank, "gallerybank"))
    check_two_dimensions(gallerybank, "gallerybank")
    sims = gallerybank.T  # one row per bank query
    for matrix, title in ((querybank, name), (sims, "gallerybank")):
        check_known_sizes(matrix, title, "to match the queries of both banks")
    if sims.shape[0] != querybank.shape[0]:
        raise ValueError(
            f"gallerybank must have one row per item and one column per bank query, "
            f"expected {querybank.shape[0]} columns, got {sims.shape[0]}; pass the "
            "similarities of its items to the same querybank."
        )
    sims = sims.rechunk({0: querybank.chunks[0]})
    return _grid(sims, None, metric, "gallerybank", None)


class _TileMaker:
    """Make the tiles of a block, or None if it is empty, as after a filter."""

    def __init__(self, metric, name, gallery_name):
        self.metric, self.name, self.gallery_name = metric, name, gallery_name

    def __call__(self, queries, gallery):
        if 0 in queries.shape or (gallery is not None and gallery.shape[0] == 0):
            return None
        source = SimilaritySource(gallery, self.metric, title=self.gallery_name)
        return source.tiles(source.check(queries, self.name))


def _visit_block(queries, gallery, make_tiles, make_statistics):
    tiles = make_tiles(queries, gallery)
    if tiles is None:
        return None
    statistics = make_statistics(tiles)
    mergeable = {name: each for name, each in statistics.items() if each.mergeable}
    return Bank.accumulate(tiles, mergeable, 1)
