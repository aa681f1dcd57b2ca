"""
Choose the normalizer and its beta
==================================

How large is ``beta`` to be, or is another normalizer better, or none? In a Pipeline
from query embeddings to gallery items scikit-learn's own search answers that. Its
training fold is the querybank and its test fold is the queries, which is the protocol
of querybank normalisation. What is taken is what gains the most over no correction
*less two standard errors*, by `~sk_qbnorm.model_selection.gain_scorer`: the gain that
it has for sure. :doc:`/guide/pipelines` says more of the protocol.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    GallerySimilarity,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
)
from sk_qbnorm.datasets import load_emoji_names_ja_en
from sk_qbnorm.metrics import recall_scorer
from sk_qbnorm.model_selection import QuerybankSplit, gain_scorer

data = load_emoji_names_ja_en()
pipeline = Pipeline(
    [
        ("similarity", GallerySimilarity(data.gallery)),
        ("normalizer", "passthrough"),
        ("scorer", NearestNeighborScorer()),
    ]
)

# %%
# `~sk_qbnorm.model_selection.QuerybankSplit` keeps the 700 bank queries in the training
# fold. Half of the 600 queries are there to choose with, and the other half is kept for
# the end. The bank's right answers are never looked at, so that they may be -1. No
# correction comes first, so that it is taken where nothing is surely better.

choose, test = np.arange(0, 600, 2), np.arange(1, 600, 2)
queries = np.vstack([data.bank_queries, data.queries[choose]])
relevant = np.r_[np.full(700, -1), data.relevant[choose]]

options = {"metric": "precomputed"}  # the step before has made the similarities
softmaxes = [InvertedSoftmax(**options), DynamicInvertedSoftmax(**options)]
neighborhoods = [CSLS(**options), NearestNeighborNormalizer(**options)]
betas = np.logspace(0, 2.5, 11)
search = GridSearchCV(
    pipeline,
    [
        {"normalizer": ["passthrough", *neighborhoods]},
        {"normalizer": softmaxes, "normalizer__beta": betas},
    ],
    scoring={"recall": recall_scorer(k=1), "sure_gain": gain_scorer(k=1)},
    cv=QuerybankSplit(700),
    refit=False,  # every setting is fitted again below
)
found = search.fit(queries, relevant).cv_results_

# %%
# The other half took no part in the choice. All settings are measured on it, to be
# drawn; the one to report is the chosen one.

held_out = []
for settings in found["params"]:
    fitted = pipeline.set_params(**settings).fit(data.bank_queries)
    held_out.append(fitted.score(data.queries[test], data.relevant[test]))
recalls = {"choose": 100 * found["mean_test_recall"], "test": 100 * np.array(held_out)}
names = [str(each).split("(")[0] for each in found["param_normalizer"]]
chosen = found["mean_test_sure_gain"].argmax()
beta = found["params"][chosen]["normalizer__beta"]
by_scale = InvertedSoftmax("scale").fit(data.bank_queries, data.gallery).beta_
print(f'chosen: {names[chosen]}, beta {beta:.0f}; beta="scale" is {by_scale:.0f}')
for half, values in recalls.items():
    print(f"half to {half}: R@1 {values[0]:.1f}% raw, {values[chosen]:.1f}% chosen")

# %%
# Any correction is well above none on both halves: that holds. Which of them is the
# best does not: 300 queries are too few to tell, and the order changes.
# ``beta="scale"``, made of the spread of the bank's similarities, takes no labels and
# is a good start.

figure, panels = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
lines = {"InvertedSoftmax": "#0072b2", "DynamicInvertedSoftmax": "#d55e00"}
levels = {
    "CSLS": ("#009e73", "--"),
    "NearestNeighborNormalizer": ("#cc79a7", "-."),
    "passthrough": ("0.4", ":"),
}
for axes, values in zip(panels, recalls.values(), strict=True):
    for name, colour in lines.items():
        curve = values[[each == name for each in names]]
        axes.plot(betas, curve, "o-", color=colour, markersize=4, label=name)
    for name, (colour, style) in levels.items():
        label = name.replace("passthrough", "no correction")
        level = values[names.index(name)]
        axes.axhline(level, color=colour, linestyle=style, label=label)
    axes.axvline(by_scale, color="0.85", linewidth=6, label='beta="scale"', zorder=0)
    star = {"color": lines[names[chosen]], "edgecolor": "k", "marker": "*", "zorder": 3}
    axes.scatter(beta, values[chosen], 250, label="chosen", **star)
    axes.set_xscale("log")
    axes.set_xlabel("beta")
    axes.spines[["top", "right"]].set_visible(False)
panels[0].set_ylabel("R@1, %")
panels[0].set_title("The 300 queries to choose with", loc="left")
panels[1].set_title("300 other queries", loc="left")
handles, labels = axes.get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
