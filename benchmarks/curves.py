"""Measure how the cost of a fit on embeddings grows with each size."""

import numpy as np

from sk_qbnorm import InvertedSoftmax

from .memory import peak_above_inputs
from .timing import take_turns

_FACTORS = (0.5, 1, 2, 4)


def _embeddings(n_rows, n_features):
    return np.random.default_rng(0).standard_normal(
        (n_rows, n_features), dtype=np.float32
    )


def _fit(sizes, n_threads):
    bank = _embeddings(sizes["n_bank"], sizes["d"])
    gallery = _embeddings(sizes["n_gallery"], sizes["d"])
    normalizer = InvertedSoftmax(n_jobs=n_threads)
    return lambda: normalizer.fit(bank, gallery)


def growth(size, n_threads, rounds):
    """Return, for each size, ``(value, time relative to the base size)``."""
    base_sizes = {"n_bank": size, "n_gallery": size, "d": 256}
    found = {}
    for name, base in base_sizes.items():
        values = [round(base * factor) for factor in _FACTORS]
        fits = {value: _fit({**base_sizes, name: value}, n_threads) for value in values}
        found[name] = _relative(take_turns(fits, rounds), base)
    threads = [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= n_threads]
    fits = {count: _fit(base_sizes, count) for count in threads}
    found["threads"] = _relative(take_turns(fits, rounds), 1)
    return found


def _relative(seconds, base):
    medians = {value: float(np.median(runs)) for value, runs in seconds.items()}
    return [(value, median / medians[base]) for value, median in medians.items()]


def memory_growth(size, n_threads):
    """Return ``(n_bank, MiB beyond the inputs)`` for a growing bank."""
    return [
        (n_bank, peak_above_inputs(n_bank, 10 * size, 256, n_threads))
        for n_bank in (size // 2, size, 2 * size, 4 * size)
    ]


def draw(found, memory, path):
    """Plot the curves and save the figure."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(9, 5.4), layout="constrained")
    panels = panels.ravel()
    for axes, (name, points) in zip(panels, found.items(), strict=False):
        values, costs = zip(*points, strict=True)
        linear = [value / values[costs.index(1.0)] for value in values]
        if name == "threads":
            linear = [1 / count for count in values]
        axes.plot(values, linear, color="0.6", linewidth=1, label="proportional")
        axes.plot(values, costs, "o-", color="#0072b2", label="measured")
        axes.set_xlabel(name)
        axes.set_xticks(values[-3:])  # the first is too close to the second
        axes.set_ylim(0)
        axes.set_ylabel("time relative to base size")
    panels[0].legend(frameon=False)
    memory_panel, unused = panels[len(found) :]
    unused.set_axis_off()
    values, peaks = zip(*memory, strict=True)
    memory_panel.plot(values, peaks, "o-", color="#0072b2")
    memory_panel.set_xlabel("n_bank")
    memory_panel.set_xticks(values[-3:])
    memory_panel.set_ylabel("MiB beyond the inputs")
    memory_panel.set_ylim(0, 1.4 * max(peaks) + 1)
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
