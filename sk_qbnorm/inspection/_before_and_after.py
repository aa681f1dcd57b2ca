"""The k-occurrence before and after a correction, in whatever form it is told."""

from sk_qbnorm.metrics._occurrence import count_lists

from ._retrieval import Retrieval


def counts_of(before, after, k, n_gallery):
    """Return the counts, of one retrieval or two, and the number of queries."""
    counts, n_queries = count_lists(before, k, n_gallery)
    if after is None:
        return (counts,), n_queries
    counts_after, n_after = count_lists(after, k, n_gallery)
    sizes = (n_queries, counts.size), (n_after, counts_after.size)
    if sizes[0] != sizes[1]:
        raise ValueError(
            "before and after must be of the same queries and gallery, got "
            f"(n_queries, n_gallery) of {sizes[0]} and {sizes[1]}."
        )
    return (counts, counts_after), n_queries


def counts_of_estimator(estimator, queries, k):
    """Return the counts before and after, the number of queries, and the retrieval."""
    retrieval = Retrieval(estimator, queries)
    lists = retrieval.lists(k)
    counts, n_queries = counts_of(*lists, k, retrieval.n_gallery)
    return counts, n_queries, retrieval
