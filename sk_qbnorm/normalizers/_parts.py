"""The parts of a bank or of a gallery, one after the other."""

import pickle
import tempfile
import weakref
from collections.abc import Iterator
from itertools import chain

import numpy as np
from scipy import sparse

from sk_qbnorm import _arrays
from sk_qbnorm.tiles import SAMPLE_ITEMS, sample_step

_BYTES_IN_MEMORY = 2**20  # of a stream that is read twice, before it goes to a file


class Parts:
    """Iterate over the parts of a matrix and check each when it is reached.

    Parameters
    ----------
    given : matrix or iterator of matrices
    check : callable
        Takes a part and returns the checked part and the names of its items.
    name : str
    """

    def __init__(self, given, check, name):
        self.are_many = isinstance(given, Iterator)
        self._unread = _not_empty(given) if self.are_many else iter([given])
        self._check = check
        self._name = name
        self._buffer = []

    def first(self):
        """Return the first part without removing it from the iteration."""
        if not self._read_ahead():
            raise ValueError(
                f"{self._name} must be an iterator of matrices with rows, got none; it "
                "may have been used up before."
            )
        return self._buffer[0]

    def head(self, n):
        """Return the first rows or items of the remaining parts."""
        self._read_until(n)
        return self._stack([part for part, _ in self._buffer], n)

    def n_features(self, part, metric):
        """Return the number of features of embeddings, None for similarities."""
        if metric == "precomputed":
            return None
        gallery = getattr(part, "gallery", None)
        return (part if gallery is None else gallery.embeddings).shape[1]

    def __iter__(self):
        while self._buffer or self._read_ahead():
            yield self._buffer.pop(0)

    def _read_until(self, n):
        while sum(map(self._size, self._buffer)) < n and self._read_ahead():
            pass

    def _read_ahead(self):
        for part in self._unread:
            self._buffer.append(self._check(part))
            return True
        return False

    def _size(self, checked):
        return checked[0].shape[0]

    def _stack(self, parts, n):
        if len(parts) == 1:
            return _arrays.take_rows(parts[0], slice(n))
        heads = [_arrays.take_rows(part, slice(n)) for part in parts]
        if any(map(sparse.issparse, heads)):
            return sparse.vstack(heads, format="csr")[:n]
        return _arrays.take_rows(_arrays.concat(heads), slice(n))


class GalleryParts(Parts):
    """Iterate over sources of similarities, each with some of the gallery items."""

    def sample(self):
        """Return the sample of the whole gallery that `sample_tiles` would take.

        What follows the first items is copied to a temporary file, to be read again.
        """
        self._read_until(SAMPLE_ITEMS)
        stored = _StoredParts(self._unread, lambda part: self._size(self._check(part)))
        n_items = sum(map(self._size, self._buffer)) + stored.n_rows
        step = sample_step(n_items, self._buffer[0][0].gallery.metric)
        start, sampled = 0, []
        for source, _ in chain(self._buffer, map(self._check, stored.parts())):
            items = np.arange(-start % step, source.n_gallery, step)
            if len(items):
                sampled.append(source.gallery.take_items(items))
            start += source.n_gallery
        self._unread = stored.parts()
        return _joined(sampled)

    def _size(self, checked):
        return checked[0].n_gallery

    def _stack(self, sources, n):
        return _joined([source.gallery for source in sources]).take_items(slice(0, n))


class _StoredParts:
    """Matrices in a temporary file, one of which is in memory at a time."""

    def __init__(self, parts, size):
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115, as it stays open
            _BYTES_IN_MEMORY
        )
        weakref.finalize(self, self._file.close)
        self.n_rows = 0
        for part in parts:
            self.n_rows += size(part)  # raises if it is no gallery
            pickle.dump(part, self._file, protocol=pickle.HIGHEST_PROTOCOL)

    def parts(self):
        """Yield all parts, from the first."""
        self._file.seek(0)
        while True:
            try:
                yield pickle.load(self._file)
            except EOFError:
                return


def _joined(galleries):
    first, *others = galleries
    for other in others:
        first = first.append_items(other.embeddings)
    return first


def _not_empty(parts):
    """Yield only the matrices that have rows, as a filter may leave empty ones."""
    for part in parts:
        if len(getattr(part, "shape", ())) != 2 or part.shape[0] > 0:
            yield part
