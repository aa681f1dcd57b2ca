"""Choose the queries of a bank, and measure how useful a bank is."""

from ._admission import admission_report
from ._advice import FEW_HUBS as FEW_HUBS  # for sk_qbnorm.reporting
from ._report import querybank_report
from ._sampling import sample_querybank

__all__ = ["admission_report", "querybank_report", "sample_querybank"]
