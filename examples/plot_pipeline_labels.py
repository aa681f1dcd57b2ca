"""
Labels for another language
===========================

Transfer labels to another language with a nearest-neighbor classifier. Five regular
expressions label the English emoji names; each Japanese name gets the label of its
nearest English name. Hubs harm this classifier, because they pass their label to many
unrelated queries. A Pipeline with ``gallery_labels`` predicts labels, so scikit-learn's
reports and searches work with it (see :doc:`/guide/pipelines`). A correction helps for
the names. It does not help for handwritten digits, where almost every label is already
right.
"""

import re

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import classification_report, recall_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    GallerySimilarity,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
)
from sk_qbnorm.datasets import load_digits_labels, load_emoji_names_ja_en
from sk_qbnorm.model_selection import QuerybankSplit, gain_scorer

RULES = {
    "person": r"^(man|woman|person|men|women|people|deaf|family)\b",
    "face": r"\bfaced?\b",
    "button": r"button$",
    "clock": r"o’clock|thirty",
    "hand": r"\bhands?\b|finger|\bfist",
}


def label(name):
    fitting = [each for each, rule in RULES.items() if re.search(rule, name)]
    return [*fitting, "other"][0]


names, digits = load_emoji_names_ja_en(), load_digits_labels()
names.gallery_labels = np.array([label(name) for name in names.gallery_text])
names.query_labels = names.gallery_labels[names.relevant]  # only to see what is right

# %%
# Search on both data sets. Every second query is used for the choice. Normalizers need
# no labels, so the bank's labels in ``y`` are placeholders.
# `~sk_qbnorm.model_selection.gain_scorer` accepts labels and subtracts two standard
# errors, so that a correction is chosen only if it is clearly better than none.

CANDIDATES = {
    "no correction": "passthrough",
    "DIS": DynamicInvertedSoftmax(),
    "CSLS": CSLS(),
    "NNN": NearestNeighborNormalizer(),
}
scores, chosen, predicted = {}, {}, {}
for title, data in {"names": names, "digits": digits}.items():
    bank, labels = data.bank_queries, data.gallery_labels
    scorer = NearestNeighborScorer(gallery_labels=labels)
    steps = {"similarity": GallerySimilarity(data.gallery), "normalizer": "passthrough"}
    pipeline = Pipeline([*steps.items(), ("scorer", scorer)])
    search = GridSearchCV(
        pipeline,
        {"normalizer": list(CANDIDATES.values())},
        scoring=gain_scorer(gallery_labels=labels),
        cv=QuerybankSplit(len(bank)),
        refit=False,  # each candidate is fitted again below
    )
    queries = np.vstack([bank, data.queries[::2]])
    search.fit(queries, np.r_[np.resize(labels, len(bank)), data.query_labels[::2]])
    chosen[title] = list(CANDIDATES)[search.best_index_]

    others, right = data.queries[1::2], data.query_labels[1::2]
    for name, normalizer in CANDIDATES.items():
        pipeline.set_params(normalizer=normalizer).fit(bank)
        predicted[title, name] = pipeline.predict(others)
        scores[title, name] = 100 * pipeline.score(others, right)
    raw, after = scores[title, "no correction"], scores[title, chosen[title]]
    print(f"{title}, {len(others)} others: R@1 {raw:.1f}% without correction, ", end="")
    print(f"{after:.1f}% with the chosen one, {chosen[title]}")

# %%
# ``predict`` returns labels, so scikit-learn's reports apply. The figure shows the
# queries that were not used for the choice. Left: all candidates. Right: the names, by
# label. The label "person" gains most; rare labels can lose.

right = names.query_labels[1::2]
print(classification_report(right, predicted["names", chosen["names"]]))

kinds = [*RULES, "other"]
figure, (left, bars) = plt.subplots(
    1, 2, figsize=(10, 3.8), width_ratios=(2, 3), layout="constrained"
)
for title, color, marker in (("names", "#0072b2", "o"), ("digits", "#009e73", "D")):
    values = [scores[title, name] for name in CANDIDATES]
    left.scatter(values, list(CANDIDATES), 50, color, marker=marker, label=title)
    best = scores[title, chosen[title]], chosen[title]
    left.scatter(*best, 200, "none", edgecolor="k", label="chosen")
left.set_xlabel("right labels, %")
left.invert_yaxis()
handles, labels = left.get_legend_handles_labels()
left.legend(handles[:3], labels[:3], loc="upper center", frameon=False)
styles = {"no correction": ("#d55e00", -0.2), chosen["names"]: ("#0072b2", 0.2)}
for name, (color, shift) in styles.items():
    found = recall_score(right, predicted["names", name], labels=kinds, average=None)
    bars.bar(np.arange(6) + shift, 100 * found, 0.38, color=color, label=name)
ticks = [f"{kind}\n{(right == kind).sum()} names" for kind in kinds]
bars.set_xticks(range(len(kinds)), ticks)
bars.tick_params(axis="x", length=0)
bars.set_ylabel("right labels, %")
bars.legend(loc="upper left", bbox_to_anchor=(0.5, 1.15), ncols=2, frameon=False)
left.set_title("All labels", loc="left")
bars.set_title("Japanese names, by label", loc="left")
for axes in (left, bars):
    axes.spines[["top", "right"]].set_visible(False)
