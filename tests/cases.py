"""Shared by many tests: normalizers, their references, and edge-case matrices."""

import builtins

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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
    SinkhornNormalizer,
)

from . import reference

NORMALIZERS = {
    "IS": InvertedSoftmax(beta=20.0, metric="precomputed"),
    "DIS": DynamicInvertedSoftmax(beta=20.0, metric="precomputed"),
    "CSLS": CSLS(n_neighbors=1, metric="precomputed"),
    "GC": GloballyCorrected(metric="precomputed"),
    "NNN": NearestNeighborNormalizer(n_neighbors=1, metric="precomputed"),
    "CSLS k=3": CSLS(n_neighbors=3, metric="precomputed"),
    "NNN k=3": NearestNeighborNormalizer(n_neighbors=3, metric="precomputed"),
    "Dynamic CSLS": DynamicNormalizer(CSLS(n_neighbors=2), metric="precomputed"),
    "Lists": ListSinkhornNormalizer(n_listed=3, metric="precomputed"),
    "DualIS": DualInvertedSoftmax(
        beta_query=20.0, beta_gallery=5.0, metric="precomputed"
    ),
    "DualDIS": DualDynamicInvertedSoftmax(
        beta_query=20.0, beta_gallery=5.0, metric="precomputed"
    ),
}
# Also normalizers that need the whole bank and the whole gallery at once.
ALL = NORMALIZERS | {
    "Sinkhorn": SinkhornNormalizer(beta=5.0, max_iter=4, tol=0.0, metric="precomputed"),
    "Dynamic Sinkhorn": DynamicNormalizer(
        SinkhornNormalizer(beta=20.0, max_iter=3, tol=0.0, alpha=0.5),
        metric="precomputed",
    ),
    "Limited IS": InvertedSoftmax(beta=20.0, influence_limit=2, metric="precomputed"),
}


def expected(normalizer, bank, sims):
    """Return the scores of the normalizer by the reference, in float64."""
    bank, sims = np.asarray(bank, np.float64), np.asarray(sims, np.float64)
    options = normalizer.get_params()
    if isinstance(normalizer, DynamicNormalizer):
        gate = options["n_activation"], options["min_count"]
        scores = expected(normalizer.normalizer, bank, sims)
        return np.array(reference.dynamic(bank, sims, scores, *gate))
    bank, sims = bank.tolist(), sims.tolist()
    if isinstance(normalizer, (DualInvertedSoftmax, DualDynamicInvertedSoftmax)):
        gate = None
        if isinstance(normalizer, DualDynamicInvertedSoftmax):
            gate = options["n_activation"], options["min_count"]
        beta = number_for(options["beta_query"], 1.5, bank)
        settings = [beta], options["alpha"], gate
        return np.array(reference.dual_inverted_softmax([bank], sims, *settings))
    if isinstance(normalizer, ListSinkhornNormalizer):
        n_listed = min(options["n_listed"], max(2, len(bank[0]) // 10))
        lists = [
            {item: row[item] for item in reference.order(row)[:n_listed]}
            for row in bank
        ]
        bias = np.array(reference.list_sinkhorn_bias(lists, len(bank[0])))
        return np.array(sims) - options["alpha"] * bias
    if isinstance(normalizer, SinkhornNormalizer):
        beta = number_for(options["beta"], 2.0, bank)
        settings = beta, options["max_iter"]
        bias_of = reference.sinkhorn_bias
        if options["shrinkage"] == "noise":
            bias_of = reference.shrunken_sinkhorn_bias
        bias = np.array(bias_of(bank, *settings))
        return np.array(sims) - options["alpha"] * bias
    if isinstance(normalizer, InvertedSoftmax):
        inverted = {
            "similarity": reference.inverted_softmax,
            "probability": reference.inverted_softmax_probability,
        }[options["output"]]
        beta = number_for(options["beta"], 1.5, bank)
        limit = options["influence_limit"]
        if limit is not None:
            columns = zip(*bank, strict=True)
            bias = [reference.limited_log_mean_exp(c, beta, limit) for c in columns]
            return np.array(sims) - options["alpha"] * np.array(bias)
        scores = inverted(bank, sims, beta, options["alpha"])
        if options["shrinkage"] == "noise":  # move each score by the change of its bias
            plain = np.array(reference.sinkhorn_bias(bank, beta, 1))
            shrunken = np.array(reference.shrunken_sinkhorn_bias(bank, beta, 1))
            moved = options["alpha"] * (plain - shrunken)
            if options["output"] == "similarity":
                scores = np.array(scores) + moved
            else:
                scores = np.array(scores) * np.exp(beta * moved)
        if isinstance(normalizer, DynamicInvertedSoftmax):
            gate = options["n_activation"], options["min_count"]
            scores = reference.dynamic(bank, sims, scores, *gate)
    elif isinstance(normalizer, CSLS):
        scores = reference.csls(bank, sims, options["n_neighbors"])
    elif isinstance(normalizer, NearestNeighborNormalizer):
        k, alpha = options["n_neighbors"], options["alpha"]
        scores = reference.nearest_neighbor(bank, sims, k, alpha)
    else:
        scores = reference.globally_corrected(bank, sims)
    return np.array(scores, dtype=np.float64)


def number_for(beta, factor, bank):
    """Return the number for `beta`, for a bank of at most 256 queries."""
    return factor / (np.std(bank) or 1.0) if beta == "scale" else beta


@st.composite
def bank_and_sims(draw, max_rows=8, max_items=6, scale=1.0):
    """Draw a bank and queries of one gallery, on a coarse grid with many ties.

    The grid is exact in float32. Some columns and rows are constant or equal, and some
    matrices have a single row or column.
    """
    n_gallery = draw(st.integers(1, max_items))
    grid = st.integers(-8, 8).map(lambda step: step / 8 * scale)
    bank = draw(
        hnp.arrays(
            np.float64, (draw(st.integers(1, max_rows)), n_gallery), elements=grid
        )
    )
    sims = draw(
        hnp.arrays(
            np.float64, (draw(st.integers(1, max_rows)), n_gallery), elements=grid
        )
    )
    if draw(st.booleans()):
        bank[:, draw(st.integers(0, n_gallery - 1))] = draw(grid)
    if draw(st.booleans()):
        sims[draw(st.integers(0, len(sims) - 1))] = draw(grid)
    if draw(st.booleans()):
        bank[-1] = bank[0]
    return bank, sims


def forms_of(matrix):
    """Return the matrix in different layouts and containers."""
    import pandas as pd

    strided = np.zeros((matrix.shape[0] * 2, matrix.shape[1] * 3), matrix.dtype)
    strided[::2, ::3] = matrix
    read_only = matrix.copy()
    read_only.flags.writeable = False
    return {
        "C order": np.ascontiguousarray(matrix),
        "Fortran order": np.asfortranarray(matrix),
        "strided": strided[::2, ::3],
        "read-only": read_only,
        "list": matrix.tolist(),
        "pandas": pd.DataFrame(
            matrix, columns=[f"g{j}" for j in range(len(matrix[0]))]
        ),
    }


def layouts_of(matrix):
    """Return the matrix in different memory layouts, writable and read-only."""
    layouts = _layouts(matrix)
    for name, layout in _layouts(matrix).items():
        layout.flags.writeable = False
        layouts[f"{name}, read-only"] = layout
    return layouts


def _layouts(matrix):
    n_rows, n_columns = matrix.shape
    wide = np.ones((n_rows, n_columns + 3), matrix.dtype)
    wide[:, :n_columns] = matrix
    tall = np.ones((2 * n_rows, n_columns), matrix.dtype)
    tall[::2] = matrix
    return {
        "C order": np.array(matrix, order="C"),
        "Fortran order": np.array(matrix, order="F"),
        "some columns": wide[:, :n_columns],
        "every other row": tall[::2],
        "from the last row on": matrix[::-1].copy()[::-1],
    }


def whole(shape, seed=0, largest=5):
    """Embeddings of small integers, so that products are exact and sometimes tied."""
    random = np.random.default_rng(seed)
    return random.integers(-largest, largest, shape).astype(float)


def without(monkeypatch, package):
    """Make the import of a package fail, even if it is already loaded."""
    real_import = builtins.__import__

    def importing(name, *options, **more):
        if name.split(".")[0] == package:
            raise ImportError(f"No module named {name!r}")
        return real_import(name, *options, **more)

    monkeypatch.setattr(builtins, "__import__", importing)
