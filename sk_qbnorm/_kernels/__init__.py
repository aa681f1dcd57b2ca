"""Compiled kernels; the rest of the package does not use numba directly.

Every kernel takes C-contiguous float32 or float64 matrices and `float` or `int`
scalars. A *tile* is such a matrix with the bounds of the relevant part. Kernels do not
check their arguments; the callers do. numba takes half a second to import, so the
module of a kernel is imported when the kernel is first used, not with the package.

::

    bank      _log_sum_exp   _column_top_k     statistics per column of a tile
              _counts                          wins per column of a tile
              _row_log_sum_exp _moments        statistics per row, and of all entries
    rows      _row_top_k                       the best items of each row of a tile
    lists     _lists                           statistics per item of result lists
    scores    _corrections   _bank_ranks       similarities to corrected scores
    measures  _relevance                       ranks of the relevant items
                 |
              _exp2          _threads          exponentials; split rows over threads
                 |
              _jit                             compile options
"""

from importlib import import_module

_MODULES = {
    "add_log_sum_exp": "_log_sum_exp",
    "add_wins": "_counts",
    "list_loads": "_lists",
    "row_log_sum_exp": "_row_log_sum_exp",
    "moments": "_moments",
    "add_top_k": "_column_top_k",
    "add_row_top_k": "_row_top_k",
    "best_first": "_row_top_k",
    "empty_top_k": "_row_top_k",
    "row_top_k": "_row_top_k",
    "best_items": "_row_top_k",
    "subtract_bias": "_corrections",
    "subtract_neighborhoods": "_corrections",
    "nearest_means": "_corrections",
    "exponential_ratio": "_corrections",
    "bounded_exp": "_corrections",
    "bank_ranks": "_bank_ranks",
    "item_ranks": "_bank_ranks",
    "add_row_least_ranks": "_bank_ranks",
    "row_places": "_bank_ranks",
    "share": "_threads",
    "first_relevant": "_relevance",
    "average_precision": "_relevance",
}


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
