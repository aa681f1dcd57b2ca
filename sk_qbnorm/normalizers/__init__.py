"""The normalizers: what a querybank makes of later queries' similarities."""

from ._agreement import AgreementNormalizer
from ._base import BaseNormalizer as BaseNormalizer
from ._csls import CSLS
from ._dual_dynamic_inverted_softmax import DualDynamicInvertedSoftmax
from ._dual_inverted_softmax import DualInvertedSoftmax
from ._dynamic import DynamicNormalizer
from ._dynamic_inverted_softmax import DynamicInvertedSoftmax
from ._globally_corrected import GloballyCorrected
from ._inverted_softmax import InvertedSoftmax
from ._nearest_neighbor import NearestNeighborNormalizer
from ._sinkhorn import SinkhornNormalizer

__all__ = [
    "CSLS",
    "AgreementNormalizer",
    "DualDynamicInvertedSoftmax",
    "DualInvertedSoftmax",
    "DynamicInvertedSoftmax",
    "DynamicNormalizer",
    "GloballyCorrected",
    "InvertedSoftmax",
    "NearestNeighborNormalizer",
    "SinkhornNormalizer",
]
