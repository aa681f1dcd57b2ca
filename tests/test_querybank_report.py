"""querybank_report: measures of a bank, and advice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sk_qbnorm import InvertedSoftmax, pairwise_similarity
from sk_qbnorm.datasets import load_emoji_vendor_nohub, make_hub_retrieval
from sk_qbnorm.metrics import recall_at_k, recall_scorer
from sk_qbnorm.querybanks import _resampling, querybank_report, sample_querybank
from sk_qbnorm.querybanks._advice import advice_on
from sk_qbnorm.tiles import _tile

from . import reference
from .cases import bank_and_sims, whole, without

PRECOMPUTED = {"metric": "precomputed"}


def test_block_sizes_do_not_change_the_report(monkeypatch):
    bank, queries = whole((50, 4), seed=2), whole((40, 4))
    gallery = whole((300, 4), seed=1)
    options = {"metric": "dot", "k": 7, "beta": 0.1, "random_state": 0}
    report = querybank_report(bank, gallery, queries, **options)
    monkeypatch.setattr(_tile, "_TILE_ROWS", 3)
    monkeypatch.setattr(_tile, "_TILE_COLUMNS", 32)
    again = querybank_report(bank, gallery, queries, **options)
    assert again.pop("advice") == report.pop("advice")
    assert again == pytest.approx(report, rel=1e-9)


@given(drawn=bank_and_sims(max_rows=8, max_items=6), data=st.data())
def test_the_report_matches_the_reference(drawn, data):
    bank, sims = (np.vstack([each, each[:1]]) for each in drawn)  # two rows or more
    k = data.draw(st.integers(1, bank.shape[1]))
    beta = data.draw(st.sampled_from([0.5, 20.0]))
    options = {"k": k, "beta": beta, "random_state": 5, **PRECOMPUTED}
    report = querybank_report(bank, queries=sims, n_resamples=3, **options)
    bank, sims = bank.tolist(), sims.tolist()
    expected = reference.querybank_measures(bank, sims, k, beta)
    # Groups of one row each: the plain bootstrap.
    random, n_bank = np.random.RandomState(5), len(bank)
    order = random.permutation(n_bank)
    times = [random.multinomial(n_bank, np.full(n_bank, 1 / n_bank)) for _ in range(3)]
    draws = [np.repeat(order, each) for each in times]
    expected["bias_standard_error"] = reference.bootstrap_error(bank, beta, draws)
    assert isinstance(report.pop("advice"), list)
    assert report.keys() == expected.keys()
    assert all(type(value) is float for value in report.values())
    # The difference of equal numbers is at most a rounding error.
    assert report == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_report_of_embeddings_is_that_of_their_similarities():
    bank, gallery, queries = whole((40, 4)), whole((30, 4), 1), whole((20, 4), 2)
    options = {"beta": 0.2, "random_state": 0}
    expected = querybank_report(
        bank @ gallery.T, queries=queries @ gallery.T, **options, **PRECOMPUTED
    )
    advice = expected.pop("advice")
    for metric in ("dot", lambda a, b: a @ b.T):
        for form in (np.asarray, sparse.csr_array):
            report = querybank_report(
                form(bank), gallery, form(queries), metric=metric, **options
            )
            assert report.pop("advice") == advice
            assert report == pytest.approx(expected, rel=1e-9)


def test_the_queries_are_optional():
    data = make_hub_retrieval(60, 30, 40, random_state=0)
    options = {"random_state": 0}
    both = querybank_report(data.bank_queries, data.gallery, data.queries, **options)
    alone = querybank_report(data.bank_queries, data.gallery, **options)
    assert {name: both[name] for name in alone} == alone
    assert both.keys() - alone.keys() == {
        "activated_queries",
        "hub_variation_queries",
        "hub_agreement",
        "similarity_gap",
    }


def test_the_bias_is_that_of_the_normalizer():
    sims = np.random.default_rng(0).random((70, 9))
    bias = InvertedSoftmax(beta=3, metric="precomputed").fit(sims).gallery_bias_
    report = querybank_report(sims, k=2, beta=3, **PRECOMPUTED)
    assert report["bias_spread"] == pytest.approx(bias.std())


def test_the_defaults_are_those_of_the_normalizers():
    bank, gallery = whole((70, 4)), whole((9, 4), 1)
    options = {"k": 2, "random_state": 0}
    report = querybank_report(bank, gallery, **options)
    explicit = {"beta": "scale", "metric": "cosine"}
    assert report == querybank_report(bank, gallery, **options, **explicit)
    fitted = InvertedSoftmax().fit(bank, gallery)
    assert report["bias_spread"] == pytest.approx(fitted.gallery_bias_.std())
    sims = pairwise_similarity(bank, gallery)
    report = querybank_report(sims, **options)
    assert report == querybank_report(sims, **options, **PRECOMPUTED)


def test_the_bias_at_beta_scale_is_that_of_the_normalizer():
    bank, gallery = whole((70, 4)), whole((9, 4), 1)
    fitted = InvertedSoftmax(beta="scale", metric="dot").fit(bank, gallery)
    options = {"k": 2, "metric": "dot", "random_state": 0}
    report = querybank_report(bank, gallery, beta="scale", **options)
    assert report["bias_spread"] == pytest.approx(fitted.gallery_bias_.std())
    assert report == querybank_report(bank, gallery, beta=fitted.beta_, **options)


@pytest.mark.parametrize("beta", [1.0, 30.0])
def test_errors_from_groups_match_a_bootstrap_of_rows(beta):
    random = np.random.default_rng(0)
    sims = random.normal(scale=0.3, size=(400, 60))
    report = querybank_report(
        sims, beta=beta, n_resamples=300, random_state=0, **PRECOMPUTED
    )
    weights = np.exp(beta * (sims - sims.max()))
    drawn = random.multinomial(400, np.full(400, 1 / 400), size=300)
    biases = np.log(drawn @ weights) / beta
    biases -= biases.mean(axis=1, keepdims=True)
    expected = np.sqrt(biases.var(axis=0, ddof=1).mean())
    assert report["bias_standard_error"] == pytest.approx(expected, rel=0.07)
    shares = weights / weights.sum(axis=0)
    delta = np.sqrt(np.mean(np.sum(shares**2, axis=0) - 1 / 400)) / beta
    # If many bank queries determine the bias, the delta method gives the same.
    ratio = delta / expected
    assert ratio == pytest.approx(1, abs=0.05) if beta == 1 else ratio < 0.8


def test_extreme_scales_stay_finite():
    sims = np.random.default_rng(0).random((40, 12)) * 1e4
    report = querybank_report(sims, queries=sims[::-1], k=3, beta=1e3, **PRECOMPUTED)
    report.pop("advice")
    assert np.isfinite(list(report.values())).all()


@pytest.mark.parametrize("shape", [(2, 1), (2, 5)])
def test_a_gallery_of_equal_items_has_no_hubs(shape):
    report = querybank_report(
        np.ones(shape), queries=np.ones(shape), k=1, **PRECOMPUTED
    )
    assert report["bias_spread"] == report["bias_standard_error"] == 0
    assert report["similarity_gap"] == 0
    assert report["hub_agreement"] == (shape[1] > 1)  # the first item takes all


def advised(report):
    """Return the names of the measures that speak against the bank."""
    measures = {name: value for name, value in report.items() if name != "advice"}
    advice = advice_on(measures)
    assert report["advice"] == list(advice.values())
    return advice.keys()


def test_a_good_bank_gets_no_advice():
    data = make_hub_retrieval(300, 100, 80, random_state=0)
    options = {"random_state": 0}
    report = querybank_report(data.bank_queries, data.gallery, data.queries, **options)
    assert advised(report) == set()
    assert report["hub_agreement"] > 0.95


def test_a_bank_of_another_domain_gets_advice():
    random = np.random.default_rng(0)
    bank, queries = random.normal(scale=0.1, size=(2, 50, 40))
    bank[:, :10] += 1
    queries[:, -10:] += 3
    options = {"random_state": 0, **PRECOMPUTED}
    report = querybank_report(bank, queries=queries, **options)
    assert advised(report) == {"hub_agreement", "similarity_gap"}
    assert report["hub_agreement"] == report["activated_queries"] == 0
    assert report["activated_expected"] > 0.9


@pytest.mark.parametrize(
    ("agreement", "expected", "activated", "is_advised", "is_foreign"),
    [
        (0.61, 0.9, 0.1, False, False),
        (0.59, 0.5, 0.5, True, True),
        (0.59, 0.4, 0.1, True, True),
        (0.59, 0.4, 0.3, True, False),
    ],
)
def test_little_agreement_means_a_small_bank_or_another_domain(
    agreement, expected, activated, is_advised, is_foreign
):
    measures = {
        "coverage": 0.9,
        "coverage_limit": 1.0,
        "activated_expected": expected,
        "activated_queries": activated,
        "hub_variation_queries": 1.0,
        "hub_agreement": agreement,
        "similarity_gap": -0.5,
        "bias_spread": 1.0,
        "bias_standard_error": 0.1,
    }
    advice = advice_on(measures)
    assert ("hub_agreement" in advice) == is_advised
    # Advice about the domain states how many queries the bank activates.
    assert (f"{activated:.0%}" in advice.get("hub_agreement", "")) == is_foreign


def test_a_small_bank_gets_advice():
    data = load_emoji_vendor_nohub()
    rows = sample_querybank(data.bank_queries, 30, random_state=0)
    report = querybank_report(
        data.bank_queries[rows], data.gallery, data.queries[:200], random_state=0
    )
    assert advised(report) == {
        "hub_variation_queries",
        "activated_expected",
        "bias_standard_error",
        "hub_agreement",
    }


@pytest.mark.compiled
def test_a_bank_with_strong_hubs_is_not_called_small_for_a_large_gallery():
    data = make_hub_retrieval(200, 100, 8000, hubness=0.25, random_state=0)
    report = querybank_report(data.bank_queries, data.gallery, random_state=0)
    assert report["coverage_limit"] == 0.25
    assert report["activated_expected"] < 0.5  # the threshold of a small bank
    assert advised(report) == set()
    fitted = InvertedSoftmax(beta="scale").fit(data.bank_queries, data.gallery)
    sims = pairwise_similarity(data.queries, data.gallery)
    gain = recall_scorer()(fitted, sims, data.relevant)
    gain -= recall_at_k(data.relevant, sims)
    assert gain > 0.01  # but it helps


def test_a_small_bank_is_compared_with_its_largest_possible_agreement():
    data = load_emoji_vendor_nohub()
    rows = sample_querybank(data.bank_queries, 25, random_state=0)
    report = querybank_report(data.bank_queries[rows], data.gallery, random_state=0)
    limit = 25 * 10 / 1006
    assert report["coverage_limit"] == pytest.approx(limit)
    assert 0.9 * limit < report["coverage"] <= limit
    assert "activated_expected" in advised(report)
    assert any(f"{limit:.0%}" in sentence for sentence in report["advice"])


@pytest.mark.compiled
@pytest.mark.parametrize("metric", ["cosine", "precomputed"])
def test_the_report_is_the_same_on_any_number_of_threads(metric):
    bank, gallery = whole((300, 4)), whole((900, 4), 1)
    given = (bank, gallery) if metric == "cosine" else (bank @ gallery.T,)
    one, two = (
        querybank_report(*given, metric=metric, random_state=0, n_jobs=n_jobs)
        for n_jobs in (1, 2)
    )
    assert one == two


@pytest.mark.parametrize("limit", ["_BATCH_ROWS", "_BATCH_ENTRIES"])
def test_groups_visited_together_give_the_same_report(monkeypatch, limit):
    sims = whole((70, 9))
    options = {"k": 3, "beta": 0.1, "random_state": 0, **PRECOMPUTED}
    report = querybank_report(sims, **options)
    monkeypatch.setattr(_resampling, limit, 40)
    again = querybank_report(sims, **options)
    assert again.pop("advice") == report.pop("advice")
    assert again == pytest.approx(report, rel=1e-12)


def test_a_bias_that_depends_on_one_group_is_computed_without_it():
    sims = np.zeros((40, 3))
    sims[7, 1] = 1e4  # exp overflows relative to it unless it is drawn
    report = querybank_report(sims, k=1, beta=1.0, random_state=5, **PRECOMPUTED)
    random = np.random.RandomState(5)
    order = random.permutation(40)
    sizes = np.array([len(each) for each in np.array_split(order, 32)])
    of_seven = next(g for g, rows in enumerate(np.array_split(order, 32)) if 7 in rows)
    times = random.multinomial(32, np.full(32, 1 / 32), size=100)
    biases = np.zeros((100, 3))
    drawn = times[:, of_seven] > 0
    share = times[drawn, of_seven] / (times[drawn] @ sizes)
    biases[drawn, 1] = 1e4 + np.log(share)
    biases -= biases.mean(axis=1, keepdims=True)
    expected = np.sqrt(biases.var(axis=0, ddof=1).mean())
    assert report["bias_standard_error"] == pytest.approx(expected)


def test_the_report_can_be_a_dataframe():
    pandas = pytest.importorskip("pandas")
    sims = np.random.default_rng(0).random((90, 40))
    options = {"random_state": 0, **PRECOMPUTED}
    report = querybank_report(sims, **options)
    frame = querybank_report(sims, as_frame=True, **options)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["value", "advice"]
    advice = report.pop("advice")
    assert frame["value"].to_dict() == report
    said = frame["advice"][frame["advice"] != ""]
    assert sorted(said) == sorted(advice)
    assert "hub_variation" in said.index


def test_a_dataframe_needs_pandas(monkeypatch):
    without(monkeypatch, "pandas")
    with pytest.raises(ImportError, match="as_frame"):
        querybank_report(np.eye(3), k=1, as_frame=True, **PRECOMPUTED)


def test_the_input_is_not_changed():
    bank, gallery = whole((20, 4)), whole((12, 4), 1)
    kept = bank.copy(), gallery.copy()
    querybank_report(bank, gallery, bank)
    np.testing.assert_array_equal(bank, kept[0])
    np.testing.assert_array_equal(gallery, kept[1])
    for each in (bank, gallery):
        each.setflags(write=False)
    querybank_report(bank, gallery, bank)
    querybank_report(bank, queries=bank, k=2, **PRECOMPUTED)


def test_banks_and_galleries_may_be_on_disk(tmp_path):
    bank, gallery = whole((40, 4)), whole((30, 4), 1)
    on_disk = []
    for name, matrix in (("bank", bank), ("gallery", gallery)):
        np.save(tmp_path / f"{name}.npy", matrix.astype(np.float32))
        on_disk.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    expected = querybank_report(bank, gallery, random_state=0)
    found = querybank_report(*on_disk, random_state=0)
    assert found.pop("advice") == expected.pop("advice")
    assert found == pytest.approx(expected, rel=1e-4)
