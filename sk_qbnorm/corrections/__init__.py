"""Corrections of similarities, as computed by fitted normalizers.

A correction uses no bank and no embeddings. ``apply`` corrects whole rows. For rows
that are too long to store, ``searches`` returns visitors of tiles, and
``assemble_scores`` combines their results. ``rescore`` corrects some items per query.
``append_items`` extends the gallery by items with a known bias.
"""

from ._additive import Additive
from ._by_rank import ByRank
from ._csls import CSLSCorrection
from ._exponential import Exponential
from ._gates import Gates

__all__ = ["Additive", "ByRank", "CSLSCorrection", "Exponential", "Gates"]
