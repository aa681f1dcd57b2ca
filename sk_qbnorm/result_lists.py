"""Result lists of queries: what a search engine returns, or what its log contains."""

from __future__ import annotations

from copy import copy
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ._validation import check_count, check_unmasked, item_positions


class ResultLists:
    """The best gallery items of queries, without the similarities to all others.

    `ListSinkhornNormalizer` and `MixNormalizer` learn from result lists in place of
    similarities.

    Parameters
    ----------
    scores : array-like of shape (n_queries, n_listed) or None
        Similarities of the listed items (larger is more similar); ignored where no item
        is listed. None if only the order is known.
    indices : array-like of shape (n_queries, n_listed)
        Gallery index of each listed item, -1 for none; or its name, None for none.
        Without scores, best first.
    n_gallery : int, default=None
        Number of gallery items. Required for indices.
    gallery_ids : array-like of shape (n_gallery,), default=None
        Names of the gallery items, strings or integers. Required for names. Items that
        no query lists count too.

    Attributes
    ----------
    scores : ndarray of shape (n_queries, n_listed)
        Similarities in descending order, minus infinity for no item. Without scores,
        0, -1, -2, ... by rank.
    items : ndarray of shape (n_queries, n_listed), dtype int64
        Gallery indices, -1 for no item.
    has_scores : bool
        Whether scores were passed.
    gallery_ids : ndarray of shape (n_gallery,) or None
        Names of the gallery items.
    shape : tuple of int
        Number of queries and of gallery items.

    Raises
    ------
    ValueError
        If the shapes differ, a score is not finite, an item is unknown or listed twice
        by a query, or the size of the gallery is missing.

    See Also
    --------
    ListSinkhornNormalizer : Learns from result lists.
    sk_qbnorm.metrics.k_occurrence : Counts how often each item is listed.

    Examples
    --------
    >>> from sk_qbnorm import ResultLists
    >>> lists = ResultLists(
    ...     [[0.9, 0.7], [0.8, 0.0]], [["cat", "dog"], ["dog", None]],
    ...     gallery_ids=["cat", "dog", "fox"],
    ... )
    >>> lists.items
    array([[ 0,  1],
           [ 1, -1]])
    >>> lists.shape
    (2, 3)
    """

    ndim = 2

    def __init__(
        self,
        scores: ArrayLike | None,
        indices: ArrayLike,
        *,
        n_gallery: int | None = None,
        gallery_ids: ArrayLike | None = None,
    ) -> None:
        check_unmasked(indices, "indices")
        items = np.asarray(indices)
        if items.ndim != 2:
            raise ValueError(
                f"indices must be a matrix with one row per query, got {items.ndim} "
                "dimensions; fill up short rows with -1 or None."
            )
        self.gallery_ids = None
        if gallery_ids is not None:
            self.gallery_ids = np.asarray(gallery_ids)
            n_gallery = len(self.gallery_ids)
            items = _positions(items, self.gallery_ids)
        elif n_gallery is None:
            raise ValueError(
                "n_gallery must be the number of gallery items if indices hold gallery "
                "indices, got None; pass it, or pass gallery_ids for names."
            )
        check_count(n_gallery, "n_gallery")
        self.n_gallery = int(n_gallery)
        self.items = _check_items(items, self.n_gallery)
        self.has_scores = scores is not None
        if scores is None:
            scores = np.broadcast_to(
                -np.arange(items.shape[1], dtype=float), items.shape
            )
        scores = _check_scores(scores, self.items)
        self.scores, self.items = _best_first(scores, self.items)

    @classmethod
    def from_graph(cls, graph: sparse.sparray | sparse.spmatrix) -> Self:
        """Make lists of a sparse matrix, whose explicit entries are the listed items.

        Parameters
        ----------
        graph : sparse matrix of shape (n_queries, n_gallery)
            Similarities of the listed items, such as a neighbors graph. Explicit zeros
            are similarities too.

        Returns
        -------
        lists : ResultLists
            The lists.
        """
        graph = sparse.csr_array(graph)
        lengths = np.diff(graph.indptr)
        is_listed = np.arange(max(1, lengths.max(initial=0))) < lengths[:, None]
        items = np.full(is_listed.shape, -1)
        scores = np.zeros(is_listed.shape, dtype=graph.dtype)
        items[is_listed], scores[is_listed] = graph.indices, graph.data
        return cls(scores, items, n_gallery=graph.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of queries and of gallery items."""
        return len(self.items), self.n_gallery

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: object) -> Self:
        """Return the lists of some queries."""
        return self._with(self.scores[rows], self.items[rows])

    def __repr__(self) -> str:
        n_queries, n_gallery = self.shape
        return (
            f"<ResultLists of {n_queries} queries, up to {self.items.shape[1]} of "
            f"{n_gallery} items each>"
        )

    def append_queries(self, other: ResultLists) -> Self:
        """Return the lists of these queries and of others on the same gallery.

        Parameters
        ----------
        other : ResultLists
            More lists.

        Returns
        -------
        lists : ResultLists
            All lists.
        """
        if other.n_gallery != self.n_gallery or other.has_scores != self.has_scores:
            raise ValueError(
                "Result lists must have the same gallery, and all have scores or none, "
                f"got {self!r} and {other!r}."
            )
        width = max(self.items.shape[1], other.items.shape[1])
        parts = [_widened(each.scores, each.items, width) for each in (self, other)]
        return self._with(*map(np.vstack, zip(*parts, strict=True)))

    def append_items(self, other: ResultLists) -> Self:
        """Return the lists of the same queries on this gallery and on more items.

        Parameters
        ----------
        other : ResultLists
            Lists of the same queries, of the items that are appended.

        Returns
        -------
        lists : ResultLists
            All listed items of each query.
        """
        if len(other) != len(self):
            raise ValueError(
                f"Result lists must be of the same {len(self)} queries, got "
                f"{len(other)}; pass them in the same order."
            )
        items = np.where(other.items < 0, -1, other.items + self.n_gallery)
        scores = np.hstack([self.scores, other.scores])
        items = np.hstack([self.items, items])
        lists = self._with(*_best_first(scores, items))
        lists.n_gallery = self.n_gallery + other.n_gallery
        if self.gallery_ids is not None and other.gallery_ids is not None:
            ids = [self.gallery_ids, other.gallery_ids]
            lists.gallery_ids = np.concatenate(ids)
        return lists

    def take_items(self, items: ArrayLike) -> Self:
        """Return the lists without the other items of the gallery.

        Parameters
        ----------
        items : array-like of shape (n_left,)
            Gallery indices of the items to keep, in ascending order.

        Returns
        -------
        lists : ResultLists
            Shorter lists of a smaller gallery.
        """
        items = np.asarray(items)
        places = np.full(self.n_gallery + 1, -1)  # the last is for no item
        places[items] = np.arange(len(items))
        left = places[self.items]
        scores = np.where(left < 0, -np.inf, self.scores).astype(self.scores.dtype)
        lists = self._with(*_best_first(scores, left))
        lists.n_gallery = len(items)
        if self.gallery_ids is not None:
            lists.gallery_ids = self.gallery_ids[items]
        return lists

    def first(self, n: int) -> tuple[NDArray, NDArray]:
        """Return the first n items of each list, filled up with no items.

        Parameters
        ----------
        n : int
            Number of columns.

        Returns
        -------
        scores : ndarray of shape (n_queries, n)
            Minus infinity for no item.
        items : ndarray of shape (n_queries, n), dtype int64
            Gallery indices, -1 for no item.
        """
        return _widened(self.scores[:, :n], self.items[:, :n], n)

    def _with(self, scores, items):
        twin = copy(self)
        twin.scores, twin.items = scores, items
        return twin


def as_lists(given: object) -> ResultLists | None:
    """Return result lists that were passed as such or as a graph, None for others."""
    if isinstance(given, ResultLists):
        return given
    return ResultLists.from_graph(given) if sparse.issparse(given) else None


def _positions(items, names):
    """Return the gallery indices of names, -1 for None."""
    missing = np.equal(items, None) | (items == -1)
    found = np.full(items.shape, -1)
    if not missing.all():
        found[~missing] = item_positions(items[~missing], names)
    return found


def _check_items(items, n_gallery):
    if items.dtype.kind not in "iu":
        raise ValueError(
            f"indices must be integers if gallery_ids is None, got {items.dtype}."
        )
    items = items.astype(np.int64)
    outside = (items < -1) | (items >= n_gallery)
    if outside.any():
        raise ValueError(
            f"indices must be in [0, {n_gallery}), or -1 for no item, got "
            f"{items[outside][0]}."
        )
    ordered = np.sort(items, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        row = int(np.flatnonzero(twice.any(axis=1))[0])
        raise ValueError(
            f"indices must list each item once per query, got an item twice in row "
            f"{row}."
        )
    return items


def _check_scores(scores, items):
    check_unmasked(scores, "scores")
    scores = np.asarray(scores)
    scores = scores.astype(np.float32 if scores.dtype == np.float32 else np.float64)
    if scores.shape != items.shape:
        raise ValueError(
            f"scores must have the shape of indices, {items.shape}, got {scores.shape}."
        )
    if not np.isfinite(scores[items >= 0]).all():
        raise ValueError(
            "scores must be finite for listed items, got NaN or infinity; set indices "
            "to -1 where no item is listed."
        )
    scores[items < 0] = -np.inf
    return scores


def _best_first(scores, items):
    """Return the lists in descending order of scores, equal ones by item."""
    is_ordered = scores[:, :-1] > scores[:, 1:]
    is_equal = scores[:, :-1] == scores[:, 1:]
    is_ordered |= is_equal & (items[:, :-1] <= items[:, 1:])
    rows = np.flatnonzero(~is_ordered.all(axis=1))  # few, of most engines
    order = np.lexsort((items[rows], -scores[rows]))
    for each in (scores, items):
        each[rows] = np.take_along_axis(each[rows], order, axis=1)
    return scores, items


def _widened(scores, items, width):
    if items.shape[1] == width:
        return scores, items
    missing = [(0, 0), (0, width - items.shape[1])]
    return (
        np.pad(scores, missing, constant_values=-np.inf),
        np.pad(items, missing, constant_values=-1),
    )
