"""
Labels for another language
===========================

A rule of five lines labels English names of emoji. It reads no Japanese; but a Japanese
name can take the label of the nearest English one. That is a nearest-neighbor
classifier, and hubs give their label to whatever comes near them. As a Pipeline with
``gallery_labels`` it predicts labels, so that scikit-learn's own reports and searches
take it as it is (see :doc:`/guide/pipelines`), and can say whether a correction is
worth having: for the names it is; for handwritten digits, where nearly every label is
right already, it is not.
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
# One search for both. Every other query is there to choose with. Neither the bank nor a
# normalizer needs labels: those that stand for the bank's in ``y`` are not looked at.
# `~sk_qbnorm.model_selection.gain_scorer` understands labels and takes off two standard
# errors, so that a correction is taken where it is surely better than none.

options = {"metric": "precomputed"}
CANDIDATES = {
    "no correction": "passthrough",
    "DIS": DynamicInvertedSoftmax(beta="scale", **options),
    "CSLS": CSLS(**options),
    "NNN": NearestNeighborNormalizer(**options),
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
        refit=False,  # it would take the labelled queries into the bank
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
    print(f"{title}, {len(others)} others: R@1 {raw:.1f}% with no correction, ", end="")
    print(f"{after:.1f}% with what is chosen, {chosen[title]}")

# %%
# What ``predict`` gives are labels, so that scikit-learn goes on from here. The picture
# is of the queries that took no part in the choice: on the left all candidates, on the
# right the labels of the names. Persons are gained; rare labels may lose.

right = names.query_labels[1::2]
print(classification_report(right, predicted["names", chosen["names"]]))

kinds = [*RULES, "other"]
figure, (left, bars) = plt.subplots(
    1, 2, figsize=(10, 3.8), width_ratios=(2, 3), layout="constrained"
)
for title, colour, marker in (("names", "#0072b2", "o"), ("digits", "#009e73", "D")):
    values = [scores[title, name] for name in CANDIDATES]
    left.scatter(values, list(CANDIDATES), 50, colour, marker=marker, label=title)
    best = scores[title, chosen[title]], chosen[title]
    left.scatter(*best, 200, "none", edgecolor="k", label="chosen")
left.set_xlabel("labelled right, %")
left.invert_yaxis()
handles, labels = left.get_legend_handles_labels()
left.legend(handles[:3], labels[:3], loc="upper center", frameon=False)
styles = {"no correction": ("#d55e00", -0.2), chosen["names"]: ("#0072b2", 0.2)}
for name, (colour, shift) in styles.items():
    found = recall_score(right, predicted["names", name], labels=kinds, average=None)
    bars.bar(np.arange(6) + shift, 100 * found, 0.38, color=colour, label=name)
ticks = [f"{kind}\n{(right == kind).sum()} names" for kind in kinds]
bars.set_xticks(range(len(kinds)), ticks)
bars.tick_params(axis="x", length=0)
bars.set_ylabel("labelled right, %")
bars.legend(loc="upper left", bbox_to_anchor=(0.5, 1.15), ncols=2, frameon=False)
left.set_title("All labels", loc="left")
bars.set_title("Japanese names, by label", loc="left")
for axes in (left, bars):
    axes.spines[["top", "right"]].set_visible(False)
