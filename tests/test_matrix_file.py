import os
import pickle
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


def test_npy_and_npz_are_told_by_content(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(2))
    (tmp_path / "a.npy").rename(tmp_path / "a.txt")
    np.testing.assert_array_equal(load_matrix(tmp_path / "a.txt"), np.eye(2))
    np.savez(tmp_path / "one.npz", sims=np.eye(3))
    np.testing.assert_array_equal(load_matrix(tmp_path / "one.npz"), np.eye(3))
    np.savez_compressed(tmp_path / "two.npz", sims=np.eye(3), bank=np.eye(4))
    np.testing.assert_array_equal(
        load_matrix(f"{tmp_path / 'two.npz'}:bank"), np.eye(4)
    )
    with pytest.raises(
        ValueError, match="holds the arrays 'sims', 'bank'; say which one"
    ):
        load_matrix(tmp_path / "two.npz")


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class EvilState(Evil):
    """Hides the same in the state of an array."""

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
    with pytest.raises(ValueError, match=r"refused: the pickle"):
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
def test_only_the_makers_of_arrays_can_be_named(call, tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(call)
    with pytest.raises(ValueError, match="refused: the pickle asks for"):
        load_matrix(path)


def test_what_makes_arrays_cannot_be_changed(tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(b"cnumpy\ndtype\nNb.")  # gives a state to what makes a dtype
    with pytest.raises(ValueError, match="refused: the pickle tries to change"):
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
def test_what_no_array_needs_is_refused_unread(bomb, tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(bomb)
    with pytest.raises(ValueError, match="holds more than one NumPy array of numbers"):
        load_matrix(path)


def test_names_in_a_file_reach_no_terminal_as_they_are(tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(b"c\x1b[31mos\nsystem\n.")
    with pytest.raises(ValueError, match="refused") as refusal:
        load_matrix(path)
    assert "\x1b" not in str(refusal.value)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        ([[1.0]], "refused: the pickle holds more than one NumPy array"),
        ({"sims": np.eye(2)}, "refused: the pickle holds more than one NumPy array"),
        (np.array(["cat"]), "numbers expected, got dtype 'U3'"),
        (np.array([1j]), "numbers expected, got dtype 'c16'"),
        (np.zeros(1, dtype=[("s", "f8")]), "refused: the pickle holds more than one"),
        ((np.eye(2), np.eye(2)), "one NumPy array of numbers, got one of tuple"),
        (
            np.array(["2020-01-01"], dtype="M8[D]"),
            "numbers expected, got dtype 'M8'|refused: the pickle holds",
        ),
        (np.dtype("f8"), "one NumPy array of numbers, got one of _DType"),
    ],
)
def test_anything_but_numbers_is_refused(thing, message, tmp_path):
    path = tmp_path / "sims.pkl"
    path.write_bytes(pickle.dumps(thing))
    with pytest.raises(ValueError, match=message):
        load_matrix(path)


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
    with pytest.raises(ValueError, match=r"sims\.pkl: "):
        load_matrix(path)


def test_text_and_objects_in_npy_are_refused(tmp_path):
    with ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("readme", "no array")
    with pytest.raises(ValueError, match="must hold an array of numbers, got bytes"):
        load_matrix(tmp_path / "text.npz")
    np.save(tmp_path / "text.npy", np.array(["cat"]))
    with pytest.raises(ValueError, match="must hold an array of numbers, got"):
        load_matrix(tmp_path / "text.npy")
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        load_matrix(tmp_path / "objects.npy")
