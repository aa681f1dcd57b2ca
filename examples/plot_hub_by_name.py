"""
See the hubs by name
====================

Six hundred Hindi emoji names are the queries, and their English names are the gallery.
A few English names are similar to almost every query: the worst hub is among the first
ten results of more than half of the queries. A querybank of 700 other Hindi names is
enough to correct this. :doc:`/guide/hubs` explains what hubs are and why they arise.

Pass a file name to save the figure:
``python examples/plot_hub_by_name.py docs/_static/hub_by_name.png``.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import InvertedSoftmax, pairwise_similarity
from sk_qbnorm.datasets import load_emoji_names_hi_en
from sk_qbnorm.metrics import hubness_skewness, k_occurrence, recall_at_k

data = load_emoji_names_hi_en()
raw = pairwise_similarity(data.queries, data.gallery)
normalizer = InvertedSoftmax().fit(data.bank_queries, data.gallery)
corrected = normalizer.transform(raw)

for name, scores in {"raw": raw, "corrected": corrected}.items():
    print(
        f"{name}: R@1 {recall_at_k(data.relevant, scores):.1%}, "
        f"skewness {hubness_skewness(scores):.2f}"
    )

# %%
# Count how many queries have each item among their first ten results. Without hubs,
# every count would be close to 10.

before, after = k_occurrence(raw, k=10), k_occurrence(corrected, k=10)
worst = np.argsort(-before)[:6][::-1]

plt.rcParams["font.size"] = 14
figure, axes = plt.subplots(figsize=(5.6, 4.6), layout="constrained")
places = np.arange(len(worst))
axes.barh(places + 0.2, before[worst], 0.4, color="#d55e00", label="raw")
axes.barh(places - 0.2, after[worst], 0.4, color="#0072b2", label="corrected")
axes.axvline(10, color="0.3", linestyle=":", label="without hubs")
axes.set_yticks(places, data.gallery_text[worst])
axes.tick_params(axis="y", length=0)
axes.set_xlabel("queries (of 600)")
axes.spines[["top", "right"]].set_visible(False)
figure.suptitle("Queries with this item in their top 10", fontsize=15)
figure.legend(loc="outside lower center", ncols=3, frameon=False, columnspacing=1)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=160)
