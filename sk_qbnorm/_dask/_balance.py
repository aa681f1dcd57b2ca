"""Statistics that want a bank again and again, of Dask arrays."""

from functools import reduce

from sk_qbnorm.statistics import half_step
from sk_qbnorm.tiles import walk

from ._tasks import check_filled, compute, tree


def balance(columns, beside, potentials, verbose):
    """Take all steps of potentials, each half of a step a graph of its own.

    What the halves say comes here and goes out with the next ones: a number an item,
    and one a bank query. The arrays are gone through again for each, from wherever
    they come.

    Parameters
    ----------
    columns : list of list of tuples
        The blocks of the bank, of each block of the gallery, and what makes tiles of
        them, None of those that are empty.
    beside : list of list of tuples
        The same of each block of the gallery bank.
    potentials : bank.Potentials
        Fresh; takes all its steps.
    verbose : bool
    """
    from dask import delayed

    half = delayed(_half_step, pure=True)
    beta = potentials.settings["beta"]
    both = columns + beside
    rows = list(zip(*both, strict=True))
    shifts = [None] * len(rows)
    while True:
        halves = [
            tree([half(*block, beta, shift=a) for block, a in pairs], _merge)
            for pairs in (zip(column, shifts, strict=True) for column in both)
        ]
        of_items = compute(halves, "querybank or gallery", verbose)
        if beside:
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


def _half_step(queries, gallery, tiles_of, beta, shift=None, bias=None):
    tiles = tiles_of(queries, gallery)
    if tiles is None:
        return None
    statistic = half_step(tiles, beta, shift=shift, bias=bias)
    walk(tiles, [statistic], 1)
    return statistic


def _merge(half, other):
    return half.merge(other)


def _append_items(half, other):
    return half.append_items(other)
