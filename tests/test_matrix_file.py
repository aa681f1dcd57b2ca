import bz2
import gzip
import lzma
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from zipfile import ZipFile

import numpy as np
import pytest

from sk_qbnorm.datasets import load_matrix

ARRAYS = {
    "float32": np.eye(3, dtype=np.float32),
    "Fortran order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "mixed order": np.arange(24.0).reshape(2, 3, 4).transpose(0, 2, 1),
    "other mixed order": np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    "big-endian": np.arange(4, dtype=">i8"),
    "booleans": np.array([[True, False]]),
    "strided": np.arange(10)[::2],
    "scalar": np.float64(3),
    "empty": np.empty((0, 3), dtype=np.float32),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_pickled_arrays_of_numbers_are_read(array, protocol, tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(pickle.dumps(array, protocol))
    found = load_matrix(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert type(found) is np.ndarray


def test_a_pickled_memmap_is_read_as_an_array(tmp_path):
    np.save(tmp_path / "sims.npy", np.eye(2))
    mapped = np.load(tmp_path / "sims.npy", mmap_mode="r")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "sims.pkl").write_bytes(pickle.dumps(mapped, protocol))
        np.testing.assert_array_equal(load_matrix(tmp_path / "sims.pkl"), np.eye(2))


def test_a_pickle_of_python_2_is_read(tmp_path):
    # Python 2 wrote bytes as text, under the module's old name.
    old = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00"
        b"\x85q\x02U\x01bq\x03\x87q\x04Rq\x05(K\x01K\x02\x85q\x06cnumpy\ndtype\nq\x07U"
        b"\x02f8q\x08K\x00K\x01\x87q\tRq\n(K\x03U\x01<q\x0bNNNJ\xff\xff\xff\xffJ\xff\xff"
        b"\xff\xffK\x00tq\x0cb\x89U\x10\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00"
        b"\x00\xf8?q\rtq\x0eb."
    )
    path = tmp_path / "sims.pkl"
    path.write_bytes(old)
    np.testing.assert_array_equal(load_matrix(path), [1.0, 1.5])


def test_npy_and_npz_are_recognized_by_content(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(2))
    (tmp_path / "a.npy").rename(tmp_path / "a.txt")
    np.testing.assert_array_equal(load_matrix(tmp_path / "a.txt"), np.eye(2))
    np.savez(tmp_path / "one.npz", sims=np.eye(3))
    np.testing.assert_array_equal(load_matrix(tmp_path / "one.npz"), np.eye(3))
    np.savez_compressed(tmp_path / "two.npz", sims=np.eye(3), bank=np.eye(4))
    with pytest.raises(ValueError, match="'sims', 'bank'"):
        load_matrix(tmp_path / "two.npz")


@pytest.mark.parametrize("name", ["two.npz", "TWO.NPZ"])
def test_an_array_of_an_npz_is_chosen_by_its_name(name, tmp_path):
    with open(tmp_path / name, "wb") as file:
        np.savez(file, sims=np.eye(3), bank=np.eye(4))
    np.testing.assert_array_equal(load_matrix(f"{tmp_path / name}:bank"), np.eye(4))


class Evil:
    """Create a folder when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class EvilState(Evil):
    """Hide the same code in the state of an array."""

    def __reduce__(self):
        rebuild, args, _ = np.zeros(1).__reduce__()
        return rebuild, args, (1, (1,), np.dtype("f8"), False, Evil(self.path))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "hide",
    [
        lambda evil: evil,
        lambda evil: [np.eye(2), evil],
        lambda evil: {"sims": evil},
        lambda evil: np.array([evil], dtype=object),
        lambda evil: EvilState(evil.path),
    ],
    ids=["bare", "list", "dict", "object array", "state of an array"],
)
def test_a_pickle_cannot_run_code(hide, protocol, tmp_path):
    path, trap = tmp_path / "sims.pkl", tmp_path / "trap"
    path.write_bytes(pickle.dumps(hide(Evil(trap)), protocol))
    with pytest.raises(ValueError, match="pickle"):
        load_matrix(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "call",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
        b"csk_qbnorm.datasets\nload_matrix\n(S'x'\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x0c__builtins__\x93.",
        b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
    ],
)
def test_a_pickle_can_only_name_constructors_of_arrays(call, tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(call)
    with pytest.raises(ValueError, match="pickle"):
        load_matrix(path)


def test_a_pickle_cannot_change_constructors_of_arrays(tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(b"cnumpy\ndtype\nNb.")  # sets the state of a dtype constructor
    with pytest.raises(ValueError, match="pickle"):
        load_matrix(path)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x02})" + b"\x85" * 2_000_000 + b"Ns.",  # a key nested beyond the stack
        b"\x80\x02})" + b"2\x86" * 40 + b"Ns.",  # a key whose hash takes for ever
        b"\x80\x02)" + b"\x85" * 2_000_000 + b".",
        b"\x80\x02Nr\x00\x00\x00\x7f.",  # a memo of gigabytes
        b"\x80\x02\x82\x01.",  # a name by its number in a registry
        b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)\x81.",
        b"(ios\ngetpid\n.",
        b"Pname\n.",
    ],
)
def test_opcodes_that_no_array_needs_are_rejected_unread(bomb, tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(bomb)
    with pytest.raises(ValueError, match=r"sims\.pkl: "):
        load_matrix(path)


def test_control_characters_in_names_are_escaped(tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(b"c\x1b[31mos\nsystem\n.")
    with pytest.raises(ValueError, match="refused") as refusal:
        load_matrix(path)
    assert "\x1b" not in str(refusal.value)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        ([[1.0]], "list"),
        ({"sims": np.eye(2)}, "dict"),
        (np.array(["cat"]), "U3"),
        (np.array([1j]), "c16"),
        (np.zeros(1, dtype=[("s", "f8")]), ""),
        ((np.eye(2), np.eye(2)), "tuple"),
        (np.array(["2020-01-01"], dtype="M8[D]"), ""),
        (np.dtype("f8"), "dtype"),
    ],
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_anything_except_numbers_is_rejected(thing, message, protocol, tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(pickle.dumps(thing, protocol))
    with pytest.raises(ValueError, match=rf"sims\.pkl: .*{message}"):
        load_matrix(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"query,item\n0.5,cat\n", "text"),
        (b"0.5,0.25\n1\n", "text"),
        ("caption\tsimilarité\r\n".encode() * 50, "text"),
        (gzip.compress(b"0.5", mtime=0), "gzip"),
        (bz2.compress(b"0.5"), "bzip2"),
        (lzma.compress(b"0.5"), "xz"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(90), "MATLAB"),
        (b"\x89HDF\r\n\x1a\n" + bytes(90), "HDF5"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "no format"),
        (b"\x93NUMPY\x01\x00", "damaged"),
        (b"\x80\x04\xff", "damaged"),
        (b"caf\xe9,1", "damaged"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "PyTorch"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00.", "PyTorch"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_formats_are_named(content, what, tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"sims\.pkl: .*{what}"):
        load_matrix(path)


@pytest.mark.parametrize(
    ("member", "what"), [("sims/data.pkl", "PyTorch"), ("readme", "zip")]
)
def test_other_zip_archives_are_named(member, what, tmp_path):
    with ZipFile(tmp_path / "sims.pt", "w") as archive:
        archive.writestr(member, "no array")
    with pytest.raises(ValueError, match=rf"sims\.pt: .*{what}"):
        load_matrix(tmp_path / "sims.pt")


def test_an_array_too_large_for_memory_is_named(tmp_path):
    header = {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
    with open(tmp_path / "sims.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(MemoryError, match=r"sims\.npy"):
        load_matrix(tmp_path / "sims.npy")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
@pytest.mark.parametrize("kind", ["npy", "npz", "pkl"])
def test_pipes_are_read(kind, tmp_path):
    np.save(tmp_path / "sims.npy", np.eye(3))
    np.savez(tmp_path / "sims.npz", np.eye(3))
    (tmp_path / "sims.pkl").write_bytes(pickle.dumps(np.eye(3)))
    content, pipe = (tmp_path / f"sims.{kind}").read_bytes(), tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as writer:
        writer.submit(pipe.write_bytes, content)
        np.testing.assert_array_equal(load_matrix(pipe), np.eye(3))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a matrix",
        b"PK\x03\x04 broken",
        b"PK\x05\x06" + b"\0" * 18,
        b"\x93NUMPY\x01\0\x10\0{'descr': broken}\n",
        b"\x93NUMPY\x01\0\x3c\0{'descr':'<f8','fortran_order':False,"
        b"'shape':(10**15,)}    \n",
        b"\x93NUMPY broken",
        b"cnumpy\ndtype\n(S'f8'\ntR(I3\nS'<'\nS'structure'\nNNI-1\nI-1\nI0\ntb.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nttR.",
        pickle.dumps(np.eye(2))[:-40],
    ],
)
def test_broken_files_are_named(content, tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"sims\.pkl"):
        load_matrix(path)


def test_text_and_objects_in_npy_are_rejected(tmp_path):
    np.save(tmp_path / "text.npy", np.array(["cat"]))
    with pytest.raises(ValueError, match="numbers"):
        load_matrix(tmp_path / "text.npy")
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(ValueError, match="Object arrays"):
        load_matrix(tmp_path / "objects.npy")
