"""``python -m benchmarks.billion``: estimate the cost of a gallery of a billion items.

Rates are measured on blocks. The costs for a billion items are estimated from them; the
tables say which numbers are measured and which are estimated.
"""

import argparse
import pickle
import time
from pathlib import Path

import numpy as np
from joblib import cpu_count

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    QuerybankRetriever,
)

_ITEMS = 1e9
_BANK = 1e5
_WIDTH = 512
_SHARD = 1e6
_NORMALIZERS = (
    InvertedSoftmax,
    DynamicInvertedSoftmax,
    CSLS,
    NearestNeighborNormalizer,
)


def main():
    """Measure, estimate and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.billion")
    add = parser.add_argument
    add("--bank", type=int, default=8192, help="bank queries of a block (%(default)s)")
    add(
        "--gallery",
        type=int,
        default=100_000,
        help="items of a block (%(default)s)",
    )
    add("--rounds", type=int, default=3, help="runs of each (%(default)s)")
    add("--threads", type=int, default=min(2, cpu_count()), help="(%(default)s)")
    add("--markdown", type=Path, help="write the tables to this file")
    options = parser.parse_args()
    random = np.random.default_rng(0)

    def units(n_rows):
        vectors = random.standard_normal((n_rows, _WIDTH), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    blocks = units(options.bank), units(options.gallery)
    lines = _fit_lines(options, *blocks) + _search_lines(options, *blocks)
    lines += ["", *_dask_lines(options, *blocks)]
    text = "\n".join(lines)
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")


def _fit_lines(options, bank, gallery):
    lines = [
        f"Measured: a block of {options.bank} bank queries x {options.gallery} items, "
        f"d={_WIDTH}, float32, {options.threads} threads; medians of "
        f"{options.rounds}. Estimated: a bank of {_BANK:.0e} and {_ITEMS:.0e} "
        "items.",
        "",
        "| normalizer | measured: similarities per second and thread "
        "| state per item | merge, ns per item | estimated: core-hours of a fit "
        "| state of all items |",
        "|---|---|---|---|---|---|",
    ]
    for normalizer_class in _NORMALIZERS:
        normalizer = normalizer_class(n_jobs=options.threads)
        seconds = _median(options, lambda fit=normalizer.fit: fit(bank, gallery))
        rate = len(bank) * len(gallery) / seconds / options.threads
        bank_state = normalizer._bank
        size = len(pickle.dumps(bank_state)) / len(gallery)
        merging = _median(options, lambda state=bank_state: state.merge(state))
        merge = merging / len(gallery)
        hours = _ITEMS * _BANK / rate / 3600
        lines.append(
            f"| {normalizer_class.__name__} | {rate / 1e6:.0f} million | {size:.0f} B "
            f"| {merge * 1e9:.0f} | {hours:.0f} | {size * _ITEMS / 1e9:.0f} GB |"
        )
    return lines


def _search_lines(options, queries, gallery):
    retriever = QuerybankRetriever(
        InvertedSoftmax(), n_neighbors=10, metric="dot", n_jobs=options.threads
    ).fit(queries[:100], gallery)
    lines = [
        "",
        "| queries per call | measured: similarities per second and thread "
        f"| estimated: core-seconds per query over {_ITEMS:.0e} items |",
        "|---|---|---|",
    ]
    for n_queries in (1, 32, 1000):
        some = queries[:n_queries]
        seconds = _median(options, lambda some=some: retriever.kneighbors(some))
        rate = len(some) * len(gallery) / seconds / options.threads
        lines.append(
            f"| {len(some)} | {rate / 1e6:.0f} million | {_ITEMS / rate:.2g} |"
        )
    return lines


def _dask_lines(options, bank, gallery):
    try:
        import dask
        from dask import array
    except ImportError:
        return ["Dask is not installed, so blocks as Dask tasks were not measured."]
    normalizer = InvertedSoftmax()
    shard = max(1, len(gallery) // 4)
    blocks = (
        array.from_array(bank, chunks=(len(bank) // 4, -1)),
        array.from_array(gallery, chunks=(shard, -1)),
    )
    with dask.config.set(scheduler="threads", num_workers=options.threads):
        seconds = _median(options, lambda: normalizer.fit(*blocks))
    rate = len(bank) * len(gallery) / seconds / options.threads
    n_tasks = _ITEMS / _SHARD
    return [
        f"Measured: the same block, split into 16 Dask tasks on {options.threads} "
        f"threads, runs at {rate / 1e6:.0f} million similarities per second and "
        f"thread. Estimated: shards of {_SHARD:.0e} items against the whole bank are "
        f"{n_tasks:.0f} tasks of {_SHARD * _BANK / rate / 60:.0f} core-minutes each.",
    ]


def _median(options, work):
    work()  # compiles and fills caches
    seconds = []
    for _ in range(options.rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
