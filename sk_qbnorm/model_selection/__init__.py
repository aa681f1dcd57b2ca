"""Choose a correction by few labelled queries, and do no harm with it."""

from ._candidates import default_candidates
from ._gain import gain_lower_bounds
from ._scorer import gain_scorer
from ._search import NormalizerSearch
from ._split import QuerybankSplit

__all__ = [
    "NormalizerSearch",
    "QuerybankSplit",
    "default_candidates",
    "gain_lower_bounds",
    "gain_scorer",
]
