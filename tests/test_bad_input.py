"""Bad input gets one clear sentence: what came, what was expected, what to do."""

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
            r"must be finite, got NaN in row 2, column 1",
        ),
        (spoilt(np.inf), ValueError, "finite, got infinity in row 2, column 1"),
        (
            spoilt(-np.inf),
            ValueError,
            "finite, got infinity in row 2, column 1",
        ),
        (with_text(), ValueError, "must hold numbers, got text .*cat.*encode it first"),
        (SIMS[0], ValueError, "Expected 2D array, got 1D array"),
        (SIMS[None], ValueError, "Found array with dim 3"),
        (SIMS[:0], ValueError, r"0 sample\(s\).*a minimum of 1 is required"),
        (SIMS[:, :0], ValueError, r"0 feature\(s\).*a minimum of 1 is required"),
        (sparse.csr_array(SIMS), TypeError, "Sparse data was passed"),
        (SIMS + 1j, ValueError, "Complex data not supported"),
    ],
)
@each_normalizer
def test_similarities_that_are_none_are_refused(normalizer, matrix, error, message):
    with pytest.raises(error, match=message):
        clone(normalizer).fit(matrix)
    with pytest.raises(error, match=message):
        clone(normalizer).fit(SIMS).transform(matrix)


@each_normalizer
def test_finite_sums_that_overflow_are_no_reason_to_refuse(normalizer):
    huge = np.full((3, 2), 8e307)
    assert np.isfinite(clone(normalizer).fit(huge).transform(huge)).all()


@each_normalizer
def test_another_number_of_gallery_items_is_refused(normalizer):
    fitted = clone(normalizer).fit(SIMS)
    with pytest.raises(ValueError, match="X has 3 features, but .* is expecting 4"):
        fitted.transform(SIMS[:, :3])
    with pytest.raises(ValueError, match="X has 3 features, but .* is expecting 4"):
        fitted.partial_fit(SIMS[:, :3])


@each_normalizer
def test_an_unfitted_normalizer_says_so(normalizer):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        clone(normalizer).transform(SIMS)


def test_unfitted_bank_ranks_say_so():
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        GloballyCorrected().bank_ranks(SIMS)


@pytest.mark.parametrize(
    "beta", [0, -1, np.nan, np.inf, "20", None, True, [20], 10**400]
)
@pytest.mark.parametrize("normalizer_class", [InvertedSoftmax, DynamicInvertedSoftmax])
def test_beta_must_be_positive(normalizer_class, beta):
    message = r"beta must be a finite number > 0, got .*; 20 is usual for cosine"
    with pytest.raises(ValueError, match=message):
        normalizer_class(beta, metric="precomputed").fit(SIMS)


@pytest.mark.parametrize("alpha", [-0.1, np.nan, np.inf, "1", None])
@pytest.mark.parametrize(
    "normalizer_class",
    [InvertedSoftmax, DynamicInvertedSoftmax, NearestNeighborNormalizer],
)
def test_alpha_must_not_be_negative(normalizer_class, alpha):
    message = "alpha must be a finite number >= 0, got .*; 0 corrects nothing"
    with pytest.raises(ValueError, match=message):
        normalizer_class(alpha=alpha, metric="precomputed").fit(SIMS)


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
def test_counts_must_be_whole_and_positive(normalizer_class, name, count):
    estimator = normalizer_class(**{name: count})
    if name != "n_neighbors" or normalizer_class is not NearestNeighborScorer:
        estimator.set_params(metric="precomputed")
    with pytest.raises(ValueError, match=f"{name} must be an integer >= 1, got"):
        estimator.fit(SIMS)


def test_unknown_choices_list_the_known_ones():
    with pytest.raises(ValueError, match="scale must be one of 'similarity', 'probab"):
        InvertedSoftmax(metric="precomputed", output="log").fit(SIMS)
    known = "metric must be one of 'cosine', 'dot', 'precomputed', got 'euclidean'"
    with pytest.raises(ValueError, match=known):
        InvertedSoftmax(metric="euclidean").fit(SIMS, SIMS)
    with pytest.raises(ValueError, match="must be one of 'cosine', 'dot', got"):
        pairwise_similarity(SIMS, SIMS, "precomputed")


@pytest.mark.parametrize("metric", ["cosine", "dot"])
@each_normalizer
def test_embeddings_need_a_gallery_that_matches(normalizer, metric):
    by_embeddings = clone(normalizer).set_params(metric=metric)
    name = type(normalizer).__name__
    with pytest.raises(ValueError, match=f"{name} with metric='{metric}' needs"):
        by_embeddings.fit(SIMS)
    with pytest.raises(ValueError, match='number an item.* set metric="precomputed"'):
        by_embeddings.fit(SIMS, [0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="same number of features .* got 4 and 3"):
        by_embeddings.fit(SIMS, SIMS[:, :3])
    with pytest.raises(ValueError, match="gallery must be finite, got NaN in row 2"):
        by_embeddings.fit(SIMS, spoilt(np.nan))
    with pytest.raises(ValueError, match="querybank must be finite, got infinity"):
        by_embeddings.fit(spoilt(np.inf), SIMS)
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        by_embeddings.fit(SIMS[:0], SIMS)
    by_embeddings.fit(SIMS, SIMS)
    with pytest.raises(ValueError, match="the one of the first call, with 5 items"):
        by_embeddings.partial_fit(SIMS, SIMS[:3])
    with pytest.raises(ValueError, match="X has 4 features, but .* is expecting 5"):
        by_embeddings.transform(SIMS)  # embeddings, where similarities belong


def test_embeddings_in_a_pipeline_say_to_precompute():
    with pytest.raises(ValueError, match=r'set metric="precomputed", or call fit'):
        InvertedSoftmax().fit_transform(SIMS, np.arange(5))


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda q, g: q[:, :2], r"expected shape \(5, 5\), got ndarray of \(5, 2\)"),
        (lambda q, g: q[:, 0], r"The metric must return .*, got ndarray of \(5,\)"),
        (lambda q, g: 0.5, r"The metric must return .*, got float of \(\)"),
        (lambda q, g: None, r"The metric must return .*, got NoneType of \(\)"),
        (lambda q, g: [[1, 2]] * 5, r"The metric must return .*, got list of \(5, 2\)"),
        (lambda q, g: [["a"] * 5] * 5, "what the metric returned must hold numbers"),
        (lambda q, g: np.full((5, 5), np.nan), "what the metric returned must be fin"),
    ],
)
def test_a_metric_that_makes_no_sense_is_told(metric, message):
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
def test_a_setting_of_the_bank_cannot_change_on_the_way(
    normalizer_class, setting, before, after
):
    normalizer = normalizer_class(**{setting: before}).partial_fit(SIMS, SIMS)
    message = f"{setting} was {before!r} when .* and is {after!r} now; call fit"
    with pytest.raises(ValueError, match=message):
        normalizer.set_params(**{setting: after}).partial_fit(SIMS, SIMS)


def test_a_gallery_of_other_names_is_another_gallery():
    pandas = pytest.importorskip("pandas")
    first, other = (
        pandas.DataFrame(SIMS, index=list(names)) for names in ("abcde", "vwxyz")
    )
    normalizer = InvertedSoftmax().fit(SIMS, first).partial_fit(SIMS, first)
    with pytest.raises(ValueError, match="the one of the first call.* or other names"):
        normalizer.partial_fit(SIMS, other)


def test_settings_are_checked_before_they_are_used():
    fitted = InvertedSoftmax(metric="precomputed").fit(SIMS)
    with pytest.raises(ValueError, match="scale must be one of"):
        fitted.set_params(output="log").transform(SIMS)
    with pytest.raises(ValueError, match="alpha must be a finite number"):
        fitted.set_params(output="similarity", alpha=np.nan).transform(SIMS)
    similarity = GallerySimilarity(SIMS).fit(SIMS)
    with pytest.raises(ValueError, match="metric must be one of 'cosine', 'dot', got"):
        similarity.set_params(metric="bogus").transform(SIMS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_out_of_range_are_told(dtype):
    huge = np.full((3, 4), np.sqrt(float(np.finfo(dtype).max)), dtype=dtype)
    message = "similarities of these embeddings must be finite, got infinity"
    with pytest.raises(ValueError, match=message):
        InvertedSoftmax(metric="dot").fit(huge, huge)
    with pytest.raises(ValueError, match=message):
        pairwise_similarity(huge, huge, "dot")
    with pytest.raises(ValueError, match=message):
        GallerySimilarity(huge, metric="dot").fit_transform(huge)
    np.testing.assert_allclose(pairwise_similarity(huge, huge), 1, rtol=1e-6)


def test_failed_fits_leave_what_was():
    similarity = GallerySimilarity(SIMS).fit(SIMS)
    with pytest.raises(ValueError, match="same number of features"):
        similarity.fit(SIMS[:, :3])
    np.testing.assert_array_equal(
        similarity.transform(SIMS), pairwise_similarity(SIMS, SIMS)
    )


@pytest.mark.parametrize("kind", ["M8[D]", "m8[D]", "V8"])
def test_dates_and_structures_are_no_similarities(kind):
    with pytest.raises(ValueError, match="querybank must hold numbers, got dtype"):
        InvertedSoftmax(metric="precomputed").fit(np.zeros((2, 2), dtype=kind))


def test_a_gallery_is_needed_and_its_labels_must_match():
    with pytest.raises(ValueError, match="needs the gallery, got None"):
        GallerySimilarity().fit(SIMS)
    with pytest.raises(ValueError, match="same number of features .* got 4 and 3"):
        GallerySimilarity(SIMS[:, :3]).fit(SIMS)
    message = r"one label an item of the gallery, expected shape \(4,\), got \(3,\)"
    with pytest.raises(ValueError, match=message):
        NearestNeighborScorer(gallery_labels=[0, 1, 2]).fit(SIMS)
    scorer = NearestNeighborScorer().fit(SIMS)
    with pytest.raises(ValueError, match="n_neighbors=5 is more than the gallery hol"):
        scorer.kneighbors(SIMS, n_neighbors=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_bank": 0}, "n_bank must be an integer >= 1, got 0"),
        ({"n_features": 2}, "n_features must be at least 3, got 2"),
        ({"hubness": 1.5}, r"hubness must be in \[0, 1\], got 1.5"),
        ({"noise": -1}, "noise must be a finite number >= 0, got -1"),
    ],
)
def test_impossible_data_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_hub_retrieval(**options)
