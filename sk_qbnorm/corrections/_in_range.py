"""Convert biases to the dtype of the scores."""

import numpy as np


def in_range(biases, dtype):
    """Convert biases to the dtype of the scores; raise if they leave its range."""
    with np.errstate(over="ignore"):
        biases = biases.astype(dtype)
    if not np.isfinite(biases).all():
        raise ValueError(
            f"Corrected scores must be in the range of {dtype}, got some beyond it; "
            "scale the similarities down, or use a smaller alpha."
        )
    return biases
