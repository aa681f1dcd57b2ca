"""Raw and corrected results of a fitted estimator."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_qbnorm import DynamicInvertedSoftmax, GallerySimilarity, QuerybankRetriever
from sk_qbnorm.metrics import k_occurrence
from sk_qbnorm.model_selection import BeforeAfter

from .pictures import (
    BANK_SIMS,
    CORRECTED,
    DATA,
    NAMES,
    NORMALIZER,
    RAW,
    every_estimator,
    retriever,
)


@every_estimator
def test_scores_and_top_k_are_those_of_the_normalizer(make):
    estimator, queries = make()
    given = queries.copy()
    results = BeforeAfter(estimator, queries)
    np.testing.assert_allclose(results.scores_before(), RAW, rtol=1e-12)
    np.testing.assert_allclose(results.scores_after(), CORRECTED, rtol=1e-12)
    for top_k, scores in zip(results.top_k(3), (RAW, CORRECTED), strict=True):
        np.testing.assert_array_equal(top_k[:, 0], scores.argmax(axis=1))
        counts = k_occurrence(top_k, k=3, n_gallery=results.n_gallery)
        np.testing.assert_array_equal(counts, k_occurrence(scores, k=3))
    assert type(results.normalizer) is DynamicInvertedSoftmax
    assert results.gallery_names is None
    np.testing.assert_array_equal(queries, given)


def test_one_item_is_retrieved_without_correction():
    fitted = QuerybankRetriever(n_neighbors=1).fit(np.eye(2), np.ones((1, 2)))
    before, after = BeforeAfter(fitted, np.eye(2)).top_k(1)
    assert before.tolist() == after.tolist() == [[0], [0]]


def test_names_come_from_the_columns_of_queries_or_from_fit():
    gallery = pd.DataFrame(DATA.gallery, index=NAMES)
    named = pd.DataFrame(RAW, columns=NAMES)
    steps = GallerySimilarity(gallery), clone(NORMALIZER)
    for estimator, queries in (
        (clone(NORMALIZER).fit(pd.DataFrame(BANK_SIMS, columns=NAMES)), named),
        (DynamicInvertedSoftmax().fit(DATA.bank_queries, gallery), RAW),
        (retriever().fit(DATA.bank_queries, gallery), DATA.queries),
        (make_pipeline(*steps).fit(DATA.bank_queries), DATA.queries),
    ):
        assert list(BeforeAfter(estimator, queries).gallery_names) == NAMES


def test_corrected_scores_may_be_a_dataframe():
    normalizer = clone(NORMALIZER).fit(pd.DataFrame(BANK_SIMS, columns=NAMES))
    normalizer.set_output(transform="pandas")
    results = BeforeAfter(normalizer, pd.DataFrame(RAW, columns=NAMES))
    np.testing.assert_array_equal(results.scores_after(), CORRECTED)


def test_estimators_without_a_normalizer_are_rejected():
    for estimator in (StandardScaler(), make_pipeline(StandardScaler())):
        with pytest.raises(ValueError, match="estimator"):
            BeforeAfter(estimator, RAW)


def test_estimators_must_be_fitted():
    for estimator in (DynamicInvertedSoftmax(), QuerybankRetriever()):
        with pytest.raises(NotFittedError):
            BeforeAfter(estimator, RAW)


def test_k_must_not_exceed_the_gallery():
    with pytest.raises(ValueError, match="k .* 40.* 41"):
        BeforeAfter(NORMALIZER, RAW).top_k(41)
