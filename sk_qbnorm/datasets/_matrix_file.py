"""Matrices in files, read without trusting the file."""

import pickle
import pickletools
import re
from os import PathLike

import numpy as np
from numpy.typing import NDArray

_NUMBERS = "biuf"
_LONGEST = 200  # opcodes and remembered things; a pickled array has some 50 of them
_MEMO = {"PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"}
_OPCODES = {
    *_MEMO,
    *("PROTO", "FRAME", "STOP", "MEMOIZE", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
    *("MARK", "TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG"),
    *("LONG1", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE"),
    *("SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    "BYTEARRAY8",
}


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
        read = _read_pickle
        if start == b"\x93NUMPY":
            read = _read_npy
        elif start[:2] == b"PK":
            read = _read_npz
        try:
            matrix = read(file, name)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        except Exception as error:  # a broken file may fail in any way it likes
            raise ValueError(
                f"{path}: neither .npy, .npz nor a pickle of one NumPy array of "
                f"numbers ({type(error).__name__}: {error})"
            ) from error
    kind = getattr(getattr(matrix, "dtype", None), "kind", None)
    if kind is None or kind not in _NUMBERS:
        what = getattr(matrix, "dtype", type(matrix).__name__)
        raise ValueError(f"{path} must hold an array of numbers, got {what}.")
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
        known = ", ".join(map(repr, arrays.files))
        raise ValueError(
            f"the file holds the arrays {known}; say which one with FILE.npz:NAME"
        )
    return arrays[name]


def _read_pickle(file, name):
    _check_opcodes(file)
    file.seek(0)
    found = _NumbersOnly(file, encoding="latin1").load()
    if isinstance(found, _Array):
        return found.to_numpy()
    raise ValueError(
        "expected a pickle of one NumPy array of numbers, got one of "
        f"{type(found).__name__}"
    )


def _check_opcodes(file):
    """Raise unless the pickle is made of what a pickled array is made of.

    That is a few dozen strings, numbers, tuples and calls. Nothing that nests deeply,
    hashes, makes objects by itself or goes around the names that are looked up.
    """
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        is_far = opcode.name in _MEMO and int(argument) > _LONGEST
        if opcode.name not in _OPCODES or count > _LONGEST or is_far:
            raise ValueError(
                "refused: the pickle holds more than one NumPy array of numbers "
                f"({opcode.name})"
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
    ("numpy", "memmap"): _Maker(_Array),
    ("_codecs", "encode"): _Maker(lambda text, encoding: text.encode("latin1")),
    ("__builtin__", "bytes"): _Maker(lambda: b""),  # of an array without an entry
}
for _core in ("numpy.core", "numpy._core"):
    _MAKERS[f"{_core}.multiarray", "_reconstruct"] = _Maker(_Array)
    _MAKERS[f"{_core}.multiarray", "scalar"] = _Maker(_Array.from_scalar)
    _MAKERS[f"{_core}.memmap", "memmap"] = _Maker(_Array)
    _MAKERS[f"{_core}.numeric", "_frombuffer"] = _Maker(_Array.from_buffer)


class _NumbersOnly(pickle.Unpickler):
    """Make arrays of numbers, or nothing."""

    def find_class(self, module, name):
        if (module, name) not in _MAKERS:
            raise ValueError(
                f"refused: the pickle asks for {f'{module}.{name}'!r}, and only NumPy "
                "arrays of numbers are read from a pickle"
            )
        return _MAKERS[module, name]
