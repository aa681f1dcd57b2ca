"""What vector engines return, as arrays of similarities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm._validation import check_choice, check_matrix, check_number
from sk_qbnorm.normalizers import padded

_KINDS = (
    "inner_product",
    "negative_inner_product",
    "inner_product_distance",
    "cosine",
    "cosine_distance",
    "squared_euclidean",
    "euclidean",
)
_OF_ENGINES = {
    "chroma cosine": "cosine_distance",
    "chroma ip": "inner_product_distance",
    "chroma l2": "squared_euclidean",
    "duckdb array_cosine_distance": "cosine_distance",
    "duckdb array_distance": "euclidean",
    "duckdb array_negative_inner_product": "negative_inner_product",
    "faiss IP": "inner_product",
    "faiss L2": "squared_euclidean",
    "hnswlib cosine": "cosine_distance",
    "hnswlib ip": "inner_product_distance",
    "hnswlib l2": "squared_euclidean",
    "lancedb cosine": "cosine_distance",
    "lancedb dot": "inner_product_distance",
    "lancedb l2": "squared_euclidean",
    "milvus COSINE": "cosine",
    "milvus IP": "inner_product",
    "milvus L2": "squared_euclidean",
    "pgvector <#>": "negative_inner_product",
    "pgvector <->": "euclidean",
    "pgvector <=>": "cosine_distance",
    "qdrant Cosine": "cosine",
    "qdrant Dot": "inner_product",
    "qdrant Euclid": "euclidean",
    "sqlite-vec L2": "euclidean",
    "sqlite-vec cosine": "cosine_distance",
    "usearch cos": "cosine_distance",
    "usearch ip": "inner_product_distance",
    "usearch l2sq": "squared_euclidean",
}


def engine_similarities(
    values: ArrayLike,
    kind: str,
    *,
    queries: ArrayLike | None = None,
    item_length: float = 1.0,
) -> NDArray:
    r"""Convert the distances or scores of a vector engine to inner products.

    Parameters
    ----------
    values : array-like of shape (n_queries, n_candidates)
        What the engine returned. NaN stays NaN.
    kind : str
        One of the kinds in Notes, or an engine and its metric, such as
        ``"pgvector <#>"``.
    queries : array-like of shape (n_queries, n_features), default=None
        The vectors that the engine was asked for. Required for cosine and Euclidean
        kinds.
    item_length : float, default=1.0
        Length that all stored vectors have. Only cosine and Euclidean kinds use it.

    Returns
    -------
    similarities : ndarray of shape (n_queries, n_candidates)
        Inner products of queries and items, larger is more similar; float32 if `values`
        is, else float64. A small Euclidean distance between long vectors loses digits.

    Raises
    ------
    ValueError
        If `kind` is unknown, or `queries` is missing or does not match.

    See Also
    --------
    candidate_arrays : Make `values` from rows of ids and values.

    Notes
    -----
    For query :math:`x` and item :math:`y` of length :math:`r`, the kinds are

    - ``"inner_product"``: :math:`x \cdot y`, as of Qdrant ``Dot``, ``faiss IP`` and
      ``milvus IP``;
    - ``"negative_inner_product"``: :math:`-x \cdot y`, as of ``pgvector <#>`` and
      ``duckdb array_negative_inner_product``;
    - ``"inner_product_distance"``: :math:`1 - x \cdot y`, as of ``lancedb dot``,
      ``hnswlib ip``, ``usearch ip`` and ``chroma ip``;
    - ``"cosine"``: :math:`\cos(x, y)`, as of ``qdrant Cosine`` and ``milvus COSINE``;
    - ``"cosine_distance"``: :math:`1 - \cos(x, y)`, as of ``pgvector <=>``,
      ``duckdb array_cosine_distance``, ``lancedb cosine``, ``hnswlib cosine``,
      ``usearch cos``, ``chroma cosine`` and ``sqlite-vec cosine``;
    - ``"squared_euclidean"``: :math:`|x - y|^2`, as of ``faiss L2``, ``lancedb l2``,
      ``hnswlib l2``, ``usearch l2sq``, ``chroma l2`` and ``milvus L2``;
    - ``"euclidean"``: :math:`|x - y|`, as of ``pgvector <->``, ``qdrant Euclid``,
      ``duckdb array_distance`` and ``sqlite-vec L2``.

    A cosine times :math:`|x| r` is the inner product, and so is
    :math:`(r^2 + |x|^2 - |x - y|^2) / 2`.

    Examples
    --------
    >>> from sk_qbnorm.indexes import engine_similarities
    >>> engine_similarities([[-0.9, -0.4]], "pgvector <#>")
    array([[0.9, 0.4]])
    >>> engine_similarities([[0.1, 0.6]], "cosine_distance", queries=[[0.0, 2.0]])
    array([[1.8, 0.8]])
    """
    kind = _OF_ENGINES.get(kind, kind) if isinstance(kind, str) else kind
    check_choice(kind, "kind", (*_KINDS, *_OF_ENGINES))
    checked = check_matrix(values, "values", finite=False)
    if kind == "inner_product":
        return checked
    if kind == "negative_inner_product":
        return -checked
    if kind == "inner_product_distance":
        return 1 - checked
    length = check_number(
        item_length, "item_length", positive=True, advice="1 for unit vectors"
    )
    squares = _squared_lengths(queries, kind, len(checked))
    if kind.endswith("euclidean"):
        squared = checked.astype(np.float64) ** (2 if kind == "euclidean" else 1)
        found = (length**2 + squares - squared) / 2
    else:
        cosines = 1 - checked if kind == "cosine_distance" else checked
        found = cosines * np.sqrt(squares) * length
    return found.astype(checked.dtype, copy=False)


def _squared_lengths(queries, kind, n_queries):
    """Return the squared length of each query, as a column."""
    if queries is None:
        raise ValueError(
            f"queries must be the vectors that the engine was asked for, because "
            f"values of kind {kind!r} depend on their lengths, got None."
        )
    asked = check_matrix(queries, "queries").astype(np.float64)
    if len(asked) != n_queries:
        raise ValueError(
            f"values must have one row per query, expected {len(asked)}, got "
            f"{n_queries}."
        )
    return np.einsum("ij,ij->i", asked, asked)[:, None]


def candidate_arrays(
    rows: Iterable[Iterable[tuple] | Mapping],
) -> tuple[NDArray, NDArray]:
    """Make arrays of the (id, value) pairs that an engine returned per query.

    Parameters
    ----------
    rows : iterable of iterables of (id, value), or of mappings from id to value
        One row per query, of any length, as a database cursor returns them. An id is a
        string or an integer.

    Returns
    -------
    values : ndarray of shape (n_queries, n_longest), dtype float64
        Values in the order of each row, then NaN.
    ids : ndarray of shape (n_queries, n_longest)
        Their ids, then None, of dtype object; if all ids are integers then -1, of dtype
        int64.

    Raises
    ------
    ValueError
        If no row has an entry.

    See Also
    --------
    engine_similarities : Convert the values to similarities.
    sk_qbnorm.InvertedSoftmax.rescore : Correct and sort the candidates.

    Examples
    --------
    >>> from sk_qbnorm.indexes import candidate_arrays
    >>> candidate_arrays([[("cat", 0.9), ("dog", 0.4)], [("dog", 0.7)]])
    (array([[0.9, 0.4],
           [0.7, nan]]), array([['cat', 'dog'],
           ['dog', None]], dtype=object))
    """
    pairs = [[*(row.items() if isinstance(row, Mapping) else row)] for row in rows]
    if not any(pairs):
        raise ValueError(
            f"rows must have at least one candidate, got {len(pairs)} rows without."
        )
    values = [[value for _, value in row] for row in pairs]
    return padded(values, [[item for item, _ in row] for row in pairs])
