"""Read text tables and Parquet frames: numbers with names of rows and columns."""

import csv
import json
import re
from io import BytesIO, StringIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ID_NAMES = re.compile(r"(.*[ _-])?(id|ids|index|name|key)|_id|__index_level_0__|")
_QRELS_HEADER = ["query-id", "corpus-id", "score"]


class NamedMatrix(NamedTuple):
    """A matrix with the names of its rows and columns, or None."""

    matrix: NDArray
    row_ids: NDArray | None = None
    column_ids: NDArray | None = None


def read_text(file, name):
    """Read a TREC run, relevance judgments, or a table of numbers with ids."""
    text = file.read().decode("utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip()]
    first = lines[0].split()
    if first == _QRELS_HEADER:
        return _from_triples([line.split("\t") for line in lines[1:]], np.int64)
    if len(first) == 6 and _is_number(first[3]) and _is_number(first[4]):
        return _read_run(lines)
    if len(first) == 4 and first[1] in ("0", "Q0") and first[3].lstrip("-").isdigit():
        rows = [line.split() for line in lines]
        _check_lengths(rows, 4)
        return _from_triples([(row[0], row[2], row[3]) for row in rows], np.int64)
    return _read_table(lines)


def _read_run(lines):
    rows = [line.split() for line in lines]
    _check_lengths(rows, 6)
    return _from_triples([(row[0], row[2], row[4]) for row in rows], np.float64)


def _from_triples(triples, dtype):
    """Return a matrix of queries x items from (query, item, value).

    An item that a query does not list gets 0 as a judgment, and the lowest score of
    that query in a run, because its score can be at most that.
    """
    _check_lengths(triples, 3)
    queries = {
        query: row for row, query in enumerate(dict.fromkeys(t[0] for t in triples))
    }
    items = {
        item: place for place, item in enumerate(dict.fromkeys(t[1] for t in triples))
    }
    rows = np.array([queries[triple[0]] for triple in triples])
    columns = np.array([items[triple[1]] for triple in triples])
    values = np.array([_number(t[2], line) for line, t in enumerate(triples)])
    if dtype == np.int64:
        matrix = np.zeros((len(queries), len(items)), dtype=dtype)
    else:
        lowest = np.full(len(queries), np.inf)
        np.minimum.at(lowest, rows, values)
        matrix = np.repeat(lowest[:, None], len(items), axis=1)
    matrix[rows, columns] = values
    return NamedMatrix(matrix, _strings(queries), _strings(items))


def _read_table(lines):
    delimiter = max(",\t;", key=lines[0].count)
    if delimiter not in lines[0]:
        rows = [line.split() for line in lines]
    else:
        rows = list(csv.reader(StringIO("\n".join(lines)), delimiter=delimiter))
    header = None
    if not all(map(_is_value, rows[0][1:] or rows[0])):
        header, *rows = rows
    _check_lengths(rows, len(rows[0]) if rows else 0)
    ids = None
    has_ids = header is not None and _ID_NAMES.fullmatch(header[0].strip().lower())
    if not rows or (len(rows[0]) < 2 and not _is_value(rows[0][0])):
        raise ValueError(
            "this is a text file without numbers; expected a CSV table with one row "
            "per query or item, a TREC run or qrels"
        )
    if has_ids or not all(_is_value(row[0]) for row in rows):
        ids = _strings(row[0] for row in rows)
        rows = [row[1:] for row in rows]
        header = header[1:] if header is not None else None
    if len(rows[0]) == 1 and rows[0][0].lstrip().startswith("["):  # one list per row
        rows = [json.loads(row[0]) for row in rows]
        _check_lengths(rows, len(rows[0]))
        header = None
    matrix = [[_number(x, line) for x in row] for line, row in enumerate(rows)]
    columns = None if header is None else _strings(header)
    return NamedMatrix(np.array(matrix), ids, columns)


def read_parquet(file, name):
    """Read a frame of embeddings: a column of lists, or one column per feature."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ValueError(
            'this is a Parquet file; install pyarrow, pip install "sk-qbnorm[formats]"'
        ) from None
    if tuple(map(int, pyarrow.__version__.split(".")[:2])) < (14, 1):
        raise ValueError(
            f"this is a Parquet file, and pyarrow {pyarrow.__version__} can run code "
            "from such files; install pyarrow 15 or later"
        )
    return _from_table(parquet.read_table(BytesIO(file.read())), name, pyarrow.types)


def _from_table(table, name, types):
    kinds = {field.name: field.type for field in table.schema}
    texts = [
        n for n, t in kinds.items() if types.is_string(t) or types.is_large_string(t)
    ]
    lists = [n for n in kinds if hasattr(kinds[n], "value_type")]
    numbers = [
        n for n, t in kinds.items() if types.is_integer(t) or types.is_floating(t)
    ]
    named = [n for n in (*texts, *numbers) if _ID_NAMES.fullmatch(n.lower())]
    id_column = (named or texts or [None])[0]
    ids = None
    if id_column is not None:
        ids = _strings(table.column(id_column).to_pylist())
    if name is None and len(lists) == 1:
        name = lists[0]
    if name in lists:
        return NamedMatrix(_from_lists(table.column(name).combine_chunks(), name), ids)
    numbers = [n for n in numbers if n != id_column]
    if name is not None or lists or not numbers:
        raise ValueError(
            f"the file has the columns {', '.join(map(repr, kinds))}; choose a column "
            "of lists of numbers with FILE.parquet:COLUMN"
        )
    matrix = np.column_stack([table.column(n).to_numpy() for n in numbers])
    return NamedMatrix(matrix, ids, _strings(numbers))


def _from_lists(column, name):
    """Return a column of lists as a matrix."""
    flat = column.flatten().to_numpy(zero_copy_only=False)
    size = getattr(column.type, "list_size", None)
    lengths = np.array([size]) if size else column.value_lengths().to_numpy()
    if column.null_count or len(set(lengths.tolist())) != 1:
        raise ValueError(
            f"the lists in column {name!r} are missing or differ in length; drop the "
            "rows without an embedding"
        )
    return flat.reshape(len(column), -1)


def _strings(names):
    return np.array([str(name) for name in names], dtype=object)


def _check_lengths(rows, length):
    for line, row in enumerate(rows):
        if len(row) != length:
            raise ValueError(
                f"row {line} of this text file has {len(row)} fields, expected "
                f"{length} as in the others; repair or drop it"
            )


def _is_number(text):
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def _is_value(text):
    return _is_number(text) or text.lstrip().startswith("[")


def _number(text, line):
    if not _is_number(text):
        raise ValueError(
            f"row {line} of this text file holds {str(text)[:40]!r} in place of a "
            "number; expected a CSV table of numbers, ids in the first column only"
        )
    return float(text)
