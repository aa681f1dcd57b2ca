"""Measure the gain of a sample of queries without labels, with and without a bank.

Every draw shuffles the queries. The first of them are the sample, and the ones behind
the largest sample are evaluated, so that a sample is never evaluated and all sizes are
compared on the same queries.
"""

import numpy as np
from scipy import sparse

from sk_qbnorm import (
    InvertedSoftmax,
    ListSinkhornNormalizer,
    MixNormalizer,
    NearestNeighborNormalizer,
    ResultLists,
    SinkhornNormalizer,
)
from sk_qbnorm.metrics import recall_at_k

from .cases import rows_of

LENGTHS = (10, 20, 50, 100)  # of result lists
SIZES = (25, 50, 100, 200)
USUAL = 100
_KINDS = {"own": "own", "50 of it": "50 of it", "one topic": "one topic"}
_HEADER = """\
| bank | correction | sample | cases | mean gain | hurt by over 0.5 | worst \
| worst draw |
|---|---|---|---|---|---|---|---|"""


def gains_by_sample(case, n_draws):
    """Return, per correction and sample size, the gain in R@1 of each draw."""
    found = {}
    precomputed = {"metric": "precomputed"}
    plain = {
        "NNN": NearestNeighborNormalizer(**precomputed).fit(case.bank_sims),
        "Sinkhorn": SinkhornNormalizer(**precomputed).fit(case.bank_sims),
        "Careful": SinkhornNormalizer(alpha=0.5, **precomputed).fit(case.bank_sims),
    }
    mixes = {
        "Mix": MixNormalizer(case.sims[:USUAL], **precomputed),
        "Mix(IS)": MixNormalizer(case.sims[:USUAL], InvertedSoftmax(), **precomputed),
    }
    for mix in mixes.values():
        mix.fit(case.bank_sims)
    for n in LENGTHS:
        lists = _lists(case.bank_sims, n)
        plain[f"Lists of {n}"] = ListSinkhornNormalizer(n_listed=n).fit(lists)
    lists = _lists(case.bank_sims, 20)
    plain["Lists of 20, ranks"] = ListSinkhornNormalizer(weights="ranks").fit(lists)
    plain["Lists of 20, equal"] = ListSinkhornNormalizer(weights="equal").fit(lists)
    mixes["Mix of lists of 20"] = MixNormalizer(_lists(case.sims[:USUAL], 20)).fit(
        lists
    )
    alone = MixNormalizer(case.sims[:USUAL], **precomputed).fit(None)
    for seed in range(n_draws):
        order = np.random.default_rng(seed).permutation(len(case.sims))
        largest = min(max(SIZES), len(order) // 3)
        evaluated = order[largest:]
        sims, relevance = case.sims[evaluated], rows_of(case.relevance, evaluated)
        raw = recall_at_k(scores=sims, k=1, **relevance)

        def add(name, size, normalizer, raw=raw, sims=sims, relevance=relevance):
            scores = normalizer.transform(sims)
            gain = recall_at_k(scores=scores, k=1, **relevance) - raw
            found.setdefault((name, size), []).append(100 * gain)

        for name, normalizer in plain.items():
            add(name, "none", normalizer)
        for size in SIZES:
            sample = order[: min(size, largest)]
            for name, mix in mixes.items():
                shown = case.sims[sample]
                if "lists" in name:
                    shown = _lists(shown, 20)
                if name == "Mix" or size == USUAL:
                    add(name, size, mix.with_sample(shown))
            if size == USUAL:
                fitted = mixes["Mix"].with_sample(case.sims[sample])
                strength = 0.75 * fitted.agreement_**2
                add(
                    "Agreement alone",
                    size,
                    plain["Sinkhorn"].set_params(alpha=strength),
                )
                plain["Sinkhorn"].set_params(alpha=1.0)
                add("No bank", size, alone.with_sample(case.sims[sample]))
                blanked = _without_answers(case, sample)
                add("Mix, blanked", size, mixes["Mix"].with_sample(blanked))
    return found


def _lists(sims, n):
    """Return the n best items of each query, as a search engine does."""
    items = np.argsort(-sims, axis=1, kind="stable")[:, :n]
    scores = np.take_along_axis(sims, items, axis=1)
    return ResultLists(scores, items, n_gallery=sims.shape[1])


def _without_answers(case, rows):
    """Return similarities of queries whose relevant items are as similar as the mean.

    A control: the sample cannot push down the items that it asks for.
    """
    sims = case.sims[rows].copy()
    relevance = rows_of(case.relevance, rows)
    relevant, labels = relevance["relevant"], relevance.get("gallery_labels")
    for place, row in enumerate(sims):
        if labels is not None:
            items = np.flatnonzero(labels == relevant[place])
        elif sparse.issparse(relevant):
            items = relevant[[place]].indices
        else:
            items = relevant[place]
        row[items] = np.delete(row, items).mean()
    return sims


def table_of_samples(cases, gains):
    """Return the lines of a table of the mean gains per kind of bank."""
    lines = _HEADER.splitlines()
    kinds = [_KINDS.get(case.bank, "foreign or noise") for case in cases]
    for kind in dict.fromkeys(kinds):
        of_kind = [each for each, its in zip(gains, kinds, strict=True) if its == kind]
        for name, size in of_kind[0]:
            draws = np.array([each[name, size] for each in of_kind])
            means = np.round(draws.mean(axis=1), 6)
            lines.append(
                f"| {kind} | {name} | {size} | {len(means)} | {means.mean():+.2f} | "
                f"{(means < -0.5).sum()} | {means.min():+.1f} | {draws.min():+.1f} |"
            )
    return lines
