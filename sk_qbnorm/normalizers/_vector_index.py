"""Normalizers whose correction is a bias per item: a vector index can apply it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm._embeddings import unit_rows
from sk_qbnorm._validation import check_items, check_matrix, item_positions
from sk_qbnorm.augmentation import augment_gallery, augment_queries

from ._base import BankNormalizer, correction_of


class VectorIndexMixin:
    """Export the correction to a vector index, as one more dimension."""

    gallery_names_: NDArray | None
    metric_: object

    def augment_gallery(
        self,
        gallery: ArrayLike,
        items: ArrayLike | None = None,
        *,
        space: str = "inner_product",
        radius: float | None = None,
    ) -> NDArray:
        """Append the correction of each item to its embedding, for a vector index.

        Parameters
        ----------
        gallery : array-like of shape (n_gallery, n_features)
            Embeddings of the gallery. For the cosine they are scaled to length 1.
        items : array-like of shape (n_items,), default=None
            Gallery indices or names of these embeddings, if they are not the whole
            gallery.
        space : {"inner_product", "euclidean"}, default="inner_product"
            How the index compares vectors, as in `sk_qbnorm.augment_gallery`.
        radius : float, default=None
            For ``"euclidean"``, as in `sk_qbnorm.augment_gallery`.

        Returns
        -------
        augmented : ndarray of shape (n_gallery, n_features + 1)
            One more column for ``"euclidean"``, and one more for
            `DualDynamicInvertedSoftmax`, which has one bias per bank. The inner product
            with an augmented query is the score of `transform`; for `CSLS` without the
            mean of the query's neighbors, which shifts all scores of a query alike.

        Raises
        ------
        ValueError
            If the metric of the fit is neither cosine nor dot, or `gallery` is not a
            finite matrix with one row per item.
        """
        biases = correction_of(self).index_biases
        bias = biases.T if len(biases) > 1 else biases[0]
        if items is not None:
            positions = item_positions(items, self.gallery_names_)
            bias = bias[check_items(positions, len(bias))]
        units = self._in_index(gallery, "gallery")
        return augment_gallery(units, bias, space=space, radius=radius)

    def augment_queries(
        self,
        queries: ArrayLike,
        corrected: bool | ArrayLike = True,
        *,
        space: str = "inner_product",
    ) -> NDArray:
        """Append to each query what makes an augmented gallery correct its scores.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Query embeddings. For the cosine they are scaled to length 1.
        corrected : bool or array-like of shape (n_queries,), default=True
            Which queries ask for corrected scores; the others get raw similarities. For
            `DynamicInvertedSoftmax`, search with False first and then with
            ``activation_mask_[best]`` of the best items found; likewise for
            `DualDynamicInvertedSoftmax`, whose mask has two columns.
        space : {"inner_product", "euclidean"}, default="inner_product"
            How the index compares vectors, as in `sk_qbnorm.augment_queries`.

        Returns
        -------
        augmented : ndarray of shape (n_queries, n_features + 1)
            Additional columns as in `augment_gallery`. float32 if `queries` is float32,
            else float64.

        Raises
        ------
        ValueError
            If the metric of the fit is neither cosine nor dot, `queries` is not a
            finite matrix, or `corrected` does not match.

        Notes
        -----
        If an approximate index misses the most similar item of a query,
        `DynamicInvertedSoftmax` decides by the best item that was found.
        """
        correction = correction_of(self)
        units = self._in_index(queries, "queries")
        n_biases = len(correction.index_biases)
        if np.ndim(corrected) == 0 and n_biases > 1:
            corrected = np.full((units.shape[0], n_biases), corrected)
        n_columns = np.shape(corrected)[1] if np.ndim(corrected) == 2 else 1
        if np.ndim(corrected) > 0 and n_columns != n_biases:
            raise ValueError(
                f"corrected must have one column for each of the {n_biases} biases of "
                f"{type(self).__name__}, got {n_columns}; pass activation_mask_[best]."
            )
        augmented = augment_queries(units, corrected, space=space)
        if correction.scale != 1:
            asks = augmented[:, units.shape[1]] > 0
            augmented[asks, : units.shape[1]] *= correction.scale
        return augmented

    def _in_index(self, embeddings, name):
        if self.metric_ not in ("cosine", "dot"):
            raise ValueError(
                f"A vector index needs a fit to embeddings by metric='cosine' or "
                f"'dot', got metric={self.metric_!r}; if the similarities are inner "
                f"products of other vectors, call sk_qbnorm.augment_{name} with these."
            )
        embeddings = check_matrix(embeddings, name)
        return unit_rows(embeddings) if self.metric_ == "cosine" else embeddings


class AdditiveNormalizer(VectorIndexMixin, BankNormalizer):
    """Learn a bias per gallery item from one querybank.

    The base class of normalizers whose scores are ``s - alpha * gallery_bias_``. It
    adds the export to vector indexes to `BankNormalizer`, and has the same four hooks.

    See Also
    --------
    sk_qbnorm.normalizers.BankNormalizer : The hooks, and an example of a subclass.
    sk_qbnorm.InvertedSoftmax : A subclass of this class.

    Examples
    --------
    >>> from sk_qbnorm import CSLS, DynamicInvertedSoftmax, GloballyCorrected
    >>> from sk_qbnorm.normalizers import AdditiveNormalizer
    >>> normalizers = CSLS(), DynamicInvertedSoftmax(), GloballyCorrected()
    >>> [isinstance(each, AdditiveNormalizer) for each in normalizers]
    [True, True, False]
    """
