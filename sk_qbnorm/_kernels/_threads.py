"""Shares of rows or columns for the threads."""

from concurrent.futures import ThreadPoolExecutor


def share(task, size, n_threads):
    """Call ``task(start, stop)`` on adjoining ranges that cover ``range(size)``.

    Each row or column has one owner and is worked through in the same order
    whoever that is, so the number of threads never shows in the result.
    """
    n_threads = max(1, min(n_threads, size))
    bounds = [size * part // n_threads for part in range(n_threads + 1)]
    if n_threads == 1:
        task(0, size)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(task, bounds[:-1], bounds[1:]))
