"""Store a correction as one more dimension, for any vector index."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._validation import (
    check_choice,
    check_matrix,
    check_number,
    check_unmasked,
    float_dtype,
)

_SPACES = ("inner_product", "euclidean")
_RADIUS = "take the length of the longest item with its bias"


def augment_gallery(
    gallery: ArrayLike,
    bias: ArrayLike,
    *,
    space: str = "inner_product",
    radius: float | None = None,
) -> NDArray:
    r"""Append minus the bias of each gallery item to its embedding.

    .. math::

        [g_j, -b_j] \cdot [q, 1] = g_j \cdot q - b_j

    An index that searches by inner product then returns corrected scores, exactly and
    at the cost of one dimension.

    Parameters
    ----------
    gallery : array-like of shape (n_gallery, n_features)
        Gallery embeddings, of length 1 if the similarity is the cosine; all of the
        gallery or some of its items.
    bias : array-like of shape (n_gallery,) or (n_gallery, n_biases)
        What is subtracted from the similarities to each item. With several biases, a
        query selects those to subtract.
    space : {"inner_product", "euclidean"}, default="inner_product"
        How the index compares vectors. For ``"euclidean"`` a second dimension gives all
        items the same length, `radius`, so that the nearest item has the largest score.
        A distance d from query vector x is the score
        ``(radius**2 + x @ x - d**2) / 2``.
    radius : float, default=None
        For ``"euclidean"``, at least the largest length of an item with its bias; None
        uses exactly that. Pass it if items are augmented in parts.

    Returns
    -------
    augmented : ndarray of shape (n_gallery, n_features + n_biases)
        One more for ``"euclidean"``. In float32 if `gallery` is, else float64.

    Raises
    ------
    ValueError
        If an input is not finite, the two do not match, or `radius` is too small.

    See Also
    --------
    augment_queries : Augments the queries.
    sk_qbnorm.InvertedSoftmax.augment_gallery : The same for a fitted normalizer.

    Notes
    -----
    The recall of an approximate index depends on the vectors. A graph of inner
    products, such as HNSW, works well for cosine similarities; for long vectors with
    large biases, build it for ``"euclidean"``. Corrected answers are spread over the
    gallery, so an inverted-file index must probe more lists than for raw answers, which
    are the same few hubs.

    Examples
    --------
    >>> from sk_qbnorm import augment_gallery, augment_queries
    >>> items = augment_gallery([[1.0, 0.0], [0.0, 1.0]], bias=[0.9, 0.2])
    >>> items
    array([[ 1. ,  0. , -0.9],
           [ 0. ,  1. , -0.2]])
    >>> augment_queries([[0.8, 0.6]]) @ items.T
    array([[-0.1,  0.4]])
    """
    check_choice(space, "space", _SPACES)
    check_unmasked(bias, "bias")
    items, biases = check_matrix(gallery, "gallery"), np.asarray(bias)
    if biases.ndim not in (1, 2) or biases.shape[:1] != items.shape[:1]:
        raise ValueError(
            f"bias must have one number a gallery item, expected shape "
            f"{items.shape[:1]}, or a column each of several, got {biases.shape}."
        )
    if biases.ndim == 1:
        biases = biases[:, None]
    columns = [items, -check_matrix(biases, "bias")]
    if space == "euclidean":
        squares = sum(np.square(each, dtype=np.float64).sum(axis=1) for each in columns)
        largest = float(np.sqrt(squares.max()))
        shortest = largest * (1 - 1e-6)  # it may have been found in float32
        if radius is None:
            radius = largest
        elif check_number(radius, "radius", positive=True, advice=_RADIUS) < shortest:
            raise ValueError(
                f"radius must be at least the length of the longest item, "
                f"{largest:.6g}, got {radius!r}; take one for all of the gallery."
            )
        columns.append(np.sqrt(np.maximum(radius**2 - squares, 0))[:, None])
    return np.hstack(columns).astype(float_dtype(items), copy=False)


def augment_queries(
    queries: ArrayLike,
    corrected: bool | ArrayLike = True,
    *,
    space: str = "inner_product",
) -> NDArray:
    """Append to each query the factor of the bias in an augmented gallery.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_features)
        Query embeddings, of length 1 if the similarity is the cosine.
    corrected : bool or array-like of bool, default=True
        Which queries ask for corrected scores, of shape (n_queries,): 1 is appended to
        these, and 0 to the others, whose inner products are raw similarities. One index
        therefore serves `DynamicInvertedSoftmax`: search for the raw best item of each
        query, then again, corrected if that item is in the activation set. Shape
        (n_queries, n_biases) for a gallery with several biases.
    space : {"inner_product", "euclidean"}, default="inner_product"
        As in `augment_gallery`.

    Returns
    -------
    augmented : ndarray of shape (n_queries, n_features + n_biases)
        One more for ``"euclidean"``. In float32 if `queries` is, else float64.

    Raises
    ------
    ValueError
        If `queries` is not a finite matrix, or `corrected` does not match.

    See Also
    --------
    augment_gallery : Augments the gallery.

    Examples
    --------
    >>> from sk_qbnorm import augment_queries
    >>> augment_queries([[0.8, 0.6], [0.0, 1.0]], corrected=[True, False])
    array([[0.8, 0.6, 1. ],
           [0. , 1. , 0. ]])
    """
    check_choice(space, "space", _SPACES)
    checked = check_matrix(queries, "queries")
    check_unmasked(corrected, "corrected")
    gate = np.asarray(corrected)
    fits = gate.ndim == 0 or (gate.ndim <= 2 and gate.shape[:1] == checked.shape[:1])
    if gate.dtype != bool or not fits:
        raise ValueError(
            f"corrected must be a bool, or one a query, expected shape "
            f"{checked.shape[:1]}, or a column each for several biases, got "
            f"{gate.dtype} of shape {gate.shape}."
        )
    n_rows, n_features = checked.shape
    n_biases = gate.shape[1] if gate.ndim == 2 else 1
    width = n_features + n_biases + _SPACES.index(space)
    augmented = np.zeros((n_rows, width), dtype=float_dtype(checked))
    augmented[:, :n_features] = checked
    asked = gate[:, None] if gate.ndim == 1 else gate
    augmented[:, n_features : n_features + n_biases] = asked
    return augmented
