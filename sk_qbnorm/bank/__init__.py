"""What a querybank tells about each gallery item: statistics that merge.

A statistic is a visitor of tiles; of a bank it keeps a few numbers an item, or a bank
query, and never the bank itself, `SortedColumns` excepted. What is known of more bank
queries (``merged``), of more gallery items (``extended``) or of fewer (``kept``) comes
as a new statistic: none is ever changed once it has seen its bank.
"""

from ._activations import Activations
from ._bank import Bank
from ._log_mean_exp import LogMeanExp
from ._potentials import Potentials, half_step
from ._scaled import SOFTMAX_FACTOR, Scaled, beta_at
from ._sorted_columns import SortedColumns
from ._spread import Spread
from ._top_mean import TopMean

__all__ = [
    "SOFTMAX_FACTOR",
    "Activations",
    "Bank",
    "LogMeanExp",
    "Potentials",
    "Scaled",
    "SortedColumns",
    "Spread",
    "TopMean",
    "beta_at",
    "half_step",
]
