"""The cases of ``benchmarks.quality``: a gallery, its queries and one bank each.

Each ``.npz`` file of a folder contains ``queries``, ``gallery`` and ``relevant`` (or
``relevant_indptr`` and ``relevant_indices``, or ``query_labels`` and
``gallery_labels``), one or more arrays whose names begin with ``bank_queries``, and
optionally ``bank_gallery``, which is used as a bank too; or it contains ``sims``,
``bank_sims`` and the relevant items.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from sk_qbnorm import datasets, pairwise_similarity


class Case(NamedTuple):
    """One gallery, its queries, and one bank."""

    data: str
    bank: str
    bank_sims: np.ndarray
    sims: np.ndarray
    relevance: dict
    bank_items: np.ndarray | None = None  # of a gallery bank to the gallery
    bank_gallery_sims: np.ndarray | None = None  # of the bank to the gallery bank


def shipped():
    """Yield the cases of the data in the package."""
    loaders = {name: getattr(datasets, name) for name in datasets.__all__}
    for name, load in loaders.items():
        if not name.startswith("load_") or name == "load_matrix":
            continue
        data = load()
        own = data.bank_queries
        random = np.random.default_rng(0)
        closeness = pairwise_similarity(own[:1], own)[0]
        one_topic = closeness.argsort()[::-1][: len(own) // 8]
        banks = {
            "own": own,
            "50 of it": own[:50],
            "one topic": own[one_topic],
            "noise": random.normal(size=own.shape),
        }
        for bank, queries in banks.items():
            yield _of_embeddings(name.removeprefix("load_"), bank, queries, data)
    for hubness in (0.75, 0.0):
        data = datasets.make_hub_retrieval(
            hubness=hubness, noise=1.5, random_state=0, n_queries=1000
        )
        title = "synthetic, hubs" if hubness else "synthetic, no hubs"
        own = _of_embeddings(title, "own", data.bank_queries, data, data.bank_gallery)
        yield from (own, _small(own))
        yield _of_embeddings(title, "other domain", data.bank_queries_ood, data)


def in_folder(folder):
    """Yield the cases of the files in a folder; exit if there are none."""
    paths = sorted(Path(folder).glob("*.npz"))
    if not paths:
        raise SystemExit(
            f"There are no .npz files in {folder}; pass a folder of files as described "
            "in benchmarks/cases.py, or no folder to use the data of the package."
        )
    for path in paths:
        with np.load(path, allow_pickle=False) as arrays:
            data = {name: arrays[name] for name in arrays.files}
        data["relevance"] = _relevance(data)
        if "sims" in data:
            sims = data["bank_sims"], data["sims"]
            own = Case(path.stem, "own", *sims, data["relevance"])
            yield from (own, _small(own))
            continue
        for name in sorted(data):
            if name.startswith("bank_queries"):
                bank = name.removeprefix("bank_queries").strip("_") or "own"
                items = data.get("bank_gallery") if bank == "own" else None
                case = _of_embeddings(path.stem, bank, data[name], data, items)
                yield case
                if bank == "own":
                    yield _small(case)
            elif name == "bank_gallery":
                yield _of_embeddings(path.stem, "items", data[name], data)


def _small(case):
    """Return the case with the first bank queries only."""
    small = {"bank_sims": case.bank_sims[:50], "bank_gallery_sims": None}
    return case._replace(bank="50 of it", **small)


def rows_of(relevance, rows):
    """Return the relevance of some queries."""
    relevant = relevance["relevant"]
    if isinstance(relevant, list):
        relevant = [relevant[row] for row in rows]
    elif sparse.issparse(relevant):
        relevant = relevant.tocsr()[rows]
    else:
        relevant = np.asarray(relevant)[rows]
    return {**relevance, "relevant": relevant}


def _of_embeddings(title, bank, bank_queries, data, bank_gallery=None):
    queries, gallery = (np.asarray(data[name]) for name in ("queries", "gallery"))
    dual = ()
    if bank_gallery is not None:
        dual = (
            pairwise_similarity(bank_gallery, gallery),
            pairwise_similarity(bank_queries, bank_gallery),
        )
    return Case(
        title,
        bank,
        pairwise_similarity(bank_queries, gallery),
        pairwise_similarity(queries, gallery),
        data["relevance"] if "relevance" in data else _relevance(data),
        *dual,
    )


def _relevance(data):
    """Return the relevance arguments of `recall_at_k`."""
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
