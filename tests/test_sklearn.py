"""The estimators pass the checks of scikit-learn."""

from importlib import import_module
from importlib.util import find_spec
from unittest import SkipTest

import array_api_compat
import numpy as np
import pytest
from sklearn.base import clone
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
        if not isinstance(gallery, np.ndarray):  # of another library
            xp = array_api_compat.array_namespace(gallery)
            return xp.mean(queries, axis=1)[:, None] - xp.mean(gallery, axis=1)
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
    if "array_api" in check.func.__name__:
        skip_without_gpu(check)
        if hasattr(estimator, "gallery"):  # no NumPy array in an attribute
            gallery = np.asarray(estimator.gallery).tolist()
            estimator = clone(estimator).set_params(gallery=gallery)
    try:
        check(estimator)
    except SkipTest as reason:  # pytest 9.0 takes it as a failure
        pytest.skip(str(reason))


def skip_without_gpu(check):
    """Skip checks for a GPU, which scikit-learn runs if PyTorch was built for one."""
    needs_gpu = "cuda" in str(check.keywords) and find_spec("torch")
    if needs_gpu and not import_module("torch").cuda.is_available():
        pytest.skip("there is no GPU")


def test_every_public_estimator_is_checked():
    public = [getattr(sk_qbnorm, name) for name in sk_qbnorm.__all__]
    estimators = {thing for thing in public if hasattr(thing, "fit")}
    # MixNormalizer and NormalizerSearch have queries of one width; the metric of
    # their retriever accepts any.
    within = {type(getattr(estimator, "normalizer", None)) for estimator in ESTIMATORS}
    checked = {type(estimator) for estimator in ESTIMATORS} | within
    assert checked & estimators == estimators
