"""Evaluate corrected rankings with MTEB, ranx, ir-measures and BEIR."""

from ._mteb import QuerybankIndex
from ._runs import from_qrels, from_run, to_run

__all__ = ["QuerybankIndex", "from_qrels", "from_run", "to_run"]
