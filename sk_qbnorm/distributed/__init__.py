"""Banks, galleries and queries that are Dask arrays."""

from ._probe import probe
from ._search import DaskGallery, extended, search
from ._tasks import check_two_dimensions, is_dask

__all__ = [
    "DaskGallery",
    "check_two_dimensions",
    "extended",
    "is_dask",
    "probe",
    "search",
]
