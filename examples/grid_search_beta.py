"""
Choose the normalizer and its beta
==================================

A Pipeline from query embeddings to gallery items. Under cross-validation the training
fold is the querybank and the held-out fold is the queries, which is the protocol of
querybank normalisation, so scikit-learn's own tools choose the settings.
"""

import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit
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

data = load_emoji_names_ja_en()
pipeline = Pipeline(
    [
        ("similarity", GallerySimilarity(data.gallery)),
        ("normalizer", "passthrough"),
        ("scorer", NearestNeighborScorer()),
    ]
)

# %%
# The 700 bank queries are always bank (-1); half of the 600 queries are there to choose
# with (0), and the other half is kept for the end.

choose, test = np.arange(0, 600, 2), np.arange(1, 600, 2)
queries = np.vstack([data.bank_queries, data.queries[choose]])
relevant = np.r_[np.full(700, -1), data.relevant[choose]]
split = PredefinedSplit(np.r_[np.full(700, -1), np.zeros(300, dtype=int)])

precomputed = {"metric": "precomputed"}
softmaxes = [InvertedSoftmax(**precomputed), DynamicInvertedSoftmax(**precomputed)]
neighborhoods = [CSLS(**precomputed), NearestNeighborNormalizer(**precomputed)]
search = GridSearchCV(
    pipeline,
    [
        {"normalizer": ["passthrough", *neighborhoods]},
        {"normalizer": softmaxes, "normalizer__beta": np.logspace(0, 2, 9)},
    ],
    scoring=recall_scorer(k=1),
    cv=split,
    refit=False,
)
search.fit(queries, relevant)
for settings, recall in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    beta = settings.get("normalizer__beta")
    name = settings["normalizer"]
    name = name if isinstance(name, str) else type(name).__name__
    print(f"{name:26} beta {beta if beta is None else round(beta, 1)!s:6} {recall:.1%}")

# %%
# The chosen one, fitted to the bank alone, on queries that took no part in the choice.

best = pipeline.set_params(**search.best_params_).fit(data.bank_queries)
raw = Pipeline(pipeline.steps).set_params(normalizer="passthrough")
raw.fit(data.bank_queries)
for name, chosen in {"raw": raw, "chosen": best}.items():
    recall = chosen.score(data.queries[test], data.relevant[test])
    print(f"{name}: R@1 {recall:.1%} on {len(test)} other queries")
