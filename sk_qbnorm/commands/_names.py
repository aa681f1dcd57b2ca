"""The normalizers by their usual abbreviations."""

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
