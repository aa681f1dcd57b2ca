"""The files of ``sk-qbnorm report``."""

from pathlib import Path

import numpy as np

from sk_qbnorm.datasets import load_matrix
from sk_qbnorm.reporting import flatten_captions, orient_bank

from ._columns import as_indices, check_unique, columns_of, items_in_columns


class ReportFiles:
    """The arrays in the files, and the arguments of `report` for each direction."""

    def __init__(self, bank, queries, gallery, relevant, names, masks, bank_rows):
        self._paths = {"bank": bank, "queries": queries, "gallery": gallery}
        self._bank_rows = bank_rows
        self.notes = []
        loaded = load_matrix(bank, return_ids=True)
        self._bank = loaded[0]
        self._queries = self._gallery = None
        self._query_ids = self._gallery_ids = self._groups = self._relevant = None
        if gallery is not None:
            self._gallery, self._gallery_ids, _ = load_matrix(gallery, return_ids=True)
        is_named = False
        if queries is not None:
            is_named = self._read_queries(queries, loaded)
        elif relevant is not None or masks is not None:
            raise ValueError("--relevant and --masks need --queries; pass it too.")
        elif gallery is None:
            self._gallery_ids = loaded[1 if bank_rows == "items" else 2]
        if names is not None:
            self._gallery_ids = _read_names(names)
        self._check_shapes()
        if self._gallery is None and not is_named:
            self._bank = self._oriented(self._bank, bank, *self._gallery_of_bank(names))
        self._check_names(names)
        self._mask = None if masks is None else self._read_mask(masks)
        if relevant is not None:
            self._relevant = self._read_relevant(relevant)

    def _read_queries(self, path, bank):
        """Read the queries; return whether their names settle the columns."""
        self._queries, self._query_ids, items = load_matrix(path, return_ids=True)
        if self._queries.ndim == 3:
            self._queries, self._groups = flatten_captions(self._queries, path)
            self._relevant = self._groups
        if self._gallery is not None or items is None:
            return False
        self._gallery_ids = items
        if bank[2] is None:
            return False
        check_unique(items, path)
        self._align(*items_in_columns(bank, items, self._paths["bank"], path))
        return True

    def _align(self, bank, bank_items):
        """Give bank and queries the same columns, by name."""
        items = [*dict.fromkeys([*self._gallery_ids, *bank_items])]
        n_unknown = 2 * len(items) - len(self._gallery_ids) - len(bank_items)
        if n_unknown:
            self.notes.append(
                f"{n_unknown} gallery items are in the queries or in the bank only; "
                "they get the lowest score of each row of the other."
            )
        self._queries = columns_of(self._queries, self._gallery_ids, items)
        self._bank = columns_of(bank, bank_items, items)
        self._gallery_ids = np.array(items, dtype=object)

    def _check_shapes(self):
        arrays = {"bank": self._bank, "queries": self._queries}
        for name, array in (arrays | {"gallery": self._gallery}).items():
            if array is not None:
                _check_matrix(array, self._paths[name])
        if self._gallery is not None:
            for name, array in arrays.items():
                if array is not None:
                    self._check_features(array, self._paths[name])

    def _check_features(self, array, path):
        """Raise unless embeddings have as many features as the gallery."""
        n_features = self._gallery.shape[1]
        if array.shape[1] == n_features:
            return
        advice = "embed both with the same model"
        if len(array) == n_features:
            advice += f", or transpose {path} if its rows are the features"
        raise ValueError(
            f"{path} has shape {array.shape}, {self._paths['gallery']} has shape "
            f"{self._gallery.shape}; embeddings must have the same number of columns: "
            f"{advice}. For similarities leave out --gallery."
        )

    def _gallery_of_bank(self, names):
        """Return the number of items that the other files tell, and that in words."""
        if self._queries is not None:
            shape = self._queries.shape
            return shape[1], f"{self._paths['queries']} has shape {shape}"
        if names is not None:
            n_names = len(self._gallery_ids)
            return n_names, f"{names} has {n_names} names"
        return None, ""

    def _oriented(self, bank, path, n_gallery, others):
        names = {"bank_name": path, "queries_name": others}
        bank, notes = orient_bank(bank, n_gallery, self._bank_rows, **names)
        self.notes += notes
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
            return self._judgments(given, matrix, rows, columns)
        matrix = as_indices(matrix, (n_queries, n_gallery))
        if matrix.shape not in ((n_queries,), (n_queries, n_gallery)):
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
        matrix = columns_of((matrix > 0).astype(np.int8), columns, self._gallery_ids)
        matrix = columns_of(matrix.T, rows, self._query_ids).T
        judged = matrix.any(axis=1)
        if not judged.any():
            raise ValueError(
                f"{path} names no query or no item of the other files; all must use "
                "the same ids."
            )
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
        loaded = load_matrix(path, return_ids=True)
        bank = loaded[0]
        _check_matrix(bank, path)
        kept = ~np.isneginf(self._queries).all(axis=1)
        if self._mask is not None:
            kept &= self._mask
        queries, gallery, relevant, mask = self._queries.T, None, None, None
        if self._gallery is not None:
            self._check_features(bank, path)
            queries, gallery = self._gallery, self._queries[kept]
        else:
            bank = self._other_bank(loaded, path)[:, kept]
            queries = queries[:, kept]
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

    def _other_bank(self, loaded, path):
        """Return the bank of the other direction with the queries in its columns."""
        queries_path, ids = self._paths["queries"], self._query_ids
        if ids is not None and loaded[2] is not None:
            bank, names = items_in_columns(loaded, ids, path, queries_path)
            n_unknown = len(set(ids) - set(names))
            if n_unknown:
                self.notes.append(
                    f"{n_unknown} queries are not in {path}; they get the lowest score "
                    "of each of its rows."
                )
            return columns_of(bank, names, ids)
        shape = self._queries.T.shape
        others = f"{queries_path} has shape {shape}, seen from the other direction"
        return self._oriented(loaded[0], path, shape[1], others)


def _read_names(path):
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} must be a text file in UTF-8 with one name per line ({error})."
        ) from None
    return np.array(lines, dtype=object)


def _check_matrix(array, path):
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{path} must hold a matrix, got shape {array.shape}.")
