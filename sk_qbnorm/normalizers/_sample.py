"""What a sample of queries retrieves."""

from hashlib import blake2b

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from sk_qbnorm import distributed
from sk_qbnorm._embeddings import check_embeddings

from ._gate import Retrieving
from ._learning import BankLearner

_BLOCK_ROWS = 4096


class _Nothing(BankLearner):
    """Learns nothing, by itself."""

    def _check_parameters(self):
        """Nothing to check: its parameters come from another one."""

    def _statistics(self, tiles):
        return {}

    def _conclude(self, bank):
        self.counts_ = bank["activation"].value()

    def _correction(self):
        """Nothing to correct."""


class Sample(Retrieving, _Nothing):
    """Counts what a sample of queries retrieves."""

    _bank_name = "queries"

    def __init__(self, n_activation, metric, n_jobs):
        self.n_activation = n_activation
        self.metric = metric
        self.n_jobs = n_jobs
        self.verbose = False

    def of(self, queries, gallery):
        """Look at what queries retrieve of a gallery."""
        self.partial_fit(queries, gallery)
        if self.n_bank_seen_ < 2:
            raise ValueError(
                "queries must be 2 or more, better 50 to 200, got 1; pass a larger "
                "sample of those that are to be corrected."
            )
        self._of = _fingerprint(queries)
        return self

    def check_same(self, queries):
        """Raise if these are not the queries that were looked at."""
        if _fingerprint(queries) != self._of:
            raise ValueError(
                "queries have changed since the first items of the gallery were "
                "probed; call fit to start anew."
            )


def _fingerprint(queries):
    """Return what two samples share if their numbers and dtype are the same.

    It depends on neither strides nor the kind of container: pickling changes both.
    """
    if distributed.is_dask(queries):
        queries = queries.compute()
    options = {"name": "queries", "finite": False}
    checked = check_embeddings(queries, keep_on_disk=True, **options)
    known = blake2b(repr(checked.shape).encode())
    for rows in gen_batches(checked.shape[0], _BLOCK_ROWS):
        block = sparse.csr_array(check_embeddings(checked[rows], **options), copy=True)
        block.eliminate_zeros()
        known.update(block.dtype.str.encode())
        for places in (block.indptr, block.indices):
            known.update(places.astype(np.int64))
        known.update(block.data)
    return known.hexdigest()
