"""
Choose a normalizer, or none
============================

Choose among 68 settings of four normalizers with only 100 labeled queries. With hubs,
the labels show which settings help. Without hubs, some setting still looks best by
chance. `~sk_qbnorm.model_selection.NormalizerSearch` with a list of candidates chooses
a setting only if its gain exceeds three standard errors, and keeps the raw similarities
otherwise. Without a list, it starts from a `~sk_qbnorm.MixNormalizer`, which needs no
choice. :doc:`/guide/choosing` explains what to do without labels.
"""

import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import pairwise_similarity
from sk_qbnorm.datasets import load_emoji_names_ja_en, load_emoji_vendor_nohub
from sk_qbnorm.metrics import recall_at_k
from sk_qbnorm.model_selection import NormalizerSearch, default_candidates

tasks = {
    "Names of emoji, Japanese to English": load_emoji_names_ja_en(),
    "Pictures in 12 dimensions: no hubs": load_emoji_vendor_nohub(),
}
searches, truths, starts = {}, {}, {}
for title, data in tasks.items():
    order = np.random.default_rng(0).permutation(len(data.queries))
    few, others = order[:100], order[100:]
    labeled, candidates = (data.queries[few], data.relevant[few]), default_candidates()
    search = NormalizerSearch(*labeled, candidates)
    searches[title] = search.fit(data.bank_queries, data.gallery)

    # The other queries are not used for the choice. They measure how good it was.
    judge = NormalizerSearch(data.queries[others], data.relevant[others], candidates)
    truths[title] = judge.fit(data.bank_queries, data.gallery).results_
    best, luckiest = search.best_index_, search.results_["gain"].argmax()
    print(title)
    for label, choice in {"raw": 0, "chosen": best, "best mean": luckiest}.items():
        recall = truths[title]["recall"][choice]
        setting = search.candidates_[choice] if choice else "no correction"
        print(f"  {label}: R@1 {recall:.1%} on {len(others)} other queries, {setting}")

    # The same without a list of candidates.
    started = NormalizerSearch(*labeled).fit(data.bank_queries, data.gallery)
    scores = started.transform(pairwise_similarity(data.queries[others], data.gallery))
    recall = recall_at_k(data.relevant[others], scores)
    starts[title] = started, recall
    name = started.results_["name"][started.best_index_]
    print(f"  from the mix: R@1 {recall:.1%} on {len(others)} other queries, {name}")

# %%
# Each point is one setting. ``beta`` or the number of neighbors grows from left to
# right, and ``alpha`` within each of them. Bars are three standard errors long; the
# search compares their lower ends. Short gray lines are the gains on the other queries.
# Without hubs, the setting with the best mean gains little there.

COLORS = {
    "InvertedSoftmax": "#0072b2",
    "DynamicInvertedSoftmax": "#56b4e9",
    "NearestNeighborNormalizer": "#009e73",
    "SinkhornNormalizer": "#cc79a7",
}
figure, panels = plt.subplots(2, 1, figsize=(9, 7), layout="constrained")
for axes, (title, search) in zip(panels, searches.items(), strict=True):
    found, places = search.results_, np.arange(len(search.candidates_))
    gains, errors = 100 * found["gain"], 100 * found["standard_error"]
    names = np.array(found["name"])
    for name, color in COLORS.items():
        shown = names == name
        options = {"fmt": "o", "color": color, "markersize": 4, "label": name}
        axes.errorbar(places[shown], gains[shown], 3 * errors[shown], **options)
    truth = 100 * truths[title]["gain"]
    axes.scatter(places[1:], truth[1:], 50, "0.3", marker="_", label="other queries")
    axes.axhline(0, color="0.6", linewidth=1, zorder=0)
    axes.plot(0, 0, "o", color="0.3", markersize=4)
    best, luckiest = search.best_index_, gains.argmax()
    ring = {"facecolor": "none", "edgecolor": "#d55e00", "label": "best mean"}
    axes.scatter(luckiest, gains[luckiest], 160, linewidth=1.5, zorder=4, **ring)
    star = {"marker": "*", "color": "#d55e00", "label": "chosen"}
    axes.scatter(best, gains[best], 220, zorder=5, **star)
    middles = {name: places[names == name].mean() for name in COLORS}
    labels = [name.removesuffix("Normalizer") for name in COLORS]
    axes.set_xticks([0, *middles.values()], ["raw", *labels])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-1.5, len(places) + 0.5)
    axes.set_ylabel("gain in R@1, points")
    axes.set_title(title, loc="left")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
handles, labels = axes.get_legend_handles_labels()
marks = dict(zip(labels, handles, strict=True))
shown = ["chosen", "best mean", "other queries"]
handles = [marks[name] for name in shown]
figure.legend(handles, shown, loc="outside upper right", ncols=3, frameon=False)
