"""
Choose the normalizer and its beta
==================================

A Pipeline from query embeddings to gallery items. Under cross-validation the training
fold is the querybank and the held-out fold is the queries, which is the protocol of
querybank normalisation, so scikit-learn's own tools choose the settings: the one that
gains the most over no correction, less two standard errors.
"""

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
# The 700 bank queries are always bank; half of the 600 queries are there to choose
# with, and the other half is kept for the end. No correction comes first, so that it is
# taken where nothing is surely better. The bank asks for no item.

choose, test = np.arange(0, 600, 2), np.arange(1, 600, 2)
queries = np.vstack([data.bank_queries, data.queries[choose]])
relevant = np.r_[np.full(700, -1), data.relevant[choose]]

precomputed = {"metric": "precomputed"}
softmaxes = [InvertedSoftmax(**precomputed), DynamicInvertedSoftmax(**precomputed)]
neighborhoods = [CSLS(**precomputed), NearestNeighborNormalizer(**precomputed)]
search = GridSearchCV(
    pipeline,
    [
        {"normalizer": ["passthrough", *neighborhoods]},
        {"normalizer": softmaxes, "normalizer__beta": np.logspace(0, 2, 9)},
    ],
    scoring={"recall": recall_scorer(k=1), "sure gain": gain_scorer(k=1)},
    cv=QuerybankSplit(700),
    refit=False,
)
search.fit(queries, relevant)
found = search.cv_results_
recalls, gains = found["mean_test_recall"], found["mean_test_sure gain"]
for settings, recall, gain in zip(found["params"], recalls, gains, strict=True):
    beta = settings.get("normalizer__beta")
    name = settings["normalizer"]
    name = name if isinstance(name, str) else type(name).__name__
    beta = "" if beta is None else f"beta {beta:.1f}"
    print(f"{name:26} {beta:10} {recall:.1%}, surely {gain:+.1%}")

# %%
# The chosen one, fitted to the bank alone, on queries that took no part in the choice.

best = pipeline.set_params(**found["params"][gains.argmax()]).fit(data.bank_queries)
raw = Pipeline(pipeline.steps).set_params(normalizer="passthrough")
raw.fit(data.bank_queries)
for name, chosen in {"raw": raw, "chosen": best}.items():
    recall = chosen.score(data.queries[test], data.relevant[test])
    print(f"{name}: R@1 {recall:.1%} on {len(test)} other queries")
