"""Choose the queries of a querybank."""

from __future__ import annotations

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from sk_qbnorm._embeddings import check_embeddings
from sk_qbnorm._validation import check_choice, check_count
from sk_qbnorm.similarity import Metric
from sk_qbnorm.tiles import BestItems, SimilaritySource

from ._retrieved import visited


def sample_querybank(
    queries: ArrayLike,
    n_bank: int,
    *,
    gallery: ArrayLike | None = None,
    strategy: str = "random",
    metric: Metric = "cosine",
    random_state: int | RandomState | None = None,
) -> NDArray:
    """Choose queries for a querybank.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_features) or (n_queries, n_gallery)
        Embeddings of the queries to choose from, for example from a training set or a
        log, dense, sparse or a `numpy.memmap`; for ``metric="precomputed"`` their
        similarities to the gallery.
    n_bank : int
        Number of queries to choose, in [1, n_queries].
    gallery : array-like of shape (n_gallery, n_features), default=None
        Embeddings of the gallery, required by all strategies except ``"random"``. None
        for ``metric="precomputed"``.
    strategy : {"random", "stratified", "adversarial"}, default="random"
        ``"random"`` draws without replacement. ``"stratified"`` covers the items that
        are retrieved: items take turns, the most retrieved first, and each adds a
        random query that retrieves it first, until it has no more. ``"adversarial"``
        takes all queries of the most retrieved item, then those of the next. Such a
        bank knows little of the gallery; it is for tests.
    metric : {"cosine", "dot", "precomputed"} or callable, default="cosine"
        How embeddings are compared, as in `pairwise_similarity`. Not used by
        ``"random"``.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an int makes the bank reproducible. Not used by
        ``"adversarial"``.

    Returns
    -------
    rows : ndarray of shape (n_bank,), dtype int64
        Rows to take, each at most once. With an int for `random_state`, the first m
        rows are those of ``n_bank=m``.

    Raises
    ------
    ValueError
        If there are fewer than `n_bank` queries, an input is not a finite matrix, the
        strategy or the metric is unknown, or the gallery is missing or does not match.

    See Also
    --------
    querybank_report : Measures of a querybank.

    Notes
    -----
    A normalizer assumes that bank queries are distributed like queries, which holds for
    a random bank. The stratified bank contains all hubs and as many other items as
    possible, but few queries per hub; it can help if the bank must be small. If the
    bank may be as large as the available queries, take all of them.

    A query counts for its best item, with ties broken by the smaller index. Embeddings
    are compared block by block, storing only the best item of each query.

    The adversarial bank is that of an ablation in the paper [1]_, which finds dynamic
    inverted softmax to be more robust to it.

    References
    ----------
    .. [1] Bogolin, Croitoru, Jin, Liu, Albanie. Cross Modal Retrieval with Querybank
       Normalisation. CVPR 2022,
       https://doi.org/10.1109/CVPR52688.2022.00513, https://arxiv.org/abs/2112.12777.

    Examples
    --------
    >>> from sk_qbnorm.querybanks import sample_querybank
    >>> sims = [[0.9, 0.1], [0.8, 0.3], [0.2, 0.7], [0.6, 0.5]]  # item 0 is a hub
    >>> options = {"metric": "precomputed", "random_state": 0}
    >>> sample_querybank(sims, 2, strategy="stratified", **options)
    array([3, 2])
    >>> sample_querybank(sims, 2, strategy="adversarial", **options)
    array([0, 1])
    """
    check_choice(strategy, "strategy", _ORDERS)
    check_count(n_bank, "n_bank")
    random = check_random_state(random_state)
    if strategy == "random":  # whatever the gallery
        n_queries = check_embeddings(queries, "queries", keep_on_disk=True).shape[0]
        best = np.zeros(n_queries, dtype=np.int64)
    else:
        source = SimilaritySource(gallery, metric)
        checked = source.check(queries, "queries")
        (found,) = visited(source, checked, lambda tiles: [BestItems(tiles, 1)])
        best = found.items[:, 0]
    if n_bank > best.size:
        raise ValueError(
            f"n_bank={n_bank} is more than there are queries to choose from; expected "
            f"at most {best.size}."
        )
    return _ORDERS[strategy](best, random)[:n_bank]


def _random(best, random):
    return random.permutation(best.size)


def _stratified(best, random):
    shuffled = random.permutation(best.size)
    items = best[shuffled]
    n_of_item = np.bincount(items)
    by_item = np.argsort(items, kind="stable")
    turn = np.empty_like(by_item)
    before = np.cumsum(n_of_item) - n_of_item
    turn[by_item] = np.arange(items.size) - before[items[by_item]]
    return shuffled[np.lexsort((-n_of_item[items], turn))]


def _adversarial(best, random):
    # Among items that are retrieved equally often, that of the earlier query is first,
    # whatever the order of the gallery.
    _, first, item, n_of_item = np.unique(
        best, return_index=True, return_inverse=True, return_counts=True
    )
    return np.lexsort((first[item], -n_of_item[item]))


_ORDERS = {
    "random": _random,
    "stratified": _stratified,
    "adversarial": _adversarial,
}
