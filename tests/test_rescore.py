"""`rescore` of a shortlist gives the scores of `transform`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sk_qbnorm import CSLS, DynamicInvertedSoftmax, InvertedSoftmax

from .cases import ALL, bank_and_sims

pytestmark = pytest.mark.small_blocks
precomputed = {"metric": "precomputed"}
VARIANTS = {
    **ALL,
    "IS probability": InvertedSoftmax(beta=3, output="probability", **precomputed),
    "DIS probability": DynamicInvertedSoftmax(output="probability", **precomputed),
}
each_variant = pytest.mark.parametrize("normalizer", VARIANTS.values(), ids=VARIANTS)
may_clip = pytest.mark.filterwarnings("ignore:n_neighbors=")


def in_order(scores, indices):
    """Sort each row: larger score first, then smaller index."""
    order = np.lexsort((indices, -scores))
    return np.take_along_axis(scores, order, 1), np.take_along_axis(indices, order, 1)


@may_clip
@each_variant
@given(drawn=bank_and_sims(), single=st.booleans())
def test_a_shortlist_of_all_items_equals_sorted_transform(normalizer, drawn, single):
    bank, sims = (each.astype(np.float32) if single else each for each in drawn)
    fitted = normalizer.fit(bank)
    everything = np.tile(np.arange(sims.shape[1])[::-1], (len(sims), 1))
    scores, indices = fitted.rescore(sims[:, ::-1], everything)
    expected = in_order(fitted.transform(sims)[:, ::-1], everything)
    np.testing.assert_array_equal(indices, expected[1])
    np.testing.assert_allclose(scores, expected[0], rtol=1e-5 if single else 1e-12)
    assert scores.dtype == sims.dtype


@pytest.mark.parametrize("name", ["IS", "DIS", "CSLS k=3", "NNN k=3"])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_the_most_similar_items_have_the_scores_of_the_whole_row(name, as_sparse):
    bank, sims = np.random.default_rng(0).normal(size=(2, 40, 30))
    fitted = clone(ALL[name]).fit(bank)
    indices = np.argsort(-sims, axis=1)[:, :7]
    found = np.take_along_axis(sims, indices, 1)
    if as_sparse:
        graph = sparse.csr_array(
            (found.ravel(), indices.ravel(), np.arange(41) * 7), shape=sims.shape
        )
        corrected = fitted.rescore(graph)
        assert corrected.shape == sims.shape
        scores, items = corrected.data.reshape(40, 7), corrected.indices.reshape(40, 7)
    else:
        scores, items = fitted.rescore(found, indices)
    whole = np.take_along_axis(fitted.transform(sims), items, 1)
    np.testing.assert_allclose(scores, whole, rtol=1e-12)
    assert (np.diff(scores, axis=1) <= 0).all()


@each_variant
def test_short_rows_end_without_candidates(normalizer):
    bank = np.random.default_rng(2).normal(size=(9, 6))
    fitted = clone(normalizer).fit(bank)
    lowest = np.finfo(np.float64).min  # used by some engines for no item
    scores, indices = fitted.rescore(
        [[np.nan, 0.5, 0.2], [0.1, lowest, -np.inf], [0, 0, 0]],
        [[-1, 4, 2], [3, -1, -1], [-1, -1, -1]],
    )
    full, items = fitted.rescore([[0.5, 0.2]], [[4, 2]])
    np.testing.assert_array_equal(indices[0], [*items[0], -1])
    np.testing.assert_array_equal(scores[0], [*full[0], -np.inf])
    np.testing.assert_array_equal(indices[1:], [[3, -1, -1], [-1, -1, -1]])
    assert (scores[indices < 0] == -np.inf).all()
    assert np.isfinite(scores[indices >= 0]).all()

    ragged = sparse.csr_array(([0.2, 0.5, 0.1], [2, 4, 3], [0, 2, 3, 3]), shape=(3, 6))
    corrected = fitted.rescore(ragged)
    np.testing.assert_array_equal(corrected.indptr, [0, 2, 3, 3])
    np.testing.assert_array_equal(corrected.indices, [*items[0], 3])
    np.testing.assert_array_equal(corrected.data, [*full[0], scores[1, 0]])


def test_explicit_zeros_are_candidates():
    fitted = InvertedSoftmax(**precomputed).fit([[0.9, 0.1], [0.5, 0.2]])
    graph = sparse.csr_array(([0.0, 0.0], [0, 1], [0, 2]), shape=(1, 2))
    np.testing.assert_array_equal(fitted.rescore(graph).indices, [1, 0])


@pytest.mark.parametrize(
    ("scores", "indices", "message"),
    [
        ([[0.5]], [[4]], r"indices .*\[0, 3\].* 4"),
        ([[0.5]], [[-2]], "indices .* -2"),
        ([[0.5, 0.4]], [[1, 1]], "indices .* row 0"),
        ([[0.5]], [[1, 2]], r"\(1, 1\) and \(1, 2\)"),
        ([[0.5]], [[1.0]], "indices .* float64"),
        ([[0.5]], None, "indices"),
        ([[np.nan]], [[1]], "scores .* NaN in row 0, column 0"),
        (sparse.csr_array([[0.5]]), None, "scores .* expected 4, got 1"),
        (sparse.csr_array(np.eye(4)), [[1]], "indices"),
    ],
)
def test_invalid_shortlists_are_refused(scores, indices, message):
    fitted = CSLS(n_neighbors=2, **precomputed).fit(np.eye(4))
    with pytest.raises(ValueError, match=message):
        fitted.rescore(scores, indices)


def test_an_unfitted_normalizer_rescores_nothing():
    with pytest.raises(NotFittedError):
        CSLS().rescore([[0.5]], [[0]])


def test_a_sparse_shortlist_with_one_full_row_stays_small():
    random = np.random.default_rng(0)
    import tracemalloc

    n_queries, n_gallery = 9000, 2000
    full = np.arange(n_gallery)
    few = random.integers(0, n_gallery, size=(n_queries - 1, 1))
    items = np.r_[full, few.ravel()]
    indptr = np.r_[0, n_gallery + np.arange(n_queries)]
    data = random.normal(size=items.size)
    graph = sparse.csr_array((data, items, indptr), shape=(n_queries, n_gallery))
    bank = random.normal(size=(5, n_gallery))
    fitted = InvertedSoftmax(metric="precomputed").fit(bank)
    tracemalloc.start()
    rescored = fitted.rescore(graph)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < n_queries * n_gallery * 8 / 4
    whole = fitted.transform(graph.toarray()[:1])
    np.testing.assert_array_equal(rescored.indices[:n_gallery], np.argsort(-whole[0]))
    np.testing.assert_allclose(
        rescored.data[n_gallery:], data[n_gallery:] - fitted.gallery_bias_[few.ravel()]
    )
