"""How well a correction is chosen by labelled queries, on every data set of a folder.

``python -m benchmarks.choice FOLDER`` goes through all .npz files of the folder, with
every bank that they hold. It chooses by some of the queries, at random, and measures
recall at 1 on others, many times; half of the queries are always kept for the measure.

A file has ``queries``, ``gallery`` and banks, ``bank_queries`` with or without more to
the name, and ``bank_gallery``; or ``sims`` and ``bank_sims``. What is relevant stands
in ``relevant``, in ``relevant_indptr`` and ``relevant_indices``, or in ``query_labels``
and ``gallery_labels``.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse

from sk_qbnorm.model_selection import NormalizerSearch, gain_lower_bounds

RULES = {"best mean": 0.0, "less 1 s.e.": 1.0, "less 2 s.e.": 2.0}
_AMOUNTS = ("half", 100, 50)  # of labels
_HEADER = """\
| labels | rule | mean gain | worst | hurt by 0.2 | by 0.5 | raw kept |
|---|---|---|---|---|---|---|"""


def main():
    """Choose, measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.choice",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=20, help="(%(default)s)")
    options = parser.parse_args()
    found, raw = {}, []
    for name, hits in _cases(options.folder):
        raw.append(100 * hits[0].mean())
        found[name] = _gains(hits, options.draws)
        _print_case(name, hits, found[name])
    print(f"\n{len(found)} cases, raw {np.mean(raw):.1f}; gains of recall at 1 over")
    print(f"raw, in points, each the mean of {options.draws} draws of the labels.\n")
    print(_HEADER)
    for n_labels in _AMOUNTS:
        for rule in RULES:
            draws = np.array([gains[n_labels, rule] for gains in found.values()])
            _print_row(n_labels, rule, draws)


def _cases(folder):
    """Yield the name of each file and bank, and the hits of all candidates."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as stored:
            data = {name: stored[name] for name in stored.files}
        precomputed = "sims" in data
        queries = data["sims" if precomputed else "queries"]
        search = NormalizerSearch(
            queries,
            _relevant(data),
            gallery_labels=None if "relevant" in data else data.get("gallery_labels"),
            metric="precomputed" if precomputed else "cosine",
        )
        for bank in data:
            if not bank.startswith(("bank_queries", "bank_gallery", "bank_sims")):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Sinkhorn's, and small banks
                search.fit(data[bank], data.get("gallery"))
            yield f"{path.stem}, {bank}", search.hits_


def _relevant(data):
    if "relevant" in data:
        return data["relevant"]
    if "query_labels" in data:
        return data["query_labels"]
    indptr, indices = data["relevant_indptr"], data["relevant_indices"]
    ones = np.ones(indices.size, dtype=bool)
    shape = indptr.size - 1, len(data["gallery"])
    return sparse.csr_array((ones, indices, indptr), shape=shape)


def _gains(hits, n_draws):
    """Return, by number of labels and rule, what each draw gains, and if it is raw."""
    n_queries = hits.shape[1]
    gains = {(amount, rule): [] for amount in _AMOUNTS for rule in RULES}
    for seed in range(n_draws):
        order = np.random.default_rng(seed).permutation(n_queries)
        half = n_queries // 2
        recall = 100 * hits[:, order[half:]].mean(axis=1)
        for amount, rule in gains:
            labelled = order[: half if amount == "half" else min(amount, half)]
            options = {"n_standard_errors": RULES[rule]}
            best = gain_lower_bounds(hits[:, labelled], **options).argmax()
            gains[amount, rule].append((recall[best] - recall[0], best == 0))
    return gains


def _print_case(name, hits, gains):
    recall = 100 * hits.mean(axis=1)
    means = (f"{rule} {np.mean(gains['half', rule], axis=0)[0]:+.2f}" for rule in RULES)
    best = f"best setting {recall.max() - recall[0]:+.2f}"
    print(f"{name}: raw {recall[0]:.1f}, {best}, {', '.join(means)}", flush=True)


def _print_row(n_labels, rule, draws):
    gains, kept = draws[..., 0].mean(axis=1), draws[..., 1].mean()
    hurt = f"{(gains < -0.2).sum()} | {(gains < -0.5).sum()}"
    print(
        f"| {n_labels} | {rule} | {gains.mean():.2f} | {gains.min():.2f} | {hurt} "
        f"| {kept:.0%} |"
    )


if __name__ == "__main__":
    main()
