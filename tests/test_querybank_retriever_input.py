"""Bad input to the retriever is told in one clear sentence."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sk_qbnorm import DynamicInvertedSoftmax, InvertedSoftmax, QuerybankRetriever

RANDOM = np.random.default_rng(0)
BANK, GALLERY = RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(4, 3))


def spoilt(matrix, value):
    matrix = matrix.copy()
    matrix[1, 2] = value
    return matrix


@pytest.mark.parametrize(
    ("bank", "gallery", "message"),
    [
        (BANK, None, "gallery"),
        (BANK, iter([GALLERY]), "gallery"),
        (BANK, GALLERY[:, :2], "features .* 3 and 2"),
        (BANK, GALLERY[:0], r"0 sample\(s\)"),
        (BANK[:0], GALLERY, r"0 sample\(s\)"),
        (spoilt(BANK, np.nan), GALLERY, "querybank .* NaN in row 1"),
        (BANK, spoilt(GALLERY, np.inf), "gallery .* infinity in row"),
        (BANK, [["a", "b", "c"]], "gallery .* text"),
        (BANK, np.arange(6), "constructor"),
    ],
)
def test_input_that_a_retriever_cannot_fit_changes_nothing(bank, gallery, message):
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=2).fit(BANK, GALLERY)
    expected = retriever.kneighbors(BANK)
    with pytest.raises(ValueError, match=message):
        retriever.fit(bank, gallery)
    np.testing.assert_array_equal(retriever.kneighbors(BANK), expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors .* 0"),
        ({"n_neighbors": 1.5}, "n_neighbors .* 1.5"),
        ({"metric": "precomputed"}, "metric .* 'precomputed'"),
        ({"normalizer__beta": -1}, "beta .* -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    retriever = QuerybankRetriever(DynamicInvertedSoftmax()).set_params(**settings)
    with pytest.raises(ValueError, match=message):
        retriever.fit(BANK, GALLERY)
    assert not hasattr(retriever, "normalizer_")


def test_invalid_searches_are_refused():
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=2).fit(BANK, GALLERY)
    for queries, message in (
        (BANK[:, :2], "2 features.* 3"),
        (spoilt(BANK, np.nan), "queries .* NaN in row 1, column 2"),
        (BANK[0], "2D"),
        (sparse.csr_array(spoilt(BANK, np.inf)), "infinity in row 1, column 2"),
    ):
        with pytest.raises(ValueError, match=message):
            retriever.kneighbors(queries)
    for k in (0, 5, 2.0, True):
        with pytest.raises(ValueError, match="n_neighbors"):
            retriever.kneighbors(BANK, k)
    with pytest.raises(ValueError, match="mode"):
        retriever.kneighbors_graph(BANK, mode="weights")
    by_callable = QuerybankRetriever(metric=lambda q, g: q @ g.T, n_neighbors=2)
    by_callable.fit(BANK, GALLERY)
    with pytest.raises(ValueError, match="mode"):
        by_callable.kneighbors_graph(BANK, mode="distance")
    with pytest.raises(NotFittedError):
        QuerybankRetriever().kneighbors(BANK)


def test_more_neighbors_than_items_are_cut_with_one_warning():
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=9)
    with pytest.warns(UserWarning, match="n_neighbors=9") as seen:
        retriever.fit(BANK, GALLERY)
    assert len(seen) == 1
    assert seen[0].filename == __file__
    assert retriever.kneighbors(BANK)[1].shape == (6, 4)


def test_products_out_of_range_raise():
    huge = np.full((2, 2), 1e200)
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=1, metric="dot").fit(
        huge / 1e150, huge
    )
    with pytest.raises(ValueError, match="similarities"):
        retriever.kneighbors(huge)
