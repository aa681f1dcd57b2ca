"""Globally corrected retrieval: rank items by how the bank ranks the query."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm.corrections import ByRank
from sk_qbnorm.similarity import Metric
from sk_qbnorm.statistics import SortedColumns

from ._bank_normalizer import BankNormalizer


class GloballyCorrected(BankNormalizer):
    r"""Rank items by the number of bank queries that are closer to them (GC).

    Parameters
    ----------
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How `fit` compares the querybank with the gallery, as in `pairwise_similarity`.
        None means cosine if `fit` receives a gallery, and precomputed similarities if
        it does not.
    copy : bool, default=True
        If False, `transform` may overwrite its input.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.
    verbose : bool, default=False
        Whether `fit` reports its progress.

    Attributes
    ----------
    bank_columns_ : ndarray of shape (n_gallery, n_bank)
        Similarities of the bank to each gallery item, ascending.
    metric_ : str or callable
        Metric of the last `fit`.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items, strings or integers.
    n_bank_seen_ : int
        Number of bank queries in `fit` and `partial_fit`.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, defined if all of them are strings.

    See Also
    --------
    CSLS : Compares similarities instead of counting, and does not store the bank.

    Notes
    -----
    With :math:`p_{ij}` the similarity of bank query i to item j, the items of query q
    are sorted by

    .. math:: \mathrm{rank}_{qj} = \#\{i : p_{ij} > s_{qj}\}

    ascending, and items of equal rank by descending :math:`s_{qj}`. The score is minus
    the place in this order: 0 for the best item, -1 for the next. Only items that are
    equal in both share a place. Places are whole numbers, which float32 represents
    exactly up to 16 million items. This is the only normalizer whose scores do not have
    the units of the similarities, and the only one that stores n_bank x n_gallery
    numbers.

    References
    ----------
    .. [1] Dinu, Lazaridou, Baroni. Improving zero-shot learning by mitigating the
       hubness problem. ICLR 2015 workshop, https://arxiv.org/abs/1412.6568.

    Examples
    --------
    >>> from sk_qbnorm import GloballyCorrected
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = GloballyCorrected().fit(bank_sims)
    >>> normalizer.bank_ranks([[0.8, 0.6]])
    array([[2, 0]])
    >>> normalizer.transform([[0.8, 0.6]])
    array([[-1.,  0.]])
    """

    def __init__(
        self,
        *,
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def bank_ranks(self, query_sims: ArrayLike) -> NDArray:
        """Count the bank queries that are closer to each item than the query is.

        Parameters
        ----------
        query_sims : array-like of shape (n_queries, n_gallery)
            Similarities (larger is more similar), on the same scale as those of the
            querybank.

        Returns
        -------
        ranks : ndarray of shape (n_queries, n_gallery), dtype int64
            Ranks in [0, n_bank]; 0 if no bank query is closer.
        """
        sims = np.ascontiguousarray(self._check_sims(query_sims))
        n_threads = count_threads(self.n_jobs)
        return _kernels.bank_ranks(sims, self.bank_columns_, n_threads)

    @property
    def bank_columns_(self) -> NDArray:
        """Similarities of the bank to each gallery item, sorted when first read."""
        return self._bank["columns"].value()

    def _check_parameters(self):
        """Accept anything: there are no parameters to check."""

    def _statistics(self, tiles, spread):
        return {"columns": SortedColumns(tiles)}

    def _set_fitted_attributes(self, bank):
        """Set nothing: `bank_columns_` is a property."""

    def _correction(self):
        return ByRank(self.bank_columns_)
