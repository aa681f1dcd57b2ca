"""Split rows or columns over threads."""

from concurrent.futures import ThreadPoolExecutor


def share(task, size, n_threads):
    """Call ``task(start, stop)`` on adjoining ranges that cover ``range(size)``.

    Each row or column belongs to one thread and is processed in the same order by
    any thread, so the result does not depend on the number of threads.
    """
    n_threads = max(1, min(n_threads, size))
    bounds = [size * part // n_threads for part in range(n_threads + 1)]
    if n_threads == 1:
        task(0, size)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(task, bounds[:-1], bounds[1:]))
