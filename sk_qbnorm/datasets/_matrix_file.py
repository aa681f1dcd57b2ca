"""Matrices in files, read without trusting the file."""

import pickle
import re
from os import PathLike
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

_NUMBERS = "biuf"


def load_matrix(path: str | PathLike) -> NDArray:
    """Load an array of numbers from a ``.npy``, ``.npz`` or pickle file.

    A pickle, the form in which the paper's authors publish their similarities, can
    run any code in it when it is loaded in the usual way. Here it cannot: of what a
    pickle may ask for, only NumPy arrays and scalars of numbers are made, by code of
    this package that knows no more than a type, a shape and bytes.

    Parameters
    ----------
    path : str or path-like
        The file. What it is is told by its content, not by its name. A ``.npz`` file
        that holds several arrays is told which one by ``"FILE.npz:NAME"``.

    Returns
    -------
    matrix : ndarray
        An array of booleans, integers or floats, of any shape.

    Raises
    ------
    ValueError
        If the file holds anything else, or several arrays.
    OSError
        If it cannot be read.

    See Also
    --------
    numpy.load : Faster to start with, for files that are trusted.

    Examples
    --------
    >>> import os, pickle, tempfile
    >>> from sk_qbnorm.datasets import load_matrix
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "sims.pkl")
    ...     with open(path, "wb") as file:
    ...         pickle.dump(np.eye(2), file)
    ...     load_matrix(path)
    array([[1., 0.],
           [0., 1.]])
    """
    path, name = _split(str(path))
    with open(path, "rb") as file:
        start = file.read(6)
        file.seek(0)
        read = {b"\x93NUMPY": _read_npy, b"PK\x03\x04": _read_npz}
        form = start if start in read else start[:4]
        try:
            matrix = read.get(form, _read_pickle)(file, name)
        except (ValueError, BadZipFile, EOFError) as error:
            raise ValueError(f"{path}: {error}") from error
    if matrix.dtype.kind not in _NUMBERS:
        raise ValueError(
            f"{path} must hold an array of numbers, got one of dtype {matrix.dtype}."
        )
    return matrix


def _split(path):
    head, colon, name = path.rpartition(":")
    if colon and head.endswith(".npz"):
        return head, name
    return path, None


def _read_npy(file, name):
    return np.load(file, allow_pickle=False)


def _read_npz(file, name):
    arrays = np.load(file, allow_pickle=False)
    if name is None and len(arrays.files) == 1:
        name = arrays.files[0]
    if name not in arrays.files:
        known = ", ".join(arrays.files)
        raise ValueError(
            f"the file holds the arrays {known}; say which one with FILE.npz:NAME"
        )
    return arrays[name]


def _read_pickle(file, name):
    try:
        found = _NumbersOnly(file, encoding="latin1").load()
        if isinstance(found, _Array):
            return found.to_numpy()
    except ValueError:
        raise
    except Exception as error:  # a broken pickle may fail in any way it likes
        raise ValueError(
            "neither .npy, .npz nor a pickle of one NumPy array of numbers "
            f"({type(error).__name__}: {error})"
        ) from error
    raise ValueError(
        "expected a pickle of one NumPy array of numbers, got one of "
        f"{type(found).__name__}"
    )


class _DType:
    """Stands in for ``numpy.dtype`` while a pickle is read."""

    def __init__(self, code, align=False, copy=False):
        if not re.fullmatch(rf"[{_NUMBERS}]\d\d?", code):
            raise ValueError(f"a NumPy array of numbers expected, got dtype {code!r}")
        self.code = code
        self.order = "="

    def __setstate__(self, state):
        order = state[1]
        if any(part is not None for part in state[2:5]):
            raise ValueError("a NumPy array of plain numbers expected, got structures")
        self.order = "=" if order == "|" else order

    def to_numpy(self):
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """Stands in for ``numpy.ndarray`` while a pickle is read; it holds bytes."""

    def __init__(self, *ignored):
        self.state = None

    def __setstate__(self, state):
        self.state = state

    @classmethod
    def from_buffer(cls, data, dtype, shape, order, axis_order=None):
        array = cls()
        array.state = axis_order, shape, dtype, order == "F", data
        return array

    @classmethod
    def from_scalar(cls, dtype, data):
        return cls.from_buffer(data, dtype, (), "C")

    def to_numpy(self):
        axis_order, shape, dtype, fortran, data = self.state
        if isinstance(data, str):  # what Python 2 wrote
            data = data.encode("latin1")
        flat = np.frombuffer(data, dtype=dtype.to_numpy())
        matrix = flat.reshape(shape, order="F" if fortran else "C")
        mixed = isinstance(axis_order, tuple)  # elsewhere it is a version number
        return (matrix.transpose(axis_order) if mixed else matrix).copy()


class _Maker:
    """What the pickle is given for a name: it can be called, and nothing else."""

    __slots__ = ("_make",)

    def __init__(self, make):
        self._make = make

    def __call__(self, *arguments):
        return self._make(*arguments)

    def __setstate__(self, state):
        raise ValueError("refused: the pickle tries to change how arrays are made")


_MAKERS = {
    ("numpy", "dtype"): _Maker(_DType),
    ("numpy", "ndarray"): _Maker(_Array),
    ("_codecs", "encode"): _Maker(lambda text, encoding: text.encode("latin1")),
}
for _core in ("numpy.core", "numpy._core"):
    _MAKERS[f"{_core}.multiarray", "_reconstruct"] = _Maker(_Array)
    _MAKERS[f"{_core}.multiarray", "scalar"] = _Maker(_Array.from_scalar)
    _MAKERS[f"{_core}.numeric", "_frombuffer"] = _Maker(_Array.from_buffer)


class _NumbersOnly(pickle.Unpickler):
    """Make arrays of numbers, or nothing."""

    def find_class(self, module, name):
        if (module, name) not in _MAKERS:
            raise ValueError(
                f"refused: the pickle asks for {module}.{name}, and only NumPy arrays "
                "of numbers are read from a pickle"
            )
        return _MAKERS[module, name]
