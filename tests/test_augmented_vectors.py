"""The correction as one more dimension: the formula, its room, and bad input."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sk_qbnorm import CSLS, GloballyCorrected, InvertedSoftmax
from sk_qbnorm.indexes import AugmentedVectors

from . import reference

RANDOM = np.random.default_rng(0)
BANK, GALLERY = RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(4, 3))
BIAS = np.array([0.3, -0.1, 0.7, 0.2])


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_items_are_those_of_the_reference(metric):
    augmented = AugmentedVectors(metric=metric).fit(GALLERY, BIAS)
    units = GALLERY
    if metric == "cosine":
        units = GALLERY / np.linalg.norm(GALLERY, axis=1, keepdims=True)
    expected = reference.augmented(units.tolist(), BIAS.tolist(), augmented.radius_)
    items = augmented.gallery(GALLERY, BIAS)
    np.testing.assert_allclose(items, expected, rtol=1e-12)
    added = np.abs(augmented.queries(BANK)[:, 3])
    np.testing.assert_allclose(added, np.abs(items[:, 3]).max())  # equally large
    scores = augmented.scores(augmented.queries(GALLERY) @ items.T)
    np.testing.assert_allclose(scores, units @ units.T - BIAS, atol=1e-12)


def test_zeros_fill_up_the_dimension():
    augmented = AugmentedVectors(multiple_of=8).fit(GALLERY, BIAS)
    for vectors in (augmented.gallery(GALLERY, BIAS), augmented.queries(BANK)):
        assert vectors.shape[1] == 8
        np.testing.assert_array_equal(vectors[:, 5:], 0)


def test_later_biases_must_be_in_the_room():
    augmented = AugmentedVectors(room=0.5).fit(GALLERY, BIAS)
    center, reach = 0.3, 0.6
    np.testing.assert_allclose([augmented.offset_[0], augmented.reach_[0]], [0.3, 0.6])
    inside = [center - reach, center + reach]
    items = augmented.gallery(GALLERY[:2], inside)
    scores = augmented.scores(augmented.queries(GALLERY[:1]) @ items.T)
    raw = augmented.queries(GALLERY[:1], False) @ items.T
    np.testing.assert_allclose(scores, raw - inside, atol=1e-12)
    for outside in (center - reach - 0.01, center + reach + 0.01):
        with pytest.raises(ValueError, match=r"bias must be in the room .* row 1 \(1"):
            augmented.gallery(GALLERY[:2], [0, outside])


def test_later_items_must_not_be_too_long():
    augmented = AugmentedVectors(metric="dot", room=0.1)
    augmented.fit(GALLERY, BIAS)
    longest = np.linalg.norm(GALLERY, axis=1).max()
    one = np.eye(3)[:1]
    items = augmented.gallery(1.1 * longest * one, [0.3])
    assert np.linalg.norm(items) == pytest.approx(augmented.radius_)
    with pytest.raises(ValueError, match="gallery must have augmented items of length"):
        augmented.gallery(1.3 * longest * one, [0.3])


def test_equal_biases_have_a_room_too():
    augmented = AugmentedVectors().fit(GALLERY, np.full(4, 0.2))
    items = augmented.gallery(GALLERY, BIAS)
    raw = augmented.queries(BANK, False) @ items.T
    scores = augmented.scores(augmented.queries(BANK) @ items.T)
    np.testing.assert_allclose(scores, raw - BIAS, atol=1e-12)


def test_several_biases_have_a_center_each():
    biases = np.column_stack([BIAS, 3 - 2 * BIAS])
    augmented = AugmentedVectors().fit(GALLERY, biases)
    items = augmented.gallery(GALLERY, biases)
    flags = np.array([[True, False], [True, True], [False, True]] * 2)
    scores = augmented.scores(augmented.queries(BANK, flags) @ items.T, flags)
    raw = augmented.queries(BANK, False) @ items.T
    np.testing.assert_allclose(scores, raw - flags @ biases.T, atol=1e-12)
    with pytest.raises(ValueError, match="bias must have the 2 columns"):
        augmented.gallery(GALLERY, BIAS)


@pytest.mark.parametrize(
    ("settings", "bias", "message"),
    [
        ({}, [0.1, 0.2], r"one number per item, expected shape \(4,\)"),
        ({}, [0.1, 0.2, np.nan, 0], "bias must be finite, got NaN in row 2"),
        ({}, "high", r"expected shape \(4,\), or one column .* got \(\)"),
        ({"metric": "hamming"}, BIAS, "metric must be one of 'cosine', 'dot'"),
        ({"room": -1}, BIAS, "room must be a finite number >= 0, got -1"),
        ({"multiple_of": 0}, BIAS, "multiple_of must be an integer >= 1, got 0"),
    ],
)
def test_what_cannot_be_augmented_is_refused(settings, bias, message):
    augmented = AugmentedVectors(**settings)
    with pytest.raises(ValueError, match=message):
        augmented.fit(GALLERY, bias)
    assert not vars(clone(augmented)).keys() ^ vars(augmented).keys()


@pytest.mark.parametrize(
    "corrected", [1, [True, False], np.ones(6), [[[True]]] * 6, "yes", None]
)
def test_corrected_must_be_bools(corrected):
    augmented = AugmentedVectors().fit(GALLERY, BIAS)
    with pytest.raises(ValueError, match=r"corrected must be .* \(6,\), got"):
        augmented.queries(BANK, corrected)


def test_other_embeddings_than_those_of_fit_are_refused():
    augmented = AugmentedVectors()
    with pytest.raises(NotFittedError):
        augmented.gallery(GALLERY, BIAS)
    augmented.fit(GALLERY, BIAS)
    for call in (
        lambda: augmented.queries(BANK[:, :2]),
        lambda: augmented.gallery(GALLERY[:, :2], BIAS),
    ):
        with pytest.raises(ValueError, match="must have the 3 features of the gallery"):
            call()


def test_the_bias_of_a_normalizer_is_that_of_its_scores():
    sims = BANK @ GALLERY.T
    for fitted in (InvertedSoftmax(alpha=0.5).fit(sims), CSLS(n_neighbors=2).fit(sims)):
        scale = 2 if isinstance(fitted, CSLS) else 1
        scores = scale * (sims - fitted.index_bias())
        shift = scores - fitted.transform(sims)  # one number per query
        np.testing.assert_allclose(shift, shift[:, :1] * np.ones(4), atol=1e-12)
    with pytest.raises(NotFittedError):
        CSLS().index_bias()
    assert not hasattr(GloballyCorrected, "index_bias")
