"""``python -m benchmarks.arrays``: tensors of PyTorch against NumPy and plain PyTorch.

Times are ratios to the compiled kernels on NumPy arrays, and milliseconds on a GPU.
Needs PyTorch, array-api-compat and ``SCIPY_ARRAY_API=1``.
"""

import argparse
import statistics

import numpy as np
import sklearn
import torch

from sk_qbnorm import (
    InvertedSoftmax,
    NearestNeighborNormalizer,
    QuerybankRetriever,
)

from . import peers
from .timing import ratios, take_turns

BASELINE = "sk_qbnorm, NumPy"
BETA, K = 20.0, 10


def main():
    """Print a table for the CPU, and one for the GPU if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bank", type=int, default=4000, help="bank queries (4000)")
    parser.add_argument("--gallery", type=int, default=20000, help="items (20000)")
    parser.add_argument("--dimensions", type=int, default=256, help="(256)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (5)")
    options = parser.parse_args()
    sklearn.set_config(array_api_dispatch=True)
    print(
        f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}, bank "
        f"{options.bank}, gallery {options.gallery}, d={options.dimensions}; medians "
        f"of {options.rounds} runs.\n"
    )
    on_gpu = torch.cuda.is_available()
    print(f"| workload | implementation | {'ms' if on_gpu else 'ratio'} | range |")
    print("|---|---|---|---|")
    for workload, functions in workloads(options, "cuda" if on_gpu else "cpu"):
        seconds = take_turns(functions, options.rounds)
        if on_gpu:
            rows = {name: milliseconds(runs) for name, runs in seconds.items()}
        else:
            rows = ratios(seconds, BASELINE)
        for name, (median, low, high) in rows.items():
            print(f"| {workload} | {name} | {median:.2f} | {low:.2f} to {high:.2f} |")
    if not on_gpu:
        print("\nThere is no GPU here: nothing was measured on one.")


def milliseconds(runs):
    """Return the median, smallest and largest time."""
    return tuple(1000 * of(runs) for of in (statistics.median, min, max))


def workloads(options, device):
    """Yield the name of each workload and its implementations."""
    random = np.random.default_rng(0)

    def units(n_rows):
        vectors = random.standard_normal((n_rows, options.dimensions), np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    bank, gallery, queries = (
        units(n) for n in (options.bank, options.gallery, options.bank)
    )
    forms = {BASELINE: (bank, gallery, queries)}
    for dtype in (torch.float32, torch.bfloat16):
        name = f"sk_qbnorm, {str(dtype).removeprefix('torch.')} tensors"
        forms[name] = tuple(
            torch.asarray(each, dtype=dtype, device=device)
            for each in (bank, gallery, queries)
        )
    b, g, q = (torch.asarray(each, device=device) for each in (bank, gallery, queries))

    def done(function):
        def run():
            found = function()
            if device == "cuda":
                torch.cuda.synchronize()
            return found

        return run

    def of_forms(make):
        return {name: done(make(*form)) for name, form in forms.items()}

    plain = "plain PyTorch, float32"
    yield (
        "fit IS",
        of_forms(lambda b, g, q: lambda: InvertedSoftmax(beta=BETA).fit(b, g))
        | {plain: done(lambda: torch.logsumexp(b @ g.T * BETA, dim=0))},
    )
    nearest = NearestNeighborNormalizer(n_neighbors=K)
    peer = peers.embeddings_top_mean(bank, gallery, K, torch.get_num_threads())
    yield (
        f"fit NNN, k={K}",
        of_forms(lambda b, g, q: lambda: nearest.fit(b, g))
        | {plain: done(lambda: (g @ b.T).topk(K, dim=1).values.mean(dim=1))}
        | {name: run for name, run in peer.items() if name == "nnn-retrieval"},
    )

    def search(b, g, q):
        retriever = QuerybankRetriever(InvertedSoftmax(beta=BETA), n_neighbors=K)
        retriever.fit(b, g)
        return lambda: retriever.kneighbors(q)

    bias = torch.logsumexp(b @ g.T * BETA, dim=0) / BETA
    yield (
        f"top-{K} search by IS",
        of_forms(search) | {plain: done(lambda: (q @ g.T - bias).topk(K, dim=1))},
    )


if __name__ == "__main__":
    main()
