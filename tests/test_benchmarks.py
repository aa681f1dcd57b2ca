"""The benchmark runs, at a size that says nothing about speed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sk_qbnorm.datasets import load_digits_labels, make_hub_retrieval

ROOT = Path(__file__).parent.parent


@pytest.mark.compiled
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_the_benchmark_measures_every_work(tmp_path):
    pytest.importorskip("matplotlib")
    table, curves = tmp_path / "table.md", tmp_path / "curves.png"
    sizes = ["--size", "200", "--rounds", "1", "--gallery", "1000"]
    command = [sys.executable, "-m", "benchmarks", *sizes, "--curve-size", "100"]
    files = ["--markdown", str(table), "--plot", str(curves)]
    subprocess.run([*command, *files], cwd=ROOT, check=True, capture_output=True)
    text = table.read_text(encoding="utf-8")
    for work in ("fit IS", "fit CSLS", "transform", "GC fit", "measures", "import"):
        assert f" | {work}" in text
    assert "Peak memory beyond the inputs by n_bank" in text
    assert curves.read_bytes().startswith(b"\x89PNG")


@pytest.mark.compiled
def test_the_choice_is_measured_on_every_bank_of_a_folder(tmp_path):
    data = make_hub_retrieval(60, 50, 30, n_features=8, random_state=0)
    given = {"queries": data.queries, "gallery": data.gallery}
    banks = {"bank_queries": data.bank_queries, "bank_queries_other": data.gallery}
    np.savez(tmp_path / "one.npz", **given, **banks, relevant=data.relevant)
    sims = {"bank_sims": data.bank_queries @ data.gallery.T}
    sims["sims"] = data.queries @ data.gallery.T
    np.savez(tmp_path / "sims.npz", **sims, relevant=data.relevant)
    several = {"relevant_indptr": np.arange(51), "relevant_indices": data.relevant}
    np.savez(tmp_path / "several.npz", **given, bank_gallery=data.gallery, **several)
    digits = load_digits_labels()
    names = "bank_queries", "queries", "gallery", "query_labels", "gallery_labels"
    np.savez(tmp_path / "labels.npz", **{name: digits[name] for name in names})
    command = [sys.executable, "-m", "benchmarks.choice", str(tmp_path), "--draws", "2"]
    options = {"cwd": ROOT, "check": True, "capture_output": True, "text": True}
    text = subprocess.run(command, **options).stdout
    assert "5 cases" in text
    for case in (
        "one, bank_queries_other:",
        "several, bank_gallery:",
        "sims, bank_sims:",
    ):
        assert case in text
    assert "| half | less 2 s.e. |" in text
