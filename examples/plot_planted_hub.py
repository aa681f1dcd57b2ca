"""
Plant a hub, and cap it
=======================

Whoever can add an item to a gallery can add the mean of some queries. Here the gallery
holds English emoji names, and the queries are Hindi names. The mean of 100 Hindi names,
added as one more item, becomes the best answer of most of the other Hindi names.

Inverted softmax stops it. A correction at partial strength does not: the planted item
still takes some of the queries. :class:`~sk_qbnorm.CappedNormalizer` keeps it below 1 %
with any normalizer. :doc:`/guide/planted_hubs` explains when this holds.

Pass a file name to save the figure:
``python examples/plot_planted_hub.py planted_hub.png``.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import (
    CSLS,
    CappedNormalizer,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import load_emoji_names_hi_en
from sk_qbnorm.metrics import recall_at_k

data = load_emoji_names_hi_en()
known, bank = data.bank_queries[:100], data.bank_queries[100:]  # attacker, defender
hub = known.mean(axis=0, keepdims=True)

NORMALIZERS = {
    "raw": InvertedSoftmax(alpha=0),
    "CSLS": CSLS(),
    "NNN": NearestNeighborNormalizer(),
    "Mix": MixNormalizer(bank[:100]),
    "IS": InvertedSoftmax(),
}

# %%
# The attacker does not know the bank, and neither side has seen the test queries. The
# recall before the attack shows what the caps cost.

sims = pairwise_similarity(data.queries, data.gallery)
sims_with_hub = pairwise_similarity(data.queries, np.vstack([data.gallery, hub]))


def attacked(normalizer, bank):
    """Return R@1 before the attack, and the share of queries that the hub takes."""
    normalizer.fit(bank, data.gallery)
    recall = recall_at_k(data.relevant, normalizer.transform(sims))
    best = normalizer.add_gallery(bank, hub).transform(sims_with_hub).argmax(axis=1)
    return recall, (best == len(data.gallery)).mean()


recalls, captured = {}, {}
for name, normalizer in NORMALIZERS.items():
    rest = bank[100:] if name == "Mix" else bank  # without the sample of the mix
    for caps, each in (("plain", normalizer), ("capped", CappedNormalizer(normalizer))):
        recalls[name, caps], captured[name, caps] = attacked(each, rest)
        print(
            f"{name:5}{caps:7} R@1 {recalls[name, caps]:.1%}, "
            f"the hub takes {captured[name, caps]:.1%} of the queries"
        )

# %%
# The default caps let no item win more than 1 % of the bank queries. No R@1 is lost.

plt.rcParams["font.size"] = 12
figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
places = np.arange(len(NORMALIZERS))[::-1]
for shift, caps, color in ((0.2, "plain", "#d55e00"), (-0.2, "capped", "#0072b2")):
    values = [100 * captured[name, caps] for name in NORMALIZERS]
    label = "without caps" if caps == "plain" else "with caps"
    bars = axes.barh(places + shift, values, 0.38, color=color, label=label)
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=11)
axes.set_yticks(places, NORMALIZERS)
axes.tick_params(axis="y", length=0)
axes.set_xlim(0, 100)
axes.set_xlabel("queries whose best item is the planted one, %")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(loc="lower right", frameon=False)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=160)
