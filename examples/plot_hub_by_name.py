"""
A hub, by name
==============

Six hundred Hindi names of emoji look for their English counterparts. A few English
names are close to everything: the worst is among the first ten of more than half of all
queries. A bank of seven hundred other Hindi names finds them out. What hubs are, and
where they come from, is told in :doc:`/guide/hubs`.

Run it with a file name to write the figure there.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import InvertedSoftmax, pairwise_similarity
from sk_qbnorm.datasets import load_emoji_names_hi_en
from sk_qbnorm.metrics import hubness_skewness, k_occurrence, recall_at_k

data = load_emoji_names_hi_en()
raw = pairwise_similarity(data.queries, data.gallery)
normalizer = InvertedSoftmax(beta=20).fit(data.bank_queries, data.gallery)
corrected = normalizer.transform(raw)

for name, scores in {"raw": raw, "corrected": corrected}.items():
    print(
        f"{name}: R@1 {recall_at_k(data.relevant, scores):.1%}, "
        f"skewness {hubness_skewness(scores):.2f}"
    )

# %%
# How often is an item among the first ten of a query? With no hubs each would be there
# for about ten of the six hundred.

before, after = k_occurrence(raw, k=10), k_occurrence(corrected, k=10)
worst = np.argsort(-before)[:8][::-1]
names = data.gallery_text[worst]

figure, (hubs, spread) = plt.subplots(
    1, 2, figsize=(10, 3.6), width_ratios=(3, 2), layout="constrained"
)
places = np.arange(len(worst))
hubs.barh(places + 0.2, before[worst], 0.4, color="#d55e00", label="raw")
hubs.barh(places - 0.2, after[worst], 0.4, color="#0072b2", label="InvertedSoftmax")
hubs.set_yticks(places, names)
hubs.set_xlabel("queries (of 600) that have it among their first 10")
hubs.set_title("The eight worst hubs", loc="left")
hubs.legend(loc="lower right", frameon=False)

for counts, colour, style in ((before, "#d55e00", "-"), (after, "#0072b2", "--")):
    spread.plot(np.sort(counts)[::-1] + 1, color=colour, linestyle=style, linewidth=2)
spread.axhline(11, color="0.6", linewidth=1)
spread.annotate("no hubs", (600, 11), ha="right", va="bottom", color="0.4")
spread.set_yscale("log")
spread.set_xlabel("gallery items, most retrieved first")
spread.set_ylabel("that count, plus 1")
spread.set_title("All 600 items", loc="left")
for axes in (hubs, spread):
    axes.spines[["top", "right"]].set_visible(False)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=150)
