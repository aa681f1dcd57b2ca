"""What a fitted normalizer does to similarities: to a matrix, a search, a shortlist.

A correction knows no bank and no embeddings. ``apply`` corrects whole rows. Where rows
are too long to be held, ``searches`` says what to look for, tile by tile, and
``conclude`` makes scores of what was found. ``rescore`` corrects some items a query.
"""

from ._additive import Additive
from ._by_rank import ByRank
from ._exponential import Exponential
from ._gates import Gates
from ._neighborly import Neighborly

__all__ = ["Additive", "ByRank", "Exponential", "Gates", "Neighborly"]
