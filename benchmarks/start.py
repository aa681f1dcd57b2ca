"""Measure the import time of the package beyond that of scikit-learn's base."""

import statistics
import subprocess
import sys

_PROGRAM = """
import time, sklearn.base
start = time.perf_counter()
import sk_qbnorm
print(time.perf_counter() - start)
import sys
assert "numba" not in sys.modules
"""


def import_milliseconds(rounds):
    """Return the median over several new processes."""
    seconds = []
    for _ in range(rounds):
        command = [sys.executable, "-c", _PROGRAM]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds.append(float(result.stdout))
    return 1000 * statistics.median(seconds)
