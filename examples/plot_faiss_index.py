"""
Corrected scores from a FAISS index
===================================

The correction of an item is one more dimension of its vector, so that an index that
searches by inner product serves corrected scores. One index does for all: in that
dimension each query says whether it asks for corrected scores or for raw ones. The data
are synthetic, with strong hubs; `~sk_qbnorm.datasets.make_hub_retrieval` makes them.
:doc:`/guide/scale` has the algebra, and other engines.
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
normalizer = DynamicInvertedSoftmax(beta=20, n_jobs=-1).fit(bank, gallery)

# %%
# ``augment_gallery`` brings the vectors to length 1, for cosine similarities, and adds
# the dimension. A graph of inner products, as HNSW is here, wants cosines; for
# ``metric="dot"`` build it with ``space="euclidean"`` on both sides and search by
# distance.

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
# `~sk_qbnorm.InvertedSoftmax`, or any normalizer that subtracts a bias, asks one
# question. With `~sk_qbnorm.DynamicInvertedSoftmax` there are two: the raw answer
# stands, unless the bank retrieves its best item too. Where an index cannot be built
# anew, take more candidates from it, and let ``normalizer.rescore(scores, items)`` put
# them in order.


def raw(index):
    return index.search(normalizer.augment_queries(queries, corrected=False), 10)[1]


def corrected(index):
    return index.search(normalizer.augment_queries(queries), 10)[1]


def dynamic(index):
    items = raw(index)
    again = normalizer.activation_mask_[items[:, 0]]
    asked = normalizer.augment_queries(queries[again])
    items[again] = index.search(asked, 10)[1]
    return items


# %%
# Times are ratios to the raw search of the flat index, which is exact.

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
# Raw answers are the same few items over and over. Corrected ones are of all of the
# gallery: an approximate index misses more of them, and more lists have to be probed.

figure, panels = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
titles = "R@1, %", "Items in any answer", "Missed of the exact ten, %"
missed = {place: 1 - value for place, value in found.items()}
measured = (recall, 100), (items_seen, 1), (missed, 100)
colours = dict(zip(SEARCHES, ("#d55e00", "#0072b2", "#009e73"), strict=True))
for axes, title, (values, unit) in zip(panels, titles, measured, strict=True):
    for shift, (name, colour) in zip((-0.27, 0, 0.27), colours.items(), strict=True):
        heights = [unit * values[name, kind] for kind in INDEXES]
        places = np.arange(len(INDEXES)) + shift
        axes.bar(places, heights, 0.25, color=colour, label=name)
    axes.set_xticks(range(len(INDEXES)), [kind.split(",")[0] for kind in INDEXES])
    axes.tick_params(axis="x", length=0)
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
handles, labels = panels[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
