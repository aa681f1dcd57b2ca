"""Compare random cases with the reference: ``python -m tests.fuzz --seed 0``.

Each case draws a normalizer and its parameters, sizes, values, dtypes and layouts from
its own seed. It checks that inputs do not change; that layouts and threads do not
change a bit of the result; that `transform` matches the formula in `tests.reference`,
`rescore` matches `transform`, `partial_fit` matches `fit`, and a search matches
`decision_function` with a stable sort. ``--case N`` runs one case again.
"""

import argparse
import sys
import time
import traceback
import warnings

import numpy as np
from scipy import sparse
from sklearn.base import clone

from sk_qbnorm import (
    CSLS,
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GloballyCorrected,
    InvertedSoftmax,
    ListSinkhornNormalizer,
    NearestNeighborNormalizer,
    QuerybankRetriever,
    SinkhornNormalizer,
)

from .cases import expected, layouts_of

DTYPES = np.float64, np.float32, np.float16, np.int64
EDGES = 255, 256, 257, 511, 512, 513
MOST_STEPS = 30_000  # the reference is slow


class Case:
    """A random case, drawn from one seed."""

    def __init__(self, seed, number):
        self.random = np.random.default_rng([seed, number])
        self.scale = float(self.random.choice([1e-3, 1, 1, 1, 1e3]))
        self.dtype = self.random.choice(DTYPES)
        self.normalizer = self._normalizer()
        self.words = [repr(self.normalizer), np.dtype(self.dtype).name]

    def one_of(self, *choices):
        """Draw one of the choices."""
        return choices[self.random.integers(len(choices))]

    def size(self, most=300):
        """Draw a number of rows or columns; small numbers and edges are more likely."""
        small, some = self.random.integers(1, 13), self.random.integers(1, most)
        return int(self.one_of(small, small, small, some, self.random.choice(EDGES)))

    def matrix(self, shape):
        """Draw a matrix with many ties, without ties, or of near duplicates."""
        random = self.random
        values = random.integers(-8, 9, shape) / 8
        kind = self.one_of("grid", "normal", "near duplicates", "alike")
        if kind == "normal":
            values = random.normal(size=shape)
        elif kind == "near duplicates":
            values[:] = random.normal(size=(shape[0], 1))
            values *= 1 + 2.0**-22 * random.integers(-2, 3, shape)
        elif kind == "alike":
            values[:, : shape[1] // 2] = values[:1, :1]
            values[shape[0] // 2 :] = values[:1]
        if self.dtype == np.int64:
            values = values * 8
        return (values * self.scale).astype(self.dtype)

    def layout(self, matrix):
        """Return the matrix in a random memory layout."""
        layouts = layouts_of(matrix)
        name = self.one_of(*layouts)
        self.words.append(f"{matrix.shape} in {name}")
        return layouts[name]

    def _normalizer(self):
        beta = float(self.one_of(0.5, 5.0, 20.0, 100.0)) / self.scale
        beta = self.one_of(beta, beta, "scale")
        alpha, k = float(self.one_of(0, 0.5, 1, 1.5)), int(self.random.integers(1, 20))
        gate = {"n_activation": self.one_of(1, 1, 3), "min_count": self.one_of(1, 1, 2)}
        output = self.one_of("similarity", "similarity", "probability")
        of_beta = {"beta": beta, "alpha": alpha}
        duals = {"beta_query": beta, "beta_gallery": 5.0 / self.scale, "alpha": alpha}
        noisy = {**of_beta, "shrinkage": self.one_of(None, "noise")}
        sinkhorn = SinkhornNormalizer(max_iter=self.one_of(1, 4), tol=0.0, **noisy)
        lists = ListSinkhornNormalizer(alpha=alpha, n_listed=max(2, k))
        nearest = NearestNeighborNormalizer(alpha=alpha, n_neighbors=k)
        inner = self.one_of(
            CSLS(n_neighbors=k), InvertedSoftmax(**of_beta), sinkhorn, nearest
        )
        return self.one_of(
            InvertedSoftmax(output=output, **of_beta),
            DynamicInvertedSoftmax(output=output, **of_beta, **gate),
            CSLS(n_neighbors=k),
            GloballyCorrected(),
            nearest,
            sinkhorn,
            lists,
            DynamicNormalizer(inner, **gate),
            DualInvertedSoftmax(**duals),
            DualDynamicInvertedSoftmax(**duals, **gate),
        )


def same(found, right, what):
    """Raise if two arrays differ in any bit."""
    np.testing.assert_array_equal(found, right, err_msg=what)
    if not sparse.issparse(found) and found.dtype != right.dtype:
        raise AssertionError(f"{what}: {found.dtype} is not {right.dtype}")


def best(scores, k):
    """Return the k best of each row by a stable sort."""
    items = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, items, axis=1), items


def allow_noise(normalizer, bank):
    """Estimate no noise from a single query."""
    for name in ("shrinkage", "normalizer__shrinkage"):
        if len(bank) < 2 and name in normalizer.get_params():
            normalizer.set_params(**{name: None})


def check_matrices(case):
    """Check a fit to similarities and the methods that use it."""
    normalizer = case.normalizer
    n_gallery = case.size()
    bank, sims = (case.matrix((case.size(), n_gallery)) for _ in range(2))
    given_bank, given_sims = case.layout(bank), case.layout(sims)
    allow_noise(normalizer, bank)
    fitted = clone(normalizer).fit(bank)
    scores = fitted.transform(sims)
    for n_jobs in (None, 3):
        again = clone(normalizer).set_params(n_jobs=n_jobs).fit(given_bank)
        for _ in range(2):
            same(again.transform(given_sims), scores, f"transform, n_jobs={n_jobs}")
            same(given_sims, sims, "the similarities, after transform")
        same(given_bank, bank, "the bank, after fit")
    same(clone(normalizer).fit_transform(given_bank), fitted.transform(bank), "both")
    same(given_bank, bank, "the bank, after fit_transform")
    everything = np.tile(np.arange(n_gallery), (len(sims), 1))
    for found, right in zip(
        fitted.rescore(given_sims, everything), best(scores, n_gallery), strict=True
    ):
        same(found, right, "rescore")
    tolerance = 2e-5 if scores.dtype == np.float32 else 1e-11
    unit = float(abs(bank).max()) + float(abs(sims).max()) + case.scale
    close = {"rtol": tolerance, "atol": tolerance * unit}
    options = fitted.get_params()
    is_sum = options.get("output") != "probability"
    beta = options.get("beta", options.get("normalizer__beta"))
    beta = options.get("beta_query", beta)
    looks_again = isinstance(fitted, (GloballyCorrected, DualDynamicInvertedSoftmax))
    steps = sims.size * (len(bank) if looks_again else 1)
    if is_sum and beta != "scale" and max(steps, 8 * bank.size) < MOST_STEPS:
        right = expected(fitted, bank, sims)
        np.testing.assert_allclose(scores, right, **close, err_msg="reference")
    if is_sum and beta != "scale" and hasattr(normalizer, "partial_fit"):
        parts = clone(normalizer)
        for part in np.array_split(given_bank, min(len(bank), 3)):
            parts.partial_fit(part)
        np.testing.assert_allclose(
            parts.transform(sims), scores, **close, err_msg="partial_fit"
        )


def check_search(case):
    """Check a search of embeddings."""
    metric, width = case.one_of("cosine", "dot"), case.size(40)
    gallery, bank, queries = (case.matrix((case.size(), width)) for _ in range(3))
    allow_noise(case.normalizer, bank)
    given = [case.layout(each) for each in (bank, gallery, queries)]
    if case.random.random() < 0.1 and case.dtype != np.float16:
        given[1] = sparse.csr_array(given[1])
    k = min(int(case.random.integers(1, 20)), len(gallery))
    case.words.append(f"{metric}, k={k}")
    right = None
    for n_jobs in (1, 3):
        retriever = QuerybankRetriever(
            case.normalizer, n_neighbors=1, metric=metric, n_jobs=n_jobs
        )
        retriever.fit(given[0], given[1])
        scores = retriever.decision_function(given[2])
        right = best(scores, k) if right is None else right
        for found, each in zip(retriever.kneighbors(given[2], k), right, strict=True):
            same(found, each, f"search, n_jobs={n_jobs}")
    for each, before in zip(given[::2], (bank, queries), strict=True):
        same(each, before, "embeddings, after a search")


def run(seed, number):
    """Run one case; return None, or a description of the case and its error."""
    case = Case(seed, number)
    check = case.one_of(check_matrices, check_matrices, check_search)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings(
                "ignore", "n_neighbors=|n_activation=|beta|The lists"
            )
            check(case)
    except Exception:
        return f"{check.__name__}: {'; '.join(case.words)}\n{traceback.format_exc()}"
    return None


def main(arguments=None):
    """Run the cases; return 1 if any fails, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--case", type=int, help="run only this case")
    options = parser.parse_args(arguments)
    numbers = range(options.cases) if options.case is None else [options.case]
    failed, start = [], time.monotonic()
    for number in numbers:
        failure = run(options.seed, number)
        if failure:
            failed.append(number)
            print(f"--seed {options.seed} --case {number}\n{failure}", flush=True)
        if (number + 1) % 1000 == 0:
            print(f"{number + 1} cases, {len(failed)} failed", flush=True)
    seconds = time.monotonic() - start
    print(f"{len(numbers)} cases, {len(failed)} failed {failed[:20]}, {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
