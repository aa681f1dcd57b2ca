"""Peak memory of a fit or a search, measured in a process of its own."""

import json
import re
import subprocess
import sys
from pathlib import Path


def peak_above_inputs(n_bank, n_gallery, n_features, n_threads, work="fit"):
    """Return the MiB that a fit, or a search, needs beyond its inputs, at the most.

    A search is for the ten best of as many queries as the bank has.
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
    retriever.fit(few, few).kneighbors(few)  # numba, and the kernels it loads
    bank, gallery = embeddings(n_bank), embeddings(n_gallery)
    if work == "search":
        retriever.fit(few, gallery)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
    before = _resident("VmRSS")
    if work == "search":
        retriever.kneighbors(bank)
    else:
        normalizer.fit(bank, gallery)
    print(json.dumps(_resident("VmHWM") - before))


def _resident(field):
    """Return a figure of this process in MiB; Linux alone tells them like this."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    *sizes, asked = sys.argv[1:]
    _main(*map(int, sizes), asked)
