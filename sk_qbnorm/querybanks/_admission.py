"""Check items before they are added to a gallery."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta
from sklearn.utils import gen_batches

from sk_qbnorm._embeddings import unit_rows
from sk_qbnorm._threads import count_threads
from sk_qbnorm._validation import check_number, item_names
from sk_qbnorm.corrections import Additive
from sk_qbnorm.metrics import as_table
from sk_qbnorm.statistics import check_caps, largest_count
from sk_qbnorm.tiles import SimilaritySource, whole_matrix

_BLOCK_ENTRIES = 2**22  # similarities that are computed at once


def admission_report(
    normalizer: Any,
    querybank: ArrayLike,
    gallery: ArrayLike | None,
    items: ArrayLike,
    *,
    caps: Mapping[int, float] | None = None,
    confidence: float = 0.95,
    as_frame: bool = False,
) -> Any:
    r"""Report how many queries would retrieve new items, before they are added.

    Parameters
    ----------
    normalizer : normalizer
        Any normalizer that subtracts a bias per item, fitted to `querybank` and
        `gallery`. It stays as it is.
    querybank : array-like of shape (n_bank, n_features) or (n_bank, n_gallery)
        The complete bank that was fitted, in the same order: embeddings, or
        similarities to the gallery.
    gallery : array-like of shape (n_gallery, n_features) or None
        Embeddings of the gallery; None if `querybank` holds similarities.
    items : array-like of shape (n_items, n_features) or (n_bank, n_items)
        Embeddings of the new items, or the similarities of the bank to them.
    caps : dict of int to float, default=None
        From k to the largest share of the bank queries that may have one item among
        their k best, in (0, 1). None means those of a `CappedNormalizer`, else
        ``{1: 0.01, 10: 0.05}``.
    confidence : float, default=0.95
        Confidence of the upper bounds for all items together, in (0, 1).
    as_frame : bool, default=False
        Whether to return a DataFrame. Requires pandas.

    Returns
    -------
    report : dict of ndarray of shape (n_items,), or DataFrame
        A DataFrame has one row per item. For each cap, with its number in place of k:

        ``raw_share@k``
            Share of the bank queries that have the item among their k best by raw
            similarity.
        ``share@k``
            The same in the scores that are served, with the correction that
            `normalizer` gives the item.
        ``upper_bound@k``
            Upper bound of the share of later queries in the scores that are served.

        and

        ``dispersion``
            How different the queries are that would retrieve the item by either test,
            as a share of the whole bank: about 1 for a hub of all topics, near 0 for a
            single topic. NaN for fewer than 2 such queries, and for similarities.
        ``floor``
            What has to be subtracted from the scores of the item, in addition to its
            correction, to keep it within all caps; 0 if it is within.
        ``verdict``
            ``"admit"`` if the item is within all caps by both tests. ``"correct"`` if
            only the raw test fails: add the item with its correction, as
            ``add_gallery`` does, because it is a hub without. ``"cap"`` if the test of
            the scores that are served fails: reject the item, or add it to a
            `CappedNormalizer`.

    Raises
    ------
    ValueError
        If `normalizer` is not fitted or subtracts no bias, an input does not match the
        fit, a cap is out of range or its k exceeds the gallery, or `confidence` is out
        of range.
    ImportError
        If `as_frame` is True and pandas is not installed.

    See Also
    --------
    sk_qbnorm.CappedNormalizer : Keep all items within caps.
    sk_qbnorm.metrics.hub_suspects : Find hubs that are in the gallery already.

    Notes
    -----
    Both tests are needed. A hub that knows nothing of the correction shows in the raw
    similarities. One that is built against the correction looks like an antihub there,
    and shows in the scores that are served only.

    With r of n bank queries that retrieve the item, and N items in the report, the
    upper bound is the quantile :math:`\mathrm{BetaInv}(1 - (1 - c) / N; r + 1, n - r)`
    for confidence c: the bound of Clopper and Pearson [1]_. It is valid for items that
    were chosen without knowledge of the bank and queries that are exchangeable with it.
    An attacker who submits many items counts each of them as one more of N.

    The dispersion is the mean cosine distance between two of the queries, divided by
    that of the whole bank.

    Each item is compared with the items of the gallery, not with the other new ones.
    The cost is that of one pass over the bank and the gallery, without a fit.

    References
    ----------
    .. [1] Clopper, Pearson. The use of confidence or fiducial limits illustrated in the
       case of the binomial. Biometrika 26, 1934,
       https://doi.org/10.1093/biomet/26.4.404.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_qbnorm import NearestNeighborNormalizer
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.querybanks import admission_report
    >>> data = load_emoji_names_hi_en()
    >>> bank, gallery, ordinary = data.bank_queries, data.gallery[1:], data.gallery[:1]
    >>> normalizer = NearestNeighborNormalizer().fit(bank, gallery)
    >>> hub = bank.mean(axis=0, keepdims=True)
    >>> items = np.vstack([ordinary, hub])
    >>> report = admission_report(normalizer, bank, gallery, items)
    >>> report["verdict"].tolist()
    ['admit', 'cap']
    >>> report["raw_share@1"].round(2), report["share@1"].round(2)
    (array([0.  , 0.89]), array([0.  , 0.18]))
    """
    caps = check_caps(getattr(normalizer, "caps", None) if caps is None else caps)
    advice = "0.95 is usual"
    if check_number(confidence, "confidence", positive=True, advice=advice) >= 1:
        raise ValueError(f"confidence must be below 1, got {confidence!r}; {advice}.")
    grown = _with_items(normalizer, querybank, gallery, items)
    pairs, units = _sources(normalizer.metric_, querybank, gallery, items)
    n_bank, n_gallery = pairs[0][1].shape[0], normalizer.n_features_in_
    if max(caps) > n_gallery:
        raise ValueError(
            f"caps must have k of at most {n_gallery}, the number of gallery items, "
            f"got {max(caps)}; pass smaller ones."
        )
    raw, served = _leads(grown, pairs, n_bank, n_gallery, [*caps])
    report, is_hub, is_raw_hub = {}, [], []
    n_items = raw.shape[1]
    retrieving = np.zeros(raw.shape[:2], dtype=bool)
    floor = np.zeros(n_items)
    for place, (k, share) in enumerate(caps.items()):
        most = largest_count(share, n_bank)
        wins = [leads[:, :, place] >= 0 for leads in (raw, served)]
        counts = [each.sum(axis=0) for each in wins]
        retrieving |= wins[0] | wins[1]
        is_raw_hub.append(counts[0] > most)
        is_hub.append(counts[1] > most)
        report[f"raw_share@{k}"], report[f"share@{k}"] = (c / n_bank for c in counts)
        bound = beta.isf(
            (1 - confidence) / n_items,
            counts[1] + 1,
            np.maximum(n_bank - counts[1], 1e-9),
        )
        report[f"upper_bound@{k}"] = np.where(counts[1] == n_bank, 1.0, bound)
        ordered = np.sort(served[:, :, place], axis=0)
        floor = np.maximum(floor, ordered[n_bank - 1 - most])
    report["dispersion"] = _dispersion(units, retrieving)
    report["floor"] = floor
    verdict = np.where(np.any(is_raw_hub, axis=0), "correct", "admit")
    report["verdict"] = np.where(np.any(is_hub, axis=0), "cap", verdict)
    if not as_frame:
        return report
    metric = normalizer.metric_
    names = item_names(items, axis=1 if metric == "precomputed" else 0)
    names = range(n_items) if names is None else names
    rows = {
        name: {column: values[item] for column, values in report.items()}
        for item, name in enumerate(names)
    }
    return as_table(rows, as_frame)


def _with_items(normalizer, querybank, gallery, items):
    """Return a copy of the normalizer with the items in its gallery."""
    is_fitted = hasattr(normalizer, "metric_")
    if not is_fitted or not isinstance(normalizer._correction(), Additive):
        raise ValueError(
            "normalizer must be fitted and subtract a bias per item, such as "
            "InvertedSoftmax().fit(querybank, gallery), got "
            f"{'' if is_fitted else 'the unfitted '}{normalizer!r}."
        )
    twin = copy(normalizer)
    if normalizer.metric_ == "precomputed":
        return twin.add_gallery(items)
    return twin.add_gallery(querybank, items)


def _sources(metric, querybank, gallery, items):
    """Return sources with checked bank queries for both galleries, and unit rows."""
    if metric == "precomputed":
        pairs = [
            (source, source.check(sims, name))
            for sims, name in ((querybank, "querybank"), (items, "items"))
            for source in [SimilaritySource(gallery, metric)]
        ]
        return pairs, None
    pairs = []
    for embeddings, title in ((gallery, "gallery"), (items, "items")):
        source = SimilaritySource(embeddings, metric, title=title)
        pairs.append((source, source.check(querybank, "querybank")))
    return pairs, unit_rows(pairs[0][1].astype(np.float64))


def _leads(grown, pairs, n_bank, n_gallery, ks):
    """Return scores minus the k-th best of the gallery: by raw, and as served.

    Each has the shape (n_bank, n_items, n_caps).
    """
    correction, n_threads = grown._correction(), count_threads(grown.n_jobs)
    n_items = grown.n_features_in_ - n_gallery
    found = np.empty((2, n_bank, n_items, len(ks)))
    if pairs[0][1].shape[1:] != (n_gallery,) and pairs[0][0].gallery is None:
        raise ValueError(
            f"querybank must have one column per gallery item, expected {n_gallery}, "
            f"got {pairs[0][1].shape[1]}."
        )
    for rows in gen_batches(n_bank, max(1, _BLOCK_ENTRIES // (n_gallery + n_items))):
        sims = np.hstack(
            [
                whole_matrix(source.tiles(checked[rows]), grown.n_jobs)
                for source, checked in pairs
            ]
        )
        scores = np.empty_like(sims)
        correction.apply(sims, scores, n_threads)
        for which, values in enumerate((sims, scores)):
            values = values.astype(np.float64)
            best = np.partition(values[:, :n_gallery], [n_gallery - k for k in ks])
            for place, k in enumerate(ks):
                last = best[:, [n_gallery - k]]
                found[which, rows, :, place] = values[:, n_gallery:] - last
    return found


def _dispersion(units, retrieving):
    """Return the mean distance of the retrieving queries, relative to the bank."""
    n_items = retrieving.shape[1]
    if units is None:
        return np.full(n_items, np.nan)
    members = np.hstack([retrieving, np.ones((len(retrieving), 1), dtype=bool)])
    sizes = members.sum(axis=0)
    sums = units.T @ members.astype(np.float64)
    products = (np.square(sums).sum(axis=0) - sizes) / np.maximum(
        sizes * (sizes - 1), 1
    )
    distances = np.where(sizes > 1, 1 - products, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return distances[:n_items] / distances[-1]
