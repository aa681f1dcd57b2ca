"""From scores or embeddings to the gallery items that a query is given."""

from ._mutual import margin_scores, mutual_nearest_neighbors
from ._retriever import QuerybankRetriever
from ._scorer import NearestNeighborScorer

__all__ = [
    "NearestNeighborScorer",
    "QuerybankRetriever",
    "margin_scores",
    "mutual_nearest_neighbors",
]
