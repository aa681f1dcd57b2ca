"""The commands of the command line."""

from ._demo import demo
from ._evaluate import evaluate
from ._names import NORMALIZERS
from ._report import report

__all__ = ["NORMALIZERS", "demo", "evaluate", "report"]
