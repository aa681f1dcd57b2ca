"""The estimators pass the checks of scikit-learn."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import sk_qbnorm
from sk_qbnorm import (
    CSLS,
    CappedNormalizer,
    DynamicNormalizer,
    GallerySimilarity,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
)
from sk_qbnorm.model_selection import NormalizerSearch

from .cases import ALL

CLASSES = dict.fromkeys(map(type, ALL.values()))
DEFAULTS = [
    *(made() for made in CLASSES if made is not DynamicNormalizer),
    DynamicNormalizer(CSLS(n_neighbors=2)),
    CappedNormalizer(CSLS(n_neighbors=2), {1: 0.5}),
    CappedNormalizer(None, {1: 0.5}),
    InvertedSoftmax(influence_limit=2),
]


class ByMean:
    """A metric for queries of any width, as used by scikit-learn's checks."""

    def __call__(self, queries, gallery):
        means = np.asarray(queries.mean(axis=1)).reshape(-1, 1)  # sparse too
        return means - gallery.mean(axis=1)

    def __repr__(self):  # the same in every process, as it is part of a test's name
        return "ByMean()"


ESTIMATORS = [
    *DEFAULTS,
    NearestNeighborScorer(),
    GallerySimilarity(np.eye(4, dtype=np.float32), metric=ByMean()),
    QuerybankRetriever(
        InvertedSoftmax(),
        n_neighbors=1,
        metric=ByMean(),
        gallery=np.eye(4, dtype=np.float32),
    ),
    QuerybankRetriever(
        NormalizerSearch([[0.5], [1.0]], [0, 1], [InvertedSoftmax()]),
        n_neighbors=1,
        metric=ByMean(),
        gallery=np.eye(4, dtype=np.float32),
    ),
    QuerybankRetriever(
        MixNormalizer([[0.5], [1.0]], InvertedSoftmax()),
        n_neighbors=1,
        metric=ByMean(),
        gallery=np.eye(4, dtype=np.float32),
    ),
]

EXPECTED_FAILURES = {
    "check_fit_score_takes_y": (
        "the second argument of fit is the gallery; labels in its place are ignored, "
        "as y is, also by a retriever that was built with a gallery"
    )
}


def expected_failures(estimator):
    takes_gallery = type(estimator) in (*CLASSES, CappedNormalizer, QuerybankRetriever)
    return EXPECTED_FAILURES if takes_gallery else {}


@pytest.mark.filterwarnings(
    "ignore:n_neighbors=",  # the data of the checks are small
    "ignore:Sinkhorn did not converge",  # and are not similarities
)
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_every_public_estimator_is_checked():
    public = [getattr(sk_qbnorm, name) for name in sk_qbnorm.__all__]
    estimators = {thing for thing in public if hasattr(thing, "fit")}
    # MixNormalizer and NormalizerSearch have queries of one width; the metric of
    # their retriever accepts any.
    within = {type(getattr(estimator, "normalizer", None)) for estimator in ESTIMATORS}
    checked = {type(estimator) for estimator in ESTIMATORS} | within
    assert checked & estimators == estimators
