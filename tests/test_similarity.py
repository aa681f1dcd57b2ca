"""Similarities as a function and as a transformer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_qbnorm import GallerySimilarity, pairwise_similarity
from sk_qbnorm._embeddings import unit_rows

RANDOM = np.random.default_rng(0)
QUERIES, GALLERY = RANDOM.normal(size=(7, 3)), RANDOM.normal(size=(5, 3))


def cosine(query, item):
    return query @ item / np.sqrt((query @ query) * (item @ item))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cosines_and_products_match_the_definition(dtype):
    queries, gallery = QUERIES.astype(dtype), GALLERY.astype(dtype)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    for metric, expected in {
        "cosine": [[cosine(query, item) for item in gallery] for query in queries],
        "dot": [[query @ item for item in gallery] for query in queries],
    }.items():
        sims = pairwise_similarity(queries, gallery, metric)
        assert sims.dtype == dtype
        np.testing.assert_allclose(sims, expected, rtol=rtol, atol=rtol)
        by_estimator = GallerySimilarity(gallery, metric=metric).fit_transform(queries)
        np.testing.assert_array_equal(by_estimator, sims)


def test_a_vector_of_zeros_has_similarity_zero():
    zeros = np.zeros((1, 3))
    np.testing.assert_array_equal(pairwise_similarity(zeros, GALLERY), np.zeros((1, 5)))
    np.testing.assert_array_equal(pairwise_similarity(QUERIES, zeros), np.zeros((7, 1)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(power=st.floats(-1, 1))
def test_the_length_of_vectors_does_not_matter(dtype, power):
    limits = np.finfo(dtype)
    reach = min(np.log10(limits.max), -np.log10(limits.tiny)) - 2
    scale = dtype(10.0) ** dtype(power * reach)  # squares of many of these overflow
    queries, gallery = QUERIES.astype(dtype), GALLERY.astype(dtype)
    expected = pairwise_similarity(queries, gallery)
    mixed = queries.copy()
    mixed[::2] *= scale
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    for scaled in (queries * scale, mixed):
        np.testing.assert_allclose(
            pairwise_similarity(scaled, gallery), expected, rtol=rtol, atol=rtol
        )
        lengths = np.linalg.norm(unit_rows(scaled), axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=rtol)


@pytest.mark.parametrize("value", [1.5e308, 5e-324, 1e-323, 1.0])
def test_a_vector_has_similarity_one_to_itself_at_the_ends_of_the_range(value):
    vector = np.full((1, 2), value)
    assert pairwise_similarity(vector, vector)[0, 0] == pytest.approx(1, rel=1e-12)


def test_mixed_float_widths_give_the_wider_one():
    narrow = QUERIES.astype(np.float32)
    for queries, gallery in ((narrow, GALLERY), (QUERIES, GALLERY.astype(np.float32))):
        for metric in ("cosine", "dot", lambda q, g: q @ g.T):
            assert pairwise_similarity(queries, gallery, metric).dtype == np.float64


def test_a_callable_may_compute_the_similarities():
    sims = pairwise_similarity(
        [[1.0], [4.0]], [[2.0], [3.0]], lambda q, g: -abs(q - g.T)
    )
    np.testing.assert_array_equal(sims, [[-1, -2], [-2, -1]])
    wide = pairwise_similarity(QUERIES, np.eye(2), lambda q, g: q[:, :2] @ g)
    np.testing.assert_array_equal(wide, QUERIES[:, :2])


def test_a_callable_may_return_a_sparse_matrix():
    from scipy import sparse

    queries, gallery = sparse.csr_array(QUERIES), sparse.csr_array(GALLERY)
    for left, right in ((queries, gallery), (queries, gallery.astype(np.float32))):
        sims = pairwise_similarity(left, right, lambda q, g: q @ g.T)
        np.testing.assert_allclose(sims, QUERIES @ right.toarray().T)
