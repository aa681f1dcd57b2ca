"""BetaCurveDisplay."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm.inspection import BetaCurveDisplay
from sk_qbnorm.model_selection import beta_curve

from .pictures import BANK_SIMS, DATA, NORMALIZER, RAW, VALUES, drawn, fits, texts

SIMILARITIES = BANK_SIMS, None, RAW, DATA.relevant


def test_the_plot_shows_the_curve_in_percent():
    curve = beta_curve(
        clone(NORMALIZER), *SIMILARITIES, param_range=VALUES, random_state=0
    )
    display = drawn(BetaCurveDisplay(**curve).plot())
    np.testing.assert_array_equal(display.line_.get_xdata(), VALUES)
    np.testing.assert_allclose(display.line_.get_ydata(), 100 * curve["recall"])
    assert set(display.raw_line_.get_ydata()) == {100 * curve["raw"]}
    corners = display.band_.get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(100 * curve["low"].min())
    assert corners[:, 1].max() == pytest.approx(100 * curve["high"].max())


def test_estimators_and_scores_give_the_curve_of_beta_curve():
    options = {"param_range": VALUES, "k": 3, "random_state": 0}
    estimator = clone(NORMALIZER).set_params(beta=20.0)
    curve = beta_curve(estimator, *SIMILARITIES, **options)
    displays = (
        BetaCurveDisplay.from_estimator(estimator, *SIMILARITIES, **options),
        BetaCurveDisplay.from_predictions(
            DATA.relevant, RAW, fits(), present=20.0, **options
        ),
    )
    for display in displays:
        for name, value in curve.items():
            np.testing.assert_array_equal(getattr(display, name), value)


def test_the_axis_is_logarithmic_for_wide_positive_ranges():
    for param_name, scale in (("beta", "log"), ("alpha", "linear")):
        display = BetaCurveDisplay.from_estimator(
            clone(NORMALIZER), *SIMILARITIES, param_name=param_name
        )
        assert display.ax_.get_xscale() == scale
        assert display.ax_.get_xlabel().startswith(param_name)


@pytest.mark.parametrize("param_name", ["beta", "step__beta", "n_neighbors"])
def test_the_axis_is_labeled_with_the_parameter(param_name):
    display = BetaCurveDisplay.from_predictions(
        DATA.relevant, RAW, fits(), param_range=VALUES, param_name=param_name
    )
    name = param_name.removeprefix("step__")
    assert display.ax_.get_xlabel().startswith(name)


@pytest.mark.parametrize(
    ("present", "is_marked"), [(20.0, True), (1e4, False), ("scale", False)]
)
def test_the_present_value_is_marked_if_it_is_a_number_in_the_range(present, is_marked):
    display = drawn(
        BetaCurveDisplay.from_predictions(
            DATA.relevant, RAW, fits(), param_range=VALUES, present=present
        )
    )
    marked = [text for text in texts(display) if text.startswith("beta = ")]
    assert len(marked) == is_marked
    assert all("20" in text for text in marked)


def test_the_value_of_scale_is_marked():
    display = drawn(BetaCurveDisplay.from_estimator(clone(NORMALIZER), *SIMILARITIES))
    assert any(text.startswith("beta = ") for text in texts(display))


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"param_range": [1]}, "after.* 1, got 3"),
        ({"after": [RAW[:3]]}, r"before.* \(50, 40\).*after.* \(3, 40\)"),
        ({"k": 0}, "k .* 0"),
    ],
)
def test_scores_that_do_not_match_are_rejected(changed, match):
    options = {"after": fits(), "param_range": VALUES, **changed}
    with pytest.raises(ValueError, match=match):
        BetaCurveDisplay.from_predictions(DATA.relevant, RAW, **options)
