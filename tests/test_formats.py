"""load_matrix: tables, runs, judgments and tensors."""

import json

import numpy as np
import pytest

from sk_qbnorm.datasets import load_matrix


def load(tmp_path, content, name="file.txt", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_matrix(path, **options)


@pytest.mark.parametrize(
    "text",
    [
        "1,2.5\n3,4\n",
        "1\t2.5\n3\t4\n",
        "1;2.5\n3;4",
        "1 2.5\n\n3 4",
        "\ufeff1,2.5\n3,4",
    ],
)
def test_a_table_of_numbers_is_read(text, tmp_path):
    matrix, rows, columns = load(tmp_path, text, return_ids=True)
    np.testing.assert_array_equal(matrix, [[1, 2.5], [3, 4]])
    assert rows is None
    assert columns is None


@pytest.mark.parametrize(
    ("text", "rows", "columns"),
    [
        ("a,b\n1,2\n", None, ["a", "b"]),
        ("id,a,b\nq1,1,2\n", ["q1"], ["a", "b"]),
        ("id,a,b\n7,1,2\n", ["7"], ["a", "b"]),
        (",a,b\n0,1,2\n", ["0"], ["a", "b"]),
        ("q1,1,2\n", ["q1"], None),
        ('id,embedding\nq1,"[1, 2]"\n', ["q1"], None),
        ('"a, b",1,2\n', ["a, b"], None),
    ],
)
def test_names_of_rows_and_columns_are_read(text, rows, columns, tmp_path):
    matrix, row_ids, column_ids = load(tmp_path, text, return_ids=True)
    np.testing.assert_array_equal(matrix, [[1, 2]])
    assert (row_ids if rows is None else [*row_ids]) == rows
    assert (column_ids if columns is None else [*column_ids]) == columns


RUN = "q1 Q0 d1 1 0.9 us\nq1 Q0 d2 2 0.5 us\nq2 Q0 d2 1 0.75 us\nq2 Q0 d3 2 0.25 us\n"


def test_a_run_gives_unlisted_documents_the_lowest_score_of_the_query(tmp_path):
    matrix, queries, documents = load(tmp_path, RUN, return_ids=True)
    np.testing.assert_array_equal(matrix, [[0.9, 0.5, 0.5], [0.25, 0.75, 0.25]])
    assert [*queries] == ["q1", "q2"]
    assert [*documents] == ["d1", "d2", "d3"]


@pytest.mark.parametrize(
    "text",
    [
        "q1 0 d1 1\nq1 0 d2 0\nq2 0 d3 2\n",
        "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\nq2\td3\t2\n",
    ],
)
def test_judgments_are_integers(text, tmp_path):
    matrix, queries, documents = load(tmp_path, text, return_ids=True)
    np.testing.assert_array_equal(matrix, [[1, 0, 0], [0, 0, 2]])
    assert matrix.dtype == np.int64
    assert [*queries, *documents] == ["q1", "q2", "d1", "d2", "d3"]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n",
        "word\nother\n",
        "1,2\n3,cat\n",
        "1,2\n3\n",
        RUN + "q3 Q0 d1\n",
        RUN.replace("0.25", "low"),
        "q1 0 d1 1\nq1 0 d2\n",
        'id,e\na,"[1, 2"\n',
        'id,e\na,"[1, 2]"\nb,"[1]"\n',
        "<html>\n<body>\n",
    ],
)
def test_other_text_is_refused_with_the_name_of_the_file(text, tmp_path):
    with pytest.raises(ValueError, match=r"file\.txt"):
        load(tmp_path, text)


def test_half_floats_become_float32(tmp_path):
    for dtype in ("<f2", ">f2"):
        np.save(tmp_path / "half.npy", np.eye(2, dtype=dtype))
        found = load_matrix(tmp_path / "half.npy")
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.eye(2))


def safetensors(**tensors):
    """Write the format by hand: a header and bytes."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (kind, array) in tensors.items():
        raw = array.tobytes()
        ends = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": ends}
        data += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


MATRIX = np.array([[1, -2.5], [0.25, 4]], dtype=np.float32)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("F32", MATRIX),
        ("F64", MATRIX.astype(np.float64)),
        ("F16", MATRIX.astype(np.float16)),
        ("BF16", (MATRIX.view(np.uint32) >> 16).astype(np.uint16)),
    ],
)
def test_safetensors_are_read(kind, stored, tmp_path):
    found = load(tmp_path, safetensors(e=(kind, stored)), "e.safetensors")
    np.testing.assert_array_equal(found, MATRIX)
    assert found.dtype == (np.float64 if kind == "F64" else np.float32)


def test_a_tensor_is_chosen_by_its_name(tmp_path):
    content = safetensors(a=("F32", MATRIX), b=("F32", 2 * MATRIX))
    with pytest.raises(ValueError, match=r"'a', 'b'.*safetensors:NAME"):
        load(tmp_path, content, "e.safetensors")
    found = load_matrix(f"{tmp_path / 'e.safetensors'}:b")
    np.testing.assert_array_equal(found, 2 * MATRIX)


@pytest.mark.parametrize(
    "content",
    [
        safetensors(e=("F8_E4M3", MATRIX)),
        safetensors(),
        safetensors(e=("F32", MATRIX))[:-3],
        b"\x08" + bytes(7) + b"{broken}",
    ],
)
def test_broken_safetensors_are_named(content, tmp_path):
    with pytest.raises(ValueError, match=r"e\.safetensors"):
        load(tmp_path, content, "e.safetensors")


def test_the_library_and_this_reader_agree(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    content = library.save({"e": MATRIX})
    np.testing.assert_array_equal(load(tmp_path, content, "e.safetensors"), MATRIX)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "bfloat16", "float16", "int64"]
)
@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_read(dtype, zipped, torch, tmp_path):
    tensor = torch.tensor([[1, -2], [3, 4]]).to(getattr(torch, dtype))
    path = tmp_path / "e.pt"
    torch.save(tensor, path, _use_new_zipfile_serialization=zipped)
    found = load_matrix(path)
    np.testing.assert_array_equal(found, [[1, -2], [3, 4]])
    assert found.dtype == ("float32" if "16" in dtype else dtype)


def test_a_parameter_and_one_tensor_of_a_dict_are_read(torch, tmp_path):
    path = tmp_path / "e.pt"
    torch.save({"e": torch.nn.Parameter(torch.eye(2)), "epoch": 3}, path)
    np.testing.assert_array_equal(load_matrix(path), np.eye(2))
    torch.save({"a": torch.eye(2), "b": torch.eye(3)}, path)
    with pytest.raises(ValueError, match=r"'a', 'b'.*pt:NAME"):
        load_matrix(path)
    np.testing.assert_array_equal(load_matrix(f"{path}:b"), np.eye(3))
    torch.save([torch.eye(2)], path)
    with pytest.raises(ValueError, match="list"):
        load_matrix(path)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pytorch_file_cannot_run_code(zipped, torch, tmp_path):
    trap, path = tmp_path / "trap", tmp_path / "e.pt"
    evil = {"e": torch.eye(2), "x": Evil(trap)}
    torch.save(evil, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"e\.pt: refused"):
        load_matrix(path)
    assert not trap.exists()


@pytest.fixture
def parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def write(**columns):
        parquet.write_table(pyarrow.table(columns), tmp_path / "e.parquet")
        return tmp_path / "e.parquet"

    write.pyarrow = pyarrow
    return write


@pytest.mark.parametrize("fixed", [True, False])
def test_a_column_of_lists_and_ids_is_read(fixed, parquet):
    pyarrow = parquet.pyarrow
    kind = pyarrow.list_(pyarrow.float32(), *([2] if fixed else []))
    path = parquet(id=["a", "b"], text=["x", "y"], e=pyarrow.array([*MATRIX], kind))
    matrix, rows, columns = load_matrix(path, return_ids=True)
    np.testing.assert_array_equal(matrix, MATRIX)
    assert matrix.dtype == np.float32
    assert [*rows] == ["a", "b"]
    assert columns is None
    np.testing.assert_array_equal(load_matrix(f"{path}:e"), MATRIX)


def test_one_column_per_feature_is_read(parquet):
    path = parquet(url=["a", "b"], x=MATRIX[:, 0], y=MATRIX[:, 1])
    matrix, rows, columns = load_matrix(path, return_ids=True)
    np.testing.assert_array_equal(matrix, MATRIX)
    assert [*rows, *columns] == ["a", "b", "x", "y"]
    _, rows, _ = load_matrix(parquet(x=MATRIX[:, 0]), return_ids=True)
    assert rows is None


def test_frames_that_hold_no_single_matrix_are_refused(parquet):
    for columns in (
        {"id": ["a"], "e": [[1.0]], "f": [[2.0]]},
        {"id": ["a"]},
        {"id": ["a", "b"], "e": [[1.0], [1.0, 2.0]]},
        {"id": ["a", "b"], "e": [[1.0], None]},
        {"id": ["a"], "e": [["text"]]},
    ):
        with pytest.raises(ValueError, match=r"e\.parquet"):
            load_matrix(parquet(**columns))
    with pytest.raises(ValueError, match=r"parquet:COLUMN"):
        load_matrix(f"{parquet(id=['a'], e=[[1.0]])}:nothing")


def test_a_missing_library_is_named(monkeypatch, tmp_path):
    import builtins

    real = builtins.__import__

    def without(name, *rest):
        if name.partition(".")[0] in {"torch", "pyarrow"}:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match="install pyarrow"):
        load(tmp_path, b"PAR1\x15\x04")
    with pytest.raises(ValueError, match="install torch"):
        load(tmp_path, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")


@pytest.mark.parametrize(
    ("library", "version", "content"),
    [
        ("torch", "2.5.1", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."),
        ("pyarrow", "14.0.0", b"PAR1\x15\x04"),
    ],
)
def test_a_version_that_can_run_code_is_refused(
    library, version, content, monkeypatch, tmp_path
):
    module = pytest.importorskip(library)
    monkeypatch.setattr(module, "__version__", version)
    with pytest.raises(ValueError, match=f"{library} {version} can run code"):
        load(tmp_path, content)
