"""Normalizers: corrections of similarities that a querybank teaches.

`BankNormalizer` and `AdditiveNormalizer` are the base classes for normalizers of your
own.
"""

from ._bank_normalizer import BankNormalizer
from ._base import BaseNormalizer as BaseNormalizer  # for other packages, not users
from ._base import correction_of as correction_of
from ._base import set_gallery_attributes as set_gallery_attributes
from ._capped import CappedNormalizer
from ._dual_inverted_softmax import DualDynamicInvertedSoftmax, DualInvertedSoftmax
from ._dynamic import DynamicNormalizer
from ._globally_corrected import GloballyCorrected
from ._inverted_softmax import DynamicInvertedSoftmax, InvertedSoftmax
from ._list_sinkhorn import ListSinkhornNormalizer
from ._mix import MixNormalizer
from ._neighborhood import CSLS, NearestNeighborNormalizer
from ._rescore import padded as padded
from ._rescore import rescored as rescored
from ._rescore import with_added_names as with_added_names
from ._sinkhorn import SinkhornNormalizer
from ._vector_index import AdditiveNormalizer

__all__ = [
    "CSLS",
    "AdditiveNormalizer",
    "BankNormalizer",
    "CappedNormalizer",
    "DualDynamicInvertedSoftmax",
    "DualInvertedSoftmax",
    "DynamicInvertedSoftmax",
    "DynamicNormalizer",
    "GloballyCorrected",
    "InvertedSoftmax",
    "ListSinkhornNormalizer",
    "MixNormalizer",
    "NearestNeighborNormalizer",
    "SinkhornNormalizer",
]
