"""beta_curve: recall over a parameter."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning

from sk_qbnorm import (
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    QuerybankRetriever,
)
from sk_qbnorm.metrics import paired_bootstrap_report, recall_at_k
from sk_qbnorm.model_selection import beta_curve

from .pictures import (
    BANK_SIMS,
    DATA,
    NORMALIZER,
    RAW,
    VALUES,
    fits,
    pipeline,
    retriever,
)

ESTIMATORS = {
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
SIMILARITIES = BANK_SIMS, None, RAW, DATA.relevant


@pytest.mark.filterwarnings("ignore:recall at")
@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_the_curve_holds_recall_and_the_paired_bootstrap_of_each_fit(make, k):
    estimator, *data, param_name = make()
    parameters = str(estimator.get_params())
    curve = beta_curve(
        estimator,
        *data,
        DATA.relevant,
        param_name=param_name,
        param_range=VALUES,
        k=k,
        random_state=3,
    )
    assert curve["raw"] == recall_at_k(DATA.relevant, RAW, k=k)
    for place, scores in enumerate(fits()):
        report = paired_bootstrap_report(DATA.relevant, RAW, scores, random_state=3)
        gain = report[f"recall@{k}"]
        found = [curve[name][place] for name in ("recall", "low", "high")]
        expected = [curve["raw"] + gain[name] for name in ("value", "low", "high")]
        assert found == pytest.approx(expected)
        assert found[0] == pytest.approx(recall_at_k(DATA.relevant, scores, k=k))
    np.testing.assert_array_equal(curve["param_range"], VALUES)
    given = curve["param_name"], curve["k"], curve["confidence_level"]
    assert given == (param_name, k, 0.95)
    fitted = DynamicInvertedSoftmax().fit(DATA.bank_queries, DATA.gallery)
    assert curve["present"] == pytest.approx(fitted.beta_)
    assert str(estimator.get_params()) == parameters


def test_beta_has_a_default_range_around_its_value_for_scale():
    values = []
    for factor in (1, 100):
        bank, raw = factor * BANK_SIMS, factor * RAW
        for beta in ("scale", 20.0):
            estimator = clone(NORMALIZER).set_params(beta=beta)
            curve = beta_curve(estimator, bank, None, raw, DATA.relevant)
            scale = clone(NORMALIZER).fit(bank).beta_
            assert curve["present"] == pytest.approx(scale if beta == "scale" else beta)
            assert curve["param_range"][[0, 6, 12]] == pytest.approx(
                [scale / 16, scale, 16 * scale]
            )
        values.append(curve["param_range"])
    np.testing.assert_allclose(values[0], 100 * values[1])


def test_the_value_for_scale_is_found_in_nested_normalizers():
    inner = DynamicNormalizer(InvertedSoftmax())
    data = DATA.bank_queries, DATA.gallery, DATA.queries, DATA.relevant
    options = {"param_name": "normalizer__normalizer__beta", "param_range": [20]}
    curve = beta_curve(QuerybankRetriever(inner), *data, **options)
    expected = InvertedSoftmax().fit(*data[:2]).beta_
    assert curve["present"] == pytest.approx(expected)


def test_alpha_has_a_default_range_and_other_parameters_have_none():
    curve = beta_curve(clone(NORMALIZER), *SIMILARITIES, param_name="alpha")
    assert curve["param_range"][[0, -1]].tolist() == [0, 1.5]
    assert curve["recall"][0] == curve["low"][0] == curve["high"][0] == curve["raw"]
    estimator = NearestNeighborNormalizer(metric="precomputed")
    with pytest.raises(ValueError, match="param_range=None.*'n_neighbors'"):
        beta_curve(estimator, *SIMILARITIES, param_name="n_neighbors")
    options = {"param_name": "n_neighbors", "param_range": [1, 8]}
    assert beta_curve(estimator, *SIMILARITIES, **options)["recall"].shape == (2,)


def test_class_labels_and_masked_queries_are_supported():
    labels = np.arange(40) % 4
    relevant = labels[DATA.relevant]
    options = {"gallery_labels": labels, "query_mask": np.arange(50) < 30}
    data = BANK_SIMS, None, RAW, relevant
    curve = beta_curve(clone(NORMALIZER), *data, param_range=[20], **options)
    assert curve["raw"] == recall_at_k(relevant, RAW, **options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"param_range": [20, 2]}, r"param_range.*\[20, 2\]"),
        ({"param_range": ["2", "20"]}, "param_range"),
        ({"param_range": []}, "param_range"),
        ({"param_range": 20}, "param_range.* 20"),
        ({"param_range": [1, np.nan]}, "param_range.* nan"),
        ({"k": 0}, "k .* 0"),
        ({"confidence_level": 1}, "confidence_level .* 1"),
    ],
)
def test_parameters_out_of_range_are_rejected(options, match):
    options = {"param_range": [20], **options}
    with pytest.raises(ValueError, match=match):
        beta_curve(clone(NORMALIZER), *SIMILARITIES, **options)


def test_iterators_are_rejected_as_each_value_needs_a_fit():
    for bank, gallery in (
        (iter([BANK_SIMS]), None),
        (DATA.bank_queries, iter([DATA.gallery])),
    ):
        with pytest.raises(ValueError, match="querybank and gallery"):
            beta_curve(NORMALIZER, bank, gallery, RAW, DATA.relevant)


def test_recall_at_the_size_of_the_gallery_warns_the_caller():
    with pytest.warns(UndefinedMetricWarning, match="k=40") as seen:
        beta_curve(clone(NORMALIZER), *SIMILARITIES, param_range=[20], k=40)
    assert seen[0].filename == __file__
