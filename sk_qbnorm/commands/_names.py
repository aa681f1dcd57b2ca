"""The normalizers by the short names of the field."""

from sk_qbnorm.normalizers import (
    CSLS,
    DynamicInvertedSoftmax,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
)

NORMALIZERS = {
    "is": InvertedSoftmax,
    "dis": DynamicInvertedSoftmax,
    "csls": CSLS,
    "gc": GloballyCorrected,
    "nnn": NearestNeighborNormalizer,
    "sinkhorn": SinkhornNormalizer,
}
