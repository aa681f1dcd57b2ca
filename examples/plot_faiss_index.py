"""
Corrected scores from a FAISS index
===================================

Correct the search of an index of raw vectors: ask it for shifted queries, and subtract
a small rest from the candidates. The index stays as it is, and still serves raw search.
The data is synthetic with strong hubs, from `~sk_qbnorm.datasets.make_hub_retrieval`.
:doc:`/guide/engines/index` has other engines, and stores the correction in the index.
"""

from time import perf_counter

import faiss
import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import DynamicInvertedSoftmax
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.indexes import QueryShift


def units(vectors):
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / lengths).astype(np.float32)


data = make_hub_retrieval(2000, 1000, 10_000, noise=1.3, random_state=0)
parts = data.bank_queries, data.queries, data.gallery
bank, queries, gallery = (units(part) for part in parts)
normalizer = DynamicInvertedSoftmax().fit(bank, gallery)

# %%
# The indexes know nothing of the correction. ``r2_`` says how much of it the shift of
# the queries takes over.

shift = QueryShift().fit(gallery, normalizer.index_bias())
print(f"the shift explains {shift.r2_:.1%} of the variance of the bias")
INDEXES = {}
for description in ("Flat", "IVF64,Flat", "HNSW32"):
    index = faiss.index_factory(
        gallery.shape[1], description, faiss.METRIC_INNER_PRODUCT
    )
    index.train(gallery)
    index.add(gallery)
    INDEXES[description] = index
INDEXES["IVF64,Flat"].nprobe = 32
INDEXES["HNSW32"].hnsw.efSearch = 128

# %%
# `~sk_qbnorm.InvertedSoftmax`, like any normalizer that subtracts a bias, needs one
# search per query. `~sk_qbnorm.DynamicInvertedSoftmax` needs two: it keeps the raw
# result unless the bank also retrieves its best item.


def raw(index):
    return index.search(queries, 10)[1]


def shifted(index, vectors):
    products, candidates = index.search(shift.queries(vectors), 50)
    return shift.rescore(products, candidates)[1][:, :10]


def corrected(index):
    return shifted(index, queries)


def dynamic(index):
    items = raw(index)
    again = normalizer.activation_mask_[items[:, 0]]
    items[again] = shifted(index, queries[again])
    return items


# %%
# Times are relative to the raw search of the flat index, which is exact.

SEARCHES = {"raw": raw, "InvertedSoftmax": corrected, "DynamicInvertedSoftmax": dynamic}
recall, found, items_seen, times = ({} for _ in range(4))
print(f"{'':24}{'':12}{'R@1':>8}{'of exact ten':>14}{'items':>8}{'time':>8}")
for name, search in SEARCHES.items():
    exact = search(INDEXES["Flat"])
    for kind, index in INDEXES.items():
        seconds = []
        for _ in range(3):
            start = perf_counter()
            items = search(index)
            seconds.append(perf_counter() - start)
        place = name, kind
        recall[place] = np.mean(items[:, 0] == data.relevant)
        pairs = zip(exact, items, strict=True)
        found[place] = np.mean([np.isin(ten, row) for ten, row in pairs])
        items_seen[place] = np.unique(items).size
        times[place] = min(seconds)
        ratio = times[place] / times["raw", "Flat"]
        print(f"{name:24}{kind:12}{recall[place]:8.1%}{found[place]:14.1%}", end="")
        print(f"{items_seen[place]:8}{ratio:8.2f}")

# %%
# Raw results contain the same few items again and again. Corrected results come from
# the whole gallery, so an approximate index misses more of them and must probe more
# lists.

figure, panels = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
titles = "R@1, %", "Items in any result", "Missed of the exact ten, %"
missed = {place: 1 - value for place, value in found.items()}
measured = (recall, 100), (items_seen, 1), (missed, 100)
colors = dict(zip(SEARCHES, ("#d55e00", "#0072b2", "#009e73"), strict=True))
for axes, title, (values, unit) in zip(panels, titles, measured, strict=True):
    for shift, (name, color) in zip((-0.27, 0, 0.27), colors.items(), strict=True):
        heights = [unit * values[name, kind] for kind in INDEXES]
        places = np.arange(len(INDEXES)) + shift
        axes.bar(places, heights, 0.25, color=color, label=name)
    axes.set_xticks(range(len(INDEXES)), [kind.split(",")[0] for kind in INDEXES])
    axes.tick_params(axis="x", length=0)
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
handles, labels = panels[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
