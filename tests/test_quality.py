"""The table of what helps when: what the docs hold is what the script prints."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import quality

pytestmark = pytest.mark.filterwarnings("ignore:Some bias still moved")
ROOT = Path(__file__).parent.parent
DUAL = sorted((ROOT.parent / "shared" / "data").glob("dual_*.npz"))
# R@1 of raw and gains that plain NumPy found, in points.
FOUND = {
    "dual_emoji_name_to_keywords": (50.5, 10.1, 9.8, 8.7, 8.6, 10.0),
    "dual_emoji_names_de_en": (52.8, 3.3, 3.7, 6.3, 2.8, 4.9),
    "dual_emoji_names_hi_en": (52.0, 10.0, 9.2, 13.4, 8.0, 11.4),
    "dual_emoji_twemoji_to_noto": (49.4, 4.0, 3.7, 3.7, 3.0, 8.1),
}


@pytest.mark.compiled
def test_the_docs_hold_what_the_script_prints():
    cases = [case for case in quality.shipped() if case.data == "emoji_vendor_nohub"]
    recalls, skews, _, summary = quality.tables(cases)
    text = (ROOT / "docs" / "quality_results.md").read_text(encoding="utf-8")
    for line in (*recalls, *skews):
        assert f"{line}\n" in text
    assert summary[2].startswith("| IS | 3 |")


@pytest.mark.skipif(not DUAL, reason="the development data are not here")
def test_two_banks_do_what_plain_numpy_found(tmp_path):
    for path in DUAL:
        (tmp_path / path.name).symlink_to(path)
    for case in quality.in_folder(tmp_path):
        found = quality.measure(case)
        raw = found["raw"][0]
        names = ("IS", "DIS", "NNN", "DualIS", "Sinkhorn")
        gains = [raw, *(found[name][0] - raw for name in names)]
        np.testing.assert_allclose(gains, FOUND[case.data], atol=0.21)


def test_a_folder_of_files_is_read_in_every_form(tmp_path):
    random = np.random.default_rng(0)
    bank, gallery, queries = (random.normal(size=(n, 4)) for n in (20, 12, 3))
    embeddings = {"queries": queries, "gallery": gallery, "bank_queries": bank}
    embeddings["bank_queries_far"] = bank + 1
    embeddings["bank_gallery"] = bank[:5]
    forms = {
        "one": {"relevant": np.array([0, 1, 2])},
        "many": {
            "relevant_indptr": np.array([0, 1, 3, 4]),
            "relevant_indices": np.array([0, 1, 2, 3]),
        },
        "labels": {
            "query_labels": np.array([0, 1, 2]),
            "gallery_labels": np.arange(12) % 3,
        },
    }
    for name, relevance in forms.items():
        np.savez(tmp_path / f"{name}.npz", **embeddings, **relevance)
    sims = {"sims": queries @ gallery.T, "bank_sims": bank @ gallery.T}
    np.savez(tmp_path / "sims.npz", **sims, **forms["one"])
    cases = list(quality.in_folder(tmp_path))
    assert [(case.data, case.bank) for case in cases] == [
        (name, bank) for name in ("labels", "many", "one") for bank in ("own", "far")
    ] + [("sims", "own")]
    recalls, _, dual, summary = quality.tables(cases)
    assert len(recalls) == 2 + len(cases)
    assert len(dual) == 2 + 3
    assert "| DualIS | 3 |" in "".join(summary)
