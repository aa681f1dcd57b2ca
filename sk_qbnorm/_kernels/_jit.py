"""How kernels are compiled: the one module that imports numba."""

import numba
import numpy as np
from numba.extending import overload

# contract: a product and a sum may be one instruction, rounded once.
# nnan, nsz: the public door has refused NaN, and the sign of zero does not show; with
# these LLVM turns a comparison into a vectorised maximum.
# Not reassoc, which would let sums depend on how LLVM cuts a loop, nor ninf, as minus
# infinity stands for what has not been seen yet.
FLAGS = {"contract", "nnan", "nsz"}


def kernel(function):
    """Compile a serial kernel that releases the GIL and is cached on disk.

    Threads come from `_threads`, not from numba: a thread pool over kernels that
    release the GIL meets none of the limits of numba's threading layers (one of
    which aborts the process when two Python threads call it at once).
    """
    options = {"nogil": True, "fastmath": FLAGS}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package nor the user has a writable cache
        return numba.njit(**options)(function)


def by_float_width(single, double):
    """Return what kernels call for the one in float32 and the other in float64."""

    def either(y):  # what runs where numba is told to leave Python as it is
        return single(y) if isinstance(y, np.float32) else double(y)

    choose = overload(either, jit_options={"fastmath": FLAGS}, inline="always")
    choose(lambda y: single if y == numba.float32 else double)
    return either
