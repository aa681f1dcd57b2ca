"""report: from matrices to a recommendation and to files."""

import csv
import json
import re
import subprocess
import sys
from copy import copy
from html.parser import HTMLParser
from io import StringIO

import numpy as np
import pytest
from sklearn.utils import Bunch

import sk_qbnorm
from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    InvertedSoftmax,
    MixNormalizer,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import (
    load_digits_labels,
    load_emoji_vendor_nohub,
    make_hub_retrieval,
)
from sk_qbnorm.metrics import hub_suspects, hubness_report, recall_at_k
from sk_qbnorm.model_selection import compare

DATA = make_hub_retrieval(120, 100, 40, hubness=0.6, random_state=0)
BANK = pairwise_similarity(DATA.bank_queries, DATA.gallery)
SIMS = pairwise_similarity(DATA.queries, DATA.gallery)
FEW = [InvertedSoftmax(), CSLS()]  # what most tests compare
pytestmark = [
    pytest.mark.compiled,
    pytest.mark.filterwarnings("ignore:n_neighbors="),
]


@pytest.fixture(scope="module")
def labeled():
    return sk_qbnorm.report(
        BANK, SIMS, relevant=DATA.relevant, title="Clips & <captions>"
    )


@pytest.fixture(scope="module")
def unlabeled():
    return sk_qbnorm.report(BANK, SIMS, normalizers=FEW)


def test_every_normalizer_is_measured_as_compare_does(labeled):
    rows = labeled.tables["comparison"]
    assert list(rows) == [
        "raw",
        "InvertedSoftmax",
        "DynamicInvertedSoftmax",
        "CSLS",
        "GloballyCorrected",
        "NearestNeighborNormalizer",
        "SinkhornNormalizer",
        "SinkhornNormalizer(alpha=0.5)",
        "MixNormalizer",
        "NormalizerSearch",
    ]
    table = compare(FEW, BANK, SIMS, DATA.relevant, as_frame=False)
    assert {name: rows[name] for name in table} == table


def test_beta_is_used_by_the_default_normalizers_that_have_one(labeled):
    report = sk_qbnorm.report(BANK, SIMS, relevant=DATA.relevant, beta=20)
    named = {
        "InvertedSoftmax": InvertedSoftmax(beta=20),
        "DynamicInvertedSoftmax": DynamicInvertedSoftmax(beta=20),
        "SinkhornNormalizer": SinkhornNormalizer(beta=20),
        "SinkhornNormalizer(alpha=0.5)": SinkhornNormalizer(alpha=0.5, beta=20),
    }
    table = compare(named, BANK, SIMS, DATA.relevant, as_frame=False)
    assert report.tables["comparison"] == labeled.tables["comparison"] | table
    assert any("beta=20;" in note for note in report.notes)
    alone = sk_qbnorm.report(BANK, beta=20)
    assert alone.choice == "SinkhornNormalizer(alpha=0.5, beta=20)"


def test_with_labels_a_search_chooses_and_the_settings_can_be_copied(labeled):
    assert labeled.choice != "raw"
    assert "100 labeled queries" in labeled.reason
    names = {"bank": BANK, "sims": SIMS, "queries": SIMS}
    exec(labeled.settings, names)
    assert names["scores"].shape == SIMS.shape
    recall = recall_at_k(DATA.relevant, names["scores"])
    assert recall > recall_at_k(DATA.relevant, SIMS)


def test_without_labels_the_queries_are_a_sample(unlabeled):
    assert unlabeled.choice == "MixNormalizer()"
    assert list(unlabeled.tables["comparison"]["raw"]) == [
        "hubness_skewness",
        "max_k_occurrence",
    ]
    names = {"bank": BANK, "sims": SIMS}
    exec(unlabeled.settings, names)
    expected = MixNormalizer(SIMS).fit(BANK).transform(SIMS)
    np.testing.assert_array_equal(names["scores"], expected)


@pytest.mark.parametrize("metric", [None, "dot"])
def test_without_queries_the_careful_default_is_chosen(metric):
    bank = DATA.bank_queries
    report = sk_qbnorm.report(
        bank, gallery=DATA.gallery, metric=metric, normalizers={"IS": FEW[0]}
    )
    assert report.choice == "SinkhornNormalizer(alpha=0.5)"
    assert list(report.tables["comparison"]) == ["raw", "IS", report.choice]
    assert report.sizes == {"n_queries": 0, "n_gallery": 40, "n_bank": 120}
    names = {"bank": bank, "gallery": DATA.gallery, "queries": DATA.queries}
    exec(report.settings, names)
    assert names["scores"].shape == SIMS.shape
    assert report.render("html")


def test_a_small_bank_is_shrunk_and_few_queries_are_no_sample():
    random = np.random.default_rng(0)
    hubs = random.exponential(0.5, size=40)
    bank = hubs + random.normal(scale=0.2, size=(60, 40))
    for queries in (None, hubs + random.normal(scale=0.2, size=(20, 40))):
        report = sk_qbnorm.report(bank, queries, normalizers=FEW)
        assert report.choice == "SinkhornNormalizer(alpha=0.5, shrinkage='noise')"
        names = {"bank": bank, "sims": bank}
        exec(report.settings, names)
        assert names["scores"].shape == bank.shape


def test_the_hubness_of_the_bank_is_measured_on_other_bank_queries():
    report = sk_qbnorm.report(BANK, normalizers=FEW)
    seen = InvertedSoftmax().fit(BANK).transform(BANK)
    before = hubness_report(BANK)["hubness_skewness"]["before"]
    row = report.tables["comparison"]["InvertedSoftmax"]
    assert report.tables["comparison"]["raw"]["hubness_skewness"] == before
    assert row["hubness_skewness"] < before
    assert row["hubness_skewness"] != hubness_report(seen)["hubness_skewness"]["before"]


def few_hubs():
    data = load_emoji_vendor_nohub()
    return Bunch(
        bank=data.bank_queries[:300],
        gallery=data.gallery[:400],
        queries=data.queries[:200],
        relevant=data.relevant[:200],
    )


@pytest.mark.parametrize("known", ["labels", "sample", "neither"])
def test_without_hubs_the_advice_is_to_leave_the_scores_alone(known):
    data = few_hubs()
    given = {} if known == "neither" else {"queries": data.queries}
    if known == "labels":
        given["relevant"] = data.relevant
    report = sk_qbnorm.report(data.bank, gallery=data.gallery, normalizers=FEW, **given)
    assert report.choice == "raw"
    assert "close to chance" in report.reason
    names = {"sims": SIMS}
    exec(report.settings, names)
    assert names["scores"] is SIMS
    assert "Leave the scores alone" in report.render("html")


def test_raw_similarities_stay_where_hubs_are_right_answers():
    data = load_digits_labels()
    random = np.random.default_rng(0)
    labels = np.where(random.random(500) < 0.9, 0, data.query_labels)
    popular = np.flatnonzero(labels == data.query_labels)
    skewed = random.choice(popular, 200)
    report = sk_qbnorm.report(
        data.bank_queries[data.bank_labels > 4],
        data.queries[skewed],
        data.gallery,
        relevant=data.query_labels[skewed],
        gallery_labels=data.gallery_labels,
        normalizers=FEW,
    )
    assert report.choice == "raw"


def test_a_gain_that_may_be_noise_is_called_so():
    random = np.random.default_rng(0)
    hubs = random.exponential(0.5, size=40)
    bank = hubs + random.normal(scale=0.2, size=(100, 40))
    sims = hubs + random.normal(scale=0.2, size=(12, 40))
    report = sk_qbnorm.report(bank, sims, relevant=np.arange(12), normalizers=FEW)
    assert "the interval contains 0" in report.reason


def test_captions_of_a_video_are_flattened_and_padding_is_left_out():
    random = np.random.default_rng(0)
    sims = random.normal(size=(20, 3, 20)) + 2 * np.eye(20)[:, None]
    sims[::2, 2] = -np.inf
    report = sk_qbnorm.report(BANK[:, :20], sims, normalizers=FEW)
    assert report.sizes["n_queries"] == 50
    assert any("10 rows" in note for note in report.notes)
    flat = sims.reshape(60, 20)
    kept = np.isfinite(flat).all(axis=1)
    videos = np.repeat(np.arange(20), 3)
    table = compare(
        FEW,
        BANK[:, :20],
        flat[kept],
        videos[kept],
        groups=videos[kept],
        as_frame=False,
    )
    rows = report.tables["comparison"]
    assert {name: rows[name] for name in table} == table


def test_masked_queries_are_left_out():
    mask = np.arange(100) < 60
    options = {"relevant": DATA.relevant, "normalizers": FEW}
    masked = sk_qbnorm.report(BANK, SIMS, query_mask=mask, **options)
    rest = sk_qbnorm.report(
        BANK, SIMS[:60], relevant=DATA.relevant[:60], normalizers=FEW
    )
    assert masked.tables["comparison"] == rest.tables["comparison"]


def test_small_groups_do_not_leave_a_half_empty():
    groups = np.zeros(100, dtype=int)
    report = sk_qbnorm.report(BANK, SIMS, groups=groups, normalizers=FEW)
    assert report.choice == "MixNormalizer()"


def test_large_samples_are_limited():
    sims = np.tile(SIMS, (21, 1))
    report = sk_qbnorm.report(
        BANK, sims, relevant=np.tile(DATA.relevant, 21), normalizers=FEW
    )
    assert "1000 labeled queries" in report.reason


def test_names_come_from_the_columns_or_the_index():
    pandas = pytest.importorskip("pandas")
    names = [f"clip {item}" for item in range(40)]
    frame = pandas.DataFrame(SIMS, columns=names)
    report = sk_qbnorm.report(
        BANK, frame, relevant=[names[item] for item in DATA.relevant], normalizers=FEW
    )
    hubs = report.hubs
    assert [*hubs["name"]] == [names[item] for item in hubs["item"]]
    gallery = pandas.DataFrame(DATA.gallery, index=names)
    report = sk_qbnorm.report(DATA.bank_queries, gallery=gallery, normalizers=FEW)
    assert report.tables["hubs"][0]["name"] in names


def test_the_tables_are_frames(labeled):
    pytest.importorskip("pandas")
    assert labeled.comparison.loc["raw", "recall@1_gain"] == 0
    assert [*labeled.hubness.columns] == ["before", "after", "no_hubs"]
    assert labeled.bank.loc["hub_agreement", "value"] > 0.5
    assert len(labeled.hubs) == 15


@pytest.mark.parametrize(
    "bank", [BANK.T, BANK[:40].T], ids=["other orientation", "square"]
)
def test_a_bank_in_the_other_orientation_is_recognized_or_refused(bank):
    if bank.shape == (40, 40):
        with pytest.raises(ValueError, match=r"bank queries or the gallery items"):
            sk_qbnorm.report(bank, SIMS, normalizers=FEW)
        turned = sk_qbnorm.report(bank, SIMS, normalizers=FEW, bank_rows="items")
        expected = sk_qbnorm.report(bank.T, SIMS, normalizers=FEW, bank_rows="queries")
    else:
        turned = sk_qbnorm.report(bank, SIMS, normalizers=FEW)
        expected = sk_qbnorm.report(bank.T, SIMS, normalizers=FEW)
        assert any("transposed" in note for note in turned.notes)
    assert turned.tables == expected.tables


def test_a_bank_alone_is_oriented_by_the_names_or_by_the_caller():
    plain = sk_qbnorm.report(BANK, normalizers=FEW)
    assert any("120 rows are taken as bank queries" in note for note in plain.notes)
    turned = sk_qbnorm.report(BANK.T, bank_rows="items", normalizers=FEW)
    assert any("transposed" in note for note in turned.notes)
    names = [f"clip {item}" for item in range(40)]
    named = sk_qbnorm.report(BANK.T, gallery_ids=names, normalizers=FEW)
    for report in (turned, named):
        assert report.sizes == plain.sizes
        assert report.tables["comparison"] == plain.tables["comparison"]
    said = sk_qbnorm.report(BANK, bank_rows="queries", normalizers=FEW)
    assert not any("rows" in note for note in said.notes)
    with pytest.raises(ValueError, match=r"\(120, 40\).*gallery_ids has 30 names"):
        sk_qbnorm.report(BANK, gallery_ids=names[:30], normalizers=FEW)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((BANK[:, :30], SIMS), r"\(120, 30\).*\(100, 40\)"),
        ((BANK, SIMS[:7]), "at least 8 rows"),
        ((BANK[:7],), "at least 8 rows"),
        ((BANK, SIMS.reshape(10, 10, 40)), r"\(10, 10, 40\)"),
        ((BANK, np.where(np.eye(100, 40), np.nan, SIMS)), "NaN"),
    ],
)
def test_input_that_does_not_match_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        sk_qbnorm.report(*given, normalizers=FEW)


@pytest.mark.parametrize(
    "options",
    [
        {"relevant": DATA.relevant, "queries": None},
        {"bank_rows": "columns"},
        {"bank_rows": "items"},
        {"bank_rows": "queries", "querybank": BANK.T},
        {"ks": ()},
        {"normalizers": CSLS()},
        {"beta": 20},
        {"beta": 0, "normalizers": None},
    ],
)
def test_invalid_options_are_refused(options):
    given = {"querybank": BANK, "queries": SIMS, "normalizers": FEW}
    with pytest.raises(ValueError, match="got|needs|leave it out"):
        sk_qbnorm.report(**(given | options))


def test_warnings_become_notes():
    small = sk_qbnorm.report(BANK[:8], SIMS, normalizers=[CSLS()])
    assert any("n_neighbors" in note for note in small.notes)
    assert "n_neighbors" in small.render("markdown")
    assert "n_neighbors" in small.render("html")


def test_progress_goes_to_standard_error(capsys):
    sk_qbnorm.report(BANK, SIMS, normalizers=FEW, verbose=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "1/5 InvertedSoftmax" in printed.err


class Page(HTMLParser):
    """Collect what a page loads, and whether its elements are closed."""

    def __init__(self):
        super().__init__()
        self.loaded, self.open, self.ids = [], [], []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.loaded += [given[name] for name in ("src", "href") if name in given]
        self.loaded += [x for x in [given.get("xlink:href")] if x and x[0] != "#"]
        self.ids += [given["id"]] if tag == "clippath" else []
        if tag not in {"meta", "wbr"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_loads_nothing_and_is_well_formed(labeled):
    page = Page()
    text = labeled.render("html")
    page.feed(text)
    assert page.open == []
    assert page.loaded == []
    assert "@import" not in text
    assert "url(http" not in text
    assert "Clips &amp; &lt;captions&gt;" in text
    assert "<captions>" not in text
    assert "Normalizer<wbr>Search</th>" in text
    assert "MdR</th>" in text


def test_plots_are_drawn_inside_the_page(labeled):
    pytest.importorskip("matplotlib")
    page = Page()
    text = labeled.render("html")
    page.feed(text)
    assert text.count("<svg") == 2
    assert len(set(page.ids)) == len(page.ids)
    assert text == labeled.render("html")


def test_without_matplotlib_the_page_has_tables_only(labeled, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    text = labeled.render("html")
    assert "<svg" not in text
    assert text.count("<table") == 4


def test_markdown_and_latex_hold_the_numbers_of_the_table(labeled):
    raw = labeled.tables["comparison"]["raw"]
    cells = [f"{100 * raw[f'recall@{k}']:.1f}" for k in (1, 5, 10)]
    assert f"| raw | {' | '.join(cells)} |" in labeled.render("markdown")
    latex = labeled.render("latex")
    assert f"raw & {' & '.join(cells)} & {raw['median_rank']:.1f} &" in latex
    assert latex.count(r"\\") == 11


def test_csv_and_json_hold_all_digits(labeled, unlabeled):
    rows = [*csv.DictReader(StringIO(labeled.render("csv")))]
    table = labeled.tables["comparison"]
    assert [row["normalizer"] for row in rows] == [*table]
    assert float(rows[1]["recall@1"]) == table["InvertedSoftmax"]["recall@1"]
    (content,) = json.loads(labeled.render("json"))
    assert content["comparison"] == table
    assert content["choice"] == labeled.choice
    assert r"\hline" in unlabeled.render("latex")
    assert json.loads(unlabeled.render("json"))[0]["hubs"]


def test_names_of_any_kind_can_be_written():
    names = np.array([*(np.arange(40) + 1000)], dtype=object)
    report = sk_qbnorm.report(BANK, SIMS, gallery_ids=names, normalizers=FEW)
    (content,) = json.loads(report.render("json"))
    assert content["hubs"][0]["name"] >= 1000
    pipes = np.array([f"a|b {item}" for item in range(40)])
    report = sk_qbnorm.report(BANK, SIMS, gallery_ids=pipes, normalizers=FEW)
    assert r"a\|b" in report.render("markdown")


def test_an_unknown_format_is_refused(labeled):
    with pytest.raises(ValueError, match=r"format.*'pdf'"):
        labeled.render("pdf")


def test_a_report_is_written_completely_or_not_at_all(labeled, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    labeled.save(path)
    assert path.read_text(encoding="utf-8") == labeled.render("html")

    def interrupt(*files):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        labeled.save(path, "json")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [*tmp_path.iterdir()] == [path]


def test_the_settings_of_a_search_name_its_parameters():
    report = sk_qbnorm.report(
        DATA.bank_queries,
        DATA.queries,
        DATA.gallery,
        relevant=DATA.relevant,
        normalizers=FEW,
    )
    assert re.match(r"\w+\((\w+=[^,]+(, )?)*\)$", report.choice)
    names = {"bank": DATA.bank_queries, "queries": DATA.queries}
    exec(report.settings, names | {"gallery": DATA.gallery})


def test_suspects_among_the_hubs_have_a_p_value(labeled):
    suspects = hub_suspects(SIMS, k=10)
    known = [hub["suspect_p_value"] for hub in labeled.tables["hubs"].values()]
    assert 0 < sum(p is not None for p in known) < 15
    for hub in labeled.tables["hubs"].values():
        suspect = suspects.get(hub["item"], {"adjusted_p_value": None})
        assert hub["suspect_p_value"] == suspect["adjusted_p_value"]
    assert "suspect" in labeled.render("markdown")
    text = with_p_values(labeled, 1e-9, 0.02).render("markdown")
    assert re.search(r"\| < 0\.001 \|\n.*\| 0\.020 \|\n", text)


def with_p_values(report, *values):
    twin = copy(report)
    hubs = [dict(hub) for hub in report.tables["hubs"].values()]
    for hub, value in zip(hubs, values, strict=False):
        hub["suspect_p_value"] = value
    twin.tables = {**report.tables, "hubs": dict(enumerate(hubs))}
    return twin


def test_the_report_is_loaded_when_it_is_used():
    code = "import sys, sk_qbnorm; print('sk_qbnorm.reporting' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False"
    assert callable(sk_qbnorm.report)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sk_qbnorm.nothing
