"""Labeled queries for the comparison of corrections."""

import numpy as np
from sklearn.utils import gen_batches

from sk_qbnorm._arrays import is_foreign, take_rows
from sk_qbnorm._embeddings import is_on_disk
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_features
from sk_qbnorm.metrics import check_relevance, first_ranks
from sk_qbnorm.tiles import SimilaritySource, whole_matrix

_BLOCK_ENTRIES = 2**24  # of similarities that are stored at once


class LabeledQueries:
    """Similarities of queries to a gallery, block by block, and the relevant items.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_features) or (n_queries, n_gallery)
    relevant, gallery_labels, gallery_ids
        As in `relevant_ranks`. Without ids, those of the normalizer are used.
    gallery : array-like of shape (n_gallery, n_features) or None
        None for similarities.
    normalizer : BaseNormalizer
        Fitted to the same gallery.
    n_jobs : int or None
    """

    def __init__(
        self,
        queries,
        relevant,
        gallery_labels,
        gallery_ids,
        *,
        gallery,
        normalizer,
        n_jobs,
    ):
        if queries is None:
            raise ValueError(
                "queries must hold labeled queries, got None; pass embeddings, or "
                "their similarities to the gallery if fit takes similarities."
            )
        if gallery is None:
            options = {"reset": False, "names_required": False}
            queries = check_features(normalizer, queries, "queries", **options)
        self._source = SimilaritySource(
            gallery,
            normalizer.metric_,
            keep_units=not is_on_disk(gallery),
            n_jobs=n_jobs,
        )
        self.queries = self._source.check(queries)
        self.shape = self.queries.shape[0], self._source.n_gallery
        # Only the shape matters.
        placeholder = np.broadcast_to(np.float32(0), self.shape)
        if gallery_labels is None and gallery_ids is None:
            gallery_ids = normalizer.gallery_names_
        known = relevant, placeholder, gallery_labels, gallery_ids, None, "queries"
        found = check_relevance(*known, by=" of queries and relevant")
        self._indptr, self._indices = found[1:]

    def hits(self, corrections, k, n_jobs, progress):
        """Return whether a relevant item is among the first k of each query.

        Ties count as in `recall_at_k`.

        Parameters
        ----------
        corrections : list of corrections from `sk_qbnorm.corrections`
        k : int
        n_jobs : int or None
        progress : callable
            Called with the number of scores computed since the last call.

        Returns
        -------
        hits : ndarray of shape (n_corrections, n_queries), dtype bool
        """
        n_queries, n_gallery = self.shape
        n_threads = count_threads(n_jobs)
        hits = np.empty((len(corrections), n_queries), dtype=bool)
        for rows in gen_batches(n_queries, max(1, _BLOCK_ENTRIES // n_gallery)):
            queries = take_rows(self.queries, rows)
            sims = whole_matrix(self._source.tiles(queries), n_jobs)
            scores = None if is_foreign(sims) else np.empty_like(sims)
            indptr = self._indptr[rows.start : rows.stop + 1]
            indices = self._indices[indptr[0] : indptr[-1]]
            for row, correction in enumerate(corrections):
                if is_foreign(sims):
                    scores = correction.corrected(sims)
                else:
                    correction.apply(sims, scores, n_threads)
                ranks = first_ranks(scores, indptr - indptr[0], indices, "average")
                hits[row, rows] = ranks <= k
                progress(queries.shape[0] * n_gallery)
        return hits
