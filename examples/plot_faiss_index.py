"""
Corrected scores from a FAISS index
===================================

Store the correction of each item as one more dimension of its vector. An index that
searches by inner product then returns corrected scores. The same index also returns raw
scores: each query chooses with its own value in that dimension. The data is synthetic
with strong hubs, from `~sk_qbnorm.datasets.make_hub_retrieval`. :doc:`/guide/scale` has
the formulas and covers other engines.
"""

from time import perf_counter

import faiss
import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import DynamicInvertedSoftmax
from sk_qbnorm.datasets import make_hub_retrieval

data = make_hub_retrieval(2000, 1000, 10_000, noise=1.3, random_state=0)
parts = data.bank_queries, data.queries, data.gallery
bank, queries, gallery = (part.astype(np.float32) for part in parts)
normalizer = DynamicInvertedSoftmax().fit(bank, gallery)

# %%
# ``augment_gallery`` scales the vectors to length 1, for cosine similarities, and adds
# the dimension. A graph index such as HNSW works well with inner products of unit
# vectors. With ``metric="dot"``, pass ``space="euclidean"`` to both methods and search
# by distance instead.

vectors = normalizer.augment_gallery(gallery)
INDEXES = {}
for description in ("Flat", "IVF64,Flat", "HNSW32"):
    index = faiss.index_factory(
        vectors.shape[1], description, faiss.METRIC_INNER_PRODUCT
    )
    index.train(vectors)
    index.add(vectors)
    INDEXES[description] = index
INDEXES["IVF64,Flat"].nprobe = 32
INDEXES["HNSW32"].hnsw.efSearch = 128

# %%
# `~sk_qbnorm.InvertedSoftmax`, like any normalizer that subtracts a bias, needs one
# search per query. `~sk_qbnorm.DynamicInvertedSoftmax` needs two: it keeps the raw
# result unless the bank also retrieves its best item. If you cannot rebuild the index,
# retrieve more candidates from it and sort them with
# ``normalizer.rescore(scores, items)``.


def raw(index):
    return index.search(normalizer.augment_queries(queries, corrected=False), 10)[1]


def corrected(index):
    return index.search(normalizer.augment_queries(queries), 10)[1]


def dynamic(index):
    items = raw(index)
    again = normalizer.activation_mask_[items[:, 0]]
    vectors = normalizer.augment_queries(queries[again])
    items[again] = index.search(vectors, 10)[1]
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
