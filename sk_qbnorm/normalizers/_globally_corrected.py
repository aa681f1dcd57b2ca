"""Globally corrected retrieval: rank each item by how the bank ranks the query."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm import _kernels
from sk_qbnorm._threads import count_threads
from sk_qbnorm.bank import SortedColumns
from sk_qbnorm.corrections import ByRank
from sk_qbnorm.distributed import is_dask
from sk_qbnorm.similarity import Metric

from ._learning import BankLearner


class GloballyCorrected(BankLearner):
    r"""Rank items by how few bank queries are closer to them than the query is (GC).

    Parameters
    ----------
    metric : {"cosine", "dot", "precomputed"} or callable, default="cosine"
        How `fit` compares embeddings, as in `pairwise_similarity`. With
        ``"precomputed"``, as a step of a Pipeline needs, `fit` is given similarities.
    copy : bool, default=True
        Whether `transform` leaves its input alone. With False it writes into it where
        it can.
    n_jobs : int, default=None
        Number of threads, -1 for all processors; the result does not depend on it.
        None means 1 outside of `joblib.parallel_config`, with matrix products left to
        the threads of BLAS, which may round them otherwise.
    verbose : bool, default=False
        Whether `fit` shows a progress bar, for which tqdm has to be installed.

    Attributes
    ----------
    bank_columns_ : ndarray of shape (n_gallery, n_bank)
        The bank's similarities to each gallery item, ascending.
    n_bank_seen_ : int
        Number of bank queries seen by `fit` and `partial_fit`.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, where these are strings.

    See Also
    --------
    CSLS : Compares similarities instead of counting, and holds no bank.

    Notes
    -----
    With similarities :math:`p_{ij}` of bank query i to item j, the items of query q are
    ordered by

    .. math:: \mathrm{rank}_{qj} = \#\{i : p_{ij} > s_{qj}\}

    ascending, items of equal rank by larger :math:`s_{qj}`. The score is minus the
    place in this order: 0 for the best item, -1 for the next; only items equal in both
    share a place. Places are whole numbers, so that float32 holds the order exactly, up
    to 16 million items. It is the one normalizer whose scores are not in units of the
    similarity, and the one that holds n_bank x n_gallery numbers.

    References
    ----------
    .. [1] Dinu, Lazaridou, Baroni. Improving zero-shot learning by mitigating the
       hubness problem. ICLR 2015 workshop, https://arxiv.org/abs/1412.6568.

    Examples
    --------
    >>> from sk_qbnorm import GloballyCorrected
    >>> bank_sims = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]  # item 0 is a hub
    >>> normalizer = GloballyCorrected(metric="precomputed").fit(bank_sims)
    >>> normalizer.bank_ranks([[0.8, 0.6]])
    array([[2, 0]])
    >>> normalizer.transform([[0.8, 0.6]])
    array([[-1.,  0.]])
    """

    def __init__(
        self,
        *,
        metric: Metric = "cosine",
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
            Similarities, larger for more similar, on the scale of the bank's.

        Returns
        -------
        ranks : ndarray of shape (n_queries, n_gallery), dtype int64
            Ranks in [0, n_bank]; 0 where no bank query is closer.
        """
        sims = self._check_sims(query_sims)
        n_threads = count_threads(self.n_jobs)
        return _kernels.bank_ranks(
            np.ascontiguousarray(sims), self.bank_columns_, n_threads
        )

    def _check_parameters(self):
        """Nothing to check: there are none."""

    def _probe(self, querybank, gallery, *, reset):
        if is_dask(querybank) or is_dask(gallery):
            raise ValueError(
                "GloballyCorrected keeps all n_bank x n_gallery similarities, and a "
                "fit to Dask arrays gathers nothing of that size; pass arrays that fit "
                "in memory, as x.compute() gives, or take another normalizer."
            )
        return super()._probe(querybank, gallery, reset=reset)

    def _statistics(self, tiles):
        return {"columns": SortedColumns(tiles)}

    def _conclude(self, bank):
        """Nothing to conclude: see `bank_columns_`, which waits until it is wanted."""

    @property
    def bank_columns_(self) -> NDArray:
        """The bank's similarities to each gallery item, ascending."""
        return self._bank["columns"].value()

    def _correction(self):
        return ByRank(self.bank_columns_)
