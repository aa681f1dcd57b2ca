"""
Choose the normalizer and its beta
==================================

Use `GridSearchCV` on a Pipeline to choose the normalizer and its ``beta``. The training
fold is the querybank, and the test fold holds the labeled queries.
`~sk_qbnorm.model_selection.gain_scorer` scores each setting by its gain over no
correction, *minus two standard errors*, so that a setting is chosen only if it is
better beyond chance. :doc:`/guide/pipelines` describes this protocol.
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
# fold. Half of the 600 queries are used for the choice, and the other half for the
# final measurement. The answers of the bank are not needed, so they are -1. No
# correction (``"passthrough"``) is the first candidate, so it wins ties.

choose, test = np.arange(0, 600, 2), np.arange(1, 600, 2)
queries = np.vstack([data.bank_queries, data.queries[choose]])
relevant = np.r_[np.full(700, -1), data.relevant[choose]]

softmaxes = [InvertedSoftmax(), DynamicInvertedSoftmax()]
neighborhoods = [CSLS(), NearestNeighborNormalizer()]
betas = np.logspace(0.5, 2.5, 9)
search = GridSearchCV(
    pipeline,
    [
        {"normalizer": ["passthrough", *neighborhoods]},
        {"normalizer": softmaxes, "normalizer__beta": betas},
    ],
    scoring={"recall": recall_scorer(k=1), "lower_bound": gain_scorer(k=1)},
    cv=QuerybankSplit(700),
    refit=False,  # all settings are fitted again below
)
found = search.fit(queries, relevant).cv_results_

# %%
# The other half was not used for the choice. The plot shows all settings on it, but
# report the chosen one only.

held_out = []
for settings in found["params"]:
    fitted = pipeline.set_params(**settings).fit(data.bank_queries)
    held_out.append(fitted.score(data.queries[test], data.relevant[test]))
recalls = {"choose": 100 * found["mean_test_recall"], "test": 100 * np.array(held_out)}
names = [str(each).split("(")[0] for each in found["param_normalizer"]]
chosen = found["mean_test_lower_bound"].argmax()
beta = found["params"][chosen]["normalizer__beta"]
by_scale = InvertedSoftmax().fit(data.bank_queries, data.gallery).beta_
print(f'chosen: {names[chosen]}, beta {beta:.0f}; beta="scale" is {by_scale:.0f}')
for half, values in recalls.items():
    print(f"half to {half}: R@1 {values[0]:.1f}% raw, {values[chosen]:.1f}% chosen")

# %%
# On both halves, every correction is well above none. Which one is best differs: 300
# queries are too few to tell. The default ``beta="scale"``, computed from the spread of
# the bank similarities, needs no labels and is a good choice.

figure, panels = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
lines = {"InvertedSoftmax": "#0072b2", "DynamicInvertedSoftmax": "#d55e00"}
levels = {
    "CSLS": ("#009e73", "--"),
    "NearestNeighborNormalizer": ("#cc79a7", "-."),
    "passthrough": ("0.4", ":"),
}
for axes, values in zip(panels, recalls.values(), strict=True):
    for name, color in lines.items():
        curve = values[[each == name for each in names]]
        axes.plot(betas, curve, "o-", color=color, markersize=4, label=name)
    for name, (color, style) in levels.items():
        label = name.replace("passthrough", "no correction")
        level = values[names.index(name)]
        axes.axhline(level, color=color, linestyle=style, label=label)
    axes.axvline(by_scale, color="0.85", linewidth=6, label='beta="scale"', zorder=0)
    star = {"color": lines[names[chosen]], "edgecolor": "k", "marker": "*", "zorder": 3}
    axes.scatter(beta, values[chosen], 250, label="chosen", **star)
    axes.set_xscale("log")
    axes.set_xlabel("beta")
    axes.spines[["top", "right"]].set_visible(False)
panels[0].set_ylabel("R@1, %")
panels[0].set_title("The 300 queries for the choice", loc="left")
panels[1].set_title("300 other queries", loc="left")
handles, labels = axes.get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
