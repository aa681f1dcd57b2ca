import pickle

import joblib
import numpy as np
import pytest
from hypothesis import given
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
    pairwise_similarity,
)

from .cases import ALL, NORMALIZERS, bank_and_sims, expected

pytestmark = pytest.mark.small_blocks
precomputed = {"metric": "precomputed"}

VARIANTS = [
    *ALL.values(),
    InvertedSoftmax(),
    DynamicInvertedSoftmax(),
    SinkhornNormalizer(max_iter=3, tol=0),
    InvertedSoftmax(beta=0.5, alpha=0.3, **precomputed),
    InvertedSoftmax(beta=3, output="probability", **precomputed),
    InvertedSoftmax(beta=3, alpha=0.5, output="probability", **precomputed),
    DynamicInvertedSoftmax(n_activation=2, min_count=3, **precomputed),
    DynamicInvertedSoftmax(beta=3, output="probability", **precomputed),
    CSLS(n_neighbors=3, **precomputed),
    NearestNeighborNormalizer(alpha=1.5, n_neighbors=2, **precomputed),
]

each_variant = pytest.mark.parametrize("normalizer", VARIANTS, ids=repr)
each_normalizer = pytest.mark.parametrize(
    "normalizer", NORMALIZERS.values(), ids=NORMALIZERS
)
may_clip = pytest.mark.filterwarnings("ignore:n_neighbors=", "ignore:n_activation=")


@pytest.fixture
def embeddings():
    random = np.random.default_rng(0)
    return (
        random.normal(size=(30, 5)),
        random.normal(size=(9, 5)),
        random.normal(size=(7, 5)),
    )


@may_clip
@each_variant
@given(drawn=bank_and_sims())
def test_float64_scores_match_the_formula(normalizer, drawn):
    bank, sims = drawn
    scores = normalizer.fit(bank).transform(sims)
    assert scores.dtype == np.float64
    close = {"rtol": 1e-12, "atol": 1e-13}
    if getattr(normalizer, "influence_limit", None):  # solved by iteration
        close = {"rtol": 1e-10, "atol": 1e-11}
    np.testing.assert_allclose(scores, expected(normalizer, bank, sims), **close)


@may_clip
@each_variant
@given(drawn=bank_and_sims())
def test_float32_scores_match_the_formula_up_to_rounding(normalizer, drawn):
    bank, sims = (matrix.astype(np.float32) for matrix in drawn)
    scores = normalizer.fit(bank).transform(sims)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(
        scores, expected(normalizer, bank, sims), rtol=1e-5, atol=1e-6
    )


@each_normalizer
@pytest.mark.parametrize(
    "metric", ["cosine", "dot", lambda q, g: -abs(q[:, :1] - g.T[0])]
)
def test_embeddings_give_the_same_result_as_their_similarities(
    normalizer, metric, embeddings
):
    queries, bank, gallery = embeddings
    by_embeddings = clone(normalizer).set_params(metric=metric).fit(bank, gallery)
    by_similarity = clone(normalizer).fit(pairwise_similarity(bank, gallery, metric))
    sims = pairwise_similarity(queries, gallery, metric)
    np.testing.assert_allclose(
        by_embeddings.transform(sims), by_similarity.transform(sims), rtol=1e-12
    )
    assert by_embeddings.n_features_in_ == len(gallery)
    assert by_embeddings.n_bank_seen_ == len(bank)


@each_normalizer
@pytest.mark.parametrize("metric", ["cosine", lambda q, g: q @ g.T])
def test_the_size_of_the_tiles_does_not_matter(
    normalizer, metric, embeddings, monkeypatch
):
    queries, bank, gallery = embeddings
    sims = pairwise_similarity(queries, gallery, metric)
    by_embeddings = clone(normalizer).set_params(metric=metric)
    at_once = clone(by_embeddings).fit(bank, gallery)
    for name, size in {
        "_tile._TILE_ROWS": 4,
        "_tile._TILE_COLUMNS": 3,
        "_tile._NARROWEST": 2,
        "_products._BLOCK_BYTES": 3 * 8 * len(gallery),
    }.items():
        monkeypatch.setattr(f"sk_qbnorm.tiles.{name}", size)
    in_tiles = clone(by_embeddings).fit(bank, gallery)
    np.testing.assert_allclose(
        in_tiles.transform(sims), at_once.transform(sims), rtol=1e-12, atol=1e-15
    )


@each_normalizer
def test_float32_embeddings_stay_float32(normalizer, embeddings):
    _, bank, gallery = (matrix.astype(np.float32) for matrix in embeddings)
    sims = pairwise_similarity(bank, gallery)
    assert sims.dtype == np.float32
    fitted = clone(normalizer).set_params(metric="cosine").fit(bank, gallery)
    assert fitted.transform(sims).dtype == np.float32


@each_normalizer
def test_transforming_the_bank_does_not_warn(normalizer):
    bank = np.random.default_rng(1).normal(size=(6, 4))
    scores = clone(normalizer).fit_transform(bank)
    np.testing.assert_array_equal(scores, clone(normalizer).fit(bank).transform(bank))


@each_normalizer
def test_a_second_argument_is_ignored_for_precomputed_similarities(normalizer):
    bank = np.random.default_rng(2).normal(size=(6, 4))
    with_labels = clone(normalizer).fit(bank, np.arange(6)).transform(bank)
    np.testing.assert_array_equal(with_labels, normalizer.fit(bank).transform(bank))


@each_normalizer
def test_copies_on_disk_and_in_memory_give_equal_scores(normalizer, tmp_path):
    bank, sims = np.random.default_rng(3).normal(size=(2, 6, 4))
    scores = normalizer.fit(bank).transform(sims)
    joblib.dump(normalizer, tmp_path / "normalizer")
    for copy in (
        pickle.loads(pickle.dumps(normalizer)),
        joblib.load(tmp_path / "normalizer"),
        clone(normalizer).fit(bank),
    ):
        np.testing.assert_array_equal(copy.transform(sims), scores)
    with pytest.raises(NotFittedError):
        clone(normalizer).transform(sims)


@each_normalizer
def test_copy_false_overwrites_writable_input(normalizer):
    bank, sims = np.random.default_rng(4).normal(size=(2, 6, 4))
    fitted = clone(normalizer).fit(bank)
    scores = fitted.transform(sims)
    in_place = fitted.set_params(copy=False)
    for order in "CF":
        given = np.array(sims, order=order)
        assert in_place.transform(given) is given
        np.testing.assert_array_equal(given, scores)
    read_only = sims.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(in_place.transform(read_only), scores)
    np.testing.assert_array_equal(read_only, sims)


@pytest.mark.parametrize("container", ["pandas", "polars"])
@each_normalizer
def test_dataframes_keep_the_names_of_the_gallery(normalizer, container):
    frames = pytest.importorskip(container)
    columns = ["cat", "dog", "owl"]
    bank = frames.DataFrame(np.random.default_rng(5).normal(size=(6, 3)))
    bank.columns = columns
    fitted = clone(normalizer).set_output(transform=container).fit(bank)
    assert list(fitted.get_feature_names_out()) == columns
    scores = fitted.transform(bank)
    assert isinstance(scores, frames.DataFrame)
    assert list(scores.columns) == columns


@each_normalizer
def test_the_index_of_a_gallery_names_its_items(normalizer, embeddings):
    pandas = pytest.importorskip("pandas")
    _, bank, gallery = embeddings
    names = [f"item {j}" for j in range(len(gallery))]
    named = clone(normalizer).set_params(metric="cosine")
    named.fit(bank, pandas.DataFrame(gallery, index=names))
    assert list(named.get_feature_names_out()) == names
    named.fit(bank, pandas.DataFrame(gallery))  # a default index has no names
    assert not hasattr(named, "feature_names_in_")


def test_repr_shows_parameters_that_differ_from_the_default():
    assert repr(InvertedSoftmax(beta=5, metric="dot")) == (
        "InvertedSoftmax(beta=5, metric='dot')"
    )


@each_normalizer
def test_a_failed_fit_keeps_the_last_fit(normalizer, embeddings):
    queries, bank, gallery = embeddings
    broken = []

    def metric(queries, gallery):
        if broken:
            raise RuntimeError("no model")
        return queries @ gallery.T

    by_metric = clone(normalizer).set_params(metric=metric)
    broken.append(True)
    with pytest.raises(RuntimeError, match="no model"):
        by_metric.fit(bank, gallery)
    with pytest.raises(NotFittedError):
        by_metric.transform(bank @ gallery.T)

    broken.clear()
    scores = by_metric.fit(bank, gallery).transform(queries @ gallery.T)
    broken.append(True)
    for again in (by_metric.partial_fit, by_metric.fit):
        with pytest.raises(RuntimeError, match="no model"):
            again(queries, gallery[:5] if again == by_metric.fit else gallery)
        assert by_metric.n_bank_seen_ == len(bank)
        np.testing.assert_array_equal(by_metric.transform(queries @ gallery.T), scores)


def test_a_named_gallery_accepts_similarities_without_names(embeddings):
    pandas = pytest.importorskip("pandas")
    queries, bank, gallery = embeddings
    names = [f"item {j}" for j in range(len(gallery))]
    normalizer = InvertedSoftmax().fit(bank, pandas.DataFrame(gallery, index=names))
    sims = pairwise_similarity(queries, gallery)
    scores = normalizer.transform(sims)  # a warning would be an error here
    named = pandas.DataFrame(sims, columns=names)
    np.testing.assert_array_equal(normalizer.transform(named), scores)
    with pytest.raises(ValueError, match="feature names"):
        normalizer.transform(named[names[::-1]])
    unnamed = InvertedSoftmax().fit(bank, gallery)
    np.testing.assert_allclose(unnamed.transform(named), scores, rtol=1e-12)


@may_clip
@pytest.mark.parametrize("normalizer", ALL.values(), ids=ALL)
def test_writing_into_the_bank_after_fit_changes_nothing(normalizer, embeddings):
    bank, gallery, queries = embeddings
    bank, sims = (
        pairwise_similarity(bank, gallery),
        pairwise_similarity(queries, gallery),
    )
    fitted = clone(normalizer).set_params(**precomputed).fit(bank)
    scores = fitted.transform(sims)
    bank[:] = bank[::-1, ::-1].copy() + 1
    np.testing.assert_array_equal(fitted.transform(sims), scores)
