"""Relevant items can be given by the names of the gallery items."""

from functools import partial

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    DynamicInvertedSoftmax,
    GallerySimilarity,
    InvertedSoftmax,
    NearestNeighborScorer,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import (
    average_precision,
    bootstrap_report,
    geometric_mean_recall,
    make_retrieval_scorer,
    mean_rank,
    mean_reciprocal_rank,
    median_rank,
    paired_bootstrap_report,
    recall_at_k,
    recall_scorer,
    relevant_ranks,
    retrieval_report,
)
from sk_qbnorm.model_selection import (
    NormalizerSearch,
    QuerybankSplit,
    beta_curve,
    gain_scorer,
)

from .relevance import LISTS, ONE_EACH, score_matrix

IDS = {
    "strings": np.array([f"item {letter}" for letter in "cadbelkfjihg"]),
    "integers": np.arange(12)[::-1] + 3,  # some of which are gallery indices too
}
each_ids = pytest.mark.parametrize("ids", IDS.values(), ids=IDS)


@pytest.fixture
def scores():
    return score_matrix()


@pytest.fixture(scope="module")
def data():
    return make_hub_retrieval(90, 60, 30, n_features=8, noise=1.0, random_state=0)


@pytest.fixture(scope="module", params=["strings", "integers"])
def names(request):
    order = np.random.default_rng(0).permutation(30)
    return order + 5 if request.param == "integers" else [f"item {i}" for i in order]


@pytest.fixture
def framed(data, names):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(data.gallery, index=names)


def listed(ids):
    return [[ids[item] for item in row] for row in LISTS]


def compare_with_reversed(relevant, scores, **options):
    other = scores[:, ::-1]
    return paired_bootstrap_report(relevant, scores, other, random_state=0, **options)


@each_ids
@pytest.mark.parametrize(
    "measure",
    [
        relevant_ranks,
        median_rank,
        mean_rank,
        mean_reciprocal_rank,
        recall_at_k,
        geometric_mean_recall,
        average_precision,
        retrieval_report,
        partial(bootstrap_report, random_state=0),
        compare_with_reversed,
    ],
)
def test_measures_accept_names(measure, ids, scores):
    found = measure(listed(ids), scores, gallery_ids=ids)
    np.testing.assert_equal(found, measure(LISTS, scores))


@each_ids
def test_names_may_have_any_form_that_indices_have(ids, scores):
    expected = retrieval_report(ONE_EACH, scores)
    one_each = ids[ONE_EACH]
    for relevant in (
        one_each,
        one_each.tolist(),
        one_each.astype(object),
        [[name] for name in one_each],
    ):
        for given in (ids, ids.tolist(), ids.astype(object)):
            assert retrieval_report(relevant, scores, gallery_ids=given) == expected
    expected = retrieval_report(LISTS, scores)
    rows = np.array([np.array(row) for row in listed(ids)], dtype=object)
    assert retrieval_report(rows, scores, gallery_ids=ids) == expected


@each_ids
def test_other_forms_than_names_are_still_accepted(ids, scores):
    expected = retrieval_report(LISTS, scores)
    indicator = np.array([[item in row for item in range(12)] for row in LISTS])
    for relevant in (indicator, sparse.csr_array(indicator)):
        assert retrieval_report(relevant, scores, gallery_ids=ids) == expected


def test_integers_are_indices_if_the_names_are_strings(scores):
    found = retrieval_report(LISTS, scores, gallery_ids=IDS["strings"])
    assert found == retrieval_report(LISTS, scores)


def test_string_columns_of_scores_are_names(scores):
    pandas = pytest.importorskip("pandas")
    for ids in IDS.values():
        frame = pandas.DataFrame(scores, columns=ids)
        expected = relevant_ranks(ONE_EACH, scores)
        np.testing.assert_array_equal(relevant_ranks(ONE_EACH, frame), expected)
        found = relevant_ranks(ids[ONE_EACH], frame, gallery_ids=frame.columns)
        np.testing.assert_array_equal(found, expected)
    frame.columns = IDS["strings"]
    found = relevant_ranks(IDS["strings"][ONE_EACH], frame)
    np.testing.assert_array_equal(found, expected)
    labels = {"gallery_labels": np.arange(12)}
    np.testing.assert_array_equal(relevant_ranks(ONE_EACH, frame, **labels), expected)


@each_ids
def test_masked_queries_may_have_unknown_names(ids, scores):
    relevant = listed(ids)
    relevant[1], relevant[4] = "unicorn", []
    mask = np.array([1, 0, 1, 1, 0, 1])
    found = relevant_ranks(relevant, scores, gallery_ids=ids, query_mask=mask)
    expected = relevant_ranks(LISTS, scores, query_mask=mask)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("relevant", "options", "match"),
    [
        (["item a"] * 5 + ["unicorn"], {}, "relevant.*'unicorn'"),
        ([-1] * 6, {"gallery_ids": np.arange(12)}, "relevant.* -1"),
        ([["item a"]] * 5 + [[]], {}, "relevant.* number 5"),
        ([[]] * 6, {}, "relevant.* 6 queries"),
        (["item a"] * 5, {}, "relevant.* 6.* 5"),
        (None, {}, "relevant.* None"),
        (["item a"] * 6, {"gallery_ids": None}, "relevant.*gallery_ids"),
        (["item a"] * 6, {"gallery_ids": ["item a"] * 12}, "unique"),
        (["item a"] * 6, {"gallery_ids": ["item a"]}, r"gallery_ids.*\(12,\).*\(1,\)"),
        ([0.5] * 6, {"gallery_ids": np.arange(12) / 2}, "gallery_ids.* float"),
        ([0] * 6, {"gallery_ids": ["a"] * 6 + [1] * 6}, "gallery_ids.* int and str"),
        ([0] * 6, {"gallery_labels": np.arange(12)}, "gallery_labels.*gallery_ids"),
    ],
)
def test_names_that_do_not_match_are_rejected(relevant, options, match, scores):
    options = {"gallery_ids": IDS["strings"], **options}
    with pytest.raises(ValueError, match=match):
        relevant_ranks(relevant, scores, **options)


def named(data, names):
    """Return the relevant item of each query by name."""
    return [names[item] for item in data.relevant]


def test_a_retriever_scores_queries_by_name(data, names, framed):
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=2)
    expected = retriever.fit(data.bank_queries, data.gallery)
    expected = expected.score(data.queries, data.relevant)
    retriever.fit(data.bank_queries, framed)
    relevant = named(data, names)
    assert retriever.score(data.queries, relevant) == expected
    lists = [[name] if row else [] for row, name in enumerate(relevant)]
    marked = [-1, *relevant[1:]]
    found = retriever.score(data.queries, marked)
    assert found == retriever.score(data.queries, lists)


def pipeline(gallery):
    steps = GallerySimilarity(gallery), InvertedSoftmax(), NearestNeighborScorer()
    return make_pipeline(*steps)


def test_the_last_step_of_a_pipeline_scores_by_column_names(data, names, framed):
    expected = pipeline(data.gallery).fit(data.bank_queries)
    expected = expected.score(data.queries, data.relevant)
    found = pipeline(framed).set_output(transform="pandas").fit(data.bank_queries)
    assert found.score(data.queries, named(data, names)) == expected


def first_is_best(relevant, scores):
    """A measure that knows one index per query only."""
    return float(np.mean(scores.argmax(axis=1) == relevant))


@pytest.mark.parametrize(
    "scorer", [recall_scorer(k=2), gain_scorer(), make_retrieval_scorer(first_is_best)]
)
def test_scorers_look_names_up_in_the_estimator(data, names, framed, scorer):
    for make in (
        lambda gallery: QuerybankRetriever(InvertedSoftmax(), gallery=gallery),
        pipeline,
    ):
        expected = make(data.gallery).fit(data.bank_queries)
        expected = scorer(expected, data.queries, data.relevant)
        fitted = make(framed).fit(data.bank_queries)
        assert scorer(fitted, data.queries, named(data, names)) == expected


@pytest.mark.parametrize("make", [recall_scorer, gain_scorer])
def test_scorers_accept_names_of_the_gallery(data, names, make):
    fitted = pipeline(data.gallery).fit(data.bank_queries)
    expected = make()(fitted, data.queries, data.relevant)
    found = make(gallery_ids=names)(fitted, data.queries, named(data, names))
    assert found == expected


def test_a_grid_search_accepts_names(data, names, framed):
    chosen = []
    for gallery, relevant in (
        (data.gallery, data.relevant.tolist()),
        (framed, named(data, names)),
    ):
        search = GridSearchCV(
            QuerybankRetriever(InvertedSoftmax(), gallery=gallery),
            {"normalizer__alpha": [0, 0.5, 1]},
            scoring=gain_scorer(),
            cv=QuerybankSplit(90),
        )
        rows = np.vstack([data.bank_queries, data.queries])
        search.fit(rows, [-1] * 90 + relevant)
        assert search.best_estimator_.normalizer_.n_bank_seen_ == 90
        chosen.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*chosen)


def test_a_search_by_labeled_queries_accepts_names(data, names, framed):
    candidates = [InvertedSoftmax(), DynamicInvertedSoftmax()]
    search = NormalizerSearch(data.queries, data.relevant, candidates)
    expected = search.fit(data.bank_queries, data.gallery).hits_
    search.set_params(relevant=named(data, names))
    np.testing.assert_array_equal(search.fit(data.bank_queries, framed).hits_, expected)
    search.set_params(gallery_ids=names).fit(data.bank_queries, data.gallery)
    np.testing.assert_array_equal(search.hits_, expected)
    labels = {"gallery_labels": names, "gallery_ids": None}
    search.set_params(**labels).fit(data.bank_queries, framed)
    np.testing.assert_array_equal(search.hits_, expected)


def test_a_curve_over_beta_accepts_names(data, names, framed):
    raw, options = pairwise_similarity(data.queries, data.gallery), {"random_state": 0}
    bank, relevant = data.bank_queries, named(data, names)
    options["param_range"] = [5, 20]
    normalizer = InvertedSoftmax()
    expected = beta_curve(normalizer, bank, data.gallery, raw, data.relevant, **options)
    for gallery, more in (
        (framed, {}),
        (data.gallery, {"gallery_ids": names}),
        (framed, {"gallery_labels": names}),
    ):
        found = beta_curve(normalizer, bank, gallery, raw, relevant, **options, **more)
        np.testing.assert_array_equal(found["recall"], expected["recall"])


def test_displays_accept_names(data, names, framed):
    pytest.importorskip("matplotlib")
    from sk_qbnorm.inspection import ActivationDisplay

    bank, relevant = data.bank_queries, named(data, names)
    raw = pairwise_similarity(data.queries, data.gallery)
    normalizer = DynamicInvertedSoftmax().fit(bank, data.gallery)
    expected = ActivationDisplay.from_estimator(normalizer, raw, data.relevant).counts_
    by_name = DynamicInvertedSoftmax().fit(bank, framed)
    mask = normalizer.activation_mask_
    scores = normalizer.transform(raw)
    ids = {"gallery_ids": names}
    displays = [
        ActivationDisplay.from_estimator(by_name, raw, relevant),
        ActivationDisplay.from_estimator(normalizer, raw, relevant, **ids),
        ActivationDisplay.from_predictions(mask, raw, scores, relevant, **ids),
        ActivationDisplay.from_predictions(
            mask, raw, scores, relevant, gallery_labels=names
        ),
    ]
    if isinstance(names, list):  # string columns
        frame = type(framed)(raw, columns=names)
        displays.append(
            ActivationDisplay.from_predictions(mask, frame, scores, relevant)
        )
    for display in displays:
        assert display.counts_ == expected
