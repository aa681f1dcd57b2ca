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
    pytest.mark.filterwarnings("ignore:The lists have"),
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
    recalls, skews, _, summary, samples, choices = quality.tables(known, n_draws=1)
    text = (ROOT / "docs" / "results" / "quality.md").read_text(encoding="utf-8")
    for line in (*recalls, *skews):
        assert agree_in_part(line, text), line
    assert summary[2].startswith("| IS | 4 |")
    labels = [line.rpartition(" | ")[0].split(" | ")[:3] for line in samples[2:]]
    in_docs = [line.split(" | ")[:3] for line in text.splitlines()]
    assert all(label in in_docs for label in labels)
    assert [line.split(" | ")[1] for line in choices[2:4]] == [*chosen.RULES]


def rows_in_the_docs(heading, n_keys):
    """The numbers in the rows of the table with this heading, by its first cells."""
    text = (ROOT / "docs" / "results" / "quality.md").read_text(encoding="utf-8")
    _, found, table = text.partition(heading)
    assert found
    rows = {}
    for line in table.partition("\n\n")[0].splitlines()[2:]:
        cells = [cell.strip(" %") for cell in line.strip("|").split("|")]
        key = cells[0] if n_keys == 1 else tuple(cells[:n_keys])
        rows[key] = [float(cell) for cell in cells[n_keys:]]
    return rows


def samples_in_the_docs():
    """Mean gain, number of losses, worst mean and worst draw, by bank and row."""
    rows = rows_in_the_docs("| bank | correction | sample |", 3)
    return {key: numbers[1:] for key, numbers in rows.items()}


BANKS = ("own", "50 of it", "one topic", "foreign or noise")


def test_careful_is_hurt_less_often_and_defaults_beat_published_numbers():
    summary = rows_in_the_docs("| | cases | mean gain |", 1)
    mean = {name: numbers[1] for name, numbers in summary.items()}
    hurt = {name: numbers[2] for name, numbers in summary.items()}
    assert hurt["Careful"] < min(hurt["IS"], hurt["Sinkhorn"])
    for name, published in (("IS", 20), ("DIS", 20), ("Sinkhorn", 50)):
        assert mean[name] > mean[f"{name}, beta={published}"]


def test_the_mix_gains_more_than_a_bank_alone():
    found = samples_in_the_docs()
    for bank in BANKS:
        mean = {key[1:]: values[0] for key, values in found.items() if key[0] == bank}
        alone = [gain for (_, size), gain in mean.items() if size == "none"]
        assert mean["Mix", "100"] > max(alone)
        assert mean["Mix", "100"] > mean["Agreement alone", "100"]
        assert mean["Mix", "25"] < mean["Mix", "50"] < mean["Mix", "100"]
    foreign = {key[1]: values[0] for key, values in found.items() if key[0] == BANKS[3]}
    assert foreign["Sinkhorn"] < 0
    assert foreign["Agreement alone"] == 0


def test_a_bad_bank_adds_nothing_to_a_sample_and_a_good_bank_adds_something():
    found = samples_in_the_docs()
    more = {
        bank: found[bank, "Mix", "100"][0] - found[bank, "No bank", "100"][0]
        for bank in BANKS
    }
    assert 0.5 < more["own"] < 1.5
    assert max(more["50 of it"], more["one topic"], more["foreign or noise"]) < 0.1


def test_the_harm_of_the_mix_is_as_the_findings_say():
    found = samples_in_the_docs()
    mixes, few, alone = (
        np.array([found[bank, name, size] for bank in BANKS])
        for name, size in (("Mix", "100"), ("Mix", "25"), ("Agreement alone", "100"))
    )
    assert mixes[:, 1].max() == 1
    assert mixes[:, 2].min() == -1.5
    assert mixes[:, 3].min() == -2.2
    assert few[:, 1].max() == 2
    assert few[:, 3].min() == -4.2
    assert alone[:, 1].max() == 0


def test_most_of_the_gain_of_the_mix_remains_in_the_control():
    found = samples_in_the_docs()
    for bank in BANKS:
        gain, blanked, sinkhorn = (
            found[bank, name, size][0]
            for name, size in (
                ("Mix", "100"),
                ("Mix, blanked", "100"),
                ("Sinkhorn", "none"),
            )
        )
        assert blanked > 0.75 * gain
        assert gain - blanked < (0.2 if bank == "own" else 1.2)
        assert blanked > sinkhorn - 0.1


def test_result_lists_suffice_and_harm_if_they_are_foreign():
    found = samples_in_the_docs()
    good = [found["own", name, "none"][0] for name in ("Lists of 20", "Sinkhorn")]
    assert 0 < good[1] - good[0] < 1
    small = found["50 of it", "Lists of 50", "none"]
    assert small[0] > found["50 of it", "Sinkhorn", "none"][0]
    assert small[1] == small[2] == 0
    foreign = "foreign or noise"
    for n in (10, 20, 50, 100):
        assert found[foreign, f"Lists of {n}", "none"][0] < 0
    assert found[foreign, "Mix of lists of 20", "100"][0] > 5


def test_a_search_from_the_mix_gains_more_and_is_hurt_more_often():
    rows = rows_in_the_docs("| labels | search |", 2)
    for amount in ("half", "100", "50"):
        mix, raw = rows[amount, "from the mix"], rows[amount, "from raw, 2 s.e."]
        assert mix[0] > raw[0] + 2
        assert mix[1] > raw[1]
        assert mix[5] < raw[5]
    mix, raw = rows["50", "from the mix"], rows["50", "from raw, 2 s.e."]
    assert (mix[1], raw[1], mix[5]) == (8, 2, 4)
    assert mix[3:5] == [-0.6, -2.2]
    assert mix[3] > raw[3]
    assert mix[4] > raw[4]


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


@pytest.mark.compiled
def test_a_folder_of_files_is_read_in_every_form(tmp_path):
    random = np.random.default_rng(0)
    bank, gallery, queries = (random.normal(size=(n, 4)) for n in (20, 12, 12))
    embeddings = {"queries": queries, "gallery": gallery, "bank_queries": bank}
    embeddings["bank_queries_far"] = bank + 1
    embeddings["bank_gallery"] = bank[:5]
    forms = {
        "one": {"relevant": np.arange(12)},
        "many": {
            "relevant_indptr": np.r_[0, 1, np.arange(3, 14)],
            "relevant_indices": np.arange(13) % 12,
        },
        "labels": {
            "query_labels": np.arange(12) % 3,
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
        for bank in ("items", "own", "50 of it", "far")
    ] + [("sims", "own"), ("sims", "50 of it")]
    found = [case for case in found if case.data == "one"]
    recalls, _, dual, summary, samples, choices = quality.tables(found, n_draws=1)
    assert len(recalls) == 2 + len(found)
    assert {line.split(" | ")[0] for line in samples[2:]} == {
        "| own",
        "| 50 of it",
        "| foreign or noise",
    }
    assert len(choices) == 2 + 6
    assert len(dual) == 2 + 1
    assert "| DualIS | 1 |" in "".join(summary)


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
