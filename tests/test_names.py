"""Names of the gallery items: from dataframes to results, and back."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    GallerySimilarity,
    InvertedSoftmax,
    NearestNeighborScorer,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm._validation import item_names, item_positions, positions_of

pandas = pytest.importorskip("pandas")

INDEXES = {
    "strings": ["cat", "dog", "owl", "yak", "eel", "fox"],
    "integers": [70, 3, 41, 0, 1, 2],  # some of which are gallery indices too
}
each_index = pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)


def numbers(n_rows, seed):
    return np.random.default_rng(seed).normal(size=(n_rows, 4))


def framed(index):
    """Return a querybank, a gallery with this index, and queries, as dataframes."""
    columns = list("abcd")
    bank, queries = (
        pandas.DataFrame(numbers(n_rows, seed), columns=columns)
        for n_rows, seed in ((12, 0), (5, 2))
    )
    gallery = pandas.DataFrame(numbers(6, 1), columns=columns, index=index)
    return bank, gallery, queries


def chained(gallery):
    return make_pipeline(
        GallerySimilarity(gallery), InvertedSoftmax(), NearestNeighborScorer()
    )


@each_index
@pytest.mark.parametrize(
    "make", [InvertedSoftmax, DynamicInvertedSoftmax, DualInvertedSoftmax]
)
def test_a_fit_to_embeddings_takes_names_from_the_index(make, index):
    bank, gallery, _ = framed(index)
    fitted = make().fit(bank, gallery)
    assert list(fitted.gallery_names_) == index
    assert list(fitted.get_feature_names_out()) == index
    assert hasattr(fitted, "feature_names_in_") == isinstance(index[0], str)
    again = fitted.fit(numbers(12, 0), numbers(6, 1))
    assert again.gallery_names_ is None
    assert list(again.get_feature_names_out()) == [f"x{item}" for item in range(6)]
    assert not hasattr(again, "feature_names_in_")


@each_index
def test_a_fit_to_similarities_takes_names_from_the_columns(index):
    bank, gallery, queries = framed(index)
    sims = pairwise_similarity(bank, gallery)
    fitted = InvertedSoftmax().fit(sims)
    assert list(fitted.gallery_names_) == index
    assert list(fitted.get_feature_names_out()) == index
    expected = InvertedSoftmax().fit(sims.to_numpy())
    query_sims = pairwise_similarity(queries, gallery)
    np.testing.assert_array_equal(
        fitted.transform(query_sims), expected.transform(query_sims.to_numpy())
    )


def test_feature_names_that_are_passed_are_checked():
    bank, gallery, _ = framed(INDEXES["strings"])
    fitted = InvertedSoftmax().fit(bank, gallery)
    index = list(gallery.index)
    assert list(fitted.get_feature_names_out(index)) == index
    with pytest.raises(ValueError, match="input_features"):
        fitted.get_feature_names_out(index[::-1])


@pytest.mark.parametrize(
    "index", [None, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], ["a", 1, "b", 2, "c", 3]]
)
def test_other_indexes_are_not_names(index):
    bank, gallery, queries = framed(index)
    for fitted in (
        InvertedSoftmax().fit(bank, gallery),
        GallerySimilarity(gallery).fit(bank),
        QuerybankRetriever(n_neighbors=2).fit(bank, gallery),
        NearestNeighborScorer().fit(numbers(3, 0)),
    ):
        assert fitted.gallery_names_ is None
    columns = chained(gallery)[:-1].fit(bank).get_feature_names_out()
    assert list(columns) == [f"gallery{item}" for item in range(6)]
    retriever = QuerybankRetriever(n_neighbors=2).fit(bank, gallery)
    sims = pairwise_similarity(queries, gallery).to_numpy()
    scorer = NearestNeighborScorer().fit(sims)
    for fitted, given in ((retriever, queries), (scorer, sims)):
        for act in (fitted.kneighbors, fitted.predict):
            with pytest.raises(ValueError, match="return_names"):
                act(given, return_names=True)


@each_index
def test_a_pipeline_keeps_names_as_columns(index):
    bank, gallery, queries = framed(index)
    pipeline = chained(gallery).set_output(transform="pandas").fit(bank)
    similarity, normalizer, scorer = (step for _, step in pipeline.steps)
    for step in (similarity, normalizer, scorer):
        assert list(step.gallery_names_) == index
    for steps in (pipeline[:1], pipeline[:2]):
        found = steps.transform(queries)
        assert list(found.columns) == index
        assert list(found.index) == list(queries.index)
    scores = pipeline[:2].transform(queries)
    assert list(pipeline.predict(queries, return_names=True)) == list(
        scores.idxmax(axis=1)
    )
    arrays = chained(gallery.to_numpy()).fit(bank)
    np.testing.assert_array_equal(pipeline.predict(queries), arrays.predict(queries))
    best, found = scorer.kneighbors(scores, 3, return_names=True)
    items = scorer.kneighbors(scores, 3)[1]
    np.testing.assert_array_equal(found, np.array(index, dtype=object)[items])
    np.testing.assert_array_equal(best, scorer.kneighbors(scores, 3)[0])


@each_index
def test_a_retriever_returns_the_names_of_the_best_items(index):
    bank, gallery, queries = framed(index)
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=3).fit(bank, gallery)
    assert list(retriever.gallery_names_) == index
    scores, items = retriever.kneighbors(queries)
    found_scores, names = retriever.kneighbors(queries, return_names=True)
    np.testing.assert_array_equal(found_scores, scores)
    np.testing.assert_array_equal(names, np.array(index, dtype=object)[items])
    alone = retriever.kneighbors(queries, return_score=False, return_names=True)
    np.testing.assert_array_equal(alone, names)
    best = retriever.predict(queries, return_names=True)
    np.testing.assert_array_equal(best, names[:, 0])
    assert best.dtype == object
    given = QuerybankRetriever(InvertedSoftmax(), n_neighbors=3, gallery=gallery)
    np.testing.assert_array_equal(
        given.fit(bank).predict(queries, return_names=True), best
    )


@each_index
def test_items_are_removed_by_name(index):
    bank, gallery, queries = framed(index)
    names, places = [index[1], index[3]], [1, 3]
    left = [name for name in index if name not in names]
    for make in (InvertedSoftmax, DynamicInvertedSoftmax, DualInvertedSoftmax):
        by_name, by_place = (make().fit(bank, gallery) for _ in range(2))
        rest = gallery.drop(index=names)
        by_name.remove_gallery(names, bank, rest)
        mask = np.isin(np.arange(6), places)
        by_place.remove_gallery(mask, bank, rest)
        assert list(by_name.gallery_names_) == left
        np.testing.assert_array_equal(by_name.gallery_bias_, by_place.gallery_bias_)
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=4).fit(bank, gallery)
    retriever.remove_gallery(names)
    assert list(retriever.gallery_names_) == left
    found = retriever.kneighbors(queries, return_score=False, return_names=True)
    assert set(found.ravel()) == set(left)


@each_index
def test_named_items_can_be_added_to_a_gallery(index):
    bank, gallery, queries = framed(index)
    grown = QuerybankRetriever(InvertedSoftmax(), n_neighbors=2)
    grown.fit(bank, gallery[:4]).add_gallery(bank, gallery[4:])
    assert list(grown.gallery_names_) == index
    found = grown.kneighbors(queries, 6, return_score=False, return_names=True)
    assert set(found.ravel()) == set(index)


@each_index
def test_candidates_are_rescored_by_name(index):
    bank, gallery, queries = framed(index)
    fitted = InvertedSoftmax().fit(bank, gallery)
    sims = pairwise_similarity(queries, gallery).to_numpy()
    items = np.argsort(-sims, axis=1)[:, :3]
    candidates = np.take_along_axis(sims, items, 1)
    names = np.array(index, dtype=object)[items]
    without_names = InvertedSoftmax().fit(bank.to_numpy(), gallery.to_numpy())
    expected = without_names.rescore(candidates, items)
    for given in (names, names.tolist(), names.astype(type(index[0]))):
        for found, right in zip(
            fitted.rescore(candidates, given), expected, strict=True
        ):
            np.testing.assert_array_equal(found, right)
    names[0, 2], names[1, 1], items[0, 2], items[1, 1] = None, -1, -1, -1
    expected = without_names.rescore(candidates, items)
    for found, right in zip(fitted.rescore(candidates, names), expected, strict=True):
        np.testing.assert_array_equal(found, right)


def test_candidates_of_named_items_may_be_gallery_indices():
    bank, gallery, _ = framed(INDEXES["strings"])
    fitted = InvertedSoftmax().fit(bank, gallery)
    items = fitted.rescore([[0.5, 0.4, 0.3]], [[4, 0, -1]])[1]
    assert sorted(items[0]) == [-1, 0, 4]
    integers = InvertedSoftmax().fit(bank, gallery.set_axis(INDEXES["integers"]))
    items = integers.rescore([[0.5, 0.4, 0.3]], np.array([[70, 0, -1]]))[1]
    assert sorted(items[0]) == [-1, 0, 3]  # 0 is the name of item 3


@each_index
def test_unknown_names_are_refused(index):
    bank, gallery, _ = framed(index)
    unknown = "unicorn" if isinstance(index[0], str) else 99
    fitted = InvertedSoftmax().fit(bank, gallery)
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=2).fit(bank, gallery)
    for act in (
        lambda: fitted.remove_gallery([index[0], unknown]),
        lambda: retriever.remove_gallery([index[0], unknown]),
        lambda: fitted.rescore([[0.5, 0.4]], [[index[0], unknown]]),
    ):
        with pytest.raises(ValueError, match=str(unknown)):
            act()
    assert list(fitted.gallery_names_) == list(retriever.gallery_names_) == index


@pytest.mark.parametrize("index", [["cat"] * 2 + list("defg"), [7, 7, 1, 2, 3, 4]])
def test_names_that_are_not_unique_are_refused_when_looked_up(index):
    bank, gallery, queries = framed(index)
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=6).fit(bank, gallery)
    found = retriever.kneighbors(queries, return_score=False, return_names=True)
    assert sorted(found[0]) == sorted(index)
    fitted = retriever.normalizer_
    for act in (
        lambda: retriever.remove_gallery(index[2:4]),
        lambda: fitted.remove_gallery(index[2:4]),
        lambda: fitted.rescore([[0.5, 0.4]], [index[2:4]]),
    ):
        with pytest.raises(ValueError, match="unique"):
            act()


@each_index
def test_the_similarities_of_two_frames_are_a_frame(index):
    _, gallery, queries = framed(index)
    queries.index = [f"query {row}" for row in range(5)]
    sims = pairwise_similarity(queries, gallery)
    assert list(sims.index) == list(queries.index)
    assert list(sims.columns) == index
    expected = pairwise_similarity(queries.to_numpy(), gallery.to_numpy())
    np.testing.assert_array_equal(sims, expected)
    for given in (
        (queries, gallery.to_numpy()),
        (queries.to_numpy(), gallery),
    ):
        found = pairwise_similarity(*given)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, expected)


def test_only_strings_and_integers_of_an_index_are_names():
    frame = pandas.DataFrame(np.eye(2), columns=["a", "b"], index=[5, 0])
    assert list(item_names(frame)) == [5, 0]
    assert list(item_names(frame, axis=1)) == ["a", "b"]
    for nameless in (
        [[1.0], [2.0]],  # a list has a method of that name
        np.eye(2),
        pandas.DataFrame(np.eye(2)),
        pandas.DataFrame(np.eye(2), index=[0.5, 1.5]),
        pandas.DataFrame(np.eye(2), index=["a", 1]),
    ):
        assert item_names(nameless) is None


def test_other_items_than_names_are_returned_unchanged():
    strings = np.array(["cat", "dog"], dtype=object)
    integers = np.array([7, 5], dtype=object)
    for items in ([1, 0], [True, False], [], [["cat"]], "cat", [0.5]):
        assert item_positions(items, strings) is items
        assert item_positions(items, None) is items
    for items in ([True, False], ["cat"], [[7]]):
        assert item_positions(items, integers) is items
    np.testing.assert_array_equal(item_positions(["dog", "cat"], strings), [1, 0])
    np.testing.assert_array_equal(item_positions([5], integers), [1])
    np.testing.assert_array_equal(
        positions_of([["dog", None], ["owl", "cat"]], strings), [[1, -1], [-1, 0]]
    )
