"""The correction as two more dimensions of each vector."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._embeddings import check_metric
from sk_qbnorm._validation import (
    check_count,
    check_matrix,
    check_number,
    float_dtype,
)

from ._inputs import check_biases, check_flags, index_vectors


class AugmentedVectors(BaseEstimator):
    r"""Store the correction as two more dimensions, for an index that you can fill.

    .. math::

        [g_j, \; -c \, (b_j - m), \; l_j] \cdot [q, \; 1 / c, \; 0]
        = q \cdot g_j - b_j + m

    so the index ranks by corrected similarity. The query :math:`[q, 0, 0]` gets raw
    similarities from the same index. The center m and the factor c give the new entries
    of items and queries the same, smallest possible size, which quantized indexes and
    graphs need:

    .. math::

        m = \tfrac12 (\min_j b_j + \max_j b_j), \qquad
        c = 1 / \sqrt{\max_j |b_j - m|}

    The last dimension, :math:`l_j = \sqrt{R^2 - |g_j|^2 - c^2 (b_j - m)^2}`, gives all
    items the same length R. Then inner products, cosines and Euclidean distances rank
    alike, so the vectors suit any index.

    Parameters
    ----------
    metric : {"cosine", "dot"}, default="cosine"
        Similarity of the fitted normalizer. For ``"cosine"`` embeddings are scaled to
        length 1.
    room : float, default=0.5
        How far later biases may lie outside of the range in `fit`, as a share of half
        this range, >= 0. With ``metric="dot"`` later items may also be longer by this
        share.
    multiple_of : int, default=1
        Zeros fill up the dimension to a multiple of this number, >= 1, such as the
        number of parts of product quantization.

    Attributes
    ----------
    offset_ : ndarray of shape (n_biases,)
        Center m of each bias. Usually there is one bias; two for
        `~sk_qbnorm.DualDynamicInvertedSoftmax`.
    scale_ : ndarray of shape (n_biases,)
        Factor c of each bias.
    reach_ : ndarray of shape (n_biases,)
        Largest difference from m that fits.
    radius_ : float
        Length R of all augmented items.
    n_features_in_ : int
        Number of features of the embeddings.

    See Also
    --------
    QueryShift : For an index of raw vectors that exists already.
    engine_similarities : Converts distances of an engine to inner products.

    Notes
    -----
    The values of `fit` stay fixed, so items can be added and replaced one by one. An
    item that does not fit raises an error: fit again and rebuild the index.

    Corrected results are spread over the gallery while raw ones are the same few hubs.
    An inverted-file index must probe more lists than for raw search.

    Examples
    --------
    >>> from sk_qbnorm.indexes import AugmentedVectors
    >>> gallery, bias = [[1.0, 0.0], [0.0, 1.0]], [0.9, 0.4]
    >>> augmented = AugmentedVectors().fit(gallery, bias)
    >>> items = augmented.gallery(gallery, bias)
    >>> items.round(2)
    array([[ 1.  ,  0.  , -0.5 ,  0.56],
           [ 0.  ,  1.  ,  0.5 ,  0.56]])
    >>> products = augmented.queries([[0.8, 0.6]]) @ items.T
    >>> augmented.scores(products)
    array([[-0.1,  0.2]])
    """

    def __init__(
        self,
        *,
        metric: str = "cosine",
        room: float = 0.5,
        multiple_of: int = 1,
    ) -> None:
        self.metric = metric
        self.room = room
        self.multiple_of = multiple_of

    def fit(self, gallery: ArrayLike, bias: ArrayLike) -> Self:
        """Learn the center and the scale of the additional dimension.

        Parameters
        ----------
        gallery : array-like of shape (n_gallery, n_features)
            Gallery embeddings, or a representative sample of them.
        bias : array-like of shape (n_gallery,) or (n_gallery, n_biases)
            What is subtracted from the similarities to each item, such as
            ``normalizer.index_bias()``.

        Returns
        -------
        self : AugmentedVectors
            The fitted object.

        Raises
        ------
        ValueError
            If a parameter is out of range, or an input is not finite or does not match.
        """
        self._check_parameters()
        items = index_vectors(gallery, "gallery", self.metric)
        biases = check_biases(bias, len(items))
        low, high = biases.min(axis=0), biases.max(axis=0)
        half = (high - low) / 2
        half = np.where(half > 0, half, 1.0)
        self.offset_ = (low + high) / 2
        self.scale_ = 1 / np.sqrt(half)
        self.reach_ = (1 + self.room) * half
        self.n_features_in_ = items.shape[1]
        longest = 1.0
        if self.metric == "dot":
            longest = (1 + self.room) * np.sqrt(_squares(items).max())
        additions = (self.scale_ * self.reach_) ** 2
        self.radius_ = float(np.sqrt(longest**2 + additions.sum()))
        return self

    def gallery(self, gallery: ArrayLike, bias: ArrayLike) -> NDArray:
        """Augment items for the index; all of the gallery, or those that are new.

        Parameters
        ----------
        gallery : array-like of shape (n_items, n_features)
            Embeddings of the items.
        bias : array-like of shape (n_items,) or (n_items, n_biases)
            Bias of each item, as in `fit`; ``normalizer.bias_of(querybank, gallery)``
            for items that were not in the gallery of the normalizer.

        Returns
        -------
        augmented : ndarray of shape (n_items, n_dimensions)
            Vectors to store: one more column per bias, one for the length, and zeros up
            to `multiple_of`. float32 if `gallery` is, else float64.

        Raises
        ------
        ValueError
            If an input is not finite or does not match, or a bias or an embedding is
            outside of the room that `fit` left.
        """
        check_is_fitted(self)
        items = index_vectors(gallery, "gallery", self.metric, self.n_features_in_)
        biases = check_biases(bias, len(items), len(self.offset_))
        centered = biases - self.offset_
        outside = (np.abs(centered) > self.reach_ * (1 + 1e-9)).any(axis=1)
        if outside.any():
            low, high = self.offset_ - self.reach_, self.offset_ + self.reach_
            row = np.flatnonzero(outside)[0]
            raise ValueError(
                f"bias must be in the room of fit, {low} to {high}, got {biases[row]} "
                f"in row {row} ({outside.sum()} such items); fit again, with a larger "
                "room if this is usual, and rebuild the index."
            )
        columns = [items, -self.scale_ * centered]
        columns.append(self._missing_lengths(columns))
        return self._padded(columns, float_dtype(items))

    def queries(
        self, queries: ArrayLike, corrected: bool | ArrayLike = True
    ) -> NDArray:
        """Augment queries, to search the index.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Embeddings of the queries.
        corrected : bool or array-like of bool, default=True
            Which queries ask for corrected scores, shape (n_queries,), or (n_queries,
            n_biases) if there are several biases; others get raw similarities. For a
            dynamic normalizer, search with False first, then with
            ``activation_mask_[best]`` of the best item of each query.

        Returns
        -------
        augmented : ndarray of shape (n_queries, n_dimensions)
            Vectors to search with. float32 if `queries` is, else float64.

        Raises
        ------
        ValueError
            If `queries` is not finite, or an input does not match.
        """
        check_is_fitted(self)
        asked = index_vectors(queries, "queries", self.metric, self.n_features_in_)
        flags = check_flags(corrected, len(asked), len(self.offset_))
        columns = [asked, flags / self.scale_, np.zeros((len(asked), 1))]
        return self._padded(columns, float_dtype(asked))

    def scores(
        self, products: ArrayLike, corrected: bool | ArrayLike = True
    ) -> NDArray:
        """Convert inner products of augmented vectors to corrected similarities.

        Parameters
        ----------
        products : array-like of shape (n_queries, n_candidates)
            Inner products, converted by `engine_similarities` if the engine returns
            something else.
        corrected : bool or array-like of bool, default=True
            As in `queries`.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_candidates)
            Similarities minus the biases that the queries asked to subtract, in the
            same order. `transform` of the normalizer returns the same scores; twice as
            much for `~sk_qbnorm.CSLS`, minus the mean of the query's neighbors.

        Raises
        ------
        ValueError
            If `corrected` does not match.
        """
        check_is_fitted(self)
        found = check_matrix(products, "products", finite=False)
        flags = check_flags(corrected, len(found), len(self.offset_))
        shift = (flags @ self.offset_)[:, None]
        return (found - shift).astype(found.dtype, copy=False)

    def _check_parameters(self):
        check_metric(self.metric)
        check_number(self.room, "room", positive=False, advice="0.5 is usual")
        check_count(self.multiple_of, "multiple_of")

    def _missing_lengths(self, columns):
        """Return what gives all items the length `radius_`, as a column."""
        squares = sum(map(_squares, columns))
        missing = self.radius_**2 - squares
        too_long = missing < -1e-6 * self.radius_**2
        if too_long.any():
            row = np.flatnonzero(too_long)[0]
            raise ValueError(
                f"gallery must have augmented items of length {self.radius_:.6g} at "
                f"most, the room of fit, got {np.sqrt(squares[row]):.6g} in row {row} "
                f"({too_long.sum()} such items); fit again and rebuild the index."
            )
        return np.sqrt(np.maximum(missing, 0))[:, None]

    def _padded(self, columns, dtype):
        width = sum(column.shape[1] for column in columns)
        n_zeros = -width % self.multiple_of
        zeros = np.zeros((len(columns[0]), n_zeros))
        return np.hstack([*columns, zeros]).astype(dtype, copy=False)


def _squares(matrix):
    return np.square(matrix, dtype=np.float64).sum(axis=1)
