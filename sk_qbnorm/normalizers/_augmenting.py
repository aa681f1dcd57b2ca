"""Normalizers that are a bias of each item: a vector index can serve them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm._validation import check_items, check_matrix
from sk_qbnorm.augmentation import augment_gallery, augment_queries
from sk_qbnorm.similarity import unit_rows

from ._base import BaseNormalizer, correction_of
from ._learning import BankLearner


class Augmenting(BaseNormalizer):
    """Hand the correction to a vector index, as one more dimension."""

    def augment_gallery(
        self,
        gallery: ArrayLike,
        items: ArrayLike | None = None,
        *,
        space: str = "inner_product",
        radius: float | None = None,
    ) -> NDArray:
        """Append each item's correction to its embedding, for a vector index.

        Parameters
        ----------
        gallery : array-like of shape (n_gallery, n_features)
            Embeddings of the gallery; for ``metric="cosine"`` they are brought to
            length 1.
        items : array-like of int of shape (n_items,), default=None
            Which gallery items these are, where `gallery` is not all of them.
        space : {"inner_product", "euclidean"}, default="inner_product"
            How the index compares, as in `sk_qbnorm.augment_gallery`.
        radius : float, default=None
            For ``"euclidean"``, as in `sk_qbnorm.augment_gallery`.

        Returns
        -------
        augmented : ndarray of shape (n_gallery, n_features + 1)
            One more for ``"euclidean"``, and one more for `DualDynamicInvertedSoftmax`,
            of which each bank has its own. The inner product with an
            augmented query is what `transform` returns with ``scale="similarity"``;
            for `CSLS` it is without the mean of the query's nearest, which moves all
            of its scores alike.

        Raises
        ------
        ValueError
            If ``metric`` is neither ``"cosine"`` nor ``"dot"``, or `gallery` is not a
            finite matrix with a row for each item.
        """
        biases = correction_of(self).index_biases
        bias = biases.T if len(biases) > 1 else biases[0]
        if items is not None:
            bias = bias[check_items(items, len(bias))]
        units = self._in_index(gallery, "gallery")
        return augment_gallery(units, bias, space=space, radius=radius)

    def augment_queries(
        self,
        queries: ArrayLike,
        corrected: bool | ArrayLike = True,
        *,
        space: str = "inner_product",
    ) -> NDArray:
        """Append to queries what makes an index of an augmented gallery correct them.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings; for ``metric="cosine"`` they are brought to length 1.
        corrected : bool or array-like of bool of shape (n_queries,), default=True
            Which queries ask for corrected scores; the others for raw similarities.
            For `DynamicInvertedSoftmax`, ask without first, and then with
            ``activation_mask_[best]`` of the best items that the index found; for
            `DualDynamicInvertedSoftmax`, whose mask has two columns, likewise.
        space : {"inner_product", "euclidean"}, default="inner_product"
            How the index compares, as in `sk_qbnorm.augment_queries`.

        Returns
        -------
        augmented : ndarray of shape (n_queries, n_features + 1)
            More of them as in `augment_gallery`. In float32 if `queries` is, else
            float64.

        Raises
        ------
        ValueError
            If ``metric`` is neither ``"cosine"`` nor ``"dot"``, `queries` is not a
            finite matrix, or `corrected` does not match.

        Notes
        -----
        An approximate index that misses a query's most similar item makes
        `DynamicInvertedSoftmax` decide by another.
        """
        correction = correction_of(self)
        units = self._in_index(queries, "queries")
        n_biases = len(correction.index_biases)
        if np.ndim(corrected) == 0 and n_biases > 1:
            corrected = np.full((units.shape[0], n_biases), corrected)
        n_columns = np.shape(corrected)[1] if np.ndim(corrected) == 2 else 1
        if np.ndim(corrected) > 0 and n_columns != n_biases:
            raise ValueError(
                f"corrected must have a column for each of the {n_biases} biases of "
                f"{type(self).__name__}, got {n_columns}; pass activation_mask_[best]."
            )
        augmented = augment_queries(units, corrected, space=space)
        if correction.scale != 1:
            asks = augmented[:, units.shape[1]] > 0
            augmented[asks, : units.shape[1]] *= correction.scale
        return augmented

    def _in_index(self, embeddings, name):
        if self.metric not in ("cosine", "dot"):
            raise ValueError(
                f"An index of inner products serves metric='cosine' and 'dot', got "
                f"metric={self.metric!r}; if the similarities are inner products of "
                f"other embeddings, call sk_qbnorm.augment_{name} with these."
            )
        embeddings = check_matrix(embeddings, name)
        return unit_rows(embeddings) if self.metric == "cosine" else embeddings


class AdditiveNormalizer(Augmenting, BankLearner):
    """Learn a bias of each item from one bank."""
