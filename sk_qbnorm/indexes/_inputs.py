"""The vectors, biases and flags that a vector index is given."""

from __future__ import annotations

import numpy as np

from sk_qbnorm._embeddings import unit_rows
from sk_qbnorm._validation import check_matrix, check_unmasked


def index_vectors(matrix, name, metric, n_features=None):
    """Return embeddings as the index compares them: of length 1 for the cosine."""
    checked = check_matrix(matrix, name)
    if n_features is not None and checked.shape[1] != n_features:
        raise ValueError(
            f"{name} must have the {n_features} features of the gallery in fit, got "
            f"{checked.shape[1]}; embed both with the same model."
        )
    return unit_rows(checked) if metric == "cosine" else checked


def check_biases(bias, n_items, n_biases=None):
    """Return a bias per item, or a column for each of several, as columns."""
    check_unmasked(bias, "bias")
    given = np.asarray(bias)
    if given.ndim not in (1, 2) or given.shape[0] != n_items:
        raise ValueError(
            f"bias must have one number per item, expected shape ({n_items},), or one "
            f"column for each of several biases, got {given.shape}."
        )
    columns = check_matrix(given.reshape(n_items, -1), "bias").astype(np.float64)
    if n_biases is not None and columns.shape[1] != n_biases:
        raise ValueError(
            f"bias must have the {n_biases} columns of the bias in fit, got "
            f"{columns.shape[1]}."
        )
    return columns


def check_flags(corrected, n_queries, n_biases):
    """Return which biases each query subtracts, shape (n_queries, n_biases)."""
    check_unmasked(corrected, "corrected")
    flags = np.asarray(corrected)
    if flags.ndim == 1 and n_biases == 1:
        flags = flags[:, None]
    if flags.dtype != bool or flags.shape not in ((), (n_queries, n_biases)):
        expected = (n_queries,) if n_biases == 1 else (n_queries, n_biases)
        raise ValueError(
            f"corrected must be a bool, or bools of shape {expected}, got "
            f"{flags.dtype} of shape {np.shape(corrected)}; pass "
            "activation_mask_[best] for a dynamic normalizer."
        )
    return np.broadcast_to(flags, (n_queries, n_biases))
