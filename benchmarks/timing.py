"""Time implementations in turn, and compare their medians."""

import statistics
import time
from dataclasses import dataclass, field


@dataclass
class Workload:
    """One workload: its baseline, our implementations, and other libraries.

    `limit` is the ratio to the baseline that our implementations should not exceed.
    """

    name: str
    baseline: str
    limit: float
    ours: dict  # functions by name, including the baseline
    others: dict = field(default_factory=dict)  # functions by name
    reasons: dict = field(default_factory=dict)  # why ours may exceed it, by name


def take_turns(functions, rounds):
    """Time every function once per round; return the seconds of each.

    The functions take turns, so that other load on the machine affects all of them
    alike. A first round, which is not timed, compiles kernels and fills caches.
    """
    for run in functions.values():
        run()
    seconds = {name: [] for name in functions}
    for turn in range(rounds):
        names = list(functions)
        for name in names if turn % 2 == 0 else reversed(names):
            start = time.perf_counter()
            functions[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(seconds, baseline):
    """Return the median, smallest and largest ratio of each function.

    The first is a ratio of medians; the others divide single runs by the median of the
    baseline.
    """
    base = statistics.median(seconds[baseline])
    return {
        name: (statistics.median(runs) / base, min(runs) / base, max(runs) / base)
        for name, runs in seconds.items()
    }


def measure(work, rounds):
    """Yield ``(name, (median, low, high), is_ours)``, without the baseline."""
    seconds = take_turns(work.ours | work.others, rounds)
    for name, found in ratios(seconds, work.baseline).items():
        if name != work.baseline:
            yield name, found, name not in work.others
