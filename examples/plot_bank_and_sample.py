"""
A bank, a sample of queries, or both
====================================

A bank from another domain has other hubs, and a small bank knows few of them. A sample
of 100 unlabeled queries shows the hubs of the queries themselves, though not precisely.
`~sk_qbnorm.MixNormalizer` takes from the bank what the sample confirms, and the rest
from the sample. :doc:`/guide/mix` explains how.

Pass a file name to save the figure:
``python examples/plot_bank_and_sample.py docs/_static/bank_and_sample.png``.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import MixNormalizer, SinkhornNormalizer, pairwise_similarity
from sk_qbnorm.datasets import load_emoji_names_ja_en, load_emoji_noto_to_twemoji
from sk_qbnorm.metrics import recall_at_k

tasks = {
    "Names of emoji, Japanese to English": load_emoji_names_ja_en(),
    "Pictures of emoji, Noto to Twemoji": load_emoji_noto_to_twemoji(),
}
random = np.random.default_rng(0)


def banks_of(data):
    """Return the bank, a part of it, one topic of it, and one that knows nothing."""
    bank = data.bank_queries
    likeness = pairwise_similarity(bank[:1], bank)[0]
    return {
        "whole bank": bank,
        "50 of it": bank[:50],
        "one topic": bank[np.argsort(-likeness)[: len(bank) // 8]],
        "noise": random.normal(size=bank.shape),
        "no bank": None,
    }


# %%
# The sample is the first 100 queries. Recall is measured on the others.

recalls = {}
for title, data in tasks.items():
    sample, others = data.queries[:100], data.queries[100:]
    sims, relevant = pairwise_similarity(others, data.gallery), data.relevant[100:]
    recalls[title] = {"raw": recall_at_k(relevant, sims)}
    print(f"{title}: raw R@1 {recalls[title]['raw']:.1%}")
    for name, bank in banks_of(data).items():
        found = {}
        if bank is not None:
            sinkhorn = SinkhornNormalizer(alpha=0.75).fit(bank, data.gallery)
            found["bank alone"] = recall_at_k(relevant, sinkhorn.transform(sims))
        mix = MixNormalizer(sample).fit(bank, data.gallery)
        found["mix"] = recall_at_k(relevant, mix.transform(sims))
        recalls[title][name] = found
        values = ", ".join(f"{key} {value:.1%}" for key, value in found.items())
        print(f"  {name}: {values} (agreement {mix.agreement_:.2f})")

# %%
# The worse the bank, the more the mix relies on the sample. It stays above the raw
# similarities (dashed) even if the bank is noise.

figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for axes, (title, found) in zip(panels, recalls.items(), strict=True):
    names = [name for name in found if name != "raw"]
    places = np.arange(len(names))
    for shift, label, color in ((-0.2, "bank alone", "0.65"), (0.2, "mix", "#0072b2")):
        shown = [place for place in places if label in found[names[place]]]
        values = [100 * found[names[place]][label] for place in shown]
        bars = axes.bar(np.array(shown) + shift, values, 0.38, color=color, label=label)
        axes.bar_label(bars, fmt="%.0f", padding=1, fontsize=8)
    axes.axhline(100 * found["raw"], color="#d55e00", linestyle="--", label="raw")
    axes.set_xticks(places, [name.replace(" ", "\n", 1) for name in names])
    axes.set_ylim(0, 70)
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
panels[0].set_ylabel("R@1, %")
handles, labels = panels[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=160)
