"""``python -m benchmarks.lists``: fit from result lists in place of all similarities.

A large bank and a large gallery are compared exactly, by `SinkhornNormalizer` and
`InvertedSoftmax`, and by result lists of an approximate FAISS index, whose search is
part of the time. Recall is measured on other queries, searched exactly.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from sk_qbnorm import (
    InvertedSoftmax,
    ListSinkhornNormalizer,
    ResultLists,
    SinkhornNormalizer,
)

_LENGTHS = (50, 200)
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


def index_of(gallery, n_threads):
    """Return an inverted-file index of the gallery."""
    import faiss

    faiss.omp_set_num_threads(n_threads)
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
    settings = {"metric": "dot", "n_jobs": options.threads}
    InvertedSoftmax(**settings).fit(bank[:300], gallery[:5000])
    SinkhornNormalizer(**settings).fit(bank[:300], gallery[:5000])
    index, seconds_of_index = _timed(lambda: index_of(gallery, options.threads))

    def of_lists(n):
        lists = ResultLists(*index.search(bank, n), n_gallery=len(gallery))
        return ListSinkhornNormalizer(n_listed=n).fit(lists)

    fits = {f"lists of {n}": lambda n=n: of_lists(n) for n in _LENGTHS}
    fits["InvertedSoftmax"] = lambda: InvertedSoftmax(**settings).fit(bank, gallery)
    fits["SinkhornNormalizer"] = lambda: SinkhornNormalizer(alpha=0.75, **settings).fit(
        bank, gallery
    )
    before = _recall(0 * gallery[:, 0], gallery, queries, relevant)
    lines = [
        f"Bank of {len(bank)} against {len(gallery)} items, d={options.width}, "
        f"float32, {options.threads} threads. Building the index took "
        f"{seconds_of_index:.0f} s, which is not part of the times. Raw R@1 is "
        f"{before:.1%}.",
        "",
        "| fit | seconds | relative to lists of 50 | peak memory, GiB | R@1 "
        "| gain, points |",
        "|---|---|---|---|---|---|",
    ]
    fastest = None
    for name, fit in fits.items():
        normalizer, seconds = _timed(fit)
        fastest = fastest or seconds
        bias = (normalizer.alpha * normalizer.gallery_bias_).astype(np.float32)
        after = _recall(bias, gallery, queries, relevant)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        lines.append(
            f"| {name} | {seconds:.1f} | {seconds / fastest:.1f} | {memory:.1f} "
            f"| {after:.1%} | {100 * (after - before):+.1f} |"
        )
    return lines


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
