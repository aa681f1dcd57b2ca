"""``sk-qbnorm report``: from files to a decision and to the tables of a paper."""

import sys
from pathlib import Path

import numpy as np

from sk_qbnorm.datasets import load_matrix
from sk_qbnorm.reporting import (
    FORMATS,
    flatten_captions,
    orient_bank,
    render,
    write_file,
)
from sk_qbnorm.reporting import report as make_report


def report(
    bank,
    *,
    queries=None,
    gallery=None,
    relevant=None,
    names=None,
    masks=None,
    both=None,
    bank_rows=None,
    beta="scale",
    metric=None,
    format="html",
    output=None,
    title=None,
    write=print,
):
    """Read files, write a report, and print the recommendation.

    Parameters
    ----------
    bank : str
        File with similarities of bank queries x gallery, or embeddings.
    queries, gallery : str, default=None
        Files in the same form; the gallery only with embeddings.
    relevant : str, default=None
        A file, ``"diagonal"`` or ``"captions"``.
    names : str, default=None
        Text file with one name per gallery item.
    masks : str, default=None
        File with 0 for queries to leave out.
    both : str, default=None
        File with the bank of the other direction, where the gallery items are the
        queries.
    bank_rows : {"queries", "items"}, default=None
        What the rows of square banks are.
    beta : float or "scale", default="scale"
        Inverse temperature.
    metric : {"cosine", "dot"}, default=None
        How to compare embeddings.
    format : {"html", "markdown", "latex", "csv", "json"}, default="html"
        The kind of file to write.
    output : str, default=None
        The file to write.
    title : str, default=None
        Title of the report.
    write : callable, default=print
        Called with one line of text at a time.
    """
    output = Path(output or f"report{FORMATS[format]}")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise ValueError(
            f"--output {output} must be a file in a folder that exists; create the "
            "folder, or pass the name of a file."
        )
    given = _Files(bank, queries, gallery, relevant, names, masks, bank_rows)
    options = {"beta": beta, "metric": metric, "verbose": sys.stderr is not None}
    title = title or output.stem
    results = [make_report(**given.forth(), title=title, **options)]
    if both is not None:
        named = {"title": f"{title}, other direction"}
        results.append(make_report(**given.back(both), **named, **options))
    for note in given.notes:
        results[0].notes.insert(0, note)
    write_file(output, render(results, format))
    for result in results:
        _summarize(result, write)
    write(f"written to {output}")


def _summarize(result, write):
    chosen = "leave the scores alone" if result.choice == "raw" else result.choice
    write(f"{result.title}: {chosen}")
    write(result.reason)
    rows = result.tables["comparison"]
    recalls = [name for name in rows["raw"] if name[7:].isdigit()]
    names = [name.replace("recall", "R") for name in recalls]
    names += ["MdR"] * bool(recalls) + ["skewness"]
    write(f"{'':30}" + "".join(f"{name:>9}" for name in names))
    for name, row in rows.items():
        cells = [f"{100 * row[recall]:9.1f}" for recall in recalls]
        cells += [f"{row['median_rank']:9.1f}" for _ in recalls[:1]]
        write(f"{name:30}{''.join(cells)}{row['hubness_skewness']:9.2f}")


class _Files:
    """The arrays in the files, and the arguments of `report` for each direction."""

    def __init__(self, bank, queries, gallery, relevant, names, masks, bank_rows):
        self._paths = {"bank": bank, "queries": queries, "gallery": gallery}
        self._bank_rows = bank_rows
        self.notes = []
        self._bank, _, bank_items = load_matrix(bank, return_ids=True)
        self._queries = self._gallery = None
        self._query_ids = self._gallery_ids = self._groups = self._relevant = None
        if gallery is not None:
            loaded = load_matrix(gallery, return_ids=True)
            self._gallery, self._gallery_ids, _ = loaded
        if queries is not None:
            loaded = load_matrix(queries, return_ids=True)
            self._queries, self._query_ids, items = loaded
            self._read_queries(items, bank_items)
        elif relevant is not None or masks is not None:
            raise ValueError("--relevant and --masks need --queries; pass it too.")
        self._check_shapes()
        if names is not None:
            text = Path(names).read_text(encoding="utf-8")
            self._gallery_ids = np.array(text.splitlines(), dtype=object)
        self._check_names(names)
        self._mask = None if masks is None else self._read_mask(masks)
        if relevant is not None:
            self._relevant = self._read_relevant(relevant)

    def _read_queries(self, items, bank_items):
        if self._queries.ndim == 3:
            path = self._paths["queries"]
            self._queries, self._groups = flatten_captions(self._queries, path)
            self._relevant = self._groups
        if self._gallery is None and items is not None:
            self._gallery_ids = items
            if bank_items is not None:
                self._align(bank_items)

    def _align(self, bank_items):
        """Give bank and queries the same columns, by name."""
        items = [*dict.fromkeys([*self._gallery_ids, *bank_items])]
        if len(items) == len(self._gallery_ids) + len(bank_items):
            raise ValueError(
                f"{self._paths['bank']} and {self._paths['queries']} share no name of "
                "a column; both must hold the same gallery, one column per item."
            )
        n_unknown = 2 * len(items) - len(self._gallery_ids) - len(bank_items)
        if n_unknown:
            self.notes.append(
                f"{n_unknown} gallery items are in the queries or in the bank only; "
                "they get the lowest score of each row of the other."
            )
        self._queries = _columns_of(self._queries, self._gallery_ids, items)
        self._bank = _columns_of(self._bank, bank_items, items)
        self._gallery_ids = np.array(items, dtype=object)

    def _check_shapes(self):
        arrays = {"bank": self._bank, "queries": self._queries}
        arrays["gallery"] = self._gallery
        for name, array in arrays.items():
            if array is not None and (array.ndim != 2 or array.size == 0):
                raise ValueError(
                    f"{self._paths[name]} must hold a matrix, got shape {array.shape}."
                )
        if self._gallery is None:
            if self._queries is not None:
                self._bank = self._oriented(self._bank, self._paths["bank"])
            return
        for name in ("bank", "queries"):
            array = arrays[name]
            if array is not None and array.shape[1] != self._gallery.shape[1]:
                raise ValueError(
                    f"{self._paths[name]} has shape {array.shape}, "
                    f"{self._paths['gallery']} has shape {self._gallery.shape}; "
                    "embeddings must have the same number of columns, so embed both "
                    "with the same model. For similarities leave out --gallery."
                )

    def _oriented(self, bank, path, *, other=False):
        queries = self._queries.T if other else self._queries
        turned = ", seen from the other direction" if other else ""
        shape = f"{self._paths['queries']} has shape {queries.shape}{turned}"
        names = {"bank_name": path, "queries_name": shape}
        bank, is_turned = orient_bank(bank, queries.shape[1], self._bank_rows, **names)
        if is_turned:
            self.notes.append(f"{path}: its rows are the gallery items; transposed.")
        return bank

    def _check_names(self, path):
        n_gallery, ids = self._n_gallery(), self._gallery_ids
        if ids is not None and len(ids) != n_gallery:
            raise ValueError(
                f"{path} has {len(ids)} names, expected one line for each of the "
                f"{n_gallery} gallery items."
            )

    def _n_gallery(self):
        return self._bank.shape[1] if self._gallery is None else len(self._gallery)

    def _read_mask(self, path):
        mask = load_matrix(path).ravel()
        if mask.size != len(self._queries) or not np.isin(mask, (0, 1)).all():
            raise ValueError(
                f"{path} must hold 0 or 1 for each of the {len(self._queries)} "
                f"queries, got {mask.size} values."
            )
        self.notes.append(f"{(mask == 0).sum()} masked queries were left out.")
        return mask.astype(bool)

    def _read_relevant(self, given):
        n_queries = len(self._queries)
        n_gallery = self._n_gallery()
        if given == "diagonal":
            if n_queries != n_gallery:
                raise ValueError(
                    f"--relevant diagonal needs one query per item, got {n_queries} "
                    f"queries and {n_gallery} gallery items; pass a file, or captions."
                )
            return np.arange(n_queries)
        if given == "captions":
            size, left_over = divmod(n_queries, n_gallery)
            if left_over or not size:
                raise ValueError(
                    f"--relevant captions needs a whole number of captions per item, "
                    f"got {n_queries} queries and {n_gallery} gallery items; pass a "
                    "file with one gallery index per query."
                )
            self._groups = np.repeat(np.arange(n_gallery), size)
            return self._groups
        matrix, rows, columns = load_matrix(given, return_ids=True)
        if rows is not None and columns is not None:
            matrix = self._judgments(given, matrix, rows, columns)
        elif matrix.shape not in ((n_queries,), (n_queries, n_gallery)):
            raise ValueError(
                f"{given} has shape {matrix.shape}; expected {n_queries} gallery "
                f"indices, or 0 and 1 of shape {(n_queries, n_gallery)}."
            )
        return matrix

    def _judgments(self, path, matrix, rows, columns):
        """Return judgments by name as 0 and 1, and mask the queries without any."""
        if self._query_ids is None or self._gallery_ids is None:
            raise ValueError(
                f"{path} names queries and items, but the other files have no ids; "
                "use CSV or Parquet files with ids, or pass gallery indices."
            )
        matrix = _columns_of((matrix > 0).astype(np.int8), columns, self._gallery_ids)
        matrix = _columns_of(matrix.T, rows, self._query_ids).T
        judged = matrix.any(axis=1)
        if not judged.all():
            missing = (~judged).sum()
            self.notes.append(f"{missing} queries have no relevant item; left out.")
            self._mask = judged if self._mask is None else self._mask & judged
        return matrix

    def forth(self):
        """Return the arguments of `report` for the direction of the files."""
        return {
            "querybank": self._bank,
            "queries": self._queries,
            "gallery": self._gallery,
            "relevant": self._relevant,
            "gallery_ids": self._gallery_ids,
            "query_mask": self._mask,
            "groups": self._groups,
            "bank_rows": "queries",  # settled here, by the names of the files
        }

    def back(self, path):
        """Return the arguments for the other direction: items are the queries."""
        if self._queries is None:
            raise ValueError("--both needs --queries; pass it too.")
        bank = load_matrix(path)
        kept = ~np.isneginf(self._queries).all(axis=1)
        if self._mask is not None:
            kept &= self._mask
        queries, gallery, relevant, mask = self._queries.T, None, None, None
        if self._gallery is not None:
            queries, gallery = self._gallery, self._queries[kept]
        else:
            bank = self._oriented(bank, path, other=True)
            bank, queries = bank[:, kept], queries[:, kept]
        if self._relevant is not None:
            indicator = self._relevant
            if indicator.ndim == 1:
                places = np.arange(len(queries))
                indicator = (indicator[:, None] == places).astype(np.int8)
            relevant = indicator[kept].T
            mask = relevant.any(axis=1)
        ids = None if self._query_ids is None else self._query_ids[kept]
        return {
            "querybank": bank,
            "queries": queries,
            "gallery": gallery,
            "relevant": relevant,
            "gallery_ids": ids,
            "query_mask": mask,
            "bank_rows": "queries",
        }


def _columns_of(matrix, names, wanted):
    """Return the columns by name; unknown ones hold the smallest value of each row."""
    places = {name: place for place, name in enumerate(names)}
    found = np.array([places.get(name, -1) for name in wanted])
    columns = matrix[:, found].copy()
    lowest = matrix.min(axis=1) if matrix.dtype.kind == "f" else np.zeros(len(matrix))
    columns[:, found < 0] = lowest.astype(matrix.dtype)[:, None]
    return columns
