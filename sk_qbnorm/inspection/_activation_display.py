"""Which queries a gate corrects, and whether they are the better for it."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_matrix
from sk_qbnorm.metrics import Relevance

from ._activation_bars import draw_gate, draw_outcomes, name_items
from ._canvas import axes_of
from ._names import check_names
from ._outcomes import judged, outcomes
from ._retrieval import Retrieval

_NAMED = 3  # items, at most


class ActivationDisplay:
    """What the gate of a dynamic normalizer lets in, from items to queries to results.

    The bank retrieves some of the gallery, the activation set. The queries whose best
    item is in it are corrected, the others are left alone; and of these, where it is
    known what is relevant, some become right and some wrong. It is recommended to use
    `from_estimator` or `from_predictions` to create one.

    Parameters
    ----------
    activation_mask : ndarray of shape (n_gallery,), dtype bool
        Which items are in the activation set.
    best : ndarray of shape (n_queries,), dtype int64
        The item that each query is most similar to, before a correction.
    right_before, right_after : ndarray of shape (n_queries,), dtype bool, default=None
        Whether the first item of a query is relevant, without a correction and with it.
        None where it is not known.
    names : array-like of shape (n_gallery,), default=None
        Names of all gallery items; None for "item 0", "item 1" and so on.

    Attributes
    ----------
    counts_ : dict of str to int
        What the bars show: ``n_gallery``, ``n_active`` items, ``n_queries``,
        ``n_corrected`` of these and, where it is known what is relevant, how many
        queries become ``better`` and ``worse``, are ``still_right`` or ``still_wrong``.
    items_ : ndarray of int64
        The items of the activation set that are the best item of most queries, the most
        first: those that the picture names.
    bars_ : list of matplotlib BarContainer
        The pieces of the bars, those of the gallery first, from left to right.
    ax_ : matplotlib Axes
        What is drawn on.
    figure_ : matplotlib Figure
        What holds the axes.

    See Also
    --------
    sk_qbnorm.DynamicInvertedSoftmax : The gate of the paper.
    sk_qbnorm.DynamicNormalizer : The same gate before other corrections.

    Notes
    -----
    A query is right if its first item is relevant, of equal scores the one with the
    smallest index. `recall_at_k`, which counts a tie with another item as a miss, may
    be lower where there are ties. The words need axes of 5 inches or more in width.

    References
    ----------
    .. [1] Bogolin, Croitoru, Jin, Liu, Albanie. Cross Modal Retrieval with Querybank
       Normalisation. CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.00513, https://arxiv.org/abs/2112.12777.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.inspection import ActivationDisplay
    >>> data = load_emoji_names_hi_en()
    >>> normalizer = DynamicInvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> display = ActivationDisplay.from_estimator(normalizer, sims, data.relevant)
    >>> display.counts_["better"], display.counts_["worse"]
    (96, 17)
    """

    def __init__(
        self,
        activation_mask: NDArray,
        best: NDArray,
        right_before: NDArray | None = None,
        right_after: NDArray | None = None,
        *,
        names: ArrayLike | None = None,
    ) -> None:
        self.activation_mask = activation_mask
        self.best = best
        self.right_before = right_before
        self.right_after = right_after
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        queries: ArrayLike,
        relevant: Relevance | None = None,
        *,
        gallery_labels: ArrayLike | None = None,
        query_mask: ArrayLike | None = None,
        names: ArrayLike | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw which queries a fitted dynamic normalizer corrects.

        Parameters
        ----------
        estimator : normalizer, QuerybankRetriever or Pipeline
            A fitted one, whose normalizer has an ``activation_mask_``. Of a Pipeline
            the first normalizer or retriever counts. Of a mask for each of two banks an
            item is in the set if it is in one of them.
        queries : array-like of shape (n_queries, n_gallery) or (n_queries, n_features)
            What the estimator takes: similarities for a normalizer, else embeddings.
        relevant : array-like, list of array-like or sparse matrix, default=None
            The relevant items, in any form that `relevant_ranks` takes.
        gallery_labels : array-like of shape (n_gallery,), default=None
            Class labels of the gallery, as in `relevant_ranks`.
        query_mask : array-like of shape (n_queries,), default=None
            False for missing queries, which are left out.
        names : array-like of shape (n_gallery,), default=None
            Names of all gallery items. None for the columns of `queries`, the
            normalizer's ``feature_names_in_`` or the index of a gallery, whichever
            there is.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.

        Returns
        -------
        display : ActivationDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator has no activation set, or does not go with the data.
        ImportError
            If matplotlib is not installed.
        """
        retrieval = Retrieval(estimator, queries)
        mask = retrieval.activation_mask()
        names = retrieval.gallery_names if names is None else names
        before, after = (found[:, 0] for found in retrieval.lists(1))
        options = {"gallery_labels": gallery_labels, "query_mask": query_mask}
        found = judged(before, after, mask.size, relevant, **options)
        return cls(mask, *found, names=names).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        activation_mask: ArrayLike,
        before: ArrayLike,
        after: ArrayLike | None = None,
        relevant: Relevance | None = None,
        *,
        gallery_labels: ArrayLike | None = None,
        query_mask: ArrayLike | None = None,
        names: ArrayLike | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw which queries an activation set corrects, given all scores.

        Parameters
        ----------
        activation_mask : array-like of bool of shape (n_gallery,)
            Which items are in the activation set.
        before : array-like of shape (n_queries, n_gallery)
            Raw similarities, larger for more similar.
        after : array-like of shape (n_queries, n_gallery), default=None
            Corrected scores; needed where `relevant` is given.
        relevant : array-like, list of array-like or sparse matrix, default=None
            The relevant items, in any form that `relevant_ranks` takes.
        gallery_labels : array-like of shape (n_gallery,), default=None
            Class labels of the gallery, as in `relevant_ranks`.
        query_mask : array-like of shape (n_queries,), default=None
            False for missing queries, which are left out.
        names : array-like of shape (n_gallery,), default=None
            Names of all gallery items.
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.

        Returns
        -------
        display : ActivationDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the inputs do not match.
        ImportError
            If matplotlib is not installed.
        """
        if relevant is not None and after is None:
            raise ValueError(
                "What a correction makes right is seen in the corrected scores, got "
                "relevant and after=None; pass after too."
            )
        raw = check_matrix(before, "before")
        corrected = raw if after is None else check_matrix(after, "after")
        mask = np.asarray(activation_mask)
        if corrected.shape != raw.shape or mask.shape != raw.shape[1:]:
            raise ValueError(
                "before and after must be scores of the same queries and items, and "
                f"activation_mask have one entry an item, got shapes {raw.shape}, "
                f"{corrected.shape} and {mask.shape}."
            )
        if not np.isin(mask, (0, 1)).all():
            raise ValueError(
                f"activation_mask must hold booleans, got dtype {mask.dtype}; compare "
                "activation counts with min_count."
            )
        first, first_after = (
            _kernels.best_items(scores, 1, count_threads(None))[1][:, 0]
            for scores in (raw, corrected)
        )
        options = {"gallery_labels": gallery_labels, "query_mask": query_mask}
        found = judged(first, first_after, mask.size, relevant, **options)
        return cls(mask.astype(bool), *found, names=names).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None for a new figure.

        Returns
        -------
        display : ActivationDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no name for each item.
        ImportError
            If matplotlib is not installed.
        """
        judged_too = self.right_before is not None
        names = check_names(self.names, self.activation_mask.size)
        corrected = self.activation_mask[self.best]
        catches = np.bincount(self.best, minlength=names.size) * self.activation_mask
        order = np.argsort(-catches, kind="stable")
        self.items_ = order[: min(_NAMED, np.count_nonzero(catches))]
        self.counts_ = {
            "n_gallery": names.size,
            "n_active": int(np.count_nonzero(self.activation_mask)),
            "n_queries": self.best.size,
            "n_corrected": int(np.count_nonzero(corrected)),
        }
        ax = axes_of(ax, (6.4, 4.4 if judged_too else 2.8), type(self).__name__)
        self.bars_ = draw_gate(ax, **self.counts_)
        name_items(ax, names, self.items_, catches)
        if judged_too:
            ends = outcomes(self.right_before, self.right_after)
            self.counts_ |= {end: int(queries.sum()) for end, queries in ends.items()}
            self.bars_ += draw_outcomes(ax, ends, corrected)
        self.ax_, self.figure_ = ax, ax.figure
        return self
