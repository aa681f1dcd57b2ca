"""
Which queries belong in the bank?
=================================

Compare four banks of the same size:

- *random*: queries of the same domain, drawn at random,
- *stratified*: drawn to cover as many gallery items as possible,
- *adversarial*: only queries that retrieve the few most retrieved items, as in the
  ablation of the paper,
- *foreign*: another domain, here gallery items in place of queries.

`~sk_qbnorm.querybanks.sample_querybank` draws the first three. For the foreign bank,
half of the items are removed from the gallery.
"""

import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import DynamicInvertedSoftmax, InvertedSoftmax, pairwise_similarity
from sk_qbnorm.datasets import load_emoji_names_hi_en, load_emoji_noto_to_twemoji
from sk_qbnorm.metrics import hub_agreement, k_occurrence, recall_at_k
from sk_qbnorm.querybanks import sample_querybank

N_BANK = 100
N_DRAWS = 10  # banks of each kind, each with another half of the items
TASKS = {
    "Hindi names, English gallery": load_emoji_names_hi_en(),
    "Noto pictures, Twemoji gallery": load_emoji_noto_to_twemoji(),
}
BANKS = ("random", "stratified", "adversarial", "foreign")
METHODS = {
    "InvertedSoftmax": InvertedSoftmax(),
    "DynamicInvertedSoftmax": DynamicInvertedSoftmax(),
}


def gains(data, seed):
    """Return the R@1 gain per bank and method, the agreement per bank, and raw R@1."""
    random = np.random.RandomState(seed)
    items = random.permutation(len(data.gallery))
    half = len(items) // 2
    gallery, apart = data.gallery[items[:half]], data.gallery[items[half:]]
    kept = np.flatnonzero(np.isin(data.relevant, items[:half]))
    queries = data.queries[kept]
    position = np.argsort(items)  # of each item in the gallery
    relevant = position[data.relevant[kept]]
    raw = pairwise_similarity(queries, gallery)
    found, agreement = {}, {}
    for name in BANKS:
        if name == "foreign":
            bank = apart[:N_BANK]
        else:
            rows = sample_querybank(
                data.bank_queries,
                N_BANK,
                gallery=gallery,
                strategy=name,
                random_state=random,
            )
            bank = data.bank_queries[rows]
        counts = k_occurrence(pairwise_similarity(bank, gallery))
        agreement[name] = hub_agreement(counts, k_occurrence(raw[:100]))
        for method, normalizer in METHODS.items():
            scores = normalizer.fit(bank, gallery).transform(raw)
            gain = recall_at_k(relevant, scores) - recall_at_k(relevant, raw)
            found[name, method] = 100 * gain
    return found, agreement, 100 * recall_at_k(relevant, raw)


results = {}
for task, data in TASKS.items():
    drawn = [gains(data, seed) for seed in range(N_DRAWS)]
    raw = np.mean([each[2] for each in drawn])
    results[task] = {}
    print(f"{task}: R@1 {raw:.1f} without correction")
    for bank in BANKS:
        agreement = np.mean([each[1][bank] for each in drawn])
        means = []
        for method in METHODS:
            values = np.array([each[0][bank, method] for each in drawn])
            results[task][bank, method] = values
            means.append(f"{method} {values.mean():+.1f}")
        print(f"  {bank:12} {', '.join(means)}; hub agreement {agreement:.2f}")

# %%
# Points left of the line are losses. Random and stratified banks of the same domain
# help on average. An adversarial bank covers little of the gallery;
# `~sk_qbnorm.InvertedSoftmax` then loses on the pictures, and
# `~sk_qbnorm.DynamicInvertedSoftmax` does not, because it leaves queries alone whose
# best item the bank does not retrieve. A foreign bank harms both. Its low hub agreement
# with a sample of queries shows this in advance, without labels.

STYLES = {
    "InvertedSoftmax": {"color": "#d55e00", "marker": "o"},
    "DynamicInvertedSoftmax": {"color": "#0072b2", "marker": "D"},
}
figure, panels = plt.subplots(
    1, 2, figsize=(10, 3.6), sharey=True, layout="constrained"
)
for axes, (task, values) in zip(panels, results.items(), strict=True):
    axes.axvline(0, color="0.4", linewidth=1)
    for row, bank in enumerate(BANKS):
        for shift, (method, style) in zip((-0.15, 0.15), STYLES.items(), strict=True):
            points, places = values[bank, method], np.full(N_DRAWS, row + shift)
            axes.scatter(points, places, s=14, alpha=0.35, linewidth=0, **style)
            label = None if row else f"{method}, mean of {N_DRAWS} banks"
            axes.scatter(points.mean(), row + shift, s=70, label=label, **style)
    axes.set_title(task, loc="left")
    axes.set_xlabel(f"gain in R@1, points, with a bank of {N_BANK}")
    axes.spines[["top", "right"]].set_visible(False)
panels[0].set_yticks(range(len(BANKS)), BANKS)
panels[0].invert_yaxis()
handles, labels = panels[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
