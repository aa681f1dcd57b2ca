"""Read matrices from untrusted files."""

from __future__ import annotations

import pickle
import pickletools
import re
from io import BytesIO
from os import PathLike
from typing import Any

import numpy as np

from ._tables import NamedMatrix, read_parquet, read_text
from ._tensors import SAVE_TENSOR, choose, is_safetensors, read_safetensors
from ._torch_file import read_torch

_NUMBERS = "biuf"
_LONGEST = 200  # opcodes and memo entries; a pickled array has about 50
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
_CONTAINERS = {
    "DICT": "dict",
    "EMPTY_DICT": "dict",
    "LIST": "list",
    "EMPTY_LIST": "list",
}
_TEXT = bytes({*range(32, 256), *b"\t\n\r"})
_PICKLED_AS_TEXT = re.compile(rb"\(*c[a-zA-Z_][\w.]*\r?\n[a-zA-Z_][\w.]*\r?\n|\([dilp]")
_PICKLE_STARTS = (b"\x80", b"c", b"(", b"]", b"}")
_SAVE = "save the matrix itself with numpy.save"
_CONTAINERS_OF_ARRAYS = (".npz", ".pt", ".pth", ".safetensors", ".parquet")
_OTHER_FORMATS = {
    b"\x1f\x8b": "a gzip file; decompress it with gunzip",
    b"BZh": "a bzip2 file; decompress it with bunzip2",
    b"\xfd7zXZ": "an xz file; decompress it with unxz",
    b"\x89HDF": f"an HDF5 file; read it with h5py and {_SAVE}",
    b"MATLAB": f"a MATLAB file; read it with scipy.io.loadmat and {_SAVE}",
}
_FORMATS = {
    b"PAR1": read_parquet,
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19": read_torch,  # before PyTorch 1.6
}


def load_matrix(path: str | PathLike, *, return_ids: bool = False) -> Any:
    """Load an array of numbers from a file, without running code from it.

    The authors of the paper publish their similarities as pickles, and loading a pickle
    with Python can execute any code in it. This function cannot: it only creates NumPy
    arrays and scalars of numbers, with code of this package that reads a type, a shape
    and bytes.

    Parameters
    ----------
    path : str or path-like
        The file. Its content, not its name, determines the format (see the notes). For
        a file with several arrays, pass ``"FILE.npz:NAME"``; likewise for ``.pt``,
        ``.safetensors`` and ``.parquet``.
    return_ids : bool, default=False
        Whether to return the names of rows and columns too.

    Returns
    -------
    matrix : ndarray
        An array of booleans, integers or floats, of any shape. float16 and bfloat16 are
        converted to float32.
    row_ids, column_ids : ndarray of str or None
        Only with ``return_ids=True``: names in a table, a run or judgments; None if the
        file has none.

    Raises
    ------
    ValueError
        If the file holds anything else, or several arrays, or a library that reads it
        is not installed.
    MemoryError
        If the array is too large for memory.
    OSError
        If it cannot be read.

    See Also
    --------
    numpy.load : For trusted files, and for memory maps.

    Notes
    -----
    ================= ==============================================================
    format            contents
    ================= ==============================================================
    NumPy             ``.npy``, ``.npz``, or a pickle of one array
    PyTorch           one tensor, or a dict of tensors; requires torch 2.6 or later
                      and uses ``torch.load(weights_only=True)``
    safetensors       tensors of any usual type; requires nothing
    Parquet           a column of lists, or one column per feature, and optionally a
                      column of ids; requires pyarrow 15 or later
    CSV, TSV          one row per query or item, optionally with a header, and with ids
                      in the first column; or ids and a list in brackets
    TREC run          a matrix of queries x documents; documents that a query does not
                      list get the lowest score of that query
    qrels             TREC or BEIR judgments as an integer matrix of queries x
                      documents, 0 for pairs without a judgment
    ================= ==============================================================

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
        try:
            # A pipe cannot be read twice.
            source = file if file.seekable() else BytesIO(file.read())
            matrix = _reader(source)(source, name)
        except MemoryError as error:
            raise MemoryError(
                f"{path} is too large for memory ({error}); use float32, or pass "
                "numpy.load(path, mmap_mode='r') to a normalizer in Python"
            ) from error
        except Exception as error:  # a broken file may raise anything
            if type(error) is ValueError:  # a subclass is from another library
                raise ValueError(f"{path}: {error}") from error
            raise ValueError(
                f"{path}: it is damaged, or in no format that load_matrix reads "
                f"({type(error).__name__}: {error}); {_SAVE}"
            ) from error
    named = matrix if isinstance(matrix, NamedMatrix) else NamedMatrix(matrix)
    matrix = named.matrix
    kind = getattr(getattr(matrix, "dtype", None), "kind", None)
    if kind is None or kind not in _NUMBERS:
        what = getattr(matrix, "dtype", type(matrix).__name__)
        raise ValueError(f"{path} must hold an array of numbers, got {what}.")
    if matrix.dtype.kind == "f" and matrix.dtype.itemsize == 2:
        matrix = matrix.astype(np.float32)
    return (matrix, *named[1:]) if return_ids else matrix


def _split(path):
    head, colon, name = path.rpartition(":")
    if colon and head.lower().endswith(_CONTAINERS_OF_ARRAYS):
        return head, name
    return path, None


def _reader(file):
    """Return the function that reads the format given by the first bytes."""
    start = file.read(256)
    file.seek(0)
    if not start:
        raise ValueError("the file is empty")
    for magic, advice in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise ValueError(f"this is {advice}")
    for magic, read in _FORMATS.items():
        if start.startswith(magic):
            return read
    if is_safetensors(start):
        return read_safetensors
    if start.startswith(b"\x93NUMPY"):
        return _read_npy
    if start.startswith(b"PK"):
        return _read_npz
    is_text = not start.translate(None, delete=_TEXT)
    if is_text and not _PICKLED_AS_TEXT.match(start):
        return read_text
    if start[:1] in _PICKLE_STARTS:
        return _read_pickle
    raise ValueError(f"this is in no format that load_matrix reads; {_SAVE}")


def _read_npy(file, name):
    try:
        return np.load(file, allow_pickle=False)
    except ValueError as error:
        raise ValueError(
            f"the .npy file is damaged or holds objects ({error}); {_SAVE}"
        ) from error


def _read_npz(file, name):
    arrays = np.load(file, allow_pickle=False)
    files = arrays.zip.namelist()
    if any(each.endswith("data.pkl") for each in files):
        file.seek(0)
        return read_torch(file, name)
    names = [each[:-4] for each in files if each.endswith(".npy")]
    if not names:
        raise ValueError(f"this is a zip archive without a .npy file; {_SAVE}")
    known = dict.fromkeys(names)
    choose(known, name, "npz")
    return arrays[names[0] if name is None else name]


def _read_pickle(file, name):
    _check_opcodes(file)
    file.seek(0)
    found = _NumbersOnly(file, encoding="latin1").load()
    if isinstance(found, _Array):
        return found.to_numpy()
    what = type(found).__name__.strip("_").lower()
    raise ValueError(f"the pickle holds a {what}, not a NumPy array; {_SAVE}")


def _check_opcodes(file):
    """Raise unless the pickle contains only the opcodes of a pickled array.

    These are a few dozen strings, numbers, tuples and calls. Opcodes that nest deeply,
    hash, create objects or bypass the lookup of names are not allowed.
    """
    only_begun = True
    for count, (opcode, argument, _) in enumerate(_opcodes(file)):
        is_far = opcode.name in _MEMO and int(argument) > _LONGEST
        if opcode.name not in _OPCODES or count > _LONGEST or is_far:
            what = _CONTAINERS.get(opcode.name) if only_begun else None
            what = f"a {what}" if what else "more than one NumPy array of numbers"
            raise ValueError(f"refused: the pickle holds {what}; {_SAVE}")
        only_begun = only_begun and opcode.name in ("PROTO", "FRAME", "MARK")


def _opcodes(file):
    try:
        yield from pickletools.genops(file)
    except ValueError as error:
        raise ValueError(f"the pickle is damaged ({error}); {_SAVE}") from error


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
        if isinstance(data, str):  # written by Python 2
            data = data.encode("latin1")
        flat = np.frombuffer(data, dtype=dtype.to_numpy())
        matrix = flat.reshape(shape, order="F" if fortran else "C")
        mixed = isinstance(axis_order, tuple)  # otherwise it is a version number
        return (matrix.transpose(axis_order) if mixed else matrix).copy()


class _Maker:
    """The object that a name in a pickle resolves to; it can only be called."""

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
    ("__builtin__", "bytes"): _Maker(lambda: b""),  # for an empty array
}
for _core in ("numpy.core", "numpy._core"):
    _MAKERS[f"{_core}.multiarray", "_reconstruct"] = _Maker(_Array)
    _MAKERS[f"{_core}.multiarray", "scalar"] = _Maker(_Array.from_scalar)
    _MAKERS[f"{_core}.memmap", "memmap"] = _Maker(_Array)
    _MAKERS[f"{_core}.numeric", "_frombuffer"] = _Maker(_Array.from_buffer)


class _NumbersOnly(pickle.Unpickler):
    """Unpickle arrays of numbers and reject everything else."""

    def find_class(self, module, name):
        if (module, name) not in _MAKERS:
            of_torch = module.partition(".")[0] == "torch"
            what = (
                f"this is a part of a PyTorch file; {SAVE_TENSOR}"
                if of_torch
                else _SAVE
            )
            raise ValueError(
                f"refused: the pickle asks for {f'{module}.{name}'!r}, not for a NumPy "
                f"array of numbers alone; {what}"
            )
        return _MAKERS[module, name]
