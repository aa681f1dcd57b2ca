"""hubness_report."""

import numpy as np
import pytest
from scipy import sparse

from sk_qbnorm.metrics import (
    antihub_rate,
    gini_index,
    hub_rate,
    hubness_report,
    hubness_skewness,
    max_k_occurrence,
    robin_hood_index,
)

from .cases import without

MEASURES = [
    hubness_skewness,
    robin_hood_index,
    gini_index,
    antihub_rate,
    hub_rate,
    max_k_occurrence,
]
NAMES = ["mean_k_occurrence", *(measure.__name__ for measure in MEASURES)]


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("n_queries", "n_gallery", "k"), [(60, 40, 5), (30, 200, 1), (40, 150, 20)]
)
def test_no_hubs_is_the_mean_over_random_scores(n_queries, n_gallery, k):
    random = np.random.default_rng(0)
    reports = [
        hubness_report(random.random((n_queries, n_gallery)), k=k) for _ in range(300)
    ]
    for name, expected in reports[0].items():
        found = np.array([report[name]["before"] for report in reports])
        # Four standard errors of the mean, and 2 % for the approximations.
        slack = 4 * found.std() / np.sqrt(300) + 0.02 * abs(expected["no_hubs"])
        assert expected["no_hubs"] == pytest.approx(found.mean(), abs=slack)
    assert reports[0]["antihub_rate"]["no_hubs"] == pytest.approx(
        (1 - k / n_gallery) ** n_queries
    )


@pytest.mark.parametrize("shape", [(1, 1), (6, 1), (1, 6), (5, 4)])
def test_lists_of_all_items_are_at_the_no_hubs_level(shape):
    report = hubness_report(np.zeros(shape), k=shape[1])
    for name, values in report.items():
        assert values["before"] == pytest.approx(values["no_hubs"], abs=1e-12), name


@pytest.mark.parametrize(
    ("shape", "k", "largest"),
    [((1, 5), 1, 1), ((1, 20), 3, 1), ((2, 2), 1, 1), ((3, 2), 1, 2)],
)
def test_the_largest_count_by_chance_is_at_least_the_mean(shape, k, largest):
    report = hubness_report(np.random.default_rng(0).random(shape), k=k)
    assert report["max_k_occurrence"]["no_hubs"] >= largest


def test_the_report_holds_the_value_of_each_measure():
    random = np.random.default_rng(0)
    before, after = random.random((2, 20, 15))
    before[:, 0] += 1
    report = hubness_report(before, after, k=3)
    assert list(report) == NAMES
    for measure in MEASURES:
        values = report[measure.__name__]
        assert list(values) == ["before", "after", "no_hubs"]
        assert all(type(value) is float for value in values.values())
        assert values["before"] == measure(before, k=3)
        assert values["after"] == measure(after, k=3)
    assert set(report["mean_k_occurrence"].values()) == {3 * 20 / 15}
    alone = hubness_report(before, k=3)
    assert alone["gini_index"].keys() == {"before", "no_hubs"}
    graph = sparse.csr_array(after >= np.sort(after)[:, -3:-2])
    assert hubness_report(before, graph, k=3) == report


def test_the_report_can_be_a_dataframe():
    pandas = pytest.importorskip("pandas")
    before, after = np.random.default_rng(0).random((2, 20, 15))
    frame = hubness_report(before, after, as_frame=True)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.index) == NAMES
    assert list(frame.columns) == ["before", "after", "no_hubs"]
    assert frame.T.to_dict() == hubness_report(before, after)


def test_a_dataframe_needs_pandas(monkeypatch):
    without(monkeypatch, "pandas")
    with pytest.raises(ImportError, match="as_frame"):
        hubness_report(np.eye(3), k=1, as_frame=True)


@pytest.mark.parametrize("shape", [(3, 5), (4, 4)])
def test_before_and_after_must_have_the_same_shape(shape):
    with pytest.raises(ValueError, match=r"before.*\(3, 4\).*after.*\(\d, \d\)"):
        hubness_report(np.zeros((3, 4)), np.zeros(shape), k=1)
