"""How kernels are compiled: the one module that imports numba."""

import threading
import warnings

import numba
import numpy as np
from numba.core.errors import NumbaError
from numba.extending import overload

# contract: a product and a sum may be one instruction, rounded once.
# nnan, nsz: the public door has refused NaN, and the sign of zero does not show; with
# these LLVM turns a comparison into a vectorised maximum.
# Not reassoc, which would let sums depend on how LLVM cuts a loop, nor ninf, as minus
# infinity stands for what has not been seen yet.
FLAGS = {"contract", "nnan", "nsz"}


OPTIONS = {"nogil": True, "fastmath": FLAGS}

_warned_of: set[str] = set()  # folders


def kernel(function):
    """Compile a serial kernel that releases the GIL and is cached on disk.

    Threads come from `_threads`, not from numba: a thread pool over kernels that
    release the GIL meets none of the limits of numba's threading layers (one of
    which aborts the process when two Python threads call it at once).
    """
    try:
        compiled = numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # neither the package nor the user has a writable cache
        return numba.njit(**OPTIONS)(function)
    if compiled is not function:  # as it is where NUMBA_DISABLE_JIT is set
        compiled.compile = _compile_without_cache_on_failure(compiled, function)
    return compiled


def _compile_without_cache_on_failure(compiled, function):
    """Return `compiled.compile`, but independent of the state of the cache.

    numba calls it once per signature, from Python and from kernels that call this one.
    A full disk fails once the code is compiled; a damaged file fails before.
    """
    compile_cached = compiled.compile
    uncached = numba.njit(**OPTIONS)(function)
    lock = threading.Lock()

    def compile(signature):
        try:
            return compile_cached(signature)
        except NumbaError:
            raise
        except Exception as error:
            cause = error
        try:
            entry_point = compile_cached(signature)  # if only saving has failed
        except Exception:
            entry_point = uncached.compile(signature)
            with lock:
                for types, result in uncached.overloads.items():
                    if types not in compiled.overloads:
                        compiled.add_overload(result)
        _warn_of_cache(compiled.stats.cache_path, cause)
        return entry_point

    return compile


def _warn_of_cache(folder, cause):
    if folder in _warned_of:
        return
    _warned_of.add(folder)
    warnings.warn(
        f"numba cannot use its cache in {folder} ({type(cause).__name__}: {cause}), so "
        "kernels are compiled again in each process. Free disk space, delete the .nbi "
        "and .nbc files in this folder, or set NUMBA_CACHE_DIR to another folder.",
        RuntimeWarning,
        stacklevel=2,
    )


def by_float_width(single, double):
    """Return what kernels call for the one in float32 and the other in float64."""

    def either(y):  # what runs where numba is told to leave Python as it is
        return single(y) if isinstance(y, np.float32) else double(y)

    choose = overload(either, jit_options={"fastmath": FLAGS}, inline="always")
    choose(lambda y: single if y == numba.float32 else double)
    return either
