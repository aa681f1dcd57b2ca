"""
Three data sets, three banks
============================

Three sets of embeddings: names of emoji in Hindi, to be found in English, with hubs
that spoil the search; pictures of emoji, to be found in another style, with some; and
pictures of emoji in twelve dimensions, with none. Each is corrected by every
normalizer, with three banks: hundreds of queries of its own kind, the eighth of these
that are most like one of them, and noise. :doc:`/guide/quality` has the same with more
data and more normalizers.
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
    """The bank of a data set, a part of it that knows one topic, and noise."""
    likeness = pairwise_similarity(own[:1], own)[0]
    noise = np.random.default_rng(0).normal(size=own.shape)
    return {
        "its own kind": own,
        "one topic": own[likeness.argsort()[::-1][: len(own) // 8]],
        "noise": noise,
    }


warnings.simplefilter("ignore", ConvergenceWarning)  # a noisy bank has no balance
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
        print(f"  bank of {bank}: from {of_bank[worst]:+.1f}, {worst}, ", end="")
        print(f"to {of_bank[best]:+.1f}, {best}")

# %%
# A bank of the queries' own kind helps where there are hubs, whatever the normalizer,
# and may harm where there are none. A bank that knows one topic still helps where there
# are many hubs. Where there are few, it makes some of what it does not reach: the gate
# of `~sk_qbnorm.DynamicInvertedSoftmax` leaves the queries for these alone, and
# `~sk_qbnorm.GloballyCorrected` looks at ranks only. Noise says nothing, and costs a
# little more often than not.

names = [type(normalizer).__name__ for normalizer in NORMALIZERS]
figure, panels = plt.subplots(
    1, 3, figsize=(11, 3.8), sharey=True, layout="constrained"
)
marks = {
    "its own kind": ("o", "#0072b2"),
    "one topic": ("s", "#d55e00"),
    "noise": ("x", "0.35"),
}
for panel, title in zip(panels, DATA, strict=True):
    panel.axvline(0, color="0.6", linewidth=1)
    for bank, (marker, colour) in marks.items():
        values = list(gains[title, bank].values())
        panel.plot(values, range(len(names)), marker, color=colour, label=bank)
    panel.set_title(title, loc="left", fontsize="medium")
    panel.grid(axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
panels[0].set_yticks(range(len(names)), names)
panels[0].invert_yaxis()
panels[1].set_xlabel("gain of R@1 over the raw similarities, in points")
handles, labels = panels[0].get_legend_handles_labels()
labels = [f"bank of {label}" for label in labels]
figure.legend(handles, labels, frameon=False, loc="outside lower left", ncols=3)
