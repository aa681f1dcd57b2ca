"""Blocks of Dask arrays, and trees of tasks that merge their results.

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

_FAN_IN = 4  # number of parts that a task merges


def row_blocks(matrix, name):
    """Return the row blocks of a Dask array; any other matrix is one block."""
    from dask import delayed

    if not is_dask(matrix):
        if isinstance(matrix, Iterator):
            raise ValueError(
                f"{name} must be a matrix if the other input is a Dask array, got an "
                "iterator; pass a Dask array too."
            )
        matrix = check_embeddings(matrix, name)
        return [delayed(matrix, traverse=False)]
    check_two_dimensions(matrix, name)
    return matrix.rechunk({1: -1}).to_delayed().ravel().tolist()


def head(matrix, spaced=False):
    """Return the first rows of a matrix in memory, or rows evenly spaced over it.

    If block sizes are unknown, return the first block that has rows.
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
    """Raise if a Dask array is not a matrix."""
    if matrix.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {matrix.ndim}D array for {name}; pass one row per "
            "query or item."
        )


def check_known_sizes(matrix, name, why):
    """Raise if the row blocks of a Dask array have unknown sizes."""
    if any(math.isnan(size) for size in matrix.chunks[0]):
        raise ValueError(
            f"The blocks of {name} must have known sizes, {why}, got a Dask array with "
            "unknown ones; call compute_chunk_sizes() on it first."
        )


def tree(parts, join):
    """Return a task that merges parts in their order, a few at a time."""
    from dask import delayed

    merge = delayed(_merge_parts, pure=True)
    while len(parts) > 1:
        parts = [merge(parts[some], join) for some in gen_batches(len(parts), _FAN_IN)]
    return parts[0]


def compute(tasks, name, verbose):
    """Run tasks on the current Dask scheduler and return their results.

    A task without data returns None. Raise if all tasks do.
    """
    import dask
    from dask.diagnostics import ProgressBar

    with ProgressBar() if verbose else nullcontext():
        results = dask.compute(*tasks)
    check_filled(results, name)
    return results


def check_filled(results, name):
    """Raise if all results are None, which means that there is no data."""
    if all(result is None for result in results):
        raise ValueError(
            f"Found array with 0 sample(s) in all blocks of {name}, while a minimum of "
            "1 is required."
        )


def _merge_parts(parts, join):
    """Merge the parts that are not None, in their order."""
    parts = [part for part in parts if part is not None]
    return reduce(join, parts) if parts else None
