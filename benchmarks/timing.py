"""Contenders that take turns, and the ratios of their medians."""

import statistics
import time
from dataclasses import dataclass, field


@dataclass
class Work:
    """One piece of work: what it is measured against, ours, and what others need.

    `limit` is the ratio to the yardstick that ours shall not exceed.
    """

    name: str
    yardstick: str
    limit: float
    contenders: dict  # of the yardstick and ours, by name
    others: dict = field(default_factory=dict)
    shortfalls: dict = field(default_factory=dict)  # why ours may exceed it, by name


def take_turns(contenders, rounds):
    """Time every contender once a round, in turns; return the seconds of each.

    Machines are noisy, and what else they do hits all contenders alike only if these
    take turns. A first round warms up caches and compiles what has to be.
    """
    for run in contenders.values():
        run()
    seconds = {name: [] for name in contenders}
    for turn in range(rounds):
        names = list(contenders)
        for name in names if turn % 2 == 0 else reversed(names):
            start = time.perf_counter()
            contenders[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(seconds, yardstick):
    """Return for each contender the median ratio, and the smallest and the largest.

    The ratio is of medians; its spread is that of single runs to the median yardstick.
    """
    base = statistics.median(seconds[yardstick])
    return {
        name: (statistics.median(runs) / base, min(runs) / base, max(runs) / base)
        for name, runs in seconds.items()
    }


def measure(work, rounds):
    """Yield ``(name, (median, low, high), is_ours)`` for all but the yardstick."""
    seconds = take_turns(work.contenders | work.others, rounds)
    for name, found in ratios(seconds, work.yardstick).items():
        if name != work.yardstick:
            yield name, found, name not in work.others
