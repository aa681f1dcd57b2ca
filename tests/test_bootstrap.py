"""bootstrap_report and paired_bootstrap_report."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.exceptions import UndefinedMetricWarning

from sk_qbnorm.metrics import (
    bootstrap_report,
    paired_bootstrap_report,
    relevant_ranks,
    retrieval_report,
)

from . import reference

small_gallery = pytest.mark.filterwarnings("ignore:recall at")


def rankings():
    """Relevant items of 40 queries, and scores before and after an improvement."""
    random = np.random.default_rng(0)
    relevant = random.integers(15, size=40)
    before = random.normal(size=(40, 15))
    before[np.arange(40), relevant] += 1
    after = before + 0.3 * random.normal(size=before.shape)
    after[np.arange(40), relevant] += 0.5
    return relevant, before, after


RELEVANT, BEFORE, AFTER = rankings()


@st.composite
def two_rankings(draw):
    """Scores of few values, before and after, and the relevant item of each query."""
    shape = draw(st.integers(2, 6)), draw(st.integers(1, 12))
    scores = hnp.arrays(np.float64, shape, elements=st.integers(0, 3))
    items = hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1))
    return draw(items), draw(scores), draw(scores)


def results_of(relevant, scores):
    """Rank and precision of each query; with one relevant item this is 1 / rank."""
    scores = scores + 1e-9 * np.arange(scores.shape[1])  # no ties
    ranks = [
        reference.rank(row, [item], "average")
        for row, item in zip(scores.tolist(), relevant, strict=True)
    ]
    return ranks, [1 / rank for rank in ranks]


def resampled(results, n_resamples, seed):
    """The measures of each resample of the queries."""
    ranks, precision = results
    random = np.random.RandomState(seed)
    for _ in range(n_resamples):
        drawn = [random.randint(len(ranks)) for _ in ranks]
        yield reference.measures(
            [ranks[i] for i in drawn], [precision[i] for i in drawn]
        )


def fields(report):
    return [[entry[name] for name in ("value", "low", "high")] for entry in report]


@small_gallery
@given(drawn=two_rankings(), seed=st.integers(0, 99))
def test_intervals_match_the_reference(drawn, seed):
    relevant, before, after = drawn
    before, after = (s + 1e-9 * np.arange(s.shape[1]) for s in (before, after))
    options = {"n_resamples": 13, "confidence_level": 0.8, "random_state": seed}
    results = [results_of(relevant, scores) for scores in (before, after)]
    values = [reference.measures(*result) for result in results]
    resampled_measures = [list(resampled(result, 13, seed)) for result in results]
    alone = bootstrap_report(relevant, before, **options)
    gain = paired_bootstrap_report(relevant, before, after, **options)
    for report, value, samples in (
        (alone, values[0], np.array(resampled_measures[0])),
        (gain, np.subtract(*values[::-1]), np.subtract(*resampled_measures[::-1])),
    ):
        low, high = (
            [reference.percentile(column, share) for column in samples.T.tolist()]
            for share in (0.1, 0.9)
        )
        expected = np.transpose([value, low, high])
        np.testing.assert_allclose(fields(report.values()), expected, atol=1e-12)


@small_gallery
@given(drawn=two_rankings(), ties=st.sampled_from(["average", "pessimistic"]))
def test_values_are_those_of_retrieval_report(drawn, ties):
    relevant, before, after = drawn
    first, second = (retrieval_report(relevant, s, ties=ties) for s in (before, after))
    alone = bootstrap_report(relevant, before, ties=ties, n_resamples=2)
    assert {name: entry["value"] for name, entry in alone.items()} == first
    gain = paired_bootstrap_report(relevant, before, after, ties=ties, n_resamples=2)
    for name, entry in gain.items():
        assert entry["value"] == second[name] - first[name]
    for report in (alone, gain):
        assert all(list(e) == ["value", "low", "high"] for e in report.values())
        assert all(type(v) is float for e in report.values() for v in e.values())


@small_gallery
@given(drawn=two_rankings(), level=st.floats(0.01, 0.99))
def test_intervals_stay_in_the_range_of_the_measure(drawn, level):
    relevant, scores, _ = drawn
    ranks = relevant_ranks(relevant, scores)
    report = bootstrap_report(
        relevant, scores, n_resamples=5, confidence_level=level, random_state=0
    )
    for name, entry in report.items():
        least, most = (min(ranks), max(ranks)) if name.endswith("_rank") else (0, 1)
        if name == "mean_reciprocal_rank":
            least, most = 0, 1
        assert least - 1e-12 <= entry["low"] <= entry["high"] <= most + 1e-12


@small_gallery
@given(drawn=two_rankings(), seed=st.integers(0, 99))
def test_a_ranking_has_no_gain_over_itself(drawn, seed):
    relevant, scores, _ = drawn
    report = paired_bootstrap_report(
        relevant, scores, scores, n_resamples=7, random_state=seed
    )
    assert fields(report.values()) == [[0, 0, 0]] * 8


def test_swapping_before_and_after_negates_the_gain():
    gain = paired_bootstrap_report(RELEVANT, BEFORE, AFTER, random_state=0)
    loss = paired_bootstrap_report(RELEVANT, AFTER, BEFORE, random_state=0)
    for name, entry in gain.items():
        assert loss[name]["value"] == -entry["value"]
        assert loss[name]["low"] == pytest.approx(-entry["high"], abs=1e-12)


def test_a_paired_interval_is_narrower_than_two_separate_ones():
    first, second = (
        bootstrap_report(RELEVANT, scores, random_state=0) for scores in (BEFORE, AFTER)
    )
    gain = paired_bootstrap_report(RELEVANT, BEFORE, AFTER, random_state=0)
    name = "mean_reciprocal_rank"
    assert first[name]["high"] > second[name]["low"]
    assert gain[name]["low"] > 0


def test_intervals_depend_only_on_the_seed(monkeypatch):
    expected = bootstrap_report(RELEVANT, BEFORE, random_state=3)
    assert bootstrap_report(RELEVANT, BEFORE, random_state=3) == expected
    state = np.random.RandomState(3)
    assert bootstrap_report(RELEVANT, BEFORE, random_state=state) == expected
    assert bootstrap_report(RELEVANT, BEFORE, random_state=state) != expected
    for size in (1, 3 * 40 + 7):
        monkeypatch.setattr("sk_qbnorm.metrics._bootstrap._BLOCK", size)
        assert bootstrap_report(RELEVANT, BEFORE, random_state=3) == expected


def test_a_higher_confidence_level_widens_the_interval():
    reports = [
        bootstrap_report(RELEVANT, BEFORE, confidence_level=level, random_state=0)
        for level in (0.5, 0.9, 0.99)
    ]
    for name in reports[0]:
        narrow, middle, wide = (report[name] for report in reports)
        assert wide["low"] <= middle["low"] <= narrow["low"]
        assert narrow["high"] <= middle["high"] <= wide["high"]


@pytest.mark.parametrize("measure", ["recall@1", "median_rank", "mean_reciprocal_rank"])
def test_intervals_cover_the_true_value_at_the_confidence_level(measure):
    random = np.random.default_rng(0)
    chances = np.array([0.35, 0.25] + [0.04] * 10)
    places = np.arange(12)
    truth = {
        "recall@1": 0.35,
        "median_rank": 2,
        "mean_reciprocal_rank": chances @ (1 / (places + 1)),
    }
    scores = np.tile(-places, (100, 1))  # the item is its own rank, less 1
    covered = 0
    for _ in range(100):
        relevant = random.choice(places, size=100, p=chances)
        report = bootstrap_report(relevant, scores, n_resamples=200, random_state=0)
        covered += report[measure]["low"] <= truth[measure] <= report[measure]["high"]
    # 95 are expected, with a standard deviation of 2.2; the median is discrete.
    assert 86 <= covered <= 100


def test_noise_is_rarely_reported_as_a_gain():
    random = np.random.default_rng(0)
    found = 0
    for _ in range(100):
        before, after = random.normal(size=(2, 60, 11))
        report = paired_bootstrap_report(
            np.zeros(60, dtype=int), before, after, n_resamples=200, random_state=0
        )
        entry = report["mean_rank"]
        found += not entry["low"] <= 0 <= entry["high"]
    assert found <= 12  # 5 are expected


def test_labels_masks_and_ties_are_supported():
    labels, gallery_labels = np.arange(40) % 3, np.arange(15) % 3
    mask = np.arange(40) % 4 > 0
    options = {"gallery_labels": gallery_labels, "ties": "optimistic"}
    kept = bootstrap_report(labels[mask], BEFORE[mask], random_state=0, **options)
    options["query_mask"] = mask
    assert bootstrap_report(labels, BEFORE, random_state=0, **options) == kept
    gain = paired_bootstrap_report(labels, BEFORE, AFTER, random_state=0, **options)
    first, second = (retrieval_report(labels, s, **options) for s in (BEFORE, AFTER))
    for name, entry in gain.items():
        assert entry["value"] == second[name] - first[name]


def test_the_reports_can_be_dataframes():
    pandas = pytest.importorskip("pandas")
    for report, scores in (
        (bootstrap_report, [BEFORE]),
        (paired_bootstrap_report, [BEFORE, AFTER]),
    ):
        expected = report(RELEVANT, *scores, random_state=0)
        frame = report(RELEVANT, *scores, random_state=0, as_frame=True)
        assert isinstance(frame, pandas.DataFrame)
        assert list(frame.index) == list(expected)
        assert frame.T.to_dict() == expected


def test_a_small_gallery_warns_the_caller():
    for report, scores in (
        (bootstrap_report, [BEFORE[:, :5]]),
        (paired_bootstrap_report, [BEFORE[:, :5], AFTER[:, :5]]),
    ):
        with pytest.warns(UndefinedMetricWarning, match="k=10 .* 5 items") as seen:
            report(RELEVANT % 5, *scores, n_resamples=1)
        assert seen[0].filename == __file__


@pytest.mark.parametrize("kind", [int, str])
def test_groups_of_one_query_change_nothing(kind):
    labels = [kind(i) for i in range(10, 50)]
    pair = RELEVANT, BEFORE, AFTER
    assert paired_bootstrap_report(
        *pair, random_state=3, groups=labels
    ) == paired_bootstrap_report(*pair, random_state=3)


def test_copies_of_queries_in_groups_do_not_narrow_the_interval():
    copies = np.random.default_rng(1).permutation(np.repeat(np.arange(40), 3))
    once = bootstrap_report(RELEVANT, BEFORE, random_state=0)
    options = {"random_state": 0, "groups": copies}
    grouped = bootstrap_report(RELEVANT[copies], BEFORE[copies], **options)
    np.testing.assert_allclose(fields(grouped.values()), fields(once.values()))
    apart = bootstrap_report(RELEVANT[copies], BEFORE[copies], random_state=0)
    width = [
        each["recall@1"]["high"] - each["recall@1"]["low"] for each in (apart, once)
    ]
    assert width[0] < 0.7 * width[1]  # about 1 / sqrt(3)


def test_groups_may_differ_in_size_and_contain_masked_queries():
    mask = np.arange(40) % 7 > 0
    groups = np.minimum(np.arange(40) // 3, 9)  # of 3, and a larger one
    report = bootstrap_report(
        RELEVANT, BEFORE, groups=groups, query_mask=mask, random_state=0
    )
    kept = bootstrap_report(
        RELEVANT[mask], BEFORE[mask], groups=groups[mask], random_state=0
    )
    assert report == kept
    values = retrieval_report(RELEVANT, BEFORE, query_mask=mask)
    assert {name: entry["value"] for name, entry in report.items()} == values
    hits = relevant_ranks(RELEVANT[mask], BEFORE[mask]) <= 1
    of_group = [hits[groups[mask] == group] for group in np.unique(groups[mask])]
    random, recalls = np.random.RandomState(0), []
    for _ in range(1000):
        drawn = random.randint(len(of_group), size=len(of_group))
        recalls.append(np.concatenate([of_group[group] for group in drawn]).mean())
    ends = [report["recall@1"][end] for end in ("low", "high")]
    np.testing.assert_allclose(ends, np.quantile(recalls, [0.025, 0.975]))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_resamples": 0}, "n_resamples must be.* 0"),
        ({"n_resamples": 10.0}, "n_resamples must be.* 10.0"),
        ({"confidence_level": 0}, "confidence_level must be.* 0"),
        ({"confidence_level": 95}, "confidence_level must be.* 95"),
        ({"confidence_level": 1}, "confidence_level must be.* 1"),
        ({"confidence_level": "95%"}, "confidence_level must be.* '95%'"),
        ({"random_state": "0"}, "seed"),
        ({"ties": "best"}, "ties must be.* 'average'"),
        ({"query_mask": np.arange(40) == 7}, "2 queries, got 1"),
        ({"groups": np.zeros(40)}, "2 groups, got 1"),
        ({"groups": np.arange(39)}, r"groups must.* \(40,\)"),
        ({"gallery_labels": [0, 1]}, "gallery_labels must"),
    ],
)
def test_parameters_out_of_range_are_rejected(options, match):
    with pytest.raises(ValueError, match=match):
        bootstrap_report(RELEVANT, BEFORE, **options)
    with pytest.raises(ValueError, match=match):
        paired_bootstrap_report(RELEVANT, BEFORE, AFTER, **options)


def test_errors_name_the_invalid_scores():
    spoilt = AFTER.copy()
    spoilt[2, 1] = np.nan
    with pytest.raises(ValueError, match="scores.* row 2"):
        bootstrap_report(RELEVANT, spoilt)
    with pytest.raises(ValueError, match="before.* row 2"):
        paired_bootstrap_report(RELEVANT, spoilt, AFTER)
    with pytest.raises(ValueError, match="after.* row 2"):
        paired_bootstrap_report(RELEVANT, BEFORE, spoilt)
    with pytest.raises(ValueError, match=r"before.* \(40, 15\).*after.* \(39, 15\)"):
        paired_bootstrap_report(RELEVANT, BEFORE, AFTER[1:])
    with pytest.raises(ValueError, match="after"):
        paired_bootstrap_report([0, 0], [[0.1], [0.2]], [["a"], ["b"]])
    with pytest.raises(ValueError, match="relevant.* 40.* 39"):
        paired_bootstrap_report(RELEVANT[1:], BEFORE, AFTER)
    with pytest.raises(ValueError, match="scores"):
        bootstrap_report(RELEVANT, BEFORE[:, 0])
