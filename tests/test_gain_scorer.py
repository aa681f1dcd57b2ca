"""Choose by labels with GridSearchCV: gain_scorer."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    GallerySimilarity,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.model_selection import (
    NormalizerSearch,
    QuerybankSplit,
    gain_lower_bounds,
    gain_scorer,
)

FEW = [
    InvertedSoftmax(beta=10.0),
    InvertedSoftmax(beta=40.0),
    NearestNeighborNormalizer(),
]
FEW += [
    InvertedSoftmax(beta=10.0, alpha=0.5),
    CSLS(n_neighbors=5),
    DynamicInvertedSoftmax(beta=10.0),
]
pytestmark = pytest.mark.filterwarnings("ignore:n_neighbors=")


@pytest.fixture(scope="module")
def data():
    return make_hub_retrieval(120, 80, 40, n_features=8, noise=1.0, random_state=0)


@pytest.fixture(scope="module")
def sims(data):
    rows = data.bank_queries, data.queries
    return [pairwise_similarity(queries, data.gallery) for queries in rows]


def estimators(data):
    """One estimator of each kind, with its input."""
    precomputed = CSLS(n_neighbors=5, metric="precomputed")
    bank, queries = data.bank_queries, data.queries
    sims = [pairwise_similarity(rows, data.gallery) for rows in (bank, queries)]
    similarity = GallerySimilarity(data.gallery)
    last = NearestNeighborScorer()
    retriever = QuerybankRetriever(CSLS(n_neighbors=5), gallery=data.gallery)
    return {
        "normalizer": (precomputed, *sims),
        "retriever": (retriever, bank, queries),
        "Pipeline of scores": (
            make_pipeline(similarity, precomputed, last),
            *(bank, queries),
        ),
        "Pipeline of a normalizer": (
            make_pipeline(similarity, precomputed),
            *(bank, queries),
        ),
        "Pipeline of a retriever": (
            make_pipeline("passthrough", retriever),
            *(bank, queries),
        ),
    }


@pytest.mark.parametrize("kind", estimators(make_hub_retrieval(9, 5, 4)))
def test_the_scorer_finds_the_raw_scores_of_every_estimator(data, sims, kind):
    estimator, bank, queries = estimators(data)[kind]
    after = CSLS(n_neighbors=5, metric="precomputed").fit(sims[0]).transform(sims[1])
    hits = [scores.argmax(axis=1) == data.relevant for scores in (sims[1], after)]
    found = gain_scorer(n_standard_errors=1)(
        clone(estimator).fit(bank), queries, data.relevant
    )
    assert found == pytest.approx(gain_lower_bounds(hits, n_standard_errors=1)[1])
    assert found > 0


def test_an_estimator_that_corrects_nothing_has_no_gain(data, sims):
    raw = make_pipeline("passthrough", NearestNeighborScorer()).fit(sims[0])
    assert gain_scorer(k=5)(raw, sims[1], data.relevant) == 0
    unmoved = InvertedSoftmax(alpha=0, metric="precomputed").fit(sims[0])
    assert gain_scorer()(unmoved, sims[1], data.relevant) == 0


def test_the_scorer_can_be_pickled_and_its_repr_recreates_it(data, sims):
    scorer = pickle.loads(pickle.dumps(gain_scorer(5, ties="pessimistic")))
    assert repr(scorer) == "gain_scorer(k=5, n_standard_errors=2.0, ties='pessimistic')"
    fitted = InvertedSoftmax(metric="precomputed").fit(sims[0])
    with pytest.raises(ValueError, match="k"):
        gain_scorer(k=0)(fitted, sims[1], data.relevant)


def test_grid_search_chooses_the_same_as_normalizer_search(data, sims):
    pipeline = Pipeline([("normalizer", "passthrough"), ("s", NearestNeighborScorer())])
    candidates = [clone(each).set_params(metric="precomputed") for each in FEW]
    grid = GridSearchCV(
        pipeline,
        {"normalizer": ["passthrough", *candidates]},
        scoring=gain_scorer(),
        cv=QuerybankSplit(120),
        refit=False,
    )
    grid.fit(np.vstack(sims), np.r_[np.full(120, -1), data.relevant])
    search = NormalizerSearch(sims[1], data.relevant, FEW, metric="precomputed")
    search.set_params(n_standard_errors=2).fit(sims[0])
    found = grid.cv_results_["mean_test_score"]
    np.testing.assert_allclose(found, search.results_["lower_bound"], atol=1e-15)
    assert grid.best_index_ == search.best_index_
