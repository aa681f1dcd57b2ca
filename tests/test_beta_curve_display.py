"""Recall against the strength of a correction."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning

from sk_qbnorm import (
    DynamicInvertedSoftmax,
    NearestNeighborNormalizer,
)
from sk_qbnorm.inspection import BetaCurveDisplay
from sk_qbnorm.metrics import (
    paired_bootstrap_report,
    recall_at_k,
)

from .pictures import (
    BANK_SIMS,
    DATA,
    NORMALIZER,
    RAW,
    VALUES,
    drawn,
    fits,
    pipeline,
    retriever,
    texts,
)


@pytest.mark.filterwarnings("ignore:Recall at")
@pytest.mark.parametrize("k", [1, 5])
def test_the_curve_is_that_of_the_paired_bootstrap(k):
    display = drawn(
        BetaCurveDisplay.from_predictions(
            DATA.relevant, RAW, fits(), param_range=VALUES, k=k, random_state=3
        )
    )
    assert display.raw == recall_at_k(DATA.relevant, RAW, k=k)
    for place, scores in enumerate(fits()):
        report = paired_bootstrap_report(DATA.relevant, RAW, scores, random_state=3)
        gain = report[f"recall@{k}"]
        found = display.recall[place], display.low[place], display.high[place]
        expected = [display.raw + gain[name] for name in ("value", "low", "high")]
        assert found == pytest.approx(expected)
        assert found[0] == pytest.approx(recall_at_k(DATA.relevant, scores, k=k))
    np.testing.assert_allclose(display.line_.get_ydata(), 100 * display.recall)
    np.testing.assert_array_equal(display.line_.get_xdata(), VALUES)
    assert set(display.raw_line_.get_ydata()) == {100 * display.raw}
    corners = display.band_.get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(100 * display.low.min())
    assert corners[:, 1].max() == pytest.approx(100 * display.high.max())


CURVES = {
    "normalizer": lambda: (clone(NORMALIZER), BANK_SIMS, None, RAW, "beta"),
    "embeddings": lambda: (
        DynamicInvertedSoftmax(),
        DATA.bank_queries,
        DATA.gallery,
        RAW,
        "beta",
    ),
    "retriever": lambda: (
        retriever(),
        DATA.bank_queries,
        DATA.gallery,
        DATA.queries,
        "normalizer__beta",
    ),
    "pipeline": lambda: (
        pipeline(),
        DATA.bank_queries,
        None,
        DATA.queries,
        "dynamicinvertedsoftmax__beta",
    ),
}


@pytest.mark.parametrize("make", CURVES.values(), ids=CURVES)
def test_the_curve_of_an_estimator_is_that_of_its_scores(make):
    *given, param_name = make()
    parameters = given[0].get_params()
    options = {"param_range": VALUES, "param_name": param_name, "random_state": 0}
    display = drawn(BetaCurveDisplay.from_estimator(*given, DATA.relevant, **options))
    expected = BetaCurveDisplay.from_predictions(DATA.relevant, RAW, fits(), **options)
    for name in ("recall", "low", "high", "raw"):
        np.testing.assert_allclose(getattr(display, name), getattr(expected, name))
    assert display.ax_.get_xlabel() == "beta, inverse temperature"
    assert "beta = 20, as it is set" in texts(display)
    assert len(texts(expected)) == 3
    assert str(given[0].get_params()) == str(parameters)


def test_a_beta_and_an_alpha_have_usual_values():
    given = clone(NORMALIZER), BANK_SIMS, None, RAW, DATA.relevant
    beta = BetaCurveDisplay.from_estimator(*given)
    assert (beta.param_range[0], beta.param_range[-1]) == pytest.approx((1, 1000))
    assert beta.ax_.get_xscale() == "log"
    alpha = BetaCurveDisplay.from_estimator(*given, param_name="alpha")
    assert (alpha.param_range[0], alpha.param_range[-1]) == (0, 1.5)
    assert alpha.ax_.get_xscale() == "linear"
    assert alpha.recall[0] == alpha.low[0] == alpha.high[0] == alpha.raw
    given = NearestNeighborNormalizer(metric="precomputed"), *given[1:]
    with pytest.raises(ValueError, match="no usual range"):
        BetaCurveDisplay.from_estimator(*given, param_name="n_neighbors")
    display = BetaCurveDisplay.from_estimator(
        *given, param_name="n_neighbors", param_range=[1, 8]
    )
    assert len(texts(display)) == 3  # the present 16 is not among these
    assert display.ax_.get_xlabel() == "n_neighbors"


def test_a_setting_that_is_no_number_is_not_marked():
    normalizer = clone(NORMALIZER).set_params(beta="scale")
    given = normalizer, BANK_SIMS, None, RAW, DATA.relevant
    display = BetaCurveDisplay.from_estimator(*given, param_range=VALUES)
    assert display.present == "scale"
    assert len(texts(display)) == 3


def test_queries_may_be_masked_and_relevant_by_label():
    labels = np.arange(40) % 4
    options = {"gallery_labels": labels, "query_mask": np.arange(50) < 30}
    display = BetaCurveDisplay.from_estimator(
        clone(NORMALIZER),
        BANK_SIMS,
        None,
        RAW,
        labels[DATA.relevant],
        param_range=[20],
        **options,
    )
    expected = recall_at_k(labels[DATA.relevant], RAW, **options)
    assert display.raw == expected


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"param_range": [20, 2]}, "in ascending order"),
        ({"param_range": ["2", "20"]}, "finite numbers"),
        ({"param_range": []}, "finite numbers"),
        ({"param_range": 20}, "finite numbers"),
        ({"param_range": [1, np.nan]}, "finite numbers"),
        ({"param_range": [1]}, "expected 1, got 3"),
        ({"after": [RAW[:3]]}, "of the same queries and items"),
        ({"k": 0}, "k must be an integer"),
        ({"confidence_level": 1}, "confidence_level must be below 1"),
    ],
)
def test_a_curve_says_what_does_not_fit(changed, message):
    given = {"after": fits(), "param_range": VALUES, **changed}
    with pytest.raises(ValueError, match=message):
        BetaCurveDisplay.from_predictions(DATA.relevant, RAW, **given)


def test_a_bank_that_can_be_read_once_has_no_curve():
    with pytest.raises(ValueError, match="got an iterator"):
        BetaCurveDisplay.from_estimator(
            NORMALIZER, iter([BANK_SIMS]), None, RAW, DATA.relevant
        )


def test_a_recall_that_says_nothing_warns():
    with pytest.warns(UndefinedMetricWarning, match="is 1 whatever the scores"):
        BetaCurveDisplay.from_predictions(
            DATA.relevant, RAW, fits(), param_range=VALUES, k=40
        )
