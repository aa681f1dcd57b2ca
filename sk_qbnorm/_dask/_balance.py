"""Potentials of a bank in Dask arrays, which need many passes over it."""

from itertools import accumulate, pairwise

import numpy as np

from sk_qbnorm.tiles import walk

from ._tasks import check_filled, compute, tree


def balance(columns, gallerybank_columns, row_sizes, potentials, verbose):
    """Take all steps of the potentials; each half step is a Dask graph.

    The result of a half step, one number per item or per bank query, is an input of the
    next graph. Each half step reads the arrays again from their source.

    Parameters
    ----------
    columns : list of list of tuples
        For each block of the gallery, the blocks of the bank and the function that
        makes their tiles.
    gallerybank_columns : list of list of tuples
        The same for each block of the gallery bank.
    row_sizes : list of int or None
        Number of bank queries in each block; None if it is not known yet.
    potentials : Potentials
        Advanced until its last stage.
    verbose : bool
    """
    from dask import delayed

    half = delayed(_half_step, pure=True)
    both = columns + gallerybank_columns
    rows, column_sizes = list(zip(*both, strict=True)), None
    while potentials.needs_another_pass():
        row_slices = _slices(row_sizes, len(rows))
        column_slices = _slices(column_sizes, len(both))
        tasks = [
            [
                half(*block, potentials.take_block(row, column))
                for block, row in zip(blocks, row_slices, strict=True)
            ]
            for blocks, column in zip(both, column_slices, strict=True)
        ]
        is_of_rows = potentials.stage == "queries"
        if is_of_rows:
            tasks = [list(of_row) for of_row in zip(*tasks, strict=True)]
        join = _append_items if is_of_rows else _merge
        halves = compute([tree(each, join) for each in tasks], _NAMES, verbose)
        if gallerybank_columns and not is_of_rows:
            check_filled(halves[len(columns) :], "gallerybank")
        values = [np.empty(0) if each is None else each.value() for each in halves]
        if is_of_rows:
            row_sizes = [value.size for value in values]
        else:
            column_sizes = [value.size for value in values]
        potentials.advance(np.concatenate(values))


_NAMES = "querybank or gallery"


def _slices(sizes, n_blocks):
    """Return the rows of each block; all of them if they are not needed yet."""
    if sizes is None:
        return [slice(None)] * n_blocks
    ends = list(accumulate(sizes, initial=0))
    return [slice(start, end) for start, end in pairwise(ends)]


def _half_step(queries, gallery, make_tiles, potentials):
    tiles = make_tiles(queries, gallery)
    if tiles is None:
        return None
    statistic = potentials.half_step(tiles)
    walk(tiles, [statistic], 1)
    return statistic


def _merge(half, other):
    return half.merge(other)


def _append_items(half, other):
    return half.append_items(other)
