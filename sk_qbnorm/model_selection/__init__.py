"""Choose a correction with few labeled queries, or none if none clearly helps."""

from ._before_after import BeforeAfter as BeforeAfter  # for sk_qbnorm.inspection
from ._beta_curve import beta_curve
from ._beta_curve import recall_curve as recall_curve  # for sk_qbnorm.inspection
from ._candidates import default_candidates
from ._compare import Comparison as Comparison  # for sk_qbnorm.reporting
from ._compare import compare
from ._compare import named_normalizers as named_normalizers  # for sk_qbnorm.reporting
from ._gain import gain_lower_bounds
from ._scorer import gain_scorer
from ._search import NormalizerSearch
from ._split import QuerybankSplit

__all__ = [
    "NormalizerSearch",
    "QuerybankSplit",
    "beta_curve",
    "compare",
    "default_candidates",
    "gain_lower_bounds",
    "gain_scorer",
]
