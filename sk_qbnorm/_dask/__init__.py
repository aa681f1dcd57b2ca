"""Querybanks, galleries and queries that are Dask arrays."""

from ._accumulate import accumulate
from ._search import DaskGallery, append_items, search
from ._tasks import check_two_dimensions

__all__ = [
    "DaskGallery",
    "accumulate",
    "append_items",
    "check_two_dimensions",
    "search",
]
