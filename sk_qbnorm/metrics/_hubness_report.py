"""All hubness measures of one retrieval, or of two."""

from typing import Any

from ._chance import measures_by_chance
from ._frame import as_table
from ._hubness import gini_index, hubness_skewness, robin_hood_index
from ._hubs import antihub_rate, hub_rate, max_k_occurrence
from ._occurrence import Retrieved, count_lists

MEASURES = (
    hubness_skewness,
    robin_hood_index,
    gini_index,
    antihub_rate,
    hub_rate,
    max_k_occurrence,
)


def hubness_report(
    before: Retrieved,
    after: Retrieved | None = None,
    *,
    k: int = 10,
    n_gallery: int | None = None,
    as_frame: bool = False,
) -> Any:
    """Measure hubness in every way at once, before and after a correction.

    Parameters
    ----------
    before : array-like or sparse matrix
        A score matrix, a sparse graph or, with `n_gallery`, gallery indices, as in
        `k_occurrence`.
    after : array-like or sparse matrix, default=None
        The same for the same queries and gallery, corrected. It may be a graph where
        `before` is a score matrix.
    k : int, default=10
        Length of the lists that are counted, as in `k_occurrence`.
    n_gallery : int, default=None
        Number of gallery items, for indices alone.
    as_frame : bool, default=False
        Whether to return a DataFrame, for which pandas has to be installed.

    Returns
    -------
    report : dict of str to dict, or DataFrame
        Of each measure its values, as float, by the names ``before``, ``after`` if that
        is given, and ``no_hubs``: what to expect by chance where all items are equally
        likely to be retrieved by as many queries in lists as long as those of `before`.
        The measures are ``mean_k_occurrence``, for comparison with the largest,
        ``hubness_skewness``, ``robin_hood_index``, ``gini_index``, ``antihub_rate``,
        ``hub_rate`` and ``max_k_occurrence``. A DataFrame has a row for each of them.

    Raises
    ------
    ValueError
        If an input is refused by `k_occurrence`, nothing is retrieved, or `before` and
        `after` are not of as many queries and gallery items.
    ImportError
        If a DataFrame is asked for and pandas is not installed.

    See Also
    --------
    retrieval_report : How good the ranking is.

    Notes
    -----
    What lies well above the values of no hubs a correction may take away, and it need
    not go further. Where some items are right for more queries than others, a perfect
    ranking lies above them too. The values of no hubs are computed of the binomial
    distribution, without any draw; in this the counts of two items pass for nearly
    independent. Their skewness is that of the distribution; of fewer than some 50
    items a sample's is smaller on average, so that there it overstates what to expect.

    Examples
    --------
    >>> from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> from sk_qbnorm.metrics import hubness_report
    >>> data = load_emoji_names_hi_en()
    >>> normalizer = DynamicInvertedSoftmax().fit(data.bank_queries, data.gallery)
    >>> sims = pairwise_similarity(data.queries, data.gallery)
    >>> report = hubness_report(sims, normalizer.transform(sims))
    >>> report["gini_index"]
    {'before': 0.705..., 'after': 0.338..., 'no_hubs': 0.175...}
    """
    retrieved = {"before": count_lists(before, k, n_gallery)}
    if after is not None:
        retrieved["after"] = count_lists(after, k, n_gallery)
        sizes = [(size, counts.size) for counts, size in retrieved.values()]
        if sizes[0] != sizes[1]:
            raise ValueError(
                "before and after must be of the same queries and gallery, got "
                f"(n_queries, n_gallery) of {sizes[0]} and {sizes[1]}."
            )
    columns = {name: _measure(counts) for name, (counts, _) in retrieved.items()}
    counts, n_queries = retrieved["before"]
    columns["no_hubs"] = measures_by_chance(n_queries, counts.size, int(counts.sum()))
    report = {
        measure: {name: column[measure] for name, column in columns.items()}
        for measure in columns["no_hubs"]
    }
    return as_table(report, as_frame)


def _measure(counts):
    values = {"mean_k_occurrence": float(counts.mean())}
    return values | {measure.__name__: float(measure(counts)) for measure in MEASURES}
