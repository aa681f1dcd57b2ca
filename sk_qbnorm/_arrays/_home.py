"""The library and the device of an array."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config


def is_foreign(matrix):
    """Return whether an array belongs to another library than NumPy, and may stay.

    Only if scikit-learn's option ``array_api_dispatch`` is set.
    """
    if isinstance(matrix, np.ndarray) or not get_config()["array_api_dispatch"]:
        return False
    if not is_array(matrix) or type(matrix).__module__.startswith("dask."):
        return False
    return _compat().is_array_api_obj(matrix)


def home_of(matrix):
    """Return where an array lives, None for NumPy and all that becomes NumPy."""
    if not is_foreign(matrix):
        return None
    compat = _compat()
    return Home(compat.array_namespace(matrix).__name__, compat.device(matrix))


def to_numpy(values):
    """Return an array of any library as a NumPy array; anything else unchanged."""
    if not is_array(values):
        return values
    library = type(values).__module__.partition(".")[0]
    return _TO_NUMPY.get(library, np.asarray)(values)


def is_array(values):
    """Return whether this is an array of another library, whatever the options are."""
    if isinstance(values, (np.ndarray, np.generic)) or sparse.issparse(values):
        return False
    return hasattr(values, "__array_namespace__") or hasattr(values, "detach")


def like(values, matrix):
    """Return a NumPy array as one that lives where a matrix does."""
    home = home_of(matrix)
    return values if home is None else home.asarray(values)


def concat(parts, axis=0):
    """Join dense arrays of one library."""
    home = home_of(parts[0])
    if home is None:
        return np.concatenate(parts, axis=axis)
    return home.xp.concat(parts, axis=axis)


def take_rows(matrix, rows):
    """Return some rows of an array: a slice, or a NumPy mask or index."""
    home = home_of(matrix)
    if home is None:
        return matrix[rows]
    if isinstance(rows, slice):
        start, stop, step = rows.indices(matrix.shape[0])
        return matrix[start:stop:step, ...]
    rows = np.asarray(rows)
    places = np.flatnonzero(rows) if rows.dtype == bool else rows
    return home.xp.take(matrix, home.asarray(places), axis=0)


@dataclass(frozen=True)
class Home:
    """A library of arrays and one of its devices.

    Parameters
    ----------
    library : str
        Name of its namespace in the sense of the Python array API.
    device : object
    """

    library: str
    device: Any

    @property
    def xp(self):
        """The namespace."""
        return import_module(self.library)

    @property
    def is_torch(self):
        """Whether the arrays are tensors of PyTorch."""
        return self.library == "array_api_compat.torch"

    @property
    def has_float64(self):
        """Whether the device has numbers of 64 bits."""
        info = self.xp.__array_namespace_info__()
        return "float64" in info.dtypes(device=self.device, kind="real floating")

    def asarray(self, values, dtype=None):
        """Return a NumPy array as an array that lives here.

        float64 becomes float32 where the device has no float64.
        """
        values = to_numpy(values) if home_of(values) != self else values
        if isinstance(values, np.ndarray):
            if values.dtype == np.float64 and not self.has_float64:
                values = values.astype(np.float32)
            values = np.ascontiguousarray(values)
        dtype = None if dtype is None else getattr(self.xp, np.dtype(dtype).name)
        return self.xp.asarray(values, dtype=dtype, device=self.device, copy=True)

    def dtype_of(self, *arrays):
        """Return the NumPy dtype of statistics: float64 if an array has, else float32.

        Integers count as float64, as for NumPy arrays.
        """
        xp = self.xp
        is_short = [
            xp.isdtype(array.dtype, "real floating") and array.dtype != xp.float64
            for array in arrays
        ]
        short = all(is_short) or not self.has_float64
        return np.dtype(np.float32 if short else np.float64)

    def cast(self, array, dtype):
        """Return an array in a NumPy dtype."""
        wanted = getattr(self.xp, np.dtype(dtype).name)
        return array if array.dtype == wanted else self.xp.astype(array, wanted)

    def in_order(self, array):
        """Return an array whose sums do not depend on its layout."""
        return array.contiguous() if self.is_torch else array

    def without_gradients(self, array):
        """Return an array that does not record operations for gradients."""
        return array.detach() if self.is_torch else array

    @property
    def top_k(self):
        """The module that finds the largest entries."""
        name = "_torch" if self.is_torch else "_standard"
        return import_module(f"{__package__}.{name}")

    def __str__(self):
        name = self.library.removeprefix("array_api_compat.")
        return f"{name} on {self.device}"


def _compat():
    try:
        import array_api_compat
    except ImportError as error:
        raise ImportError(
            "array_api_dispatch=True requires the package array-api-compat; install "
            "sk_qbnorm with the extra `arrays`, or set array_api_dispatch=False."
        ) from error
    return array_api_compat


def _of_strict(array):
    xp = array.__array_namespace__()
    return np.asarray(array.to_device(xp.Device("CPU_DEVICE")))


# By the package of the array; others are read by numpy.asarray.
_TO_NUMPY = {
    "torch": lambda tensor: import_module(f"{__package__}._torch").to_numpy(tensor),
    "cupy": lambda array: array.get(),
    "array_api_strict": _of_strict,
}
