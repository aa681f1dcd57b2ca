"""From scores to the gallery items that a query is given."""

from ._scorer import NearestNeighborScorer

__all__ = ["NearestNeighborScorer"]
