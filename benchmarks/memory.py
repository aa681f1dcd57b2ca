"""Peak memory of a fit on embeddings, measured in a process of its own."""

import json
import re
import subprocess
import sys
from pathlib import Path


def peak_above_inputs(n_bank, n_gallery, n_features, n_threads):
    """Return the MiB that a fit needs beyond its inputs, at the most."""
    arguments = map(str, (n_bank, n_gallery, n_features, n_threads))
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def _main(n_bank, n_gallery, n_features, n_threads):
    import numpy as np

    from sk_qbnorm import DynamicInvertedSoftmax

    def embeddings(n_rows):
        vectors = np.empty((n_rows, n_features), dtype=np.float32)
        np.random.default_rng(0).standard_normal(out=vectors, dtype=np.float32)
        return vectors

    normalizer = DynamicInvertedSoftmax(n_jobs=n_threads)
    normalizer.fit(embeddings(10), embeddings(10))  # numba, and the kernels it loads
    bank, gallery = embeddings(n_bank), embeddings(n_gallery)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
    before = _resident("VmRSS")
    normalizer.fit(bank, gallery)
    print(json.dumps(_resident("VmHWM") - before))


def _resident(field):
    """Return a figure of this process in MiB; Linux alone tells them like this."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
