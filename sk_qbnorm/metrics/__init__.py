"""Measures of retrieval and of hubness, with confidence intervals."""

# Names imported with "as" are for other packages of sk_qbnorm and not public.
from ._agreement import agreement_of as agreement_of
from ._agreement import chance_variation as chance_variation
from ._agreement import hub_agreement
from ._bootstrap import QueryBootstrap as QueryBootstrap
from ._bootstrap import bootstrap_report, paired_bootstrap_report
from ._bootstrap import check_same_shape as check_same_shape
from ._frame import as_table as as_table
from ._hubness import (
    antihub_rate,
    gini_index,
    hub_rate,
    hubness_skewness,
    max_k_occurrence,
    robin_hood_index,
)
from ._hubness_report import hubness_report
from ._occurrence import Retrieved as Retrieved
from ._occurrence import k_occurrence
from ._occurrence import k_occurrence_pair as k_occurrence_pair
from ._precision import average_precision
from ._ranks import first_ranks as first_ranks
from ._ranks import mean_rank, mean_reciprocal_rank, median_rank, relevant_ranks
from ._recall import geometric_mean_recall, recall_at_k
from ._recall import warn_of_large_k as warn_of_large_k
from ._relevance import Relevance as Relevance
from ._relevance import check_relevance as check_relevance
from ._relevance import indices_of_names as indices_of_names
from ._relevance import kept_queries as kept_queries
from ._relevance import relevant_items as relevant_items
from ._report import average_over_queries as average_over_queries
from ._report import check_ks as check_ks
from ._report import results_per_query as results_per_query
from ._report import retrieval_report
from ._scorers import make_retrieval_scorer, recall_scorer
from ._suspects import hub_suspects
from ._top_hubs import top_hubs

__all__ = [
    "antihub_rate",
    "average_precision",
    "bootstrap_report",
    "geometric_mean_recall",
    "gini_index",
    "hub_agreement",
    "hub_rate",
    "hub_suspects",
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
    "top_hubs",
]
