"""Errors say what was passed, what is expected, and what to do."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    GallerySimilarity,
    GloballyCorrected,
    InvertedSoftmax,
    ListSinkhornNormalizer,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval

from .cases import NORMALIZERS

SIMS = np.random.default_rng(0).normal(size=(5, 4))
each_normalizer = pytest.mark.parametrize(
    "normalizer", NORMALIZERS.values(), ids=NORMALIZERS
)


def spoilt(value):
    sims = SIMS.copy()
    sims[2, 1] = value
    return sims


def with_text():
    sims = SIMS.astype(object)
    sims[0, 0] = "cat"
    return sims


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        (
            spoilt(np.nan),
            ValueError,
            "NaN in row 2, column 1",
        ),
        (spoilt(np.inf), ValueError, "infinity in row 2, column 1"),
        (
            spoilt(-np.inf),
            ValueError,
            "infinity in row 2, column 1",
        ),
        (with_text(), ValueError, "text .*cat"),
        (None, ValueError, "got None"),
        (SIMS[0], ValueError, "2D"),
        (SIMS[None], ValueError, "dim 3"),
        (SIMS[:0], ValueError, r"0 sample\(s\)"),
        (SIMS[:, :0], ValueError, r"0 feature\(s\)"),
        (sparse.csr_array(SIMS), TypeError, "[Ss]parse"),
        (SIMS + 1j, ValueError, "Complex"),
    ],
)
@each_normalizer
def test_input_that_is_not_a_matrix_of_similarities_is_refused(
    normalizer, matrix, error, message
):
    takes_lists = isinstance(normalizer, ListSinkhornNormalizer)
    if not (takes_lists and sparse.issparse(matrix)):
        with pytest.raises(error, match=message):
            clone(normalizer).fit(matrix)
    with pytest.raises(error, match=message):
        clone(normalizer).fit(SIMS).transform(matrix)


@each_normalizer
def test_finite_similarities_with_sums_that_overflow_are_accepted(normalizer):
    huge = np.full((3, 2), 8e307)
    assert np.isfinite(clone(normalizer).fit(huge).transform(huge)).all()


@each_normalizer
def test_another_number_of_gallery_items_is_refused(normalizer):
    fitted = clone(normalizer).fit(SIMS)
    with pytest.raises(ValueError, match="3 features.* 4"):
        fitted.transform(SIMS[:, :3])
    with pytest.raises(ValueError, match="3 features.* 4"):
        fitted.partial_fit(SIMS[:, :3])


@each_normalizer
def test_an_unfitted_normalizer_raises(normalizer):
    with pytest.raises(NotFittedError):
        clone(normalizer).transform(SIMS)


@pytest.mark.parametrize(
    "beta",
    [0, -1, np.nan, np.inf, "20", "Scale", None, True, [20], 10**400],
    ids=lambda beta: "10**400" if beta == 10**400 else repr(beta),
)
@pytest.mark.parametrize("normalizer_class", [InvertedSoftmax, DynamicInvertedSoftmax])
def test_beta_must_be_positive(normalizer_class, beta):
    with pytest.raises(ValueError, match="beta"):
        normalizer_class(beta=beta).fit(SIMS)


@pytest.mark.parametrize("alpha", [-0.1, np.nan, np.inf, "1", None])
@pytest.mark.parametrize(
    "normalizer_class",
    [InvertedSoftmax, DynamicInvertedSoftmax, NearestNeighborNormalizer],
)
def test_alpha_must_not_be_negative(normalizer_class, alpha):
    with pytest.raises(ValueError, match="alpha"):
        normalizer_class(alpha=alpha).fit(SIMS)


@pytest.mark.parametrize("count", [0, -1, 1.5, "1", None, True, np.nan])
@pytest.mark.parametrize(
    ("normalizer_class", "name"),
    [
        (CSLS, "n_neighbors"),
        (NearestNeighborNormalizer, "n_neighbors"),
        (DynamicInvertedSoftmax, "n_activation"),
        (DynamicInvertedSoftmax, "min_count"),
        (NearestNeighborScorer, "n_neighbors"),
    ],
)
def test_counts_must_be_positive_integers(normalizer_class, name, count):
    with pytest.raises(ValueError, match=name):
        normalizer_class(**{name: count}).fit(SIMS)


def test_errors_about_unknown_choices_list_the_valid_ones():
    with pytest.raises(ValueError, match="output .*'similarity', 'probability'"):
        InvertedSoftmax(output="log").fit(SIMS)
    with pytest.raises(ValueError, match="metric .*'cosine', 'dot', 'precomputed'"):
        InvertedSoftmax(metric="euclidean").fit(SIMS, SIMS)
    with pytest.raises(ValueError, match="metric .*'cosine', 'dot', got"):
        pairwise_similarity(SIMS, SIMS, "precomputed")


@pytest.mark.parametrize("metric", ["cosine", "dot"])
@each_normalizer
def test_embeddings_need_a_gallery_that_matches(normalizer, metric):
    by_embeddings = clone(normalizer).set_params(metric=metric)
    with pytest.raises(ValueError, match=rf"gallery .*'{metric}'.* metric=None"):
        by_embeddings.fit(SIMS)
    with pytest.raises(ValueError, match=rf"gallery .*'{metric}'.* metric=None"):
        by_embeddings.fit(SIMS, [0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="features .* 4 and 3"):
        by_embeddings.fit(SIMS, SIMS[:, :3])
    with pytest.raises(ValueError, match="gallery .* NaN in row 2"):
        by_embeddings.fit(SIMS, spoilt(np.nan))
    with pytest.raises(ValueError, match="querybank .* infinity"):
        by_embeddings.fit(spoilt(np.inf), SIMS)
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        by_embeddings.fit(SIMS[:0], SIMS)
    by_embeddings.fit(SIMS, SIMS)
    with pytest.raises(ValueError, match="gallery .* 5 items, got 3"):
        by_embeddings.partial_fit(SIMS, SIMS[:3])


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda q, g: q[:, :2], r"metric .*\(5, 5\).* \(5, 2\)"),
        (lambda q, g: q[:, 0], r"metric .*\(5, 5\).* \(5,\)"),
        (lambda q, g: 0.5, "metric .* float"),
        (lambda q, g: None, "metric .* NoneType"),
        (lambda q, g: [[1, 2]] * 5, r"metric .* list of \(5, 2\)"),
        (lambda q, g: [["a"] * 5] * 5, "metric"),
        (lambda q, g: np.full((5, 5), np.nan), "metric .* NaN"),
    ],
    ids=["too few", "a column", "a number", "None", "a list", "text", "NaN"],
)
def test_a_metric_that_returns_no_matrix_of_similarities_is_refused(metric, message):
    with pytest.raises(ValueError, match=message):
        InvertedSoftmax(metric=metric).fit(SIMS, SIMS)


@pytest.mark.parametrize(
    ("normalizer_class", "setting", "before", "after"),
    [
        (InvertedSoftmax, "beta", 20.0, 5.0),
        (DynamicInvertedSoftmax, "n_activation", 1, 2),
        (CSLS, "n_neighbors", 2, 3),
        (NearestNeighborNormalizer, "n_neighbors", 2, 3),
        (GloballyCorrected, "metric", "cosine", "dot"),
    ],
)
def test_parameters_of_a_fit_cannot_change_between_partial_fits(
    normalizer_class, setting, before, after
):
    normalizer = normalizer_class(**{setting: before}).partial_fit(SIMS, SIMS)
    message = f"{setting} was {before!r} .* {after!r} now"
    with pytest.raises(ValueError, match=message):
        normalizer.set_params(**{setting: after}).partial_fit(SIMS, SIMS)


def test_partial_fit_refuses_a_gallery_of_other_names():
    pandas = pytest.importorskip("pandas")
    first, other = (
        pandas.DataFrame(SIMS, index=list(names)) for names in ("abcde", "vwxyz")
    )
    normalizer = InvertedSoftmax().fit(SIMS, first).partial_fit(SIMS, first)
    with pytest.raises(ValueError, match="gallery .* names"):
        normalizer.partial_fit(SIMS, other)


def test_parameters_are_checked_before_they_are_used():
    fitted = InvertedSoftmax().fit(SIMS)
    with pytest.raises(ValueError, match="output"):
        fitted.set_params(output="log").transform(SIMS)
    with pytest.raises(ValueError, match="alpha"):
        fitted.set_params(output="similarity", alpha=np.nan).transform(SIMS)
    with pytest.raises(ValueError, match="metric"):
        GallerySimilarity(SIMS, metric="bogus").fit(SIMS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_out_of_range_are_refused(dtype):
    huge = np.full((3, 4), np.sqrt(float(np.finfo(dtype).max)), dtype=dtype)
    message = "similarities .* infinity"
    with pytest.raises(ValueError, match=message):
        InvertedSoftmax(metric="dot").fit(huge, huge)
    with pytest.raises(ValueError, match=message):
        pairwise_similarity(huge, huge, "dot")
    with pytest.raises(ValueError, match=message):
        GallerySimilarity(huge, metric="dot").fit_transform(huge)
    np.testing.assert_allclose(pairwise_similarity(huge, huge), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["M8[D]", "m8[D]", "V8"])
def test_dates_and_structures_are_refused_as_similarities(kind):
    with pytest.raises(ValueError, match="querybank .* dtype"):
        InvertedSoftmax().fit(np.zeros((2, 2), dtype=kind))


def test_a_gallery_is_needed_and_its_labels_must_match():
    with pytest.raises(ValueError, match="gallery"):
        GallerySimilarity().fit(SIMS)
    with pytest.raises(ValueError, match="features .* 4 and 3"):
        GallerySimilarity(SIMS[:, :3]).fit(SIMS)
    with pytest.raises(ValueError, match=r"gallery_labels .*\(4,\), got \(3,\)"):
        NearestNeighborScorer(gallery_labels=[0, 1, 2]).fit(SIMS)
    scorer = NearestNeighborScorer().fit(SIMS)
    with pytest.raises(ValueError, match="n_neighbors .*4.*5"):
        scorer.kneighbors(SIMS, n_neighbors=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_bank": 0}, "n_bank .* 0"),
        ({"n_features": 2}, "n_features .* 2"),
        ({"hubness": 1.5}, "hubness .* 1.5"),
        ({"noise": -1}, "noise .* -1"),
    ],
)
def test_invalid_options_of_synthetic_data_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_hub_retrieval(**options)
