"""Querybank normalisation for scikit-learn: retrieval without hubs.

::

    normalizers   InvertedSoftmax, DynamicInvertedSoftmax, CSLS, GloballyCorrected,
                  NearestNeighborNormalizer, SinkhornNormalizer, with two banks, made
                  dynamic or shrunk by agreement: fit to a bank, transform similarities
    similarity    pairwise_similarity, GallerySimilarity: embeddings to similarities
    neighbors     NearestNeighborScorer: scores to gallery items; QuerybankRetriever:
                  embeddings to the best items by corrected score
    indexes       QueryShift, AugmentedVectors: corrected search in vector engines
    inspection    displays: hubs by name, who is corrected, recall against beta
    model_selection
                  NormalizerSearch, gain_scorer, QuerybankSplit: choose a correction by
                  few labelled queries, or none
    querybanks    which queries to take for a bank, and what a bank is worth
    metrics       recall, ranks and hubness of scores; scorers for GridSearchCV
    datasets      real retrieval data, synthetic data, matrices that authors publish

``python -m sk_qbnorm demo`` shows what it does.
"""

from .neighbors import NearestNeighborScorer, QuerybankRetriever
from .normalizers import (
    CSLS,
    AgreementNormalizer,
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
)
from .similarity import GallerySimilarity, pairwise_similarity

__version__ = "0.1.0"

__all__ = [
    "CSLS",
    "AgreementNormalizer",
    "DualDynamicInvertedSoftmax",
    "DualInvertedSoftmax",
    "DynamicInvertedSoftmax",
    "DynamicNormalizer",
    "GallerySimilarity",
    "GloballyCorrected",
    "InvertedSoftmax",
    "NearestNeighborNormalizer",
    "NearestNeighborScorer",
    "QuerybankRetriever",
    "SinkhornNormalizer",
    "pairwise_similarity",
]
