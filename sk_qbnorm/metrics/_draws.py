"""Queries drawn anew from those there are, and what follows for their measures."""

import numpy as np
from sklearn.utils import check_random_state, gen_batches

from sk_qbnorm._validation import check_count, check_number, check_unmasked

from ._relevance import kept_queries

_BLOCK = 2**20  # queries that are drawn at once, of all resamples together


class Draws:
    """Resamples of queries, one by one or in groups.

    Parameters
    ----------
    n_queries : int
        How many there are, without those that a mask leaves out.
    n_resamples : int
    random_state : int, RandomState instance or None
    groups : array-like or None, default=None
        Which queries belong together, also of those that a mask leaves out.
    query_mask : array-like or None, default=None
    """

    def __init__(
        self, n_queries, n_resamples, random_state, groups=None, query_mask=None
    ):
        self._n_resamples = check_count(n_resamples, "n_resamples")
        self._random_state = random_state
        self._n_queries = n_queries
        self._groups = None
        if groups is not None:
            self._groups = _members(groups, n_queries, query_mask)
        if self._n_drawn < 2:
            what = "group" if n_queries > 1 else "query"
            several = "groups" if n_queries > 1 else "queries"
            raise ValueError(
                f"An interval needs 2 {several} or more, got 1 {what}; see "
                "retrieval_report for the values alone."
            )

    @property
    def _n_drawn(self):
        return self._n_queries if self._groups is None else len(self._groups)

    def intervals(self, measure, level):
        """Return value and interval of what `measure` makes of (..., n) queries."""
        advice = "0.95 is usual"
        level = check_number(level, "confidence_level", positive=True, advice=advice)
        if level >= 1:
            raise ValueError(
                f"confidence_level must be below 1, got {level}; {advice}."
            )
        resampled = [measure(queries) for queries in self._resamples()]
        tail = (1 - level) / 2
        report = {}
        for name, value in measure(slice(None)).items():
            values = np.concatenate([block[name] for block in resampled])
            low, high = (float(end) for end in np.quantile(values, [tail, 1 - tail]))
            report[name] = {"value": float(value), "low": low, "high": high}
        return report

    def _resamples(self):
        """Yield (n_resamples, n_queries) indices of queries, some resamples at a time.

        Groups may be of any sizes, so that each resample has a length of its own.
        """
        random = check_random_state(self._random_state)
        n_rows = max(1, _BLOCK // self._n_queries)
        for rows in gen_batches(self._n_resamples, n_rows):
            size = (rows.stop - rows.start, self._n_drawn)
            drawn = random.randint(self._n_drawn, size=size)
            if self._groups is None:
                yield drawn
            else:
                for row in drawn:
                    yield np.concatenate([self._groups[group] for group in row])[None]


def _members(groups, n_queries, query_mask):
    """Return the queries of each group."""
    check_unmasked(groups, "groups")
    groups = np.asarray(groups)
    n_given = n_queries if query_mask is None else np.size(query_mask)
    if groups.shape != (n_given,):
        raise ValueError(
            f"groups must have one label a query, shape ({n_given},), got shape "
            f"{groups.shape}."
        )
    _, place = np.unique(groups[kept_queries(query_mask, n_given)], return_inverse=True)
    sizes = np.bincount(place)
    return np.split(place.argsort(kind="stable"), sizes.cumsum()[:-1])
