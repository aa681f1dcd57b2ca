"""2 to the power of a number, in a form that LLVM vectorizes.

The number is split into a whole part and a fraction in [-1/2, 1/2], by adding and
subtracting a constant so large that it rounds the fraction away. A polynomial gives 2
to the fraction, and the whole part is added to the bits of its exponent.

Numbers out of range are clipped: results are never 0 and never infinite, and sums of
some hundred of them are finite.
"""

import numpy as np

from ._jit import by_float_width

# Minimax coefficients on [-1/2, 1/2]; relative error below 3e-7 and 1e-15.
_A0, _A1, _A2, _A3, _A4, _A5 = (
    np.float32(a)
    for a in (
        1.0,
        0.6931469440460205,
        0.24022120237350464,
        0.05550713092088699,
        0.009675541892647743,
        0.0013276472454890609,
    )
)
_B0, _B1, _B2, _B3, _B4, _B5, _B6, _B7, _B8, _B9, _B10, _B11 = (
    1.0,
    0.6931471805599463,
    0.24022650695911701,
    0.05550410866475489,
    0.009618129106801782,
    0.0013333558153934067,
    0.00015403531501077597,
    1.525273350618276e-05,
    1.3214916228403471e-06,
    1.0175837386644222e-07,
    7.160678324535378e-09,
    5.076329543476178e-10,
)
_LOW_SINGLE, _HIGH_SINGLE = np.float32(-126), np.float32(120)
_LOW_DOUBLE, _HIGH_DOUBLE = -1022.0, 1000.0
_ROUND_SINGLE = np.float32(1.5 * 2**23)
_ROUND_DOUBLE = 1.5 * 2**52
_EXPONENT_SINGLE = np.int32(23)
_EXPONENT_DOUBLE = np.int64(52)


def exp2_single(y):
    """Return 2**y of a float32, clipped to [2**-126, 2**120]."""
    y = min(max(y, _LOW_SINGLE), _HIGH_SINGLE)
    rounded = y + _ROUND_SINGLE
    r = y - (rounded - _ROUND_SINGLE)
    p = ((((_A5 * r + _A4) * r + _A3) * r + _A2) * r + _A1) * r + _A0
    whole = np.int32(np.float32(rounded).view(np.int32) << _EXPONENT_SINGLE)
    return np.int32(np.float32(p).view(np.int32) + whole).view(np.float32)


def exp2_double(y):
    """Return 2**y of a float64, clipped to [2**-1022, 2**1000]."""
    y = min(max(y, _LOW_DOUBLE), _HIGH_DOUBLE)
    rounded = y + _ROUND_DOUBLE
    r = y - (rounded - _ROUND_DOUBLE)
    p = ((((_B11 * r + _B10) * r + _B9) * r + _B8) * r + _B7) * r + _B6
    p = (((((p * r + _B5) * r + _B4) * r + _B3) * r + _B2) * r + _B1) * r + _B0
    whole = np.int64(np.float64(rounded).view(np.int64) << _EXPONENT_DOUBLE)
    return np.int64(np.float64(p).view(np.int64) + whole).view(np.float64)


exp2 = by_float_width(exp2_single, exp2_double)
