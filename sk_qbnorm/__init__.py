"""Querybank normalisation for scikit-learn: retrieval without hubs.

::

    normalizers   InvertedSoftmax, DynamicInvertedSoftmax, CSLS, GloballyCorrected,
                  NearestNeighborNormalizer: fit to a bank, transform similarities
    similarity    pairwise_similarity, GallerySimilarity: embeddings to similarities
    neighbors     NearestNeighborScorer: scores to gallery items
    metrics       recall, ranks and hubness of scores; scorers for GridSearchCV
    datasets      real retrieval data, synthetic data, matrices that authors publish

``python -m sk_qbnorm demo`` shows what it does.
"""

from .neighbors import NearestNeighborScorer
from .normalizers import (
    CSLS,
    DynamicInvertedSoftmax,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
)
from .similarity import GallerySimilarity, pairwise_similarity

__version__ = "0.1.0"

__all__ = [
    "CSLS",
    "DynamicInvertedSoftmax",
    "GallerySimilarity",
    "GloballyCorrected",
    "InvertedSoftmax",
    "NearestNeighborNormalizer",
    "NearestNeighborScorer",
    "pairwise_similarity",
]
