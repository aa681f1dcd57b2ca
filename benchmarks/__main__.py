"""``python -m benchmarks``: time all workloads and print Markdown tables."""

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

from joblib import cpu_count

from . import curves, peers
from .memory import peak_above_inputs
from .start import import_milliseconds
from .timing import measure
from .workloads import Workloads

_HEADER = """\
| | workload | class or function | ratio | range | limit | baseline |
|---|---|---|---|---|---|---|"""
_OTHERS_HEADER = """\
| workload | implementation | ratio | range |
|---|---|---|---|"""


def main():
    """Measure and print."""
    options = _options()
    n_threads = options.threads
    peers.load_faiss(n_threads)
    lines = [_machine(n_threads, options.rounds), "", _HEADER]
    others, reasons = [], []
    for work in Workloads(options.size, n_threads):
        print(work.name, flush=True)
        for name, (median, low, high), is_ours in measure(work, options.rounds):
            run_range = f"{low:.2f} to {high:.2f}"
            if not is_ours:
                others.append(f"| {work.name} | {name} | {median:.2f} | {run_range} |")
                continue
            verdict = "met" if median <= work.limit else "missed"
            if verdict == "missed":
                reason = work.reasons.get(name, "unknown; noise or a regression")
                reasons.append(f"- {work.name}, {name}: {reason}.")
            lines.append(
                f"| {verdict} | {work.name} | {name} | {median:.3g} | {run_range} "
                f"| {work.limit:.3g} | {work.baseline} |"
            )
    lines += _absolute_rows(options, n_threads)
    lines += ["", "Reasons for *missed*:", "", *reasons] if reasons else []
    lines += ["", "The same workloads in other libraries, with the same baseline:", ""]
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
    add("--rounds", type=int, default=7, help="runs of each (%(default)s)")
    add("--threads", type=int, default=min(2, cpu_count()), help="(%(default)s)")
    add(
        "--gallery",
        type=int,
        default=1_000_000,
        help="for memory rows (%(default)s)",
    )
    add("--curve-size", type=int, default=5000, help="base size (%(default)s)")
    add("--no-curves", action="store_true", help="skip the curves")
    add("--plot", type=Path, help="save a plot of the curves to this file")
    add("--markdown", type=Path, help="write the tables to this file")
    return parser.parse_args()


def _machine(n_threads, rounds):
    names = ("sk-qbnorm", "numpy", "scipy", "scikit-learn", "numba")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{n_threads} threads of {cpu_count()} on {_processor()}, Python "
        f"{platform.python_version()}, {versions}; medians of {rounds} runs."
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
            "peak memory beyond the inputs",
        ),
        (
            f"top-10 search, {n_bank} queries x {n_gallery}, d=512",
            "DynamicInvertedSoftmax",
            *(of_search, 64, "MiB"),
            "peak memory beyond gallery and queries",
        ),
        (
            "import, without numba",
            "sk_qbnorm",
            *(milliseconds, 80, "ms more"),
            "import sklearn.base",
        ),
    )
    return [
        f"| {'met' if found <= limit else 'missed'} | {work} | {name} | "
        f"{found:.0f} {unit} | | {limit} {unit} | {baseline} |"
        for work, name, found, limit, unit, baseline in rows
    ]


def _absent():
    names = peers.absent()
    if names:
        return f"Not installed: {', '.join(names)}."
    return "All libraries were installed."


def _curve_lines(n_threads, options):
    size = options.curve_size
    found = curves.growth(size, n_threads, options.rounds)
    memory = curves.memory_growth(size, n_threads)
    lines = ["Time of a fit of IS on embeddings, relative to the base size:", ""]
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
