"""Measure the peak memory of a fit or a search in a separate process."""

import json
import re
import subprocess
import sys
from pathlib import Path


def peak_above_inputs(n_bank, n_gallery, n_features, n_threads, work="fit"):
    """Return the peak memory of a fit or a search beyond its inputs, in MiB.

    A search returns the top 10 of `n_bank` queries.
    """
    arguments = map(str, (n_bank, n_gallery, n_features, n_threads, work))
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def _main(n_bank, n_gallery, n_features, n_threads, work):
    import numpy as np

    from sk_qbnorm import DynamicInvertedSoftmax, QuerybankRetriever

    def embeddings(n_rows):
        vectors = np.empty((n_rows, n_features), dtype=np.float32)
        np.random.default_rng(0).standard_normal(out=vectors, dtype=np.float32)
        return vectors

    normalizer = DynamicInvertedSoftmax(n_jobs=n_threads)
    retriever = QuerybankRetriever(
        normalizer, n_neighbors=10, metric="dot", n_jobs=n_threads
    )
    few = embeddings(10)
    retriever.fit(few, few).kneighbors(few)  # load numba and the kernels
    bank, gallery = embeddings(n_bank), embeddings(n_gallery)
    if work == "search":
        retriever.fit(few, gallery)
    before = reset_peak()
    if work == "search":
        retriever.kneighbors(bank)
    else:
        normalizer.fit(bank, gallery)
    print(json.dumps(peak() - before))


def reset_peak():
    """Forget the peak memory of this process, and return what it holds, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def peak():
    """Return the peak memory of this process in MiB; Linux only, as `reset_peak`."""
    return _resident("VmHWM")


def _resident(field):
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    *sizes, work = sys.argv[1:]
    _main(*map(int, sizes), work)
