"""``metric=None``: `fit` takes similarities, or embeddings with a gallery."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from sk_qbnorm import (
    CSLS,
    DynamicNormalizer,
    InvertedSoftmax,
    MixNormalizer,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.tiles import SimilaritySource

from .cases import ALL

BANK = np.random.default_rng(0).normal(size=(9, 4))
GALLERY = np.random.default_rng(1).normal(size=(6, 4))
SIMS = pairwise_similarity(BANK, GALLERY)
INDICATOR = np.eye(6)[np.arange(9) % 6]
LABELS = {
    "array": np.arange(9) % 6,
    "list": [0, 1, 2, 3, 4, 5, 0, 1, 2],
    "strings": np.array(list("abcabcabc")),
    "several relevant items": [[0], [1, 2], [3], [4], [5], [0, 1], [2], [3], [4]],
}
NORMALIZERS = {name: clone(each).set_params(metric=None) for name, each in ALL.items()}
each_normalizer = pytest.mark.parametrize(
    "normalizer", NORMALIZERS.values(), ids=NORMALIZERS
)


@each_normalizer
def test_similarities_need_no_metric(normalizer):
    fitted = clone(normalizer).fit(SIMS)
    expected = clone(normalizer).set_params(metric="precomputed").fit(SIMS)
    assert fitted.metric is None
    assert fitted.metric_ == "precomputed"
    np.testing.assert_array_equal(fitted.transform(SIMS), expected.transform(SIMS))


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_labels_in_place_of_a_gallery_are_ignored(y):
    fitted = InvertedSoftmax().fit(SIMS, y)
    assert fitted.metric_ == "precomputed"
    expected = InvertedSoftmax().fit(SIMS)
    np.testing.assert_array_equal(fitted.gallery_bias_, expected.gallery_bias_)


@each_normalizer
def test_embeddings_are_compared_by_cosine(normalizer):
    fitted = clone(normalizer).fit(BANK, GALLERY)
    expected = clone(normalizer).set_params(metric="cosine").fit(BANK, GALLERY)
    assert fitted.metric_ == "cosine"
    np.testing.assert_array_equal(fitted.transform(SIMS), expected.transform(SIMS))


@pytest.mark.parametrize("give", [iter, list, sparse.csr_array, "dask"], ids=str)
def test_a_gallery_in_any_form_means_cosine(give):
    if give == "dask":
        give = pytest.importorskip("dask.array").from_array
    gallery = iter([GALLERY]) if give is iter else give(GALLERY)
    fitted = InvertedSoftmax().fit(BANK, gallery)
    assert fitted.metric_ == "cosine"
    expected = InvertedSoftmax().fit(BANK, GALLERY).gallery_bias_
    np.testing.assert_allclose(fitted.gallery_bias_, expected, rtol=1e-12)


def test_the_metric_of_the_last_fit_is_known():
    normalizer = InvertedSoftmax().fit(BANK, GALLERY)
    assert normalizer.metric_ == "cosine"
    assert normalizer.fit(SIMS).metric_ == "precomputed"
    assert normalizer.set_params(metric="dot").fit(BANK, GALLERY).metric_ == "dot"


@pytest.mark.parametrize("give", [np.asarray, np.ndarray.tolist, sparse.csr_array])
def test_an_indicator_of_the_shape_of_the_querybank_is_ambiguous(give):
    y = give(INDICATOR)
    with pytest.raises(ValueError, match=r'\(9, 6\).* metric="precomputed"'):
        InvertedSoftmax().fit(SIMS, y)
    fitted = InvertedSoftmax(metric="precomputed").fit(SIMS, y)
    assert fitted.metric_ == "precomputed"
    cosine = InvertedSoftmax(metric="cosine").fit(INDICATOR[:, :4], np.eye(9, 4))
    assert cosine.metric_ == "cosine"


def test_embeddings_of_the_shape_of_the_querybank_are_a_gallery():
    assert InvertedSoftmax().fit(BANK, BANK[::-1]).metric_ == "cosine"
    texts = np.full(BANK.shape, "a")
    with pytest.raises(ValueError, match="gallery"):
        InvertedSoftmax().fit(BANK, texts)


def test_a_dask_gallery_of_the_shape_of_the_querybank_is_not_read():
    array = pytest.importorskip("dask.array")
    gallery = array.from_array(np.eye(9, 4))
    assert InvertedSoftmax().fit(BANK, gallery).metric_ == "cosine"


@pytest.mark.parametrize("metric", [None, "precomputed", "cosine", "dot"])
@each_normalizer
def test_fit_transform_takes_similarities_for_every_metric(normalizer, metric):
    expected = clone(normalizer).fit(SIMS).transform(SIMS)
    for y in (None, LABELS["array"], INDICATOR):
        normalizer = clone(normalizer).set_params(metric=metric)
        np.testing.assert_array_equal(normalizer.fit_transform(SIMS, y), expected)
        assert normalizer.metric_ == "precomputed"


@each_normalizer
def test_transform_refuses_embeddings_and_names_both_alternatives(normalizer):
    fitted = clone(normalizer).fit(BANK, GALLERY)
    with pytest.raises(ValueError, match="4 .*pairwise_similarity.*QuerybankRetriev"):
        fitted.transform(BANK)
    assert fitted.transform(SIMS).shape == SIMS.shape


def test_embeddings_as_wide_as_the_gallery_are_refused_outside_the_cosine_range():
    queries = BANK * 3
    fitted = InvertedSoftmax().fit(BANK, BANK[:4])
    with pytest.raises(ValueError, match="pairwise_similarity.*QuerybankRetriever"):
        fitted.transform(queries)
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    with pytest.warns(UserWarning, match="pairwise_similarity.*QuerybankRetriever"):
        fitted.transform(unit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.transform(pairwise_similarity(queries, BANK[:4]))
        fitted.transform(unit[:1])  # a single row may have length 1 by chance


@pytest.mark.parametrize(
    "metric", ["dot", lambda queries, gallery: queries @ gallery.T]
)
def test_other_metrics_have_no_range(metric):
    fitted = InvertedSoftmax(metric=metric).fit(BANK, BANK[:4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.transform(BANK * 3)
        fitted.transform(BANK / np.linalg.norm(BANK, axis=1, keepdims=True))
    with pytest.raises(ValueError, match="5"):
        fitted.transform(np.ones((2, 5)))


def test_a_single_row_is_not_mistaken_for_embeddings():
    fitted = InvertedSoftmax().fit(BANK, GALLERY)
    with pytest.raises(ValueError, match="2D array"):
        fitted.transform(BANK[0])


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_a_source_of_embeddings_needs_a_gallery(metric):
    sample = MixNormalizer(BANK, InvertedSoftmax(), metric=metric)
    for normalizer in (InvertedSoftmax(metric=metric), sample):
        with pytest.raises(ValueError, match="gallery"):
            normalizer.fit(SIMS)


def test_a_retriever_takes_embeddings_for_every_normalizer_without_a_metric():
    retriever = QuerybankRetriever(CSLS(n_neighbors=2), n_neighbors=1)
    retriever.fit(BANK, GALLERY)
    assert retriever.normalizer_.metric_ == "cosine"


def test_a_source_of_similarities_takes_no_gallery():
    with pytest.raises(ValueError, match="gallery .*None"):
        SimilaritySource(GALLERY, "precomputed")
    with pytest.raises(ValueError, match="gallery .*None"):
        SimilaritySource(None, "cosine")
    with pytest.raises(ValueError, match="metric"):
        SimilaritySource(GALLERY, "euclidean")


def test_a_source_of_similarities_checks_the_items_of_all_matrices():
    pandas = pytest.importorskip("pandas")
    source = SimilaritySource(None, "precomputed")
    named = pandas.DataFrame(SIMS, columns=list("abcdef"))
    checked = source.check(named)
    assert source.n_gallery == 6
    assert list(source.names) == list("abcdef")
    assert source.tiles(checked).shape == (9, 6)
    source.check(SIMS)  # without names
    with pytest.raises(ValueError, match="6 .*got 5"):
        source.check(SIMS[:, :5])
    with pytest.raises(ValueError, match="'b' in column 0.* 'a'"):
        source.check(named[list("bacdef")])


def test_a_source_refuses_iterators():
    for metric in ("cosine", "precomputed"):
        source = SimilaritySource(GALLERY if metric == "cosine" else None, metric)
        with pytest.raises(ValueError, match="queries .*iterator"):
            source.check(iter([BANK]))
    with pytest.raises(ValueError, match="gallery .*iterator"):
        SimilaritySource(iter([GALLERY]), "cosine")


def test_a_wrapped_normalizer_has_the_metric_of_its_wrapper():
    bank, gallery = np.eye(4), np.eye(4)[:3]
    for wrapper in (
        DynamicNormalizer(CSLS(n_neighbors=2, metric="dot")),
        DynamicNormalizer(CSLS(n_neighbors=2, metric="dot"), metric="cosine"),
        MixNormalizer(np.eye(4), CSLS(n_neighbors=2, metric="dot"), metric="cosine"),
    ):
        with pytest.raises(ValueError, match="metric"):
            wrapper.fit(bank, gallery)
    same = DynamicNormalizer(CSLS(n_neighbors=2, metric="dot"), metric="dot")
    assert same.fit(bank, gallery).metric_ == "dot"
