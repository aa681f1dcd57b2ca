"""The largest hubs by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sk_qbnorm._validation import check_count, column_names

from ._frame import as_table
from ._occurrence import Retrieved, k_occurrence_pair


def top_hubs(
    scores: Retrieved,
    names: ArrayLike | None = None,
    k: int = 10,
    *,
    after: Retrieved | None = None,
    n_hubs: int = 10,
    n_gallery: int | None = None,
    as_frame: bool = False,
) -> Any:
    """List the gallery items that the most queries retrieve, largest hub first.

    Parameters
    ----------
    scores : array-like or sparse matrix
        The retrieval result, in any form that `k_occurrence` accepts.
    names : array-like of shape (n_gallery,), default=None
        Names of the gallery items; None for the column names of `scores`, or the
        gallery indices.
    k : int, default=10
        Length of the lists to count, in [1, n_gallery].
    after : array-like or sparse matrix, default=None
        Corrected results of the same queries and gallery.
    n_hubs : int, default=10
        Number of hubs to list, >= 1; all items if there are fewer.
    n_gallery : int, default=None
        Number of gallery items, only for indices, as in `k_occurrence`.
    as_frame : bool, default=False
        Whether to return a DataFrame. Requires pandas.

    Returns
    -------
    hubs : list of dict, or DataFrame
        For each hub its gallery index ``item``, its ``name``, and ``before``, the
        number of queries that have it in their top `k`; with `after`, also ``after``. A
        DataFrame has one row per hub. Equal counts are listed by gallery index.

    Raises
    ------
    ValueError
        If `k_occurrence` rejects an input, the shapes differ, `names` does not have one
        entry per gallery item, or `n_hubs` is out of range.
    ImportError
        If `as_frame` is True and pandas is not installed.

    See Also
    --------
    k_occurrence : The counts of all items.
    sk_qbnorm.inspection.HubsByNameDisplay : The same as a plot.

    Examples
    --------
    >>> from sk_qbnorm import pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.metrics import top_hubs
    >>> data = load_emoji_names_hi_en()
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> for hub in top_hubs(sims, data.gallery_text, n_hubs=2):
    ...     print(hub["name"], hub["before"])
    eight-spoked asterisk 348
    eight-pointed star 228
    """
    n_hubs = check_count(n_hubs, "n_hubs")
    counts, _ = k_occurrence_pair(scores, after, k, n_gallery)
    names = column_names(scores) if names is None else names
    names = np.arange(counts[0].size) if names is None else np.asarray(names)
    if names.shape != counts[0].shape:
        raise ValueError(
            f"names must have one entry per gallery item, shape {counts[0].shape}, got "
            f"shape {names.shape}."
        )
    hubs = []
    for item in np.argsort(-counts[0], kind="stable")[:n_hubs].tolist():
        hub = {"item": item, "name": names[item : item + 1].tolist()[0]}
        moments = zip(("before", "after"), counts, strict=False)
        hub |= {moment: int(count[item]) for moment, count in moments}
        hubs.append(hub)
    return as_table(dict(enumerate(hubs)), as_frame) if as_frame else hubs
