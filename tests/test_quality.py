"""The quality tables in the docs agree with the output of the script."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import cases, chosen, quality
from sk_qbnorm import DualInvertedSoftmax
from sk_qbnorm.metrics import recall_at_k

from .pages import agree_in_part

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sinkhorn did not converge"),
    pytest.mark.filterwarnings("ignore:n_neighbors="),
]
ROOT = Path(__file__).parent.parent
DUAL = sorted((ROOT.parent / "shared" / "data").glob("dual_*.npz"))
# R@1 of raw and gains in points, computed with plain NumPy.
FOUND = {
    "dual_emoji_name_to_keywords": (50.5, 10.1, 9.8, 8.7, 8.6, 10.0),
    "dual_emoji_names_de_en": (52.8, 3.3, 3.7, 6.3, 2.8, 4.9),
    "dual_emoji_names_hi_en": (52.0, 10.0, 9.2, 13.4, 8.0, 11.4),
    "dual_emoji_twemoji_to_noto": (49.4, 4.0, 3.7, 3.7, 3.0, 8.1),
}


@pytest.mark.compiled
def test_the_tables_in_the_docs_agree_with_the_script():
    known = [case for case in cases.shipped() if case.data == "emoji_vendor_nohub"]
    recalls, skews, _, summary, choices = quality.tables(known, n_draws=1)
    text = (ROOT / "docs" / "results" / "quality.md").read_text(encoding="utf-8")
    for line in (*recalls, *skews):
        assert agree_in_part(line, text), line
    assert summary[2].startswith("| IS | 3 |")
    assert [line.split(" | ")[1] for line in choices[2:5]] == [*chosen.RULES]


def test_the_tables_support_the_guide_to_choosing():
    text = (ROOT / "docs" / "results" / "quality.md").read_text(encoding="utf-8")
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 2:
            rows[cells[0], cells[1]] = cells[2:]
    summary = {
        name: (
            float(cells[0]),
            int(cells[2]),
        )  # mean gain, number of losses
        for (name, n), cells in rows.items()
        if n == "25"
    }
    by_labels = [rows[amount, "less 2 s.e."] for amount in ("50", "100", "half")]
    assert [cells[2] for cells in by_labels] == ["0", "0", "0"]
    assert min(float(cells[0]) for cells in by_labels) > 4
    gain, hurt = summary["Agree"]
    assert hurt == 0
    assert gain == max(gain for gain, _ in summary.values())
    assert summary["Careful"][1] < min(summary[name][1] for name in ("IS", "Sinkhorn"))
    for name, published in (("IS", 20), ("DIS", 20), ("Sinkhorn", 50)):
        assert summary[name][0] > summary[f"{name}, beta={published}"][0]


def gains_in_the_docs(heading):
    """The gains in the table with this heading, per data set and bank."""
    text = (ROOT / "docs" / "results" / "quality.md").read_text(encoding="utf-8")
    _, _, table = text.partition(f"| data | bank | raw | {heading}")
    names = f"{heading}{table.partition(chr(10))[0]}".strip("| ").split(" | ")
    found = {}
    for line in table.splitlines()[2:]:
        if not line.startswith("|"):
            return found
        data, bank, _, *gains = (cell.strip() for cell in line.strip("|").split("|"))
        found[data, bank] = dict(zip(names, map(float, gains), strict=True))
    raise AssertionError("the table does not end")


HUBS = [
    "emoji_name_to_keywords",
    "emoji_names_hi_en",
    "emoji_names_ja_en",
    "emoji_noto_to_twemoji",
    "synthetic, hubs",
]


def test_every_normalizer_gains_with_hubs_and_a_bank_of_the_same_kind():
    gains = gains_in_the_docs("IS")
    assert min(gain for data in HUBS for gain in gains[data, "own"].values()) > 0


def test_the_agreement_never_harms_and_has_the_largest_mean_gain():
    gains = gains_in_the_docs("IS").values()
    means = {name: np.mean([row[name] for row in gains]) for name in next(iter(gains))}
    assert max(means, key=means.get) == "Agree"
    assert min(row["Agree"] for row in gains) > -0.5


def test_the_whole_bank_of_one_topic_does_the_most_harm():
    gains = gains_in_the_docs("IS").values()
    worst = {name: min(row[name] for row in gains) for name in next(iter(gains))}
    assert {*sorted(worst, key=worst.get)[:2]} == {"IS", "Sinkhorn"}
    assert min(worst["DIS"], worst["D-NNN"]) > worst["NNN"]


def test_a_gallery_bank_lowers_the_gain_on_synthetic_hubs():
    one, two = gains_in_the_docs("IS"), gains_in_the_docs("DualIS")
    case = "synthetic, hubs", "own"
    assert two[case]["DualIS"] < one[case]["IS"]


@pytest.mark.compiled
@pytest.mark.skipif(not DUAL, reason="the development data are not available")
def test_two_banks_match_plain_numpy(tmp_path):
    for path in DUAL:
        (tmp_path / path.name).symlink_to(path)
    for case in cases.in_folder(tmp_path):
        if case.bank != "own":
            continue
        found = quality.measure(case)
        raw = found["raw"][0]
        names = ("IS, beta=20", "DIS, beta=20", "NNN", "Sinkhorn, beta=50")
        gains = [raw, *(found[name][0] - raw for name in names)]
        expected = np.delete(FOUND[case.data], 4)
        np.testing.assert_allclose(gains, expected, atol=0.21)
        dual = DualInvertedSoftmax(beta_query=20, beta_gallery=5)
        dual.fit(case.bank_sims, gallerybank=case.bank_items)
        scores = dual.transform(case.sims)
        gain = 100 * recall_at_k(scores=scores, k=1, **case.relevance) - raw
        np.testing.assert_allclose(gain, FOUND[case.data][4], atol=0.21)


def test_a_folder_of_files_is_read_in_every_form(tmp_path):
    random = np.random.default_rng(0)
    bank, gallery, queries = (random.normal(size=(n, 4)) for n in (20, 12, 6))
    embeddings = {"queries": queries, "gallery": gallery, "bank_queries": bank}
    embeddings["bank_queries_far"] = bank + 1
    embeddings["bank_gallery"] = bank[:5]
    forms = {
        "one": {"relevant": np.arange(6)},
        "many": {
            "relevant_indptr": np.array([0, 1, 3, 4, 5, 6, 7]),
            "relevant_indices": np.arange(7),
        },
        "labels": {
            "query_labels": np.arange(6) % 3,
            "gallery_labels": np.arange(12) % 3,
        },
    }
    for name, relevance in forms.items():
        np.savez(tmp_path / f"{name}.npz", **embeddings, **relevance)
    sims = {"sims": queries @ gallery.T, "bank_sims": bank @ gallery.T}
    np.savez(tmp_path / "sims.npz", **sims, **forms["one"])
    found = list(cases.in_folder(tmp_path))
    assert [(case.data, case.bank) for case in found] == [
        (name, bank)
        for name in ("labels", "many", "one")
        for bank in ("items", "own", "far")
    ] + [("sims", "own")]
    recalls, _, dual, summary, choices = quality.tables(found, n_draws=2)
    assert len(recalls) == 2 + len(found)
    assert len(choices) == 2 + 9
    assert len(dual) == 2 + 3
    assert "| DualIS | 3 |" in "".join(summary)


def test_a_folder_without_files_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "misspelt"):
        with pytest.raises(SystemExit, match=f"no .npz files in {folder}; pass"):
            list(cases.in_folder(folder))


def test_losses_are_rounded_before_they_are_counted():
    lost = np.nextafter([-0.2, -0.5], -1)
    for gain, hurt in zip(lost, ("0 | 0", "1 | 0"), strict=True):
        assert f"| {hurt} |" in quality._summary({"IS": [gain]})[-1]
        draws = {
            (amount, rule): [(gain, 0)]
            for amount in chosen.AMOUNTS
            for rule in chosen.RULES
        }
        assert f"| {hurt} |" in chosen.table_of_choices([draws])[-1]
