"""How good a ranking is, and how much its hubs take: measures of score matrices."""

from ._hubness import hubness_skewness, k_occurrence
from ._precision import average_precision
from ._ranks import mean_rank, mean_reciprocal_rank, median_rank, relevant_ranks
from ._recall import geometric_mean_recall, recall_at_k
from ._relevance import Relevance as Relevance
from ._report import retrieval_report
from ._scorers import make_retrieval_scorer, recall_scorer

__all__ = [
    "average_precision",
    "geometric_mean_recall",
    "hubness_skewness",
    "k_occurrence",
    "make_retrieval_scorer",
    "mean_rank",
    "mean_reciprocal_rank",
    "median_rank",
    "recall_at_k",
    "recall_scorer",
    "relevant_ranks",
    "retrieval_report",
]
