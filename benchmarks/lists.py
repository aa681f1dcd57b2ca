"""``python -m benchmarks.lists``: fit from result lists in place of all similarities.

A large bank and a large gallery are compared exactly, by `SinkhornNormalizer` and
`InvertedSoftmax`, and by result lists of an approximate FAISS index, whose search is
part of the time. Recall is measured on other queries, searched exactly.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np

from sk_qbnorm import (
    InvertedSoftmax,
    ListSinkhornNormalizer,
    ResultLists,
    SinkhornNormalizer,
)

from .memory import peak, reset_peak
from .peers import load_faiss

_LENGTHS = (50, 200, 500)
_PROBES = 16  # clusters that the index searches per query


def data(n_bank, n_gallery, n_queries, width, seed=0):
    """Return unit vectors with hubs: bank, gallery, queries and the relevant items.

    Queries are noisy copies of items, moved by one common offset, as between two
    modalities. The bank queries are copies of items that are not in the gallery.
    """
    random = np.random.default_rng(seed)
    clusters = random.standard_normal((1000, width), dtype=np.float32)
    offset = 0.7 * random.standard_normal(width, dtype=np.float32)

    def draw(n):
        noise = random.standard_normal((n, width), dtype=np.float32)
        return clusters[random.integers(1000, size=n)] + 0.7 * noise

    def units(vectors):
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def ask(items):
        noise = random.standard_normal(items.shape, dtype=np.float32)
        return units(items + offset + 1.4 * noise)

    gallery = draw(n_gallery)
    relevant = random.choice(n_gallery, size=n_queries, replace=False)
    queries = ask(gallery[relevant])
    return ask(draw(n_bank)), units(gallery), queries, relevant


def index_of(gallery):
    """Return an inverted-file index of the gallery."""
    import faiss

    n_clusters = max(1, int(4 * np.sqrt(len(gallery))))
    index = faiss.index_factory(
        gallery.shape[1], f"IVF{n_clusters},Flat", faiss.METRIC_INNER_PRODUCT
    )
    index.train(gallery[:: max(1, len(gallery) // (64 * n_clusters))])
    index.add(gallery)
    index.nprobe = _PROBES
    return index


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists")
    add = parser.add_argument
    add("--bank", type=int, default=100_000, help="bank queries (%(default)s)")
    add("--gallery", type=int, default=1_000_000, help="items (%(default)s)")
    add("--queries", type=int, default=2000, help="(%(default)s)")
    add("--width", type=int, default=64, help="of the embeddings (%(default)s)")
    add("--threads", type=int, default=2, help="(%(default)s)")
    add("--markdown", type=Path, help="write the table to this file")
    options = parser.parse_args()
    print(text := "\n".join(table(options)))
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")


def table(options):
    """Return the lines of a table: times, memory and recall of each fit."""
    sizes = options.bank, options.gallery, options.queries, options.width
    bank, gallery, queries, relevant = data(*sizes)
    load_faiss(options.threads)
    index, seconds_of_index = _timed(lambda: index_of(gallery))
    fits = _fits(bank, gallery, index, options.threads)
    small = gallery[:5000]
    for _, fit in _fits(bank[:300], small, index_of(small), options.threads):
        fit()  # load the compiled functions
    before = _recall(0 * gallery[:, 0], gallery, queries, relevant)
    results = [
        (source, *_measure(fit, before, gallery, queries, relevant))
        for source, fit in fits
    ]
    *_, seconds_of_sinkhorn, _, gain_of_sinkhorn = results[-1]
    lines = [
        f"Bank of {len(bank)} against {len(gallery)} items, d={options.width}, "
        f"float32, {options.threads} threads. Raw R@1 is {before:.1%}. Building the "
        f"index took {seconds_of_index:.0f} s, which is not part of the times.",
        "",
        "| normalizer | fitted from | seconds | times as fast as Sinkhorn "
        "| peak memory, GiB | gain in R@1, points | part of the gain of Sinkhorn |",
        "|---|---|---|---|---|---|---|",
    ]
    for source, normalizer, seconds, memory, gain in results:
        lines.append(
            f"| {normalizer} | {source} | {seconds:.3g} "
            f"| {seconds_of_sinkhorn / seconds:.1f} | {memory / 1024:.1f} "
            f"| {gain:+.1f} | {gain / gain_of_sinkhorn:.0%} |"
        )
    return lines


def _fits(bank, gallery, index, n_threads):
    """Return what each fit learns from, and the function that fits."""
    settings = {"metric": "dot", "n_jobs": n_threads}

    def of_items(n):
        lists = ResultLists(*index.search(bank, n), n_gallery=len(gallery))
        return ListSinkhornNormalizer(n_listed=n).fit(lists)

    fits = [
        (f"lists of {n} items per bank query", lambda n=n: of_items(n))
        for n in _LENGTHS
    ]
    exact = (
        InvertedSoftmax(**settings),
        SinkhornNormalizer(alpha=0.75, **settings),
    )
    fits += [("all similarities", partial(each.fit, bank, gallery)) for each in exact]
    return fits


def _measure(fit, before, gallery, queries, relevant):
    """Return the name, the seconds, the memory in MiB and the gain of a fit."""
    held = reset_peak()
    normalizer, seconds = _timed(fit)
    memory = peak() - held
    bias = (normalizer.alpha * normalizer.gallery_bias_).astype(np.float32)
    gain = 100 * (_recall(bias, gallery, queries, relevant) - before)
    return type(normalizer).__name__, seconds, memory, gain


def _recall(bias, gallery, queries, relevant):
    """Return R@1 of an exact search of all items."""
    hits = 0
    for start in range(0, len(queries), 64):
        scores = queries[start : start + 64] @ gallery.T - bias
        hits += (scores.argmax(axis=1) == relevant[start : start + 64]).sum()
    return hits / len(queries)


def _timed(work):
    start = time.perf_counter()
    return work(), time.perf_counter() - start


if __name__ == "__main__":
    main()
