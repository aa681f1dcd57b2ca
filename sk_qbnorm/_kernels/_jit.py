"""How kernels are compiled: the one module that imports numba."""

import numba


def kernel(function):
    """Compile a serial kernel that releases the GIL and is cached on disk.

    Threads come from `_threads`, not from numba: a thread pool over kernels that
    release the GIL meets none of the limits of numba's threading layers (one of
    which aborts the process when two Python threads call it at once).
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package nor the user has a writable cache
        return numba.njit(nogil=True)(function)
