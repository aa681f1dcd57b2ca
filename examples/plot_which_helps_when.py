"""
Three data sets, three banks
============================

Compare six normalizers on three data sets: Hindi emoji names with strong hubs, emoji
pictures with some hubs, and emoji pictures in 12 dimensions without hubs. Each data set
is corrected with three banks: hundreds of queries of the *same kind*; *one topic*, the
eighth of those that is most similar to one of them; and *noise*. :doc:`/guide/quality`
has more data sets and normalizers.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import (
    load_emoji_names_hi_en,
    load_emoji_noto_to_twemoji,
    load_emoji_vendor_nohub,
)
from sk_qbnorm.metrics import hubness_skewness, recall_at_k

DATA = {
    "strong hubs: Hindi to English": load_emoji_names_hi_en(),
    "some hubs: Noto to Twemoji": load_emoji_noto_to_twemoji(),
    "no hubs: pictures in 12-d": load_emoji_vendor_nohub(),
}
NORMALIZERS = [
    InvertedSoftmax(),
    DynamicInvertedSoftmax(),
    CSLS(),
    GloballyCorrected(),
    NearestNeighborNormalizer(),
    SinkhornNormalizer(),
]


def banks(own):
    """Return the complete bank, a part of it about one topic, and noise."""
    closeness = pairwise_similarity(own[:1], own)[0]
    noise = np.random.default_rng(0).normal(size=own.shape)
    return {
        "same kind": own,
        "one topic": own[closeness.argsort()[::-1][: len(own) // 8]],
        "noise": noise,
    }


warnings.simplefilter("ignore", ConvergenceWarning)  # of Sinkhorn, with noise
gains = {}
for title, data in DATA.items():
    raw = pairwise_similarity(data.queries, data.gallery)
    before = recall_at_k(data.relevant, raw)
    print(f"{title}: raw R@1 {before:.1%}, skewness {hubness_skewness(raw):.2f}")
    for bank, queries in banks(data.bank_queries).items():
        of_bank = {}
        for normalizer in NORMALIZERS:
            scores = normalizer.fit(queries, data.gallery).transform(raw)
            gain = 100 * (recall_at_k(data.relevant, scores) - before)
            of_bank[type(normalizer).__name__] = gain
        gains[title, bank] = of_bank
        best, worst = max(of_bank, key=of_bank.get), min(of_bank, key=of_bank.get)
        print(f"  {bank}: from {of_bank[worst]:+.1f}, {worst}, ", end="")
        print(f"to {of_bank[best]:+.1f}, {best}")

# %%
# With hubs, a bank of the same kind helps for every normalizer; without hubs, it can
# harm. A bank of one topic still helps with strong hubs. With few hubs, it turns items
# that it does not cover into new hubs. `~sk_qbnorm.DynamicInvertedSoftmax` avoids most
# of this loss, because it leaves queries alone whose best item the bank does not
# retrieve, and `~sk_qbnorm.GloballyCorrected`, because it uses ranks only. Noise
# changes little, and more often for the worse.

names = [type(normalizer).__name__ for normalizer in NORMALIZERS]
figure, panels = plt.subplots(
    1, 3, figsize=(11, 3.8), sharey=True, layout="constrained"
)
marks = {
    "same kind": ("o", "#0072b2"),
    "one topic": ("s", "#d55e00"),
    "noise": ("x", "0.35"),
}
for panel, title in zip(panels, DATA, strict=True):
    panel.axvline(0, color="0.6", linewidth=1)
    for bank, (marker, color) in marks.items():
        values = list(gains[title, bank].values())
        panel.plot(values, range(len(names)), marker, color=color, label=bank)
    panel.set_title(title, loc="left", fontsize="medium")
    panel.grid(axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
panels[0].set_yticks(range(len(names)), names)
panels[0].invert_yaxis()
panels[1].set_xlabel("gain in R@1, points")
handles, labels = panels[0].get_legend_handles_labels()
options = {"frameon": False, "ncols": 3, "title": "bank"}
figure.legend(handles, labels, loc="outside lower left", **options)
