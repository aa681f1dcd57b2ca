"""Behavior common to all displays."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_qbnorm import (
    DynamicInvertedSoftmax,
    QuerybankRetriever,
)
from sk_qbnorm.inspection import (
    ActivationDisplay,
    BetaCurveDisplay,
    HubsByNameDisplay,
    KOccurrenceDisplay,
)

from .pictures import (
    BANK_SIMS,
    CORRECTED,
    COUNTS,
    DATA,
    NAMES,
    NORMALIZER,
    RAW,
    VALUES,
    drawn,
    fits,
    plt,
)

DISPLAYS = {
    "k_occurrence": lambda ax: KOccurrenceDisplay.from_estimator(
        NORMALIZER, RAW, ax=ax
    ),
    "k_occurrence of scores": lambda ax: KOccurrenceDisplay.from_predictions(
        RAW, ax=ax
    ),
    "hubs": lambda ax: HubsByNameDisplay.from_estimator(NORMALIZER, RAW, ax=ax),
    "hubs of scores": lambda ax: HubsByNameDisplay.from_predictions(RAW, ax=ax),
    "activation": lambda ax: ActivationDisplay.from_estimator(NORMALIZER, RAW, ax=ax),
    "activation of scores": lambda ax: ActivationDisplay.from_predictions(
        NORMALIZER.activation_mask_, RAW, ax=ax
    ),
    "curve": lambda ax: BetaCurveDisplay.from_estimator(
        NORMALIZER, BANK_SIMS, None, RAW, DATA.relevant, param_range=VALUES, ax=ax
    ),
    "curve of scores": lambda ax: BetaCurveDisplay.from_predictions(
        DATA.relevant, RAW, fits(), param_range=VALUES, ax=ax
    ),
}
every_display = pytest.mark.parametrize("draw", DISPLAYS.values(), ids=DISPLAYS)


@every_display
def test_displays_draw_on_given_axes_or_on_a_new_figure(draw):
    figure, ax = plt.subplots()
    display = draw(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert display.plot() is display
    assert display.figure_ is not figure


@every_display
def test_texts_do_not_overlap_and_stay_in_the_figure(draw):
    display = drawn(draw(None))
    renderer = display.figure_.canvas.get_renderer()
    ax = display.ax_
    labels = [*ax.texts, ax.xaxis.label, ax.yaxis.label]
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
        labels += [label for place, label in ticks if low <= place <= high]
    if ax.get_legend() is not None:
        labels.append(ax.get_legend())
    boxes = [label.get_window_extent(renderer) for label in labels]
    boxes = [box for box in boxes if box.width > 0]
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:place])
    whole = display.figure_.bbox
    for box in boxes:
        assert box.x0 >= whole.x0 - 1
        assert box.x1 <= whole.x1 + 1


@every_display
def test_displays_need_matplotlib(draw, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"matplotlib.*\[plot\]"):
        draw(None)


from_estimators = pytest.mark.parametrize(
    "display", [KOccurrenceDisplay, HubsByNameDisplay, ActivationDisplay]
)


@from_estimators
def test_estimators_without_a_normalizer_are_rejected(display):
    for estimator in (StandardScaler(), make_pipeline(StandardScaler())):
        with pytest.raises(ValueError, match="estimator"):
            display.from_estimator(estimator, RAW)


@from_estimators
def test_estimators_must_be_fitted(display):
    for estimator in (DynamicInvertedSoftmax(), QuerybankRetriever()):
        with pytest.raises(NotFittedError):
            display.from_estimator(estimator, RAW)


@pytest.mark.parametrize("display", [KOccurrenceDisplay, HubsByNameDisplay])
def test_before_and_after_must_have_the_same_shape(display):
    with pytest.raises(ValueError, match=r"before.*\(50, 40\).*after.*\(3, 40\)"):
        display.from_predictions(RAW, CORRECTED[:3])
    with pytest.raises(ValueError, match="k .* 41"):
        display.from_estimator(NORMALIZER, RAW, k=41)


def test_importing_displays_does_not_load_matplotlib():
    code = "import sys, sk_qbnorm.inspection; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_normalizers_may_return_dataframes():
    named = pd.DataFrame(RAW, columns=NAMES)
    normalizer = clone(NORMALIZER).fit(pd.DataFrame(BANK_SIMS, columns=NAMES))
    normalizer.set_output(transform="pandas")
    display = KOccurrenceDisplay.from_estimator(normalizer, named, k=3)
    np.testing.assert_array_equal(display.after, COUNTS[1])


def test_one_item_and_one_query_can_be_plotted():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(KOccurrenceDisplay.from_predictions([[0.5]], k=1))
        drawn(HubsByNameDisplay.from_predictions([[0.5]], [[0.1]], k=1))
        drawn(ActivationDisplay.from_predictions([True], [[0.5]], [[0.1]], [0]))


def test_empty_lists_can_be_plotted():
    graph = sparse.csr_array((3, 4))
    drawn(KOccurrenceDisplay.from_predictions(graph, k=1))
    drawn(HubsByNameDisplay.from_predictions(graph, k=1))
