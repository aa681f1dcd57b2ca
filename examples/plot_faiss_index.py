"""
Corrected scores from a FAISS index
===================================

The correction of an item is one more dimension of its vector, so an index that searches
by inner product serves corrected scores. One index does for all: in that dimension each
query says whether it asks for corrected scores or for raw ones.
"""

from time import perf_counter

import faiss
import numpy as np
from sklearn.preprocessing import normalize

from sk_qbnorm import DynamicInvertedSoftmax, InvertedSoftmax, QuerybankRetriever
from sk_qbnorm.datasets import load_emoji_names_hi_en, make_hub_retrieval

# %%
# Before: an index of vectors of length 1, for cosine similarities.

data = load_emoji_names_hi_en()
plain = faiss.IndexFlatIP(data.gallery.shape[1])
plain.add(normalize(data.gallery))
raw_scores, raw_items = plain.search(normalize(data.queries), 50)

# %%
# After: the normalizer brings them to length 1, and gives them one more dimension.

normalizer = DynamicInvertedSoftmax(beta=20).fit(data.bank_queries, data.gallery)
vectors = normalizer.augment_gallery(data.gallery)
index = faiss.IndexFlatIP(vectors.shape[1])
index.add(vectors)


def raw(normalizer, index, queries, k):
    return index.search(normalizer.augment_queries(queries, corrected=False), k)


def corrected(normalizer, index, queries, k):
    return index.search(normalizer.augment_queries(queries), k)


# %%
# That is `InvertedSoftmax`, or any normalizer that subtracts a bias. With
# `DynamicInvertedSoftmax` there are two questions: the raw answer stands, unless the
# bank retrieves its best item too.


def dynamic(normalizer, index, queries, k):
    scores, items = raw(normalizer, index, queries, k)
    again = normalizer.activation_mask_[items[:, 0]]
    if again.any():
        scores[again], items[again] = corrected(normalizer, index, queries[again], k)
    return scores, items


SEARCHES = {"raw": raw, "InvertedSoftmax": corrected, "DynamicInvertedSoftmax": dynamic}


def recall_of_relevant(items, relevant, k):
    return (items[:, :k] == relevant[:, None]).any(axis=1).mean()


# %%
# An index that cannot be built anew gives candidates, which `rescore` puts in order.

answers = {
    name: search(normalizer, index, data.queries, 10)[1]
    for name, search in SEARCHES.items()
}
answers["the best 50, rescored"] = normalizer.rescore(raw_scores, raw_items)[1]
print("Hindi to English, IndexFlatIP")
print(f"{'':24}{'R@1':>7}{'R@10':>7}")
for name, items in answers.items():
    recalls = [recall_of_relevant(items, data.relevant, k) for k in (1, 10)]
    print(f"{name:24}" + "".join(f"{recall:7.1%}" for recall in recalls))

# %%
# Other kinds of index are built of the same vectors. They miss some of the ten best,
# which `QuerybankRetriever` finds exactly. Raw answers are few different items, the
# hubs over and over; corrected ones are of all of the gallery, so that more lists have
# to be probed.
#
# A graph of inner products, as HNSW is here, wants cosines. For ``metric="dot"`` build
# it with ``space="euclidean"`` on both sides and search by distance.

data = make_hub_retrieval(2000, 1000, 20_000, noise=1.3, random_state=0)
parts = data.bank_queries, data.queries, data.gallery
bank, queries, gallery = (part.astype(np.float32) for part in parts)
normalizer = DynamicInvertedSoftmax(beta=20, n_jobs=-1).fit(bank, gallery)
vectors = normalizer.augment_gallery(gallery)


def build(description):
    index = faiss.index_factory(
        vectors.shape[1], description, faiss.METRIC_INNER_PRODUCT
    )
    index.train(vectors)
    index.add(vectors)
    return index


flat, lists, graph = build("Flat"), build("IVF128,Flat"), build("HNSW32")
lists.nprobe = 64
graph.hnsw.efSearch = 128
INDEXES = {"IndexFlatIP": flat, "IndexIVFFlat": lists, "IndexHNSWFlat": graph}


def timed(search, *arguments):
    """Return the items found, and queries per second at the best of three times."""
    seconds = []
    for _ in range(3):
        start = perf_counter()
        _, items = search(*arguments)
        seconds.append(perf_counter() - start)
    return items, len(queries) / min(seconds)


EXACT = {
    "raw": InvertedSoftmax(alpha=0),
    "InvertedSoftmax": InvertedSoftmax(beta=20),
    "DynamicInvertedSoftmax": DynamicInvertedSoftmax(beta=20),
}
print(
    f"\n{len(queries)} queries at once, {len(gallery)} items, "
    f"{faiss.omp_get_max_threads()} threads"
)
print(f"{'':42}{'R@1':>7}{'recall@10':>11}{'items':>7}{'queries/s':>11}")
for name, search in SEARCHES.items():
    retriever = QuerybankRetriever(EXACT[name], n_jobs=-1).fit(bank, gallery)
    best, speed = timed(retriever.kneighbors, queries)
    rows = {"QuerybankRetriever": (best, speed)}
    for kind, index in INDEXES.items():
        rows[kind] = timed(search, normalizer, index, queries, 10)
    for kind, (items, speed) in rows.items():
        relevant = recall_of_relevant(items, data.relevant, 1)
        pairs = zip(best, items, strict=True)
        recall = np.mean([np.isin(ten, row) for ten, row in pairs])
        different = np.unique(items).size
        print(
            f"{name:24}{kind:18}{relevant:7.1%}{recall:11.1%}{different:7}{speed:11.0f}"
        )
