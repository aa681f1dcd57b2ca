"""How good a ranking is, how sure that is, and how much its hubs take."""

from ._agreement import hub_agreement
from ._bootstrap import bootstrap_report, paired_bootstrap_report
from ._hubness import gini_index, hubness_skewness, robin_hood_index
from ._hubness_report import hubness_report
from ._hubs import antihub_rate, hub_rate, max_k_occurrence
from ._occurrence import k_occurrence
from ._precision import average_precision
from ._ranks import mean_rank, mean_reciprocal_rank, median_rank, relevant_ranks
from ._recall import geometric_mean_recall, recall_at_k
from ._relevance import Relevance as Relevance
from ._report import retrieval_report
from ._scorers import make_retrieval_scorer, recall_scorer

__all__ = [
    "antihub_rate",
    "average_precision",
    "bootstrap_report",
    "geometric_mean_recall",
    "gini_index",
    "hub_agreement",
    "hub_rate",
    "hubness_report",
    "hubness_skewness",
    "k_occurrence",
    "make_retrieval_scorer",
    "max_k_occurrence",
    "mean_rank",
    "mean_reciprocal_rank",
    "median_rank",
    "paired_bootstrap_report",
    "recall_at_k",
    "recall_scorer",
    "relevant_ranks",
    "retrieval_report",
    "robin_hood_index",
]
