"""``python -m benchmarks``: every work, ours and others', as Markdown tables."""

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

from joblib import cpu_count

from . import curves, peers
from .memory import peak_above_inputs
from .start import import_milliseconds
from .timing import measure
from .works import Works

_HEADER = """\
| | work | ours | ratio | spread | at most | against |
|---|---|---|---|---|---|---|"""
_OTHERS_HEADER = """\
| work | who | ratio | spread |
|---|---|---|---|"""


def main():
    """Measure and print."""
    options = _options()
    n_threads = options.threads
    lines = [_machine(n_threads, options.rounds), "", _HEADER]
    others, reasons = [], []
    for work in Works(options.size, n_threads):
        print(work.name, flush=True)
        for name, (median, low, high), is_ours in measure(work, options.rounds):
            spread = f"{low:.2f} to {high:.2f}"
            if not is_ours:
                others.append(f"| {work.name} | {name} | {median:.2f} | {spread} |")
                continue
            verdict = "met" if median <= work.limit else "short"
            if verdict == "short":
                reason = work.shortfalls.get(
                    name, "no reason is known; noise, or a fault"
                )
                reasons.append(f"- {work.name}, {name}: {reason}.")
            lines.append(
                f"| {verdict} | {work.name} | {name} | {median:.3g} | {spread} "
                f"| {work.limit:.3g} | {work.yardstick} |"
            )
    lines += _absolute_rows(options, n_threads)
    lines += ["", "Short of the bound:", "", *reasons] if reasons else []
    lines += ["", "The same work elsewhere, against the same yardstick:", ""]
    lines += [_OTHERS_HEADER, *others, "", _absent(), ""]
    if not options.no_curves:
        lines += _curve_lines(n_threads, options)
    text = "\n".join(lines)
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")


def _options():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--size", type=int, default=10_000, help="rows and columns (%(default)s)")
    add("--rounds", type=int, default=7, help="turns of each (%(default)s)")
    add("--threads", type=int, default=min(2, cpu_count()), help="(%(default)s)")
    add(
        "--gallery", type=int, default=1_000_000, help="of the memory row (%(default)s)"
    )
    add("--curve-size", type=int, default=5000, help="base size (%(default)s)")
    add("--no-curves", action="store_true", help="leave the curves out")
    add("--plot", type=Path, help="draw the curves into this file")
    add("--markdown", type=Path, help="write the tables into this file")
    return parser.parse_args()


def _machine(n_threads, rounds):
    names = ("sk-qbnorm", "numpy", "scipy", "scikit-learn", "numba")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{n_threads} threads of {cpu_count()} on {_processor()}, Python "
        f"{platform.python_version()}, {versions}; medians of {rounds} turns."
    )


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return models[0] if models else platform.processor()


def _absolute_rows(options, n_threads):
    n_bank, n_gallery = 8192, options.gallery
    sizes = n_bank, n_gallery, 512, n_threads
    mebibytes = peak_above_inputs(*sizes)
    of_search = peak_above_inputs(*sizes, "search")
    milliseconds = import_milliseconds(options.rounds)
    rows = (
        (
            f"fit DIS, bank {n_bank} x gallery {n_gallery}, d=512",
            "DynamicInvertedSoftmax",
            *(mebibytes, 64, "MiB"),
            "inputs: peak memory beyond them",
        ),
        (
            f"top-10 search, {n_bank} queries x {n_gallery}, d=512",
            "DynamicInvertedSoftmax",
            *(of_search, 64, "MiB"),
            "gallery, queries: peak memory beyond them",
        ),
        (
            "import, numba not loaded",
            "sk_qbnorm",
            *(milliseconds, 80, "ms more"),
            "import sklearn.base",
        ),
    )
    return [
        f"| {'met' if found <= limit else 'short'} | {work} | {name} | "
        f"{found:.0f} {unit} | | {limit} {unit} | {yardstick} |"
        for work, name, found, limit, unit, yardstick in rows
    ]


def _absent():
    names = peers.absent()
    return f"Not installed: {', '.join(names)}." if names else "All peers were there."


def _curve_lines(n_threads, options):
    size = options.curve_size
    found = curves.growth(size, n_threads, options.rounds)
    memory = curves.memory_growth(size, n_threads)
    lines = ["Time of a fit of IS on embeddings, that of the base size = 1:", ""]
    lines += ["| size | " + " | ".join(f"x {f}" for f in (0.5, 1, 2, 4)) + " |"]
    lines += ["|---|---|---|---|---|"]
    for name, points in found.items():
        cells = " | ".join(f"{value}: {cost:.2f}" for value, cost in points)
        if name == "threads":
            lines += ["", f"By number of threads: {cells.replace(' | ', ', ')}."]
        else:
            lines.append(f"| {name} | {cells} |")
    peaks = ", ".join(f"{n_bank}: {peak:.0f} MiB" for n_bank, peak in memory)
    lines += [
        "",
        f"Peak memory beyond the inputs by n_bank, gallery {10 * size}: {peaks}.",
    ]
    if options.plot:
        curves.draw(found, memory, options.plot)
    return lines


if __name__ == "__main__":
    main()
