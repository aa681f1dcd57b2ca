"""The only door to numba: whole arrays in, whole arrays out.

Every kernel takes C-contiguous float32 or float64 matrices, `float` and `int`
scalars and a number of threads. Nothing is checked here: the public doors above
have done so. numba takes half a second to import, so a kernel's module is loaded
when the kernel is first asked for, not when the package is imported.

::

    _columns       statistics of the bank, one gallery item (column) at a time
    _rows          the best items of each query (row)
    _corrections   similarities and a gallery bias to corrected similarities
    _bank_ranks    the ranks of the globally corrected retrieval
    _relevance     where the relevant items of each query stand
        |
    _threads       a fixed share of rows or columns for every thread
    _jit           the compile options, and nothing else
"""

from importlib import import_module

_HOMES = {
    "add_log_sum_exp": "_columns",
    "add_top_k": "_columns",
    "row_top_k": "_rows",
    "subtract_bias": "_corrections",
    "subtract_neighborhoods": "_corrections",
    "exponential_ratio": "_corrections",
    "bank_ranks": "_bank_ranks",
    "row_places": "_bank_ranks",
    "first_relevant": "_relevance",
    "average_precision": "_relevance",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
