"""Normalizers as steps of a Pipeline, and in a grid search."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline

from sk_qbnorm import (
    CSLS,
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    GallerySimilarity,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import load_digits_labels, make_hub_retrieval
from sk_qbnorm.metrics import (
    make_retrieval_scorer,
    median_rank,
    recall_at_k,
    recall_scorer,
)


@pytest.fixture(scope="module")
def data():
    return make_hub_retrieval(120, 80, 40, n_features=8, noise=2.0, random_state=0)


@pytest.fixture
def pipeline(data):
    return Pipeline(
        [
            ("similarity", GallerySimilarity(data.gallery)),
            ("normalizer", DynamicInvertedSoftmax()),
            ("scorer", NearestNeighborScorer(n_neighbors=5)),
        ]
    )


def splits(data):
    """Bank rows are never tested: -1 in a predefined split."""
    folds = np.r_[np.full(120, -1), np.arange(80) % 2]
    queries = np.vstack([data.bank_queries, data.queries])
    relevant = np.r_[np.full(120, -1), data.relevant]  # the bank has no relevant items
    return {
        "PredefinedSplit": (queries, relevant, PredefinedSplit(folds)),
        "KFold": (data.queries, data.relevant, KFold(3)),
    }


@pytest.mark.parametrize("split", ["PredefinedSplit", "KFold"])
def test_grid_search_over_beta_and_over_the_normalizer(data, pipeline, split):
    queries, relevant, cv = splits(data)[split]
    search = GridSearchCV(
        pipeline,
        [
            {"normalizer__beta": [1.0, 10.0, 100.0]},
            {
                "normalizer": [
                    "passthrough",
                    CSLS(n_neighbors=5),
                    NearestNeighborNormalizer(n_neighbors=5),
                ]
            },
        ],
        scoring={"r1": recall_scorer(), "r5": recall_scorer(k=5)},
        refit="r1",
        cv=cv,
        n_jobs=2,
        error_score="raise",
    )
    search.fit(queries, relevant)
    recalls = search.cv_results_["mean_test_r1"]
    assert len(set(recalls)) > 1
    assert search.best_score_ > recalls[3]  # better than passthrough: there are hubs
    assert search.best_estimator_.predict(data.queries).shape == (80,)


def test_the_score_of_a_pipeline_is_its_recall(data, pipeline):
    pipeline.fit(data.bank_queries)
    scores = pipeline.decision_function(data.queries)
    np.testing.assert_array_equal(scores, pipeline[:-1].transform(data.queries))
    expected = recall_at_k(data.relevant, scores, k=5)
    assert recall_at_k(data.relevant, scores, k=1) < expected < 1
    assert pipeline.score(data.queries, data.relevant) == expected
    assert recall_scorer(k=5)(pipeline, data.queries, data.relevant) == expected
    assert recall_scorer(k=5)(pipeline[:-1], data.queries, data.relevant) == expected


def test_other_measures_can_be_scorers(data, pipeline):
    scorer = make_retrieval_scorer(median_rank, greater_is_better=False, ties="average")
    found = cross_validate(pipeline, data.queries, data.relevant, scoring=scorer, cv=2)
    assert (found["test_score"] <= -1).all()
    assert repr(scorer) == (
        "make_retrieval_scorer(median_rank, greater_is_better=False, ties='average')"
    )
    assert repr(recall_scorer()) == "make_retrieval_scorer(recall_at_k, k=1)"


@pytest.mark.compiled
def test_class_labels_are_predicted_by_a_pipeline():
    data = load_digits_labels()
    pipeline = Pipeline(
        [
            ("similarity", GallerySimilarity(data.gallery)),
            ("normalizer", InvertedSoftmax()),
            ("scorer", NearestNeighborScorer(gallery_labels=data.gallery_labels)),
        ]
    ).fit(data.bank_queries, data.bank_labels)
    found = pipeline.predict(data.queries)
    accuracy = np.mean(found == data.query_labels)
    assert pipeline.score(data.queries, data.query_labels) == pytest.approx(accuracy)
    assert accuracy > 0.95


def test_pandas_output_names_the_gallery(data, pipeline):
    pandas = pytest.importorskip("pandas")
    names = [f"clip {j}" for j in range(40)]
    gallery = pandas.DataFrame(data.gallery, index=names)
    pipeline.set_params(similarity__gallery=gallery)
    pipeline.set_output(transform="pandas")
    pipeline.fit(data.bank_queries)
    scores = pipeline[:-1].transform(data.queries)
    assert list(scores.columns) == names
    assert list(pipeline[:-1].get_feature_names_out()) == names
    best = pipeline.predict(data.queries)
    np.testing.assert_array_equal(best, scores.to_numpy().argmax(axis=1))


def test_copies_give_equal_results(data, pipeline, tmp_path):
    expected = pipeline.fit(data.bank_queries).decision_function(data.queries)
    joblib.dump(pipeline, tmp_path / "pipeline")
    copies = [
        pickle.loads(pickle.dumps(pipeline)),
        joblib.load(tmp_path / "pipeline"),
        clone(pipeline).fit(data.bank_queries),
    ]
    for copy in copies:
        np.testing.assert_array_equal(copy.decision_function(data.queries), expected)


def test_a_pipeline_passes_the_gallery_bank_to_the_normalizer(data):
    bank, other_sims = (
        pairwise_similarity(each, data.gallery)
        for each in (data.bank_queries, data.bank_gallery)
    )
    of_bank = pairwise_similarity(data.bank_gallery, data.bank_queries)
    expected = DualInvertedSoftmax().fit(bank, gallerybank=other_sims)
    sinkhorn = SinkhornNormalizer(beta=5, max_iter=4, tol=0)
    for normalizer, gallerybank in ((clone(expected), other_sims), (sinkhorn, of_bank)):
        found = clone(normalizer).fit_transform(bank, None, gallerybank=gallerybank)
        fitted = clone(normalizer).fit(bank, gallerybank=gallerybank)
        np.testing.assert_array_equal(found, fitted.transform(bank))
    by_name = make_pipeline(clone(expected), NearestNeighborScorer())
    name = "dualinvertedsoftmax__gallerybank"
    by_name.fit(bank, np.zeros(len(bank)), **{name: other_sims})
    with config_context(enable_metadata_routing=True):
        asking = clone(expected).set_fit_request(gallerybank=True)
        routed = make_pipeline(asking, NearestNeighborScorer())
        routed.fit(bank, np.zeros(len(bank)), gallerybank=other_sims)
    for fitted in (by_name, routed):
        assert fitted[0].n_gallerybank_seen_ == len(data.bank_gallery)
        np.testing.assert_array_equal(fitted[0].gallery_bias_, expected.gallery_bias_)
    with pytest.raises(TypeError, match="gallerybank"):
        CSLS(n_neighbors=3).fit_transform(bank, gallerybank=of_bank)


@pytest.mark.parametrize(
    "normalizer",
    [CSLS(n_neighbors=999), DualDynamicInvertedSoftmax(n_activation=999)],
    ids=["CSLS", "DualDIS"],
)
def test_warnings_point_at_the_line_that_the_user_wrote(data, normalizer):
    sims = pairwise_similarity(data.bank_queries, data.gallery)
    scorer = NearestNeighborScorer(n_neighbors=999)
    for act, n_warnings in (
        (lambda: normalizer.fit(sims), 1),
        (lambda: normalizer.fit_transform(sims), 1),
        (lambda: make_pipeline(normalizer, scorer).fit(sims), 2),
        (lambda: make_pipeline(normalizer, "passthrough").fit_transform(sims), 1),
    ):
        with pytest.warns(UserWarning, match="=999 ") as seen:
            act()
        assert [each.filename for each in seen] == [__file__] * n_warnings
