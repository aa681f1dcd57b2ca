"""The only door to numba: whole arrays in, whole arrays out.

Every kernel takes matrices of float32 or float64, C-contiguous, and scalars that are
`float` or `int`; a *tile* is such a matrix with the bounds of the part that counts.
Nothing is checked here: the public doors above have done so. numba takes half a second
to import, so a kernel's module is loaded when the kernel is first asked for, not when
the package is imported.

::

    bank      _log_sum_exp   _column_top_k     statistics of the columns of a tile
              _row_log_sum_exp _moments        of its rows, and of all of it
    rows      _row_top_k                       the best items of each row of a tile
    scores    _corrections   _bank_ranks       similarities to corrected scores
    measures  _relevance                       where the relevant items stand
                 |
              _exp2          _threads          exponentials; rows shared among threads
                 |
              _jit                             the compile options, and nothing else
"""

from importlib import import_module

_HOMES = {
    "add_log_sum_exp": "_log_sum_exp",
    "row_log_sum_exp": "_row_log_sum_exp",
    "moments": "_moments",
    "add_top_k": "_column_top_k",
    "add_row_top_k": "_row_top_k",
    "best_first": "_row_top_k",
    "no_items": "_row_top_k",
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
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
