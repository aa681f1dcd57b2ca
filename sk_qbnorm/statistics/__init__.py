"""What a querybank says about each gallery item: statistics that can be merged.

Each statistic is a visitor of tiles that stores a few numbers per gallery item, or per
bank query, and never the bank itself (except `SortedColumns`). Statistics are immutable
once their bank has been visited: ``merge`` (more bank queries), ``append_items`` (more
gallery items) and ``take_items`` (fewer) return new ones.
"""

from ._bank import Bank, check_mergeable
from ._best_of_queries import Activations, BestOfQueries, ListPotentials
from ._caps import Caps, check_caps, largest_count
from ._limited_log_mean_exp import LimitedLogMeanExp
from ._log_mean_exp import LogMeanExp
from ._potentials import Potentials
from ._shrinkage import SHRINKAGES, shrunken_bias
from ._sorted_columns import SortedColumns
from ._spread import (
    SOFTMAX_FACTOR,
    Spread,
    beta_at,
    beta_warning,
    resolve_beta,
    spread_of,
)
from ._statistic import Statistic
from ._top_mean import TopMean

__all__ = [
    "SHRINKAGES",
    "SOFTMAX_FACTOR",
    "Activations",
    "Bank",
    "BestOfQueries",
    "Caps",
    "LimitedLogMeanExp",
    "ListPotentials",
    "LogMeanExp",
    "Potentials",
    "SortedColumns",
    "Spread",
    "Statistic",
    "TopMean",
    "beta_at",
    "beta_warning",
    "check_caps",
    "check_mergeable",
    "largest_count",
    "resolve_beta",
    "shrunken_bias",
    "spread_of",
]
