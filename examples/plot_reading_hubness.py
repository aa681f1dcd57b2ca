"""
Reading hubness
===============

Before anything is corrected: are there hubs at all? And after: are they gone, which
queries have been touched, and is what they gain more than noise? The Japanese names of
six hundred emoji look for their English ones; a bank of other Japanese names, whose
answers nobody needs to know, finds the hubs out. The measures are those of
:doc:`/guide/measures`.
"""

import matplotlib.pyplot as plt

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
    """Print how strong the hubs are, and what the correction gains."""
    raw = pairwise_similarity(data.queries, data.gallery)
    normalizer = DynamicInvertedSoftmax(beta=20).fit(data.bank_queries, data.gallery)
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
# Is there a problem? A measure is to be held against what chance alone gives, where
# there are no hubs. Does the correction help? The difference is taken on the same
# queries; it is more than noise where its interval is clear of 0.

print("Japanese to English names")
data = load_emoji_names_ja_en()
raw, normalizer = read(data)

# %%
# Pictures of emoji in 12 dimensions have next to no hubs, and there the same correction
# does harm: leave it alone.

print("A control without hubs")
read(load_emoji_vendor_nohub())

# %%
# The first of the two in pictures. The items: how many are retrieved how often, and
# which the worst are. The queries: which of them the gate lets in, and to what end. The
# parameter: wherever the band is clear of the raw recall there is a gain.

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
