"""
Measure and plot hubness
========================

Answer four questions: Are there hubs? Which items are they? Which queries does a
correction change? Is the gain more than noise? The queries are 600 Japanese emoji
names, which search their English names, with a bank of other Japanese names.
:doc:`/guide/measures` explains the measures.
"""

import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
from sk_qbnorm.datasets import load_emoji_names_ja_en, load_emoji_vendor_nohub
from sk_qbnorm.inspection import (
    ActivationDisplay,
    BetaCurveDisplay,
    HubsByNameDisplay,
    KOccurrenceDisplay,
)
from sk_qbnorm.metrics import hubness_report, paired_bootstrap_report


def read(data):
    """Print the hubness measures and the gain of the correction."""
    raw = pairwise_similarity(data.queries, data.gallery)
    normalizer = DynamicInvertedSoftmax().fit(data.bank_queries, data.gallery)
    corrected = normalizer.transform(raw)
    hubness = hubness_report(raw, corrected)
    for measure in ("hubness_skewness", "antihub_rate", "max_k_occurrence"):
        values = [f"{when} {value:.3g}" for when, value in hubness[measure].items()]
        print(f"  {measure}: {', '.join(values)}")
    report = paired_bootstrap_report(data.relevant, raw, corrected, random_state=0)
    gain, low, high = (100 * value for value in report["recall@1"].values())
    print(f"  R@1 gains {gain:.1f} points, 95% interval {low:.1f} to {high:.1f}")
    return raw, normalizer


# %%
# Compare each hubness measure with ``no_hubs``, its expected value by chance. The gain
# is more than noise if its interval does not contain 0.

print("Japanese to English names")
data = load_emoji_names_ja_en()
raw, normalizer = read(data)

# %%
# Emoji pictures in 12 dimensions have almost no hubs, and the correction does not help.

print("A control without hubs")
read(load_emoji_vendor_nohub())

# %%
# Plot the first data set. Top: how often items are retrieved, and the worst hubs.
# Bottom left: which queries are corrected, and with what result. Bottom right: recall
# over ``beta``; the gain is more than noise where the band does not touch the raw
# recall.

figure, axes = plt.subplots(2, 2, figsize=(13, 9), layout="constrained")
KOccurrenceDisplay.from_estimator(normalizer, raw, name="DIS", ax=axes[0, 0])
HubsByNameDisplay.from_estimator(
    normalizer, raw, names=data.gallery_text, n_hubs=8, name="DIS", ax=axes[0, 1]
)
gate = ActivationDisplay.from_estimator(
    normalizer, raw, data.relevant, names=data.gallery_text, ax=axes[1, 0]
)
BetaCurveDisplay.from_estimator(
    normalizer,
    data.bank_queries,
    data.gallery,
    raw,
    data.relevant,
    param_range=np.geomspace(4, 400, 11),
    random_state=0,
    ax=axes[1, 1],
)
titles = (
    "Are there hubs?",
    "Which items are they?",
    "Which queries are corrected?",
    "Is it more than noise?",
)
for ax, title in zip(axes.flat, titles, strict=True):
    ax.set_title(title, loc="left", weight="bold")

counts = gate.counts_
print(
    f"{counts['n_active']} of {counts['n_gallery']} items are in the activation set,\n"
    f"and {counts['n_corrected']} of {counts['n_queries']} queries are corrected: "
    f"{counts['better']} become right and {counts['worse']} become wrong"
)
