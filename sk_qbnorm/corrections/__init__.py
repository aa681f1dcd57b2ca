"""What a fitted normalizer does to similarities: to a matrix, a search, a shortlist.

A correction knows no bank and no embeddings. ``apply`` corrects whole rows. Where rows
are too long to be held, ``searches`` says what to look for, tile by tile, and
``assemble_scores`` makes scores of what was found. ``rescore`` corrects some items a query.
"""

from ._additive import Additive
from ._by_rank import ByRank
from ._csls import CSLSCorrection
from ._exponential import Exponential
from ._gates import Gates

__all__ = ["Additive", "ByRank", "CSLSCorrection", "Exponential", "Gates"]
