"""Which queries to probe a gallery with, and what a bank of them is worth."""

from ._report import querybank_report
from ._sampling import sample_querybank

__all__ = ["querybank_report", "sample_querybank"]
