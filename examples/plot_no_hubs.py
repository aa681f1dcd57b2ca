"""
No hubs: do not correct
=======================

A correction lowers the scores of items that are retrieved often. If no item is
retrieved much more often than by chance, there is nothing to gain. Check for hubs
before you correct; this needs no labels. `~sk_qbnorm.metrics.hubness_report` compares
hubness with chance. :doc:`/guide/choosing` explains what to do if there are hubs.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binom

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import load_emoji_names_hi_en, load_emoji_vendor_nohub
from sk_qbnorm.metrics import hubness_report, k_occurrence, paired_bootstrap_report

DATA = {
    "Hindi names, 128 dimensions": load_emoji_names_hi_en(),
    "Pictures, 12 dimensions": load_emoji_vendor_nohub(),
}

# %%
# Before the correction, without labels.

counts = {}
for title, data in DATA.items():
    raw = pairwise_similarity(data.queries, data.gallery)
    counts[title] = k_occurrence(raw, k=10)
    print(title)
    report = hubness_report(raw)
    for measure in ("hubness_skewness", "gini_index", "max_k_occurrence"):
        values = report[measure]
        print(f"  {measure} {values['before']:.2f}, by chance {values['no_hubs']:.2f}")

# %%
# After the correction. The first 100 queries are the sample of
# `~sk_qbnorm.MixNormalizer`, and recall is measured on the others. A gain or loss is
# more than noise if its interval does not contain 0.

gains = {}
for title, data in DATA.items():
    queries, relevant = data.queries[100:], data.relevant[100:]
    raw = pairwise_similarity(queries, data.gallery)
    print(title)
    for normalizer in (
        InvertedSoftmax(),
        DynamicInvertedSoftmax(),
        CSLS(),
        NearestNeighborNormalizer(),
        SinkhornNormalizer(),
        MixNormalizer(data.queries[:100]),
    ):
        name = type(normalizer).__name__
        scores = normalizer.fit(data.bank_queries, data.gallery).transform(raw)
        report = paired_bootstrap_report(relevant, raw, scores, random_state=0)
        gains[title, name] = [100 * each for each in report["recall@1"].values()]
        gain, low, high = gains[title, name]
        print(f"  {name:26} R@1 {gain:+5.1f} points ({low:+.1f} to {high:+.1f})")

# %%
# Left: how often each item is retrieved. The pictures in 12 dimensions are close to
# chance; of the names, a few are retrieved by most queries. Right: the gain of each
# correction.

styles = zip(("#d55e00", "#0072b2"), ("o", "D"), (-0.14, 0.14), strict=True)
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), width_ratios=(2, 3), layout="constrained"
)
for title, (color, marker, shift) in zip(DATA, styles, strict=True):
    share = np.linspace(0, 100, len(counts[title]))
    left.plot(share, np.sort(counts[title])[::-1] + 1, color=color, linewidth=2)
    of_title = {
        name: values for (about, name), values in gains.items() if about == title
    }
    for row, (gain, low, high) in enumerate(of_title.values()):
        label = None if row else title
        right.plot([low, high], 2 * [row + shift], color=color, linewidth=2)
        right.plot(gain, row + shift, marker, color=color, label=label, markersize=7)
n_queries = len(data.queries)
chance = binom.ppf(1 - share / 100, n_queries, 10 / n_queries)
left.plot(share[1:-1], chance[1:-1] + 1, "k--", linewidth=1, label="by chance alone")
left.set_yscale("log")
left.set_xlabel("gallery items, %, most retrieved first")
left.set_ylabel("times among the first 10, plus 1")
left.set_title("Are there hubs?", loc="left")
right.axvline(0, color="0.4", linewidth=1)
right.set_yticks(range(len(of_title)), of_title)
right.invert_yaxis()
right.set_xlabel("gain in R@1, points, with 95% intervals")
right.set_title("Does a correction help?", loc="left")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside lower center", ncols=3, frameon=False)
