"""Querybank normalization for scikit-learn: retrieval without hubs.

::

    normalizers   InvertedSoftmax, DynamicInvertedSoftmax, CSLS, GloballyCorrected,
                  NearestNeighborNormalizer, SinkhornNormalizer, with two banks, made
                  dynamic, capped, or mixed with a sample: fit to a bank, transform
                  similarities
    similarity    pairwise_similarity, GallerySimilarity: embeddings to similarities
    neighbors     NearestNeighborScorer: scores to gallery items; QuerybankRetriever:
                  embeddings to the best items by corrected score
    indexes       QueryShift, AugmentedVectors: corrected search in vector engines
    inspection    displays: hubs by name, corrected queries, recall over beta
    model_selection
                  NormalizerSearch, gain_scorer, QuerybankSplit: choose a correction
                  with few labeled queries
    querybanks    choose the queries of a bank, and measure how useful it is
    metrics       recall, ranks and hubness of scores; scorers for GridSearchCV
    move_estimator
                  take a fitted estimator to a GPU, or from there to NumPy
    datasets      real and synthetic data, and a loader of published matrices
    reporting     report: every normalizer measured, one recommended, as a page

``sk-qbnorm report`` writes a report, ``sk-qbnorm demo`` prints the shipped data.
"""

from typing import TYPE_CHECKING, Any

from ._arrays import move_estimator
from .neighbors import NearestNeighborScorer, QuerybankRetriever
from .normalizers import (
    CSLS,
    CappedNormalizer,
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GloballyCorrected,
    InvertedSoftmax,
    ListSinkhornNormalizer,
    MixNormalizer,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
)
from .result_lists import ResultLists
from .similarity import GallerySimilarity, pairwise_similarity

if TYPE_CHECKING:
    from .reporting import report as report

__version__ = "0.1.0"

__all__ = [
    "CSLS",
    "CappedNormalizer",
    "DualDynamicInvertedSoftmax",
    "DualInvertedSoftmax",
    "DynamicInvertedSoftmax",
    "DynamicNormalizer",
    "GallerySimilarity",
    "GloballyCorrected",
    "InvertedSoftmax",
    "ListSinkhornNormalizer",
    "MixNormalizer",
    "NearestNeighborNormalizer",
    "NearestNeighborScorer",
    "QuerybankRetriever",
    "ResultLists",
    "SinkhornNormalizer",
    "move_estimator",
    "pairwise_similarity",
    "report",
]


def __getattr__(name: str) -> Any:
    """Load the report when it is used: it imports more than all the rest."""
    if name == "report":
        from .reporting import report

        return report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
