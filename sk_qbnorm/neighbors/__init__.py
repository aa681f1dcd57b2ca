"""Find the best gallery items of each query, from scores or from embeddings."""

from ._mutual import margin_scores, mutual_nearest_neighbors
from ._retriever import QuerybankRetriever
from ._scorer import NearestNeighborScorer

__all__ = [
    "NearestNeighborScorer",
    "QuerybankRetriever",
    "margin_scores",
    "mutual_nearest_neighbors",
]
