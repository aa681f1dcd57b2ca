"""Banks, galleries and queries that are Dask arrays."""

from ._probe import probe
from ._search import DaskGallery, search
from ._tasks import check_two_dimensions, is_dask

__all__ = ["DaskGallery", "check_two_dimensions", "is_dask", "probe", "search"]
