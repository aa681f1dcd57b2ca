"""``python -m benchmarks.quality``: what every normalizer does to every data set.

Without a folder, to the data sets that ship with the package, with their own bank and
with banks that are foreign to them. With one, to all of its ``.npz`` files:
``queries``, ``gallery`` and ``relevant`` (or ``relevant_indptr`` and
``relevant_indices``, or ``query_labels`` and ``gallery_labels``), one or more arrays
whose names begin with ``bank_queries``, and at will ``bank_gallery``; or ``sims`` and
``bank_sims``.
"""

import argparse
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sk_qbnorm import (
    CSLS,
    AgreementNormalizer,
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
    datasets,
    pairwise_similarity,
)
from sk_qbnorm.metrics import hubness_skewness, recall_at_k

NORMALIZERS = {
    "IS": InvertedSoftmax(),
    "DIS": DynamicInvertedSoftmax(),
    "CSLS": CSLS(),
    "GC": GloballyCorrected(),
    "NNN": NearestNeighborNormalizer(),
    "Sinkhorn": SinkhornNormalizer(),
    "Sinkhorn ½": SinkhornNormalizer(alpha=0.5),
    "D-NNN": DynamicNormalizer(NearestNeighborNormalizer()),
    "Agree": AgreementNormalizer(None),
}
DUAL = {
    "DualIS": DualInvertedSoftmax(),
    "DualDIS": DualDynamicInvertedSoftmax(),
    "Sinkhorn, two banks": SinkhornNormalizer(),
}
_SAMPLE = 100  # queries without labels, for those who ask for them
_HURT = 0.2  # points of R@1 that are more than nothing


class Case(NamedTuple):
    """One gallery, its queries, and one bank."""

    data: str
    bank: str
    bank_sims: np.ndarray
    sims: np.ndarray
    relevance: dict
    beside: dict | None = None  # for a gallery bank: what each of `DUAL` is given


def shipped():
    """Yield the cases of the data that ship with the package."""
    loaders = {name: getattr(datasets, name) for name in datasets.__all__}
    for name, load in loaders.items():
        if not name.startswith("load_") or name == "load_matrix":
            continue
        data = load()
        own = data.bank_queries
        random = np.random.default_rng(0)
        likeness = pairwise_similarity(own[:1], own)[0]
        narrow = likeness.argsort()[::-1][: len(own) // 8]
        banks = {
            "own": own,
            "one topic": own[narrow],
            "noise": random.normal(size=own.shape),
        }
        for bank, queries in banks.items():
            yield _of_embeddings(name.removeprefix("load_"), bank, queries, data)
    for hubness in (0.75, 0.0):
        data = datasets.make_hub_retrieval(
            hubness=hubness, noise=1.5, random_state=0, n_queries=1000
        )
        title = "synthetic, hubs" if hubness else "synthetic, no hubs"
        yield _of_embeddings(title, "own", data.bank_queries, data, data.bank_gallery)
        yield _of_embeddings(title, "other domain", data.bank_queries_ood, data)


def in_folder(folder):
    """Yield the cases of the files in a folder."""
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            data = {name: arrays[name] for name in arrays.files}
        data["relevance"] = _relevance(data)
        if "sims" in data:
            sims = data["bank_sims"], data["sims"]
            yield Case(path.stem, "own", *sims, data["relevance"])
            continue
        for name in sorted(data):
            if name.startswith("bank_queries"):
                bank = name.removeprefix("bank_queries").strip("_") or "own"
                beside = data.get("bank_gallery") if bank == "own" else None
                yield _of_embeddings(path.stem, bank, data[name], data, beside)


def _of_embeddings(title, bank, bank_queries, data, bank_gallery=None):
    queries, gallery = (np.asarray(data[name]) for name in ("queries", "gallery"))
    beside = None
    if bank_gallery is not None:
        to_items = pairwise_similarity(bank_gallery, gallery)
        beside = dict.fromkeys(DUAL, to_items)
        beside["Sinkhorn, two banks"] = pairwise_similarity(bank_queries, bank_gallery)
    return Case(
        title,
        bank,
        pairwise_similarity(bank_queries, gallery),
        pairwise_similarity(queries, gallery),
        data["relevance"] if "relevance" in data else _relevance(data),
        beside,
    )


def _relevance(data):
    """Return what `recall_at_k` is to be told."""
    if "relevant" in data:
        return {"relevant": data["relevant"]}
    if "relevant_indptr" in data:
        return {
            "relevant": np.split(
                data["relevant_indices"], data["relevant_indptr"][1:-1]
            )
        }
    return {
        "relevant": data["query_labels"],
        "gallery_labels": data["gallery_labels"],
    }


def measure(case):
    """Return R@1 in points, and skewness, of raw and of all normalizers."""
    found = {"raw": _measures(case, case.sims)}
    for name, normalizer in NORMALIZERS.items():
        normalizer = normalizer.set_params(metric="precomputed")
        if isinstance(normalizer, AgreementNormalizer):
            normalizer.set_params(queries=_sample(case.sims))
        found[name] = _measures(case, normalizer.fit(case.bank_sims), case.sims)
    for name, normalizer in DUAL.items() if case.beside else ():
        normalizer = normalizer.set_params(metric="precomputed")
        normalizer.fit(case.bank_sims, gallerybank=case.beside[name])
        found[name] = _measures(case, normalizer, case.sims)
    return found


def _sample(sims):
    random = np.random.default_rng(0)
    return sims[random.permutation(len(sims))[:_SAMPLE]]


def _measures(case, scores, sims=None):
    if sims is not None:
        scores = scores.transform(sims)
    recall = 100 * recall_at_k(scores=scores, k=1, **case.relevance)
    k = min(10, scores.shape[1])
    return recall, hubness_skewness(scores, k=k)


def tables(cases):
    """Return a table of R@1, one of skewness, one of two banks, and a summary."""
    recalls, skews = _heading(NORMALIZERS), _heading(NORMALIZERS)
    dual, gains = _heading(DUAL), {name: [] for name in (*NORMALIZERS, *DUAL)}
    for case in cases:
        found = measure(case)
        raw, raw_skewness = found.pop("raw")
        for name, (recall, _) in found.items():
            gains[name].append(recall - raw)
        changes = {name: f"{recall - raw:+.1f}" for name, (recall, _) in found.items()}
        recalls.append(
            _row(case, f"{raw:.1f}", (changes[name] for name in NORMALIZERS))
        )
        skewness = (f"{found[name][1]:.2f}" for name in NORMALIZERS)
        skews.append(_row(case, f"{raw_skewness:.2f}", skewness))
        if case.beside:
            dual.append(_row(case, f"{raw:.1f}", (changes[name] for name in DUAL)))
        print(recalls[-1], flush=True)
    return recalls, skews, dual, _summary(gains)


def _heading(names):
    return [
        f"| data | bank | raw | {' | '.join(names)} |",
        "|---" * (3 + len(names)) + "|",
    ]


def _row(case, raw, values):
    return f"| {case.data} | {case.bank} | {raw} | {' | '.join(values)} |"


def _summary(gains):
    lines = [
        f"| | cases | mean gain | hurt by over {_HURT} | by over 0.5 | worst |",
        "|---|---|---|---|---|---|",
    ]
    for name, gain in gains.items():
        if gain:
            gain = np.array(gain)
            hurt = f"{(gain < -_HURT).sum()} | {(gain < -0.5).sum()}"
            worst = f"{gain.mean():+.2f} | {hurt} | {gain.min():+.1f}"
            lines.append(f"| {name} | {gain.size} | {worst} |")
    return lines


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", help="of .npz files")
    parser.add_argument("--markdown", type=Path, help="file to write")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    cases = in_folder(options.folder) if options.folder else shipped()
    recalls, skews, dual, summary = tables(cases)
    text = "\n".join(
        [
            "R@1 of the raw similarities in %, and what each normalizer adds to it:",
            "",
            *recalls,
            "",
            "Skewness of the 10-occurrence:",
            "",
            *skews,
            "",
            "R@1 again, with a gallery bank beside the querybank:",
            "",
            *dual,
            "",
            "All cases together:",
            "",
            *summary,
        ]
    )
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
