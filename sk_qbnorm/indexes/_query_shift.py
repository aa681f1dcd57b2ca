"""Corrected search on an index of raw vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from sk_qbnorm._embeddings import check_metric, is_on_disk
from sk_qbnorm._validation import check_count, check_matrix, item_names
from sk_qbnorm.normalizers import rescored, with_added_names

from ._inputs import check_biases, check_flags, index_vectors

_BLOCK_ROWS = 2**14
_STRENGTHS = np.logspace(-4, 2, 7)  # of the ridge, relative to the mean variance


class QueryShift(BaseEstimator):
    r"""Correct the search of an index that stores raw vectors.

    Split the bias of each item into a linear function of its embedding and a rest:

    .. math::

        b_j = w \cdot g_j + r_j
        \quad \Rightarrow \quad
        q \cdot g_j - b_j = (q - w) \cdot g_j - r_j

    Ask the index for :math:`q - w` instead of :math:`q`, and subtract :math:`r_j` from
    the similarities of its candidates. The index stays as it is. The smaller the rests
    are, the fewer candidates are needed; `r2_` tells how small they are.

    Parameters
    ----------
    metric : {"cosine", "dot"}, default="cosine"
        Similarity of the fitted normalizer. For ``"cosine"`` embeddings are scaled to
        length 1.
    max_samples : int, default=2000
        Number of items to learn w from, >= 1, at even distances in the gallery.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_biases, n_features)
        The shift w.
    rest_ : ndarray of shape (n_gallery,) or (n_gallery, n_biases)
        The rest :math:`r_j` of each item.
    r2_ : float or ndarray of shape (n_biases,)
        Share of the variance of the bias that the shift explains, at most 1.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items, strings or integers: the index of a dataframe.
    n_features_in_ : int
        Number of features of the embeddings.

    See Also
    --------
    AugmentedVectors : Stores the correction in the index; needs no rests.
    engine_similarities : Converts distances of an engine to inner products.

    Notes
    -----
    w is a ridge regression with an intercept, which stays in the rests. Its strength is
    the one with the smallest leave-one-out error, of
    :math:`10^{-4}, 10^{-3}, \dots, 10^2` times the mean eigenvalue of the scatter
    matrix. Vector w and the rests can be stored with the index. Because w stays fixed,
    new items get their rest from `rest` without a change to others.

    For ``metric="cosine"``, an index of inner products must store vectors of length 1.
    An index of cosines or Euclidean distances ranks these as inner products do.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_qbnorm import InvertedSoftmax
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.indexes import QueryShift
    >>> data = load_emoji_names_hi_en()
    >>> normalizer = InvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> shift = QueryShift().fit(data.gallery, normalizer.index_bias())
    >>> asked = shift.queries(data.queries)
    >>> products = asked @ data.gallery.T  # what an index of raw vectors computes
    >>> candidates = np.argsort(-products, axis=1)[:, :20]
    >>> products = np.take_along_axis(products, candidates, axis=1)
    >>> scores, items = shift.rescore(products, candidates)
    >>> print(f"{np.mean(items[:, 0] == data.relevant):.2f}")
    0.63
    """

    def __init__(self, *, metric: str = "cosine", max_samples: int = 2000) -> None:
        self.metric = metric
        self.max_samples = max_samples

    coef_: NDArray
    rest_: NDArray

    def fit(self, gallery: ArrayLike, bias: ArrayLike) -> Self:
        """Split the bias of each item into a shift of the queries and a rest.

        Parameters
        ----------
        gallery : array-like of shape (n_gallery, n_features)
            Gallery embeddings, in memory or a `numpy.memmap`. The index of a dataframe
            names the items.
        bias : array-like of shape (n_gallery,) or (n_gallery, n_biases)
            What is subtracted from the similarities to each item, such as
            ``normalizer.index_bias()``.

        Returns
        -------
        self : QueryShift
            The fitted object.

        Raises
        ------
        ValueError
            If a parameter is out of range, or an input is not finite or does not match.
        """
        check_metric(self.metric)
        n_samples = check_count(self.max_samples, "max_samples")
        names = item_names(gallery)
        items: Any = (
            gallery if is_on_disk(gallery) else check_matrix(gallery, "gallery")
        )
        n_items = items.shape[0]
        biases = check_biases(bias, n_items)
        places = np.linspace(0, n_items - 1, min(n_samples, n_items)).astype(int)
        sample = index_vectors(items[places], "gallery", self.metric)
        self.coef_ = _ridge(sample.astype(np.float64), biases[places])
        if np.ndim(bias) == 1:
            self.coef_ = self.coef_[0]
        self.n_features_in_ = sample.shape[1]
        self.gallery_names_ = names
        shaped = biases[:, 0] if np.ndim(bias) == 1 else biases
        self.rest_ = np.empty_like(shaped)
        for rows in gen_batches(n_items, _BLOCK_ROWS):
            self.rest_[rows] = self.rest(items[rows], shaped[rows])
        spread = shaped.var(axis=0)
        shares = 1 - self.rest_.var(axis=0) / np.where(spread > 0, spread, 1)
        self.r2_ = float(shares) if np.ndim(bias) == 1 else shares
        return self

    def queries(
        self, queries: ArrayLike, corrected: bool | ArrayLike = True
    ) -> NDArray:
        """Shift queries, to search the index of raw vectors.

        Parameters
        ----------
        queries : array-like of shape (n_queries, n_features)
            Embeddings of the queries.
        corrected : bool or array-like of bool, default=True
            Which queries to shift, shape (n_queries,), or (n_queries, n_biases) if
            there are several biases. For a dynamic normalizer, search with False first,
            then with ``activation_mask_[best]`` of the best item of each query.

        Returns
        -------
        shifted : ndarray of shape (n_queries, n_features)
            Vectors q - w to search with, or q. float32 if `queries` is, else float64.

        Raises
        ------
        ValueError
            If `queries` is not finite, or an input does not match.
        """
        check_is_fitted(self)
        asked = index_vectors(queries, "queries", self.metric, self.n_features_in_)
        coefs = np.atleast_2d(self.coef_)
        flags = check_flags(corrected, len(asked), len(coefs))
        return (asked - flags @ coefs).astype(asked.dtype, copy=False)

    def rest(self, gallery: ArrayLike, bias: ArrayLike) -> NDArray:
        """Return the rest of items, such as new ones; the shift stays as it is.

        Parameters
        ----------
        gallery : array-like of shape (n_items, n_features)
            Embeddings of the items.
        bias : array-like of shape (n_items,) or (n_items, n_biases)
            Bias of each item, as in `fit`; ``normalizer.bias_of(querybank, gallery)``
            for items that were not in the gallery of the normalizer.

        Returns
        -------
        rest : ndarray of shape (n_items,) or (n_items, n_biases), dtype float64
            What to subtract from the similarities of these items to shifted queries.

        Raises
        ------
        ValueError
            If an input is not finite or does not match.
        """
        check_is_fitted(self, "coef_")
        items = index_vectors(gallery, "gallery", self.metric, self.n_features_in_)
        coefs = np.atleast_2d(self.coef_)
        biases = check_biases(bias, len(items), len(coefs))
        rest = biases - items @ coefs.T
        return rest[:, 0] if self.coef_.ndim == 1 else rest

    def rescore(
        self,
        similarities: ArrayLike,
        indices: ArrayLike,
        corrected: bool | ArrayLike = True,
        *,
        added: Mapping | None = None,
        return_names: bool = False,
    ) -> tuple[NDArray, NDArray]:
        """Subtract the rests from the candidates of shifted queries, and sort them.

        Parameters
        ----------
        similarities : array-like of shape (n_queries, n_candidates)
            Inner products of shifted queries and items; see `engine_similarities`.
        indices : array-like of shape (n_queries, n_candidates)
            Gallery index of each candidate, -1 for no candidate; or its name, None for
            no candidate, if the gallery items have names.
        corrected : bool or array-like of bool, default=True
            As in `queries`. The others keep their similarities.
        added : mapping from name to rest, default=None
            Items that were added or replaced after `fit`.
        return_names : bool, default=False
            Whether to return the names of the items instead of their indices.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_candidates)
            Similarities of the queries minus the bias, descending; minus infinity for
            no candidate.
        indices : ndarray of shape (n_queries, n_candidates)
            Gallery indices of dtype int64, -1 for no candidate, or names of dtype
            object, None for no candidate. Added items follow the gallery.

        Raises
        ------
        ValueError
            If a similarity is not finite, the shapes differ, or an item is unknown or
            repeated in a row.
        """
        check_is_fitted(self)
        names, rests = self.gallery_names_, self.rest_.reshape(len(self.rest_), -1)
        if added:
            names = with_added_names(names, len(rests), added)
            new = np.array([*added.values()], dtype=float).reshape(len(added), -1)
            rests = np.vstack([rests, new])
        flags = check_flags(
            corrected, len(np.asarray(indices, dtype=object)), rests.shape[1]
        )
        return rescored(
            _Rests(rests, flags), similarities, indices, len(rests), names, return_names
        )

    def __sklearn_is_fitted__(self):
        return hasattr(self, "rest_")


class _Rests:
    """Scores ``s_qj`` minus the rests of item j that query q asks to subtract."""

    def __init__(self, rests, flags):
        self._rests = rests
        self._flags = flags

    def rescore(self, sims, items):
        """Return the scores of some items a query, of which -1 is none."""
        rests = np.einsum("qjb,qb->qj", self._rests[items], self._flags.astype(float))
        scores = np.where(items < 0, -np.inf, sims - rests)
        return scores.astype(sims.dtype, copy=False)


def _ridge(items, biases):
    """Return the coefficients of the biases, shape (n_biases, n_features)."""
    from sklearn.linear_model import RidgeCV  # which takes long to import

    variance = items.var(axis=0).mean()
    rounding = np.finfo(np.float64).eps * np.square(items).mean()
    if variance <= rounding:  # a single item, or equal ones
        return np.zeros((biases.shape[1], items.shape[1]))
    strengths = _STRENGTHS * variance * len(items)
    model = RidgeCV(alphas=strengths).fit(items, biases)
    return np.asarray(model.coef_).reshape(biases.shape[1], -1)
