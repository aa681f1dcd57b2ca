"""Compile kernels; the only module that imports numba."""

import threading
import warnings

import numba
import numpy as np
from numba.core.errors import NumbaError
from numba.extending import overload

# contract: a product and a sum may be one instruction, rounded once.
# nnan, nsz: NaN has been rejected, and the sign of zero does not matter; LLVM can then
# vectorize a comparison as a maximum.
# Not reassoc, because sums would depend on how LLVM splits a loop. Not ninf, because
# kernels start from minus infinity.
FLAGS = {"contract", "nnan", "nsz"}


OPTIONS = {"nogil": True, "fastmath": FLAGS}

_warned_folders: set[str] = set()


def kernel(function):
    """Compile a serial kernel that releases the GIL and is cached on disk.

    `_threads` starts the threads, not numba: a thread pool over kernels that release
    the GIL avoids the limits of numba's threading layers. One of these aborts the
    process if two Python threads call it at once.
    """
    try:
        compiled = numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # no cache folder is writable
        return numba.njit(**OPTIONS)(function)
    if compiled is not function:  # they are the same with NUMBA_DISABLE_JIT
        compiled.compile = _compile_without_cache_on_failure(compiled, function)
    return compiled


def _compile_without_cache_on_failure(compiled, function):
    """Return a version of `compiled.compile` that works if the cache fails.

    numba calls it once per signature, from Python and from kernels that call this one.
    A full disk raises after compilation; a damaged file raises before.
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
    if folder in _warned_folders:
        return
    _warned_folders.add(folder)
    warnings.warn(
        f"numba cannot use its cache in {folder} ({type(cause).__name__}: {cause}), so "
        "kernels are compiled again in each process. Free disk space, delete the .nbi "
        "and .nbc files in this folder, or set NUMBA_CACHE_DIR to another folder.",
        RuntimeWarning,
        stacklevel=2,
    )


def by_float_width(single, double):
    """Return a function for kernels: `single` for float32, `double` for float64."""

    def either(y):  # runs with NUMBA_DISABLE_JIT
        return single(y) if isinstance(y, np.float32) else double(y)

    choose = overload(either, jit_options={"fastmath": FLAGS}, inline="always")
    choose(lambda y: single if y == numba.float32 else double)
    return either
