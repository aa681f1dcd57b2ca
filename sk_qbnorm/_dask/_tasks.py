"""Blocks of Dask arrays, and trees of tasks that join their results.

Dask is imported inside the functions, because only users of Dask arrays need it.
"""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from functools import reduce

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from sk_qbnorm._embeddings import check_embeddings, is_dask
from sk_qbnorm.tiles import SAMPLE_ITEMS, SAMPLE_ROWS

_FAN_IN = 4  # how many blocks of statistics a task joins


def row_blocks(matrix, name):
    """Return the blocks of rows of a Dask array, or the one of another matrix."""
    from dask import delayed

    if not is_dask(matrix):
        if isinstance(matrix, Iterator):
            raise ValueError(
                f"{name} must be a matrix where the other is a Dask array, got an "
                "iterator; make a Dask array of it too."
            )
        matrix = check_embeddings(matrix, name)
        return [delayed(matrix, traverse=False)]
    check_two_dimensions(matrix, name)
    return matrix.rechunk({1: -1}).to_delayed().ravel().tolist()


def head(matrix, spaced=False):
    """Return the first rows of a matrix in memory, or rows evenly spaced over it.

    Where sizes of blocks are unknown, the first block with rows stands for all.
    """
    if not is_dask(matrix):
        return matrix
    is_known = not any(math.isnan(size) for size in matrix.chunks[0])
    if is_known and spaced:
        matrix = matrix[:: max(1, -(-matrix.shape[0] // SAMPLE_ITEMS))]
    elif is_known:
        matrix = matrix[:SAMPLE_ROWS]
    blocks = matrix.rechunk({1: -1}).to_delayed().ravel()
    parts = (block.compute() for block in blocks)
    if not is_known:
        filled = (rows for rows in parts if rows.shape[0])
        return next(filled, np.empty((0, 1)))
    parts = list(parts)
    if any(map(sparse.issparse, parts)):
        return sparse.vstack(parts, format="csr")
    return np.vstack(parts)


def check_two_dimensions(matrix, name):
    """Raise if a Dask array is no matrix."""
    if matrix.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {matrix.ndim}D array for {name}; give it one row "
            "a query or item."
        )


def check_known_sizes(matrix, name, why):
    """Raise if nobody knows how many rows the blocks of a Dask array have."""
    if any(math.isnan(size) for size in matrix.chunks[0]):
        raise ValueError(
            f"The blocks of {name} must have known sizes, {why}, got a Dask array with "
            "unknown ones; call compute_chunk_sizes() on it first."
        )


def tree(parts, join):
    """Return a task that joins parts, a few at a time and in their order."""
    from dask import delayed

    fold = delayed(_folded, pure=True)
    while len(parts) > 1:
        parts = [fold(parts[some], join) for some in gen_batches(len(parts), _FAN_IN)]
    return parts[0]


def compute(tasks, name, verbose):
    """Return the results of tasks, on whatever scheduler is in force.

    None is that of no data; not all may be.
    """
    import dask
    from dask.diagnostics import ProgressBar

    with ProgressBar() if verbose else nullcontext():
        results = dask.compute(*tasks)
    check_filled(results, name)
    return results


def check_filled(results, name):
    """Raise if all results are None, those of no data."""
    if all(result is None for result in results):
        raise ValueError(
            f"Found array with 0 sample(s) in all blocks of {name}, while a minimum of "
            "1 is required."
        )


def _folded(parts, join):
    """Return all parts that are not None, joined in their order."""
    parts = [part for part in parts if part is not None]
    return reduce(join, parts) if parts else None
