"""Displays draw the numbers of the metrics, and leave what they are given alone."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_qbnorm import (
    CSLS,
    DualDynamicInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GallerySimilarity,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.inspection import (
    ActivationDisplay,
    BetaCurveDisplay,
    HubsByNameDisplay,
    KOccurrenceDisplay,
)
from sk_qbnorm.metrics import (
    antihub_rate,
    hubness_report,
    k_occurrence,
    paired_bootstrap_report,
    recall_at_k,
)

plt = pytest.importorskip("matplotlib.pyplot")
font_manager = pytest.importorskip("matplotlib.font_manager")

DATA = make_hub_retrieval(
    n_bank=80, n_queries=50, n_gallery=40, n_features=8, random_state=0
)
RAW = pairwise_similarity(DATA.queries, DATA.gallery)
BANK_SIMS = pairwise_similarity(DATA.bank_queries, DATA.gallery)
NORMALIZER = DynamicInvertedSoftmax(metric="precomputed").fit(BANK_SIMS)
CORRECTED = NORMALIZER.transform(RAW)
COUNTS = k_occurrence(RAW, k=3), k_occurrence(CORRECTED, k=3)
NAMES = [f"name of {item}" for item in range(40)]


@pytest.fixture(autouse=True)
def _draw_on_nothing():
    plt.switch_backend("agg")


def drawn(display):
    """Draw everything, so that what cannot be drawn warns."""
    display.figure_.canvas.draw()
    return display


def texts(display):
    found = [text.get_text() for text in display.ax_.texts]
    legend = display.ax_.get_legend()
    return found + ([text.get_text() for text in legend.get_texts()] if legend else [])


def retriever():
    found = QuerybankRetriever(DynamicInvertedSoftmax(), n_neighbors=3)
    return found.fit(DATA.bank_queries, DATA.gallery)


def pipeline():
    steps = GallerySimilarity(DATA.gallery), clone(NORMALIZER), NearestNeighborScorer()
    return make_pipeline(*steps).fit(DATA.bank_queries)


ESTIMATORS = {
    "normalizer": lambda: (NORMALIZER, RAW),
    "embeddings": lambda: (
        DynamicInvertedSoftmax().fit(DATA.bank_queries, DATA.gallery),
        RAW,
    ),
    "writes in place": lambda: (
        clone(NORMALIZER).set_params(copy=False).fit(BANK_SIMS),
        RAW,
    ),
    "retriever": lambda: (retriever(), DATA.queries),
    "pipeline": lambda: (pipeline(), DATA.queries),
    "step alone": lambda: (make_pipeline(clone(NORMALIZER)).fit(BANK_SIMS), RAW),
    "retriever at the end": lambda: (
        make_pipeline(
            StandardScaler(with_mean=False, with_std=False),
            QuerybankRetriever(gallery=DATA.gallery),
        ).fit(DATA.bank_queries),
        DATA.queries,
    ),
}
every_estimator = pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)


@every_estimator
def test_the_k_occurrence_is_that_of_the_metric(make):
    estimator, queries = make()
    before = queries.copy()
    display = drawn(KOccurrenceDisplay.from_estimator(estimator, queries, k=3))
    np.testing.assert_array_equal(display.before, COUNTS[0])
    np.testing.assert_array_equal(display.after, COUNTS[1])
    assert (display.n_queries, display.name) == (50, "DynamicInvertedSoftmax")
    np.testing.assert_array_equal(queries, before)


def test_a_curve_says_how_many_items_at_least_n_queries_retrieve():
    display = drawn(KOccurrenceDisplay.from_predictions(RAW, CORRECTED, k=3))
    for line, counts in zip(display.lines_, COUNTS, strict=True):
        reached, items = line.get_data()
        assert reached[0] == 0
        assert reached[-1] == counts.max()
        np.testing.assert_array_equal(
            items, [np.sum(counts >= times) for times in reached]
        )
    assert f"{antihub_rate(RAW, k=3):.0%} never" in texts(display)[0]
    assert f"up to {COUNTS[1].max()}, " in texts(display)[1]


@pytest.mark.parametrize("display", [KOccurrenceDisplay, HubsByNameDisplay])
def test_the_legend_may_have_another_name(display):
    found = display.from_estimator(NORMALIZER, RAW, name="DIS")
    assert any(text.startswith("DIS") for text in texts(found))
    found = display.from_predictions(RAW, CORRECTED, name="DIS")
    assert any(text.startswith("DIS") for text in texts(found))


def test_the_reference_is_what_chance_gives():
    display = KOccurrenceDisplay.from_predictions(RAW, k=3)
    reached, items = display.reference_.get_data()
    expected = hubness_report(RAW, k=3)
    assert items[0] == 40
    # Summed over N it is the sum of all counts, but for the tail that is cut.
    assert items[1:].sum() / 40 == pytest.approx(50 * 3 / 40, rel=1e-2)
    never = 1 - items[1] / 40
    assert never == pytest.approx(expected["antihub_rate"]["no_hubs"])
    assert reached[-1] < expected["max_k_occurrence"]["no_hubs"] + 3


def test_scores_indices_and_graphs_give_one_picture():
    estimator = retriever()
    indices = estimator.kneighbors(DATA.queries, 3, return_score=False)
    graph = estimator.kneighbors_graph(DATA.queries, 3)
    of_graph = KOccurrenceDisplay.from_predictions(graph, k=3)
    of_indices = KOccurrenceDisplay.from_predictions(indices, k=3, n_gallery=40)
    for display in (of_graph, of_indices):
        assert display.after is None
        assert len(display.lines_) == 1
        np.testing.assert_array_equal(display.before, COUNTS[1])


def test_many_queries_have_a_logarithmic_axis():
    few = KOccurrenceDisplay(np.array([1, 2, 3, 4, 5]), n_queries=15, k=1).plot()
    many = KOccurrenceDisplay(np.array([0, 0, 5, 95]), n_queries=100, k=1).plot()
    assert few.ax_.get_xscale() == "linear"
    assert many.ax_.get_xscale() == "symlog"
    drawn(few), drawn(many)


def test_the_worst_hubs_are_named():
    display = drawn(
        HubsByNameDisplay.from_predictions(RAW, CORRECTED, names=NAMES, k=3, n_hubs=4)
    )
    order = np.argsort(-COUNTS[0], kind="stable")[:4]
    np.testing.assert_array_equal(display.items_, order)
    shown = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert shown == [NAMES[item] for item in order]
    for bars, counts in zip(display.bars_, COUNTS, strict=True):
        widths = [bar.get_width() for bar in bars]
        np.testing.assert_array_equal(widths, counts[order])
    assert display.reference_.get_xdata()[0] == COUNTS[0].mean()


def test_the_worst_that_are_left_are_named():
    display = HubsByNameDisplay.from_predictions(
        RAW, CORRECTED, k=3, n_hubs=2, by="after"
    )
    np.testing.assert_array_equal(
        display.items_, np.argsort(-COUNTS[1], kind="stable")[:2]
    )
    with pytest.raises(ValueError, match="pass after too"):
        HubsByNameDisplay.from_predictions(RAW, by="after")
    with pytest.raises(ValueError, match="by must be one of 'before', 'after'"):
        HubsByNameDisplay.from_predictions(RAW, by="worst")


@every_estimator
def test_hubs_of_an_estimator_are_those_of_its_scores(make):
    estimator, queries = make()
    display = HubsByNameDisplay.from_estimator(estimator, queries, k=3)
    expected = HubsByNameDisplay.from_predictions(RAW, CORRECTED, k=3)
    np.testing.assert_array_equal(display.items_, expected.items_)
    for bars, others in zip(display.bars_, expected.bars_, strict=True):
        assert [bar.get_width() for bar in bars] == [bar.get_width() for bar in others]
    assert display.names is None
    assert display.name == "DynamicInvertedSoftmax"
    assert display.ax_.get_yticklabels()[0].get_text() == f"item {display.items_[0]}"


def test_names_come_from_where_they_are_known():
    gallery = pd.DataFrame(DATA.gallery, index=NAMES)
    named = pd.DataFrame(RAW, columns=NAMES)
    bank = pd.DataFrame(BANK_SIMS, columns=NAMES)
    steps = GallerySimilarity(gallery), DynamicInvertedSoftmax(metric="precomputed")
    cases = [
        (clone(NORMALIZER).fit(bank), named),
        (DynamicInvertedSoftmax().fit(DATA.bank_queries, gallery), RAW),
        (retriever().fit(DATA.bank_queries, gallery), DATA.queries),
        (make_pipeline(*steps).fit(DATA.bank_queries), DATA.queries),
    ]
    for estimator, queries in cases:
        display = HubsByNameDisplay.from_estimator(estimator, queries)
        assert list(display.names) == NAMES
    display = HubsByNameDisplay.from_predictions(named)
    assert list(display.names) == NAMES
    display = HubsByNameDisplay.from_estimator(*cases[0], names=range(40))
    assert display.ax_.get_yticklabels()[0].get_text() == str(display.items_[0])


def test_there_is_a_name_for_each_item():
    with pytest.raises(ValueError, match="expected 40, got 2"):
        HubsByNameDisplay.from_predictions(RAW, names=["one", "two"])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("short", "short"),
        ("two\nlines\tand  more", "two lines and more"),
        (
            "a name that is far too long to stand beside an axis",
            "a name that is far too long…",
        ),
        ("costs $5 or $6", "costs $5 or $6"),
        ("zero\u200dwidth", "zerowidth"),
        ("\u200d", "item 0"),
        ("", "item 0"),
    ],
)
def test_names_are_shortened_and_drawn_as_they_are(name, written):
    display = HubsByNameDisplay(np.array([3]), n_queries=3, names=[name]).plot()
    assert drawn(display).ax_.get_yticklabels()[0].get_text() == written


def test_wide_characters_count_twice():
    from sk_qbnorm.inspection._names import shortened

    assert shortened("絵文字の名前", 7) == "絵文字…"
    assert shortened("絵文字", 6) == "絵文字"


def fonts(*names):
    entries = font_manager.fontManager.ttflist
    return [entry for name in names for entry in entries if entry.name == name]


def test_another_font_writes_what_the_first_one_lacks(monkeypatch):
    boxes = [font_manager.FontEntry(fname="none", name="Last Resort High-Efficiency")]
    found = fonts("cmss10", "DejaVu Sans", "DejaVu Sans Mono")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", boxes + found)
    # The letter is in DejaVu Sans, which is not in the settings.
    with plt.rc_context({"font.family": ["cmss10"]}):
        display = HubsByNameDisplay(np.array([3]), n_queries=3, names=["Жук"]).plot()
        label = display.ax_.get_yticklabels()[0]
        assert label.get_text() == "Жук"
        assert label.get_fontfamily() == ["cmss10", "DejaVu Sans"]


def test_what_no_font_can_write_has_its_number(monkeypatch):
    found = fonts("DejaVu Sans", "DejaVu Sans Mono")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", found)
    names = ["पेजर", "pager"]
    display = HubsByNameDisplay(np.array([3, 2]), n_queries=3, names=names).plot()
    labels = drawn(display).ax_.get_yticklabels()
    assert [label.get_text() for label in labels] == ["item 0", "pager"]


def ends(before, after):
    """Count what becomes of queries, one by one."""
    found = {"better": 0, "still_right": 0, "still_wrong": 0, "worse": 0}
    for relevant, first, second in zip(
        DATA.relevant, before.argmax(axis=1), after.argmax(axis=1), strict=True
    ):
        right = bool(first == relevant), bool(second == relevant)
        names = {
            (False, True): "better",
            (True, True): "still_right",
            (False, False): "still_wrong",
            (True, False): "worse",
        }
        found[names[right]] += 1
    return found


@every_estimator
def test_the_activation_diagram_counts_what_is_corrected(make):
    estimator, queries = make()
    before = queries.copy()
    display = drawn(
        ActivationDisplay.from_estimator(estimator, queries, DATA.relevant, names=NAMES)
    )
    np.testing.assert_array_equal(queries, before)
    best = RAW.argmax(axis=1)
    corrected = NORMALIZER.activation_mask_[best]
    assert display.counts_ == {
        "n_gallery": 40,
        "n_active": NORMALIZER.activation_mask_.sum(),
        "n_queries": 50,
        "n_corrected": corrected.sum(),
        **ends(RAW, CORRECTED),
    }
    gained = display.counts_["better"] - display.counts_["worse"]
    gain = recall_at_k(DATA.relevant, CORRECTED) - recall_at_k(DATA.relevant, RAW)
    assert gained / 50 == pytest.approx(gain)
    widths = [bar[0].get_width() for bar in display.bars_]
    assert len(widths) == 12
    for start, stop in ((0, 2), (2, 4), (4, 12)):  # gallery, queries, results
        assert sum(widths[start:stop]) == pytest.approx(100)
    assert sum(widths[4:8]) == pytest.approx(100 * corrected.mean())
    catches = np.bincount(best, minlength=40) * NORMALIZER.activation_mask_
    assert catches[display.items_[0]] == catches.max()
    assert f"{NAMES[display.items_[0]]} ({catches.max()})" in texts(display)[4]


def test_the_diagram_of_scores_is_that_of_the_estimator():
    mask = NORMALIZER.activation_mask_
    display = ActivationDisplay.from_predictions(mask, RAW, CORRECTED, DATA.relevant)
    expected = ActivationDisplay.from_estimator(NORMALIZER, RAW, DATA.relevant)
    assert display.counts_ == expected.counts_
    assert [bar[0].get_width() for bar in display.bars_] == [
        bar[0].get_width() for bar in expected.bars_
    ]


def test_without_relevance_there_are_no_results():
    mask = NORMALIZER.activation_mask_
    display = drawn(ActivationDisplay.from_predictions(mask, RAW))
    assert list(display.counts_) == [
        "n_gallery",
        "n_active",
        "n_queries",
        "n_corrected",
    ]
    assert len(display.bars_) == 4
    assert display.ax_.get_legend() is None


def test_an_empty_activation_set_names_nothing():
    display = drawn(ActivationDisplay.from_predictions(np.zeros(40, dtype=bool), RAW))
    assert display.items_.size == 0
    assert display.counts_["n_corrected"] == 0


def test_masked_queries_and_labels_are_understood():
    kept = np.arange(50) < 30
    labels = np.arange(40) % 4
    display = ActivationDisplay.from_estimator(
        NORMALIZER,
        RAW,
        labels[DATA.relevant],
        gallery_labels=labels,
        query_mask=kept,
    )
    assert display.counts_["n_queries"] == 30
    right = labels[RAW.argmax(axis=1)] == labels[DATA.relevant]
    np.testing.assert_array_equal(display.right_before, right[kept])


def test_every_gate_has_a_diagram():
    dual = DualDynamicInvertedSoftmax(metric="precomputed")
    dual.fit(BANK_SIMS, gallerybank=BANK_SIMS[:20])
    display = ActivationDisplay.from_estimator(dual, RAW)
    np.testing.assert_array_equal(
        display.activation_mask, dual.activation_mask_.any(axis=1)
    )
    csls = DynamicNormalizer(CSLS(), metric="precomputed").fit(BANK_SIMS)
    display = ActivationDisplay.from_estimator(csls, RAW)
    assert display.counts_["n_active"] == csls.activation_mask_.sum()


@pytest.mark.parametrize("normalizer", [InvertedSoftmax, GloballyCorrected])
def test_there_is_no_diagram_without_a_gate(normalizer):
    fitted = normalizer(metric="precomputed").fit(BANK_SIMS)
    with pytest.raises(ValueError, match="corrects every query"):
        ActivationDisplay.from_estimator(fitted, RAW)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(40), RAW, RAW[:3]), "of the same queries and items"),
        ((np.ones(39), RAW, CORRECTED), "one entry an item"),
        ((np.arange(40), RAW, CORRECTED), "must hold booleans"),
        ((np.ones(40), RAW, None, DATA.relevant), "pass after too"),
    ],
)
def test_a_diagram_says_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        ActivationDisplay.from_predictions(*arguments)


VALUES = [2.0, 20.0, 200.0]


def fits(values=VALUES):
    for beta in values:
        yield clone(NORMALIZER).set_params(beta=beta).fit(BANK_SIMS).transform(RAW)


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
def test_what_is_given_to_draw_on_is_drawn_on(draw):
    figure, ax = plt.subplots()
    display = draw(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert display.plot() is display
    assert display.figure_ is not figure


@every_display
def test_words_do_not_stand_on_each_other(draw):
    display = drawn(draw(None))
    renderer = display.figure_.canvas.get_renderer()
    ax = display.ax_
    words = [*ax.texts, ax.xaxis.label, ax.yaxis.label]
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
        words += [label for place, label in ticks if low <= place <= high]
    if ax.get_legend() is not None:
        words.append(ax.get_legend())
    boxes = [word.get_window_extent(renderer) for word in words]
    boxes = [box for box in boxes if box.width > 0]
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:place])
    whole = display.figure_.bbox
    for box in boxes:
        assert box.x0 >= whole.x0 - 1
        assert box.x1 <= whole.x1 + 1


@every_display
def test_the_extra_is_named_where_matplotlib_is_missing(draw, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install "sk-qbnorm\[plot\]"'):
        draw(None)


from_estimators = pytest.mark.parametrize(
    "display", [KOccurrenceDisplay, HubsByNameDisplay, ActivationDisplay]
)


@from_estimators
def test_what_does_not_correct_is_refused(display):
    for estimator in (StandardScaler(), make_pipeline(StandardScaler())):
        with pytest.raises(ValueError, match="must be a fitted normalizer"):
            display.from_estimator(estimator, RAW)


@from_estimators
def test_an_estimator_has_to_be_fitted(display):
    for estimator in (DynamicInvertedSoftmax(), QuerybankRetriever()):
        with pytest.raises(NotFittedError):
            display.from_estimator(estimator, RAW)


@pytest.mark.parametrize("display", [KOccurrenceDisplay, HubsByNameDisplay])
def test_before_and_after_are_of_one_retrieval(display):
    with pytest.raises(ValueError, match="of the same queries and gallery"):
        display.from_predictions(RAW, CORRECTED[:3])
    with pytest.raises(ValueError, match="more than the gallery holds"):
        display.from_estimator(NORMALIZER, RAW, k=41)


def test_importing_displays_does_not_load_matplotlib():
    import subprocess

    code = "import sys, sk_qbnorm.inspection; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_frames_out_of_a_normalizer_are_understood():
    named = pd.DataFrame(RAW, columns=NAMES)
    normalizer = clone(NORMALIZER).fit(pd.DataFrame(BANK_SIMS, columns=NAMES))
    normalizer.set_output(transform="pandas")
    display = KOccurrenceDisplay.from_estimator(normalizer, named, k=3)
    np.testing.assert_array_equal(display.after, COUNTS[1])


def test_one_item_and_one_query_can_be_drawn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(KOccurrenceDisplay.from_predictions([[0.5]], k=1))
        drawn(HubsByNameDisplay.from_predictions([[0.5]], [[0.1]], k=1))
        drawn(ActivationDisplay.from_predictions([True], [[0.5]], [[0.1]], [0]))


def test_nothing_retrieved_can_be_drawn():
    graph = sparse.csr_array((3, 4))
    drawn(KOccurrenceDisplay.from_predictions(graph, k=1))
    drawn(HubsByNameDisplay.from_predictions(graph, k=1))
