"""Synthetic retrieval data with adjustable hubness."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch, check_random_state

from sk_qbnorm._validation import check_count, check_number


def make_hub_retrieval(
    n_bank: int = 1000,
    n_queries: int = 500,
    n_gallery: int = 500,
    *,
    n_features: int = 64,
    hubness: float = 0.75,
    noise: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Make embeddings of two modalities with adjustable hubness.

    Queries of one domain share a direction, as captions of one collection do. Each
    gallery item leans towards it by a random amount, so it is similar to all queries of
    the domain.

    Parameters
    ----------
    n_bank : int, default=1000
        Number of bank queries, of each of two domains.
    n_queries : int, default=500
        Number of queries.
    n_gallery : int, default=500
        Number of gallery items.
    n_features : int, default=64
        Number of dimensions, >= 3.
    hubness : float, default=0.75
        How far the gallery leans, in [0, 1]. At 0 there are hubs only by chance; at 1
        most queries retrieve the same few items.
    noise : float, default=1.0
        Distance of a query from its relevant item, >= 0. Two unrelated items have a
        distance of about 1.4.
    random_state : int, RandomState instance or None, default=None
        Seed; an int makes the data reproducible.

    Returns
    -------
    data : Bunch
        ``bank_queries`` (n_bank, n_features) of the domain of the queries,
        ``bank_queries_ood`` (n_bank, n_features) of another, ``bank_gallery`` (n_bank,
        n_features), the relevant items of the bank queries, none of which is in the
        gallery, ``queries`` (n_queries, n_features) and ``gallery`` (n_gallery,
        n_features), float64; ``relevant`` (n_queries,), the gallery index of each
        query, drawn independently, so that some items are relevant to several queries
        and some to none; ``leaning`` (n_gallery,), in [0, 1], the hubness of each item;
        and ``DESCR``.

    Raises
    ------
    ValueError
        If a size is not an integer >= 1, or `hubness` or `noise` is out of range.

    See Also
    --------
    load_emoji_names_hi_en : Real data with strong hubs.

    Notes
    -----
    With unit vectors :math:`z_j` for the content of item j, :math:`u` for the domain of
    the queries and :math:`v` for another domain, u and v orthogonal to each other and
    to every z, and :math:`h_j` drawn from a beta distribution (1, 4) times `hubness`,
    the gallery is :math:`\sqrt{1 - h_j^2} \, z_j + h_j u`. A query for item j is
    :math:`z_j + 2 u + \mathrm{noise} \, \epsilon`, with gaussian :math:`\epsilon` of
    expected length 1. A bank query has its own z, which no gallery item has. A bank
    query of the other domain has v in place of u.

    Examples
    --------
    >>> from sk_qbnorm import InvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import make_hub_retrieval
    >>> from sk_qbnorm.metrics import recall_at_k
    >>> data = make_hub_retrieval(noise=1.5, random_state=0)
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> normalizer = InvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> recall_at_k(data.relevant, sims)
    0.44...
    >>> recall_at_k(data.relevant, normalizer.transform(sims))
    0.96...
    >>> normalizer = InvertedSoftmax().fit(data.bank_queries_ood, data.gallery)
    >>> recall_at_k(data.relevant, normalizer.transform(sims))
    0.43...
    """
    sizes = {"n_bank": n_bank, "n_queries": n_queries, "n_gallery": n_gallery}
    for name, size in sizes.items():
        check_count(size, name)
    if check_count(n_features, "n_features") < 3:
        raise ValueError(
            f"n_features must be at least 3, got {n_features}; each of the two domains "
            "needs one dimension, and the items need the others."
        )
    at_least_none = {"positive": False, "advice": "0 turns it off"}
    if check_number(hubness, "hubness", **at_least_none) > 1:
        raise ValueError(f"hubness must be in [0, 1], got {hubness}.")
    check_number(noise, "noise", **at_least_none)
    random = check_random_state(random_state)
    own, other = np.eye(n_features)[:2]

    def contents(size):
        directions = random.normal(size=(size, n_features))
        directions[:, :2] = 0
        return directions / np.linalg.norm(directions, axis=1, keepdims=True)

    def blurred(queries):
        spread = noise / np.sqrt(n_features)
        return queries + random.normal(scale=spread, size=queries.shape)

    def items(shown, leaning):
        return np.sqrt(1 - leaning**2)[:, None] * shown + leaning[:, None] * own

    shown = contents(n_gallery)
    leaning = hubness * random.beta(1, 4, size=n_gallery)
    relevant = random.randint(n_gallery, size=n_queries)
    bank_contents = contents(n_bank)
    return Bunch(
        bank_queries=blurred(bank_contents + 2 * own),
        bank_queries_ood=blurred(contents(n_bank) + 2 * other),
        queries=blurred(shown[relevant] + 2 * own),
        gallery=items(shown, leaning),
        bank_gallery=items(bank_contents, hubness * random.beta(1, 4, size=n_bank)),
        relevant=relevant,
        leaning=leaning,
        DESCR=f"Synthetic retrieval with hubness={hubness} and noise={noise}.",
    )
