"""Corrected search in vector indexes and databases.

`QueryShift` corrects the search of an index of raw vectors. `AugmentedVectors` stores
the correction as two more dimensions. Both need embeddings and one bias per item, such
as ``normalizer.index_bias()``.
"""

from ._augmented_vectors import AugmentedVectors
from ._engine_values import candidate_arrays, engine_similarities
from ._query_shift import QueryShift

__all__ = [
    "AugmentedVectors",
    "QueryShift",
    "candidate_arrays",
    "engine_similarities",
]
