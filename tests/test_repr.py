"""Printed estimators show the shape of data in place of the data."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sk_qbnorm import (
    AgreementNormalizer,
    GallerySimilarity,
    InvertedSoftmax,
    NearestNeighborScorer,
    QuerybankRetriever,
)

DATA = np.full((30, 20), 0.125)


def test_defaults_are_not_printed():
    assert repr(GallerySimilarity()) == "GallerySimilarity()"
    assert repr(QuerybankRetriever(n_neighbors=10)) == "QuerybankRetriever()"
    assert repr(NearestNeighborScorer(n_neighbors=3)) == (
        "NearestNeighborScorer(n_neighbors=3)"
    )


@pytest.mark.parametrize(
    ("gallery", "text"),
    [
        (DATA, "<30 x 20 ndarray>"),
        (DATA[0], "<20 ndarray>"),
        (DATA.tolist(), "<list of 30>"),
        (tuple(DATA), "<tuple of 30>"),
        ([[1, 2], [3, 4]], "[[1, 2], [3, 4]]"),
        (np.float64(0.5), repr(np.float64(0.5))),
        ("text", "'text'"),
    ],
)
def test_data_are_printed_by_their_shape(gallery, text):
    expected = f"GallerySimilarity(gallery={text})"
    assert repr(GallerySimilarity(gallery)) == expected


def test_a_pipeline_prints_no_gallery():
    pipeline = make_pipeline(
        GallerySimilarity(DATA),
        InvertedSoftmax(beta=3),
        NearestNeighborScorer(gallery_labels=np.arange(30)),
    )
    retriever = QuerybankRetriever(
        AgreementNormalizer(DATA, InvertedSoftmax()), gallery=DATA
    )
    for estimator in (pipeline, retriever):
        printed = repr(estimator)
        assert "30 x 20 ndarray" in printed
        assert "0.125" not in printed
        with config_context(print_changed_only=False):
            assert "0.125" not in repr(estimator)


def test_parameters_are_the_data_and_not_their_shape():
    similarity = GallerySimilarity(DATA)
    assert similarity.get_params()["gallery"] is DATA
    assert clone(similarity).gallery is DATA
