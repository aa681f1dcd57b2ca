"""A report: from matrices to a decision, and to the tables of a paper."""

# Names imported with "as" are for sk_qbnorm.commands and not public.
from ._inputs import flatten_captions as flatten_captions
from ._inputs import orient_bank as orient_bank
from ._render import FORMATS as FORMATS
from ._render import render as render
from ._render import write_file as write_file
from ._report import report
from ._result import Report

__all__ = ["Report", "report"]
