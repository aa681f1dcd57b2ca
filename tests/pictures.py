"""Data, estimators and helpers for the tests of displays."""

import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_qbnorm import (
    DynamicInvertedSoftmax,
    GallerySimilarity,
    NearestNeighborScorer,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import k_occurrence

plt = pytest.importorskip("matplotlib.pyplot")

DATA = make_hub_retrieval(
    n_bank=80, n_queries=50, n_gallery=40, n_features=8, random_state=0
)
RAW = pairwise_similarity(DATA.queries, DATA.gallery)
BANK_SIMS = pairwise_similarity(DATA.bank_queries, DATA.gallery)
NORMALIZER = DynamicInvertedSoftmax(metric="precomputed").fit(BANK_SIMS)
CORRECTED = NORMALIZER.transform(RAW)
COUNTS = k_occurrence(RAW, k=3), k_occurrence(CORRECTED, k=3)
NAMES = [f"name of {item}" for item in range(40)]


def drawn(display):
    """Render the figure, so that missing glyphs warn."""
    display.figure_.canvas.draw()
    return display


def texts(display):
    found = [text.get_text() for text in display.ax_.texts]
    legend = display.ax_.get_legend()
    return found + ([text.get_text() for text in legend.get_texts()] if legend else [])


def retriever():
    found = QuerybankRetriever(DynamicInvertedSoftmax(), n_neighbors=3)
    return found.fit(DATA.bank_queries, DATA.gallery)


def pipeline():
    steps = GallerySimilarity(DATA.gallery), clone(NORMALIZER), NearestNeighborScorer()
    return make_pipeline(*steps).fit(DATA.bank_queries)


ESTIMATORS = {
    "normalizer": lambda: (NORMALIZER, RAW),
    "embeddings": lambda: (
        DynamicInvertedSoftmax().fit(DATA.bank_queries, DATA.gallery),
        RAW,
    ),
    "writes in place": lambda: (
        clone(NORMALIZER).set_params(copy=False).fit(BANK_SIMS),
        RAW,
    ),
    "retriever": lambda: (retriever(), DATA.queries),
    "pipeline": lambda: (pipeline(), DATA.queries),
    "step alone": lambda: (make_pipeline(clone(NORMALIZER)).fit(BANK_SIMS), RAW),
    "retriever at the end": lambda: (
        make_pipeline(
            StandardScaler(with_mean=False, with_std=False),
            QuerybankRetriever(gallery=DATA.gallery),
        ).fit(DATA.bank_queries),
        DATA.queries,
    ),
}
every_estimator = pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)


VALUES = [2.0, 20.0, 200.0]


def fits(values=VALUES):
    for beta in values:
        yield clone(NORMALIZER).set_params(beta=beta).fit(BANK_SIMS).transform(RAW)
