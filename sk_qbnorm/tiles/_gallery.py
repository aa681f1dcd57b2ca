"""A gallery of embeddings, prepared for a metric."""

import math
from copy import copy

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches
from sklearn.utils.extmath import row_norms

from sk_qbnorm._arrays import home_of, to_numpy
from sk_qbnorm._embeddings import unit_rows
from sk_qbnorm._validation import float_dtype

from ._foreign import ForeignGallery, lengths_of
from ._products import CallableTiles, DenseTiles, SparseTiles

_BLOCK_ROWS = 4096


def prepared_gallery(embeddings, metric, *, keep_units=False):
    """Return a gallery of embeddings of any library."""
    if home_of(embeddings) is not None:
        return ForeignGallery(embeddings, metric, keep_units=keep_units)
    return Gallery(embeddings, metric, keep_units=keep_units)


class Gallery:
    """The embeddings of a gallery and what its metric needs to know about them.

    Parameters
    ----------
    embeddings : ndarray or CSR matrix of shape (n_gallery, n_features)
        Finite.
    metric : {"cosine", "dot"} or callable
    keep_units : bool, default=False
        Whether to store a copy with rows of length 1 for ``"cosine"``, for a gallery
        that is searched often. Otherwise rows are scaled whenever they are used.
    """

    home = None  # NumPy

    def __init__(self, embeddings, metric, *, keep_units=False):
        self.metric = metric
        self._are_units = metric == "cosine" and keep_units
        if self._are_units:
            embeddings = unit_rows(
                embeddings.astype(float_dtype(embeddings), copy=False)
            )
        self.embeddings = embeddings
        has_peak = metric == "dot" and not sparse.issparse(embeddings)
        self._peak = _peak(embeddings) if has_peak else None

    def tiles(self, queries):
        """Return the similarities of queries, tile by tile."""
        gallery = self.embeddings
        if callable(self.metric):
            return CallableTiles(queries, gallery, self.metric)
        cosine = self.metric == "cosine"
        to_unit_length = cosine, cosine and not self._are_units
        if sparse.issparse(queries) or sparse.issparse(gallery):
            return SparseTiles(queries, gallery, to_unit_length)
        may_overflow = not cosine and not self._keeps_in_range(queries)
        return DenseTiles(queries, gallery, to_unit_length, may_overflow)

    def append_items(self, embeddings):
        """Return the gallery with more items at its end."""
        more = Gallery(embeddings, self.metric, keep_units=self._are_units).embeddings
        if sparse.issparse(self.embeddings):
            return self._with(sparse.vstack([self.embeddings, more], format="csr"))
        if sparse.issparse(more):
            more = more.toarray()
        return self._with(np.vstack([self.embeddings, more]))

    def take_items(self, items):
        """Return a gallery of some of the items."""
        return self._with(self.embeddings[items])

    def _moved_to(self, home):
        if home is None or sparse.issparse(self.embeddings):
            return self
        twin = ForeignGallery(home.asarray(self.embeddings), self.metric)
        twin._are_units = self._are_units
        return twin

    def _with(self, embeddings):
        twin = copy(self)
        twin.embeddings = embeddings
        twin._peak = None if self._peak is None else _peak(embeddings)
        return twin

    def longest(self):
        """Return the length of the longest item."""
        blocks = gen_batches(self.embeddings.shape[0], _BLOCK_ROWS)
        return max(float(row_lengths(self.embeddings[rows]).max()) for rows in blocks)

    def _keeps_in_range(self, queries):
        """Return whether no product can leave the range of the dtype."""
        largest = float(np.finfo(float_dtype(queries, self.embeddings)).max)
        return math.prod([queries.shape[1], self._peak, _peak(queries)]) < largest


def row_lengths(rows):
    """Return the lengths of the rows as a column."""
    if home_of(rows) is not None:
        return to_numpy(lengths_of(rows))
    return row_norms(rows.astype(np.float64))[:, None]


def _peak(matrix):
    """Return the largest absolute value."""
    return max(float(matrix.max()), -float(matrix.min()))
