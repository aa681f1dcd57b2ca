"""The cross-validation split of querybank normalization."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator

from sk_qbnorm._validation import check_count


class QuerybankSplit(BaseCrossValidator):
    """Fit to the querybank and test on the labeled queries behind it.

    A splitter with one split, for the ``cv`` of `GridSearchCV` and similar searches.
    Labeled queries never become part of the bank, where they would leak the answers
    of the others.

    Parameters
    ----------
    n_bank : int
        Number of rows of the bank, which come first, >= 1; the others are labeled
        queries.

    See Also
    --------
    gain_scorer : A scorer to compare settings by.
    NormalizerSearch : Needs no split.

    Notes
    -----
    Mark the rows of the bank in `y`, by -1, an empty list or a row of zeros. Then
    `GridSearchCV` with ``refit=True`` fits the best setting to the bank alone: `fit`
    takes marked rows as the bank, and leaves out the labeled queries.

    The bank has no train score: it is NaN, with a warning of scikit-learn if
    ``return_train_score=True``, the default of `HalvingGridSearchCV`.

    ``PredefinedSplit(np.where(y < 0, -1, 0))`` of scikit-learn is the same split, in
    any order of the rows.

    Examples
    --------
    >>> from sk_qbnorm.model_selection import QuerybankSplit
    >>> next(QuerybankSplit(3).split([[0.5]] * 5))
    (array([0, 1, 2]), array([3, 4]))
    """

    def __init__(self, n_bank: int) -> None:
        self.n_bank = n_bank

    def split(
        self, X: ArrayLike, y: object = None, groups: object = None
    ) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield the rows of the bank and those of the labeled queries.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The bank, and the labeled queries behind it.
        y : Ignored
            Not used, present for API consistency.
        groups : Ignored
            Not used, present for API consistency.

        Yields
        ------
        train : ndarray of shape (n_bank,), dtype int64
            The rows of the bank.
        test : ndarray of shape (n_samples - n_bank,), dtype int64
            The other rows.

        Raises
        ------
        ValueError
            If `n_bank` is not an integer >= 1, or no row remains for queries.
        """
        n_bank = check_count(self.n_bank, "n_bank")
        n_rows = np.shape(X)[0]
        if n_rows <= n_bank:
            raise ValueError(
                f"There must be labeled queries behind the {n_bank} rows of the bank, "
                f"got {n_rows} rows in all; stack the bank and the queries, in this "
                "order."
            )
        yield np.arange(n_bank), np.arange(n_bank, n_rows)

    def get_n_splits(
        self, X: object = None, y: object = None, groups: object = None
    ) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X : Ignored
            Not used, present for API consistency.
        y : Ignored
            Not used, present for API consistency.
        groups : Ignored
            Not used, present for API consistency.

        Returns
        -------
        n_splits : int
            1.
        """
        return 1
