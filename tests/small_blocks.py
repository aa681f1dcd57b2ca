"""Shrink all blocks to a few rows and columns, so that small data has remainders.

``SK_QBNORM_SMALL_BLOCKS=1 NUMBA_DISABLE_JIT=1 pytest -m small_blocks`` runs the marked
tests with it. Kernels must run as plain Python: numba would keep the small blocks in
its cache on disk.
"""

import os
from importlib import import_module

import numpy as np

ARE_ON = "SK_QBNORM_SMALL_BLOCKS" in os.environ
SMALL = {
    "tiles._tile": {
        "_TILE_ROWS": 3,
        "_TILE_COLUMNS": 4,
        "_FEWEST_BLOCKS": 2,
        "_NARROWEST": 2,
    },
    "tiles._products": {"_BLOCK_BYTES": 64},
    "tiles._gallery": {"_BLOCK_ROWS": 2},
    "tiles._foreign": {"_TILE_ROWS": 3, "_TILE_COLUMNS": 4, "_ROW_BLOCK": 2},
    "_arrays._kernels": {"_BLOCK": 7},
    "corrections._exponential": {"_BLOCK_ROWS": 2},
    "corrections._csls": {"_SPARE": 1, "_BLOCK_ROWS": 2},
    "statistics._log_mean_exp": {"_FIRST_ROWS": 1},
    "_dask._tasks": {"_FAN_IN": 2},
    "normalizers._base": {"_BLOCK_ROWS": 2},
    "normalizers._rescore": {"_BLOCK_ENTRIES": 5},
    "neighbors._retriever": {"_BLOCK_ENTRIES": 7},
    "model_selection._labeled": {"_BLOCK_ENTRIES": 7},
    "querybanks._resampling": {"_BATCH_ROWS": 5, "_BATCH_ENTRIES": 20},
    "evaluators._mteb": {"_BLOCK_ENTRIES": 7},
    "querybanks._admission": {"_BLOCK_ENTRIES": 20},
    "statistics._caps": {"_BATCH_ENTRIES": 20},
    "indexes._query_shift": {"_BLOCK_ROWS": 3},
    "metrics._bootstrap": {"_BLOCK": 7},
}
SMALL_KERNELS = {
    "_bank_ranks": {"_COLUMNS": 2, "_ROWS": 3, "_SEARCHED": 2},
    "_column_top_k": {"_WINDOW": 3},
    "_corrections": {"_BLOCK": 7},
    "_log_sum_exp": {
        "_ROWS": 5,  # four rows that are added together, and one
        "_COLUMNS": 3,
        "_LIMIT": {np.dtype(dtype): dtype(2) for dtype in (np.float32, np.float64)},
    },
    "_moments": {"_LANES": 3},
    "_relevance": {"_FEW": 1, "_BLOCK": 7},
    "_row_log_sum_exp": {"_LANES": 3},
    "_row_top_k": {"_CHUNK": 3, "_BLOCK": 7},
}
ALL = SMALL | {f"_kernels.{name}": small for name, small in SMALL_KERNELS.items()}


def sizes_around(block):
    """Return numbers of rows that end near the border of a block, large or small."""
    block = 7 if ARE_ON else block
    return [1, block - 1, block, block + 1, 2 * block + 1]


def shrink():
    """Shrink all blocks for the rest of the process."""
    from numba import config

    if not config.DISABLE_JIT:
        raise RuntimeError("SK_QBNORM_SMALL_BLOCKS needs NUMBA_DISABLE_JIT=1.")
    for name, sizes in ALL.items():
        module = import_module(f"sk_qbnorm.{name}")
        for constant, size in sizes.items():
            if not hasattr(module, constant):
                raise AttributeError(f"{module.__name__} has no {constant} any more.")
            setattr(module, constant, size)
