"""Printed estimators are short, however large the data in their parameters are."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    GallerySimilarity,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
)
from sk_qbnorm.model_selection import NormalizerSearch

NAMES = [f"item number {item}" for item in range(2000)]


@pytest.fixture
def data():
    return np.random.default_rng(0).normal(size=(2000, 64))


def framed(matrix):
    return pytest.importorskip("pandas").DataFrame(matrix, index=NAMES)


FORMS = {
    "array": np.asarray,
    "few rows": lambda matrix: matrix[:30, :20],
    "list": lambda matrix: matrix[:200].tolist(),
    "dataframe": framed,
    "sparse": sparse.csr_array,
}


def test_defaults_are_not_printed():
    assert repr(GallerySimilarity()) == "GallerySimilarity()"
    assert repr(QuerybankRetriever(n_neighbors=10)) == "QuerybankRetriever()"
    assert repr(NearestNeighborScorer(n_neighbors=3)) == (
        "NearestNeighborScorer(n_neighbors=3)"
    )


@pytest.mark.parametrize("print_changed_only", [True, False])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_large_data_are_abbreviated(data, form, print_changed_only):
    gallery = form(data)
    with config_context(print_changed_only=print_changed_only):
        for estimator in (
            GallerySimilarity(gallery),
            QuerybankRetriever(
                MixNormalizer(gallery, InvertedSoftmax()), gallery=gallery
            ),
            make_pipeline(
                GallerySimilarity(gallery),
                NormalizerSearch(gallery, NAMES),
                NearestNeighborScorer(gallery_labels=NAMES),
            ),
        ):
            printed = repr(estimator)
            assert len("".join(printed.split())) < 900  # without indentation
            assert len(printed) < 3000


def test_parameters_are_the_data_and_not_their_shape(data):
    similarity = GallerySimilarity(data)
    assert similarity.get_params()["gallery"] is data
    assert clone(similarity).gallery is data
