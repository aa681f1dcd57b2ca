"""What a querybank says about each gallery item: statistics that can be merged.

Each statistic is a visitor of tiles that stores a few numbers per gallery item, or per
bank query, and never the bank itself (except `SortedColumns`). Statistics are immutable
once their bank has been visited: ``merge`` (more bank queries), ``append_items`` (more
gallery items) and ``take_items`` (fewer) return new ones.
"""

from ._activations import Activations
from ._bank import Bank, check_mergeable
from ._log_mean_exp import LogMeanExp
from ._potentials import Potentials, half_step
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
    "SOFTMAX_FACTOR",
    "Activations",
    "Bank",
    "LogMeanExp",
    "Potentials",
    "SortedColumns",
    "Spread",
    "Statistic",
    "TopMean",
    "beta_at",
    "beta_warning",
    "check_mergeable",
    "half_step",
    "resolve_beta",
    "spread_of",
]
