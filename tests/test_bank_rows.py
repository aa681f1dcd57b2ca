"""Rows marked as bank in `y`: fit uses only these, and scores leave them out."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    PredefinedSplit,
)
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    DualInvertedSoftmax,
    GallerySimilarity,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import load_emoji_name_to_keywords, make_hub_retrieval
from sk_qbnorm.metrics import make_retrieval_scorer, recall_at_k, recall_scorer
from sk_qbnorm.model_selection import NormalizerSearch, QuerybankSplit, gain_scorer

from .cases import ALL

N_BANK, N_LABELED, N_GALLERY = 60, 30, 30


@pytest.fixture(scope="module")
def data():
    return make_hub_retrieval(N_BANK, 80, N_GALLERY, n_features=8, random_state=0)


@pytest.fixture(scope="module")
def stacked(data):
    """The bank stacked on labeled queries, and the relevant item of each row."""
    queries = np.vstack([data.bank_queries, data.queries[:N_LABELED]])
    relevant = np.r_[np.full(N_BANK, -1), data.relevant[:N_LABELED]]
    return queries, relevant


def estimators(data):
    """Estimators that `GridSearchCV` can search, and a parameter of each."""
    pipeline = make_pipeline(
        GallerySimilarity(data.gallery), InvertedSoftmax(), NearestNeighborScorer()
    )
    retriever = QuerybankRetriever(
        InvertedSoftmax(), n_neighbors=1, gallery=data.gallery
    )
    return {
        "Pipeline": (pipeline, "invertedsoftmax__beta"),
        "retriever": (retriever, "normalizer__beta"),
    }


KINDS = "Pipeline", "retriever"


def forms(relevant, n_gallery=N_GALLERY):
    """The same relevance in every form that can be split by rows."""
    indicator = np.zeros((len(relevant), n_gallery), dtype=int)
    labeled = np.flatnonzero(relevant >= 0)
    indicator[labeled, relevant[labeled]] = 1
    return {
        "array": relevant,
        "list": relevant.tolist(),
        "lists": [[item] if item >= 0 else [] for item in relevant],
        "indicator": indicator,
        "sparse indicator": sparse.csr_array(indicator),
    }


FORMS = "array", "list", "lists", "indicator", "sparse indicator"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_search_refits_to_the_bank_alone(data, stacked, kind, form):
    estimator, parameter = estimators(data)[kind]
    queries, relevant = stacked
    search = GridSearchCV(estimator, {parameter: [5, 40]}, cv=QuerybankSplit(N_BANK))
    search.fit(queries, forms(relevant)[form])
    expected = clone(estimator).set_params(**search.best_params_)
    expected.fit(data.bank_queries)
    found = search.best_estimator_.decision_function(data.queries)
    np.testing.assert_array_equal(found, expected.decision_function(data.queries))


@pytest.mark.compiled
@pytest.mark.parametrize("kind", KINDS)
def test_a_refit_keeps_labeled_queries_out_of_the_bank_of_real_data(kind):
    data = load_emoji_name_to_keywords()
    estimator, parameter = estimators(data)[kind]
    n_bank = len(data.bank_queries)
    queries = np.vstack([data.bank_queries, data.queries[:300]])
    relevant = np.r_[np.full(n_bank, -1), data.relevant[:300]]
    others = data.queries[300:], data.relevant[300:]
    search = GridSearchCV(estimator, {parameter: [40.0]}, cv=QuerybankSplit(n_bank))
    found = search.fit(queries, relevant).best_estimator_.score(*others)
    clean = clone(estimator).set_params(**search.best_params_)
    assert found == clean.fit(data.bank_queries).score(*others)
    # Labeled queries in the bank reveal which items are left for the others: R@1 would
    # be 64.3 % instead of 58.0 %.
    assert clone(clean).fit(queries).score(*others) > found + 0.05


@pytest.mark.parametrize("name", ALL)
def test_every_normalizer_is_fitted_to_the_marked_rows_only(data, stacked, name):
    queries, relevant = stacked
    order = np.random.default_rng(0).permutation(len(queries))
    sims = pairwise_similarity(queries, data.gallery)[order]
    y = relevant[order]
    expected = clone(ALL[name]).fit(sims[y < 0]).transform(sims)
    methods = [each for each in ("fit", "partial_fit") if hasattr(ALL[name], each)]
    for method in methods:
        fitted = getattr(clone(ALL[name]), method)(sims, y)
        assert fitted.n_bank_seen_ == N_BANK
        np.testing.assert_array_equal(fitted.transform(sims), expected)
    np.testing.assert_array_equal(clone(ALL[name]).fit_transform(sims, y), expected)


def test_agreement_and_search_are_fitted_to_the_marked_rows_only(data, stacked):
    queries, relevant = stacked
    sims = pairwise_similarity(queries, data.gallery)
    sample = pairwise_similarity(data.queries[40:], data.gallery)
    for normalizer in (
        MixNormalizer(sample, InvertedSoftmax()),
        NormalizerSearch(sample, data.relevant[40:], [InvertedSoftmax()]),
    ):
        fitted = clone(normalizer).fit(sims, relevant)
        expected = clone(normalizer).fit(sims[:N_BANK]).transform(sample)
        np.testing.assert_array_equal(fitted.transform(sample), expected)


def in_dask(matrix):
    return pytest.importorskip("dask.array").from_array(matrix, chunks=(20, -1))


@pytest.mark.parametrize("give", [np.asarray, np.ndarray.tolist, in_dask])
@pytest.mark.parametrize("give_bank", [np.asarray, in_dask])
def test_columns_of_a_gallery_bank_follow_the_marked_rows(
    data, stacked, give_bank, give
):
    if give is in_dask and give_bank is not in_dask:
        pytest.skip("a gallery bank in Dask needs a querybank in Dask")
    queries, relevant = stacked
    sims = pairwise_similarity(queries, data.gallery)
    others = pairwise_similarity(data.gallery[:20] ** 2, queries)
    normalizer = SinkhornNormalizer(beta=5.0, max_iter=3, tol=0.0)
    expected = clone(normalizer).fit(sims[:N_BANK], gallerybank=others[:, :N_BANK])
    for gallerybank in (others, others[:, :N_BANK]):
        fitted = normalizer.fit(
            give_bank(sims), relevant, gallerybank=give(gallerybank)
        )
        np.testing.assert_allclose(
            fitted.gallery_bias_, expected.gallery_bias_, rtol=1e-12, atol=1e-15
        )


def test_rows_of_a_gallery_bank_do_not_follow_the_marked_rows(data, stacked):
    queries, relevant = stacked
    sims = pairwise_similarity(queries, data.gallery)
    others = sims[::-1]  # as many rows as y, but other items
    normalizer = DualInvertedSoftmax()
    expected = clone(normalizer).fit(sims[:N_BANK], gallerybank=others)
    fitted = normalizer.fit(sims, relevant, gallerybank=others)
    np.testing.assert_array_equal(fitted.gallery_bias_, expected.gallery_bias_)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_argument_without_marked_rows_is_ignored(data, stacked, kind):
    estimator, _ = estimators(data)[kind]
    queries, relevant = stacked
    expected = clone(estimator).fit(queries).decision_function(data.queries)
    matrix = np.zeros((len(queries), N_GALLERY))
    matrix[1] = 0.5  # not an indicator
    others = [
        np.full(len(queries), -1),
        np.abs(relevant),
        np.abs(relevant).astype(str),
        matrix,
        matrix[:, :8],
        sparse.csr_array(matrix),
        np.zeros((N_GALLERY, 8)).tolist(),
        "text",
    ]
    for y in others:
        found = clone(estimator).fit(queries, y).decision_function(data.queries)
        np.testing.assert_array_equal(found, expected)


def test_a_retriever_is_fitted_to_the_marked_rows_of_every_part_of_the_bank(
    data, stacked
):
    queries, relevant = stacked
    retriever = QuerybankRetriever(
        InvertedSoftmax(), n_neighbors=1, gallery=data.gallery
    )
    retriever.partial_fit(queries[::2], relevant[::2])
    retriever.partial_fit(sparse.csr_array(queries[1::2]), relevant[1::2])
    assert retriever.normalizer_.n_bank_seen_ == N_BANK
    retriever.fit(iter([queries]), relevant)  # parts of an iterator are used whole
    assert retriever.normalizer_.n_bank_seen_ == len(queries)


def test_marked_rows_of_dask_arrays_are_the_bank(data, stacked):
    array = pytest.importorskip("dask.array")
    queries, relevant = stacked
    sims = pairwise_similarity(queries, data.gallery)
    normalizer = InvertedSoftmax()
    retriever = QuerybankRetriever(normalizer, n_neighbors=1, gallery=data.gallery)
    for estimator, rows in ((normalizer, sims), (retriever, queries)):
        fitted = clone(estimator).fit(array.from_array(rows, chunks=(40, -1)), relevant)
        expected = clone(estimator).fit(rows[:N_BANK])
        bias, other = (
            getattr(each, "normalizer_", each).gallery_bias_
            for each in (fitted, expected)
        )
        np.testing.assert_allclose(bias, other, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_marked_rows_of_another_length_are_refused(data, stacked, kind):
    estimator, _ = estimators(data)[kind]
    queries, relevant = stacked
    with pytest.raises(ValueError, match="expected 90, got 89"):
        clone(estimator).fit(queries, relevant[1:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", [None, recall_scorer(k=5), gain_scorer()])
def test_grid_search_scores_the_labeled_rows(data, stacked, kind, scoring):
    estimator, parameter = estimators(data)[kind]
    queries, relevant = stacked
    grid = {parameter: [5, 20, 40]}
    by_fold = PredefinedSplit(np.where(relevant < 0, -1, 0))
    for cv in (QuerybankSplit(N_BANK), by_fold):
        search = GridSearchCV(estimator, grid, scoring=scoring, cv=cv)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            search.fit(queries, relevant)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", [None, recall_scorer(), gain_scorer()])
def test_halving_scores_the_labeled_rows(data, stacked, kind, scoring):
    estimator, parameter = estimators(data)[kind]
    search = HalvingGridSearchCV(
        estimator,
        {parameter: [5, 20, 40]},
        scoring=scoring,
        cv=QuerybankSplit(N_BANK),
        return_train_score=False,
        min_resources=30,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(*stacked)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    last = search.best_estimator_[1] if kind == "Pipeline" else search.best_estimator_
    fitted = getattr(last, "normalizer_", last)
    assert fitted.n_bank_seen_ == N_BANK


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", [None, recall_scorer(), gain_scorer()])
@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_the_train_score_of_a_bank_is_missing_with_one_short_warning(
    data, stacked, kind, scoring, search
):
    estimator, parameter = estimators(data)[kind]
    options = {"scoring": scoring, "cv": QuerybankSplit(N_BANK)}
    if search is HalvingGridSearchCV:
        options |= {"min_resources": "exhaust", "factor": 2, "random_state": 0}
    grid = {parameter: [20]}
    with pytest.warns(UserWarning, match="train scores") as told:
        found = search(estimator, grid, return_train_score=True, **options).fit(
            *stacked
        )
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    assert np.isnan(found.cv_results_["mean_train_score"]).all()
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_scores_leave_out_rows_without_a_relevant_item(data, stacked, kind, form):
    estimator, _ = estimators(data)[kind]
    queries, relevant = stacked
    fitted = clone(estimator).fit(data.bank_queries)
    labeled = queries[N_BANK:], relevant[N_BANK:]
    y = forms(relevant)[form]
    assert fitted.score(queries, y) == fitted.score(*labeled)
    for scorer in (recall_scorer(k=3), gain_scorer()):
        assert scorer(fitted, queries, y) == scorer(fitted, *labeled)


def test_a_scorer_of_a_measure_without_a_mask_leaves_rows_out(data, stacked):
    def measure(relevant, scores):
        return len(relevant) + len(scores)

    fitted = estimators(data)["Pipeline"][0].fit(data.bank_queries)
    assert make_retrieval_scorer(measure)(fitted, *stacked) == 2 * N_LABELED


def test_the_measures_themselves_refuse_rows_without_a_relevant_item():
    with pytest.raises(ValueError, match="query_mask"):
        recall_at_k([0, -1], [[0.9, 0.1], [0.8, 0.3]])


def test_queries_with_class_labels_are_scored():
    scores, labels = np.eye(3)[[0, 1, 2, 2]], ["a", "b", "c"]
    last = NearestNeighborScorer(gallery_labels=[5, 6, 7]).fit(scores)
    assert last.score(scores, [5, -1, 6, 7]) == pytest.approx(2 / 3)
    last = NearestNeighborScorer(gallery_labels=labels).fit(scores)
    assert last.score(scores, np.array(["a", "b", "b", "c"])) == 0.75
    y = np.array(["a", -1, "b", "c"], dtype=object)
    with_labels = recall_scorer(gallery_labels=np.array(labels, dtype=object))
    assert with_labels(last, scores, y) == pytest.approx(2 / 3)


def test_scores_refuse_relevance_of_another_length(data, stacked):
    queries, relevant = stacked
    for estimator, _ in estimators(data).values():
        fitted = clone(estimator).fit(data.bank_queries)
        for scorer in (recall_scorer(), gain_scorer(), type(fitted).score):
            with pytest.raises(ValueError, match="90, got 89"):
                scorer(fitted, queries, relevant[1:])


def test_minus_one_is_refused_as_a_class_of_the_gallery():
    scores, labels = np.eye(2), [-1, 1]
    with pytest.raises(ValueError, match="gallery_labels"):
        NearestNeighborScorer(gallery_labels=labels).fit(scores)
    last = NearestNeighborScorer().fit(scores)
    with pytest.raises(ValueError, match="gallery_labels"):
        recall_scorer(gallery_labels=labels)(last, scores, [1, -1])


def test_a_missing_relevance_is_refused(data):
    for estimator, _ in estimators(data).values():
        fitted = clone(estimator).fit(data.bank_queries)
        with pytest.raises(ValueError, match="relevant"):
            recall_scorer()(fitted, data.queries)
