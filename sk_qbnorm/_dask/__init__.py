"""Querybanks, galleries and queries that are Dask arrays."""

from ._accumulate import accumulate
from ._search import DaskGallery, search
from ._tasks import check_two_dimensions

__all__ = ["DaskGallery", "accumulate", "check_two_dimensions", "search"]
