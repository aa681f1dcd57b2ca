"""Queries of which it is known what is relevant, to judge corrections by."""

import numpy as np
from sklearn.utils import gen_batches

from sk_qbnorm._embeddings import (
    check_columns,
    check_embeddings,
    check_widths,
    is_on_disk,
)
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_features
from sk_qbnorm.metrics import check_relevance, first_ranks
from sk_qbnorm.tiles import Gallery, whole_matrix

_BLOCK_ENTRIES = 2**24  # of similarities that are held at once


class LabelledQueries:
    """Similarities of queries to a gallery, some rows at a time, and what is relevant.

    Parameters
    ----------
    rows_of : callable
        From a slice of the queries to their similarities, C-contiguous.
    n_gallery : int
    indptr, indices : ndarray, dtype int64
        The relevant items of each query in CSR form.
    """

    def __init__(self, rows_of, n_gallery, indptr, indices):
        self.shape = len(indptr) - 1, n_gallery
        self._rows_of = rows_of
        self._indptr, self._indices = indptr, indices

    @classmethod
    def of_similarities(cls, queries, relevant, gallery_labels, fitted):
        """Take similarities to the gallery that a normalizer was fitted to."""
        _check_given(queries)
        options = {"reset": False, "names_required": False}
        sims = check_features(fitted, queries, "queries", **options)
        indptr, indices = _relevant(relevant, sims, gallery_labels)

        def rows_of(rows):
            return np.ascontiguousarray(sims[rows])

        return cls(rows_of, sims.shape[1], indptr, indices)

    @classmethod
    def of_embeddings(
        cls, queries, relevant, gallery_labels, gallery, metric, n_jobs=None
    ):
        """Take embeddings of queries and of a gallery that a normalizer has checked."""
        _check_given(queries)
        check_columns(queries, gallery, "queries", metric)
        queries = check_embeddings(queries, "queries", keep_on_disk=True)
        gallery = check_embeddings(gallery, "gallery", finite=False, keep_on_disk=True)
        check_widths(queries, gallery, "queries", metric)
        shape = queries.shape[0], gallery.shape[0]
        unseen = np.broadcast_to(np.float32(0), shape)  # its shape is all that matters
        indptr, indices = _relevant(relevant, unseen, gallery_labels)
        ready = Gallery(gallery, metric, keep_units=not is_on_disk(gallery))

        def rows_of(rows):
            return whole_matrix(ready.tiles(queries[rows]), n_jobs, lambda n_shown: 0)

        return cls(rows_of, gallery.shape[0], indptr, indices)

    def hits(self, corrections, k, n_jobs, progress):
        """Tell whether a relevant item is among the first k, ties as in `recall_at_k`.

        Parameters
        ----------
        corrections : list of those in `corrections`
        k : int
        n_jobs : int or None
        progress : callable
            Called with the number of scores made since the last time.

        Returns
        -------
        hits : ndarray of shape (n_corrections, n_queries), dtype bool
        """
        n_queries, n_gallery = self.shape
        n_threads = count_threads(n_jobs)
        hits = np.empty((len(corrections), n_queries), dtype=bool)
        for rows in gen_batches(n_queries, max(1, _BLOCK_ENTRIES // n_gallery)):
            sims = self._rows_of(rows)
            scores = np.empty_like(sims)
            indptr = self._indptr[rows.start : rows.stop + 1]
            indices = self._indices[indptr[0] : indptr[-1]]
            for row, correction in enumerate(corrections):
                correction.apply(sims, scores, n_threads)
                ranks = first_ranks(scores, indptr - indptr[0], indices, "average")
                hits[row, rows] = ranks <= k
                progress(sims.size)
        return hits


def _check_given(queries):
    if queries is None:
        raise ValueError(
            "queries must be labelled queries to choose by, got None; pass embeddings "
            'of some, or with metric="precomputed" their similarities to the gallery.'
        )


def _relevant(relevant, sims, gallery_labels):
    """Return the relevant items of all queries in CSR form."""
    known = relevant, sims, gallery_labels, None, "queries"
    return check_relevance(*known, by=" of queries and relevant")[1:]
