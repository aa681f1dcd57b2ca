"""What a fitted normalizer does to similarities.

A correction knows neither banks nor embeddings. ``apply`` corrects whole rows. For rows
that are too long to store, ``searches`` returns visitors of tiles, and
``assemble_scores`` combines what they have found. ``rescore`` corrects some items per
query. ``append_items`` extends the gallery by items with a known bias.
"""

from ._additive import Additive
from ._by_rank import ByRank
from ._csls import CSLSCorrection
from ._exponential import Exponential
from ._gates import Gates

__all__ = ["Additive", "ByRank", "CSLSCorrection", "Exponential", "Gates"]
