"""Statistics that need several passes over a bank of Dask arrays."""

from functools import reduce

from sk_qbnorm.statistics import half_step
from sk_qbnorm.tiles import walk

from ._tasks import check_filled, compute, tree


def balance(columns, gallerybank_columns, potentials, verbose):
    """Take all steps of the potentials; each half step is a Dask graph.

    The result of a half step, one number per item or per bank query, is an input of the
    next graph. Each half step reads the arrays again from their source.

    Parameters
    ----------
    columns : list of list of tuples
        For each block of the gallery: the blocks of the bank, each with the function
        that makes its tiles, which returns None for an empty block.
    gallerybank_columns : list of list of tuples
        The same for each block of the gallery bank.
    potentials : statistics.Potentials
        Newly created; this function takes all of its steps.
    verbose : bool
    """
    from dask import delayed

    half = delayed(_half_step, pure=True)
    beta = potentials.settings["beta"]
    both = columns + gallerybank_columns
    rows = list(zip(*both, strict=True))
    shifts = [None] * len(rows)
    while True:
        halves = [
            tree([half(*block, beta, shift=a) for block, a in pairs], _merge)
            for pairs in (zip(column, shifts, strict=True) for column in both)
        ]
        of_items = compute(halves, "querybank or gallery", verbose)
        if gallerybank_columns:
            check_filled(of_items[len(columns) :], "gallerybank")
        if potentials.take_step(reduce(_append_items, filter(None, of_items)).value()):
            return
        biases = [each and each.value() for each in of_items]
        halves = [
            tree([half(*block, beta, bias=b) for block, b in pairs], _append_items)
            for pairs in (zip(row, biases, strict=True) for row in rows)
        ]
        of_queries = compute(halves, "querybank or gallery", verbose)
        shifts = [each and each.value() for each in of_queries]


def _half_step(queries, gallery, make_tiles, beta, shift=None, bias=None):
    tiles = make_tiles(queries, gallery)
    if tiles is None:
        return None
    statistic = half_step(tiles, beta, shift=shift, bias=bias)
    walk(tiles, [statistic], 1)
    return statistic


def _merge(half, other):
    return half.merge(other)


def _append_items(half, other):
    return half.append_items(other)
