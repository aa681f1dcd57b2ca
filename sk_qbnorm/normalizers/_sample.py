"""What a sample of queries retrieves."""

import joblib

from ._gate import Retrieving
from ._learning import BankLearner


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
        self._of = joblib.hash(queries)
        return self

    def check_same(self, queries):
        """Raise if these are not the queries that were looked at."""
        if joblib.hash(queries) != self._of:
            raise ValueError(
                "queries have changed since the first items of the gallery were "
                "probed; call fit to start anew."
            )
