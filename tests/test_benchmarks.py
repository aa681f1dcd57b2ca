"""The benchmark runs, at a size too small to measure speed."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import engines

ROOT = Path(__file__).parent.parent


reads_proc = pytest.mark.skipif(
    sys.platform != "linux", reason="peak memory is read from /proc"
)


@pytest.mark.compiled
@reads_proc
def test_the_benchmark_measures_every_workload(tmp_path):
    pytest.importorskip("matplotlib")
    table, curves = tmp_path / "table.md", tmp_path / "curves.png"
    sizes = ["--size", "200", "--rounds", "1", "--gallery", "1000"]
    command = [sys.executable, "-m", "benchmarks", *sizes, "--curve-size", "100"]
    files = ["--markdown", str(table), "--plot", str(curves)]
    subprocess.run([*command, *files], cwd=ROOT, check=True, capture_output=True)
    text = table.read_text(encoding="utf-8")
    for work in (
        "fit IS",
        "fit IS with beta",
        "fit CSLS",
        "transform",
        "GC fit",
        "measures",
        "import",
    ):
        assert f" | {work}" in text
    assert "Peak memory beyond the inputs by n_bank" in text
    assert curves.read_bytes().startswith(b"\x89PNG")


@pytest.mark.compiled
@reads_proc
def test_fits_from_lists_are_compared_with_exact_fits(tmp_path):
    pytest.importorskip("faiss")
    table = tmp_path / "table.md"
    sizes = ["--bank", "300", "--gallery", "3000", "--queries", "200", "--width", "16"]
    command = [sys.executable, "-m", "benchmarks.lists", *sizes]
    files = ["--markdown", str(table)]
    subprocess.run([*command, *files], cwd=ROOT, check=True, capture_output=True)
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines[4:]]
    assert [row[0] for row in rows] == [
        *["ListSinkhornNormalizer"] * 3,
        "InvertedSoftmax",
        "SinkhornNormalizer",
    ]
    *_, (_, _, seconds, one, _, gain, whole) = rows
    assert (float(one), whole) == (1, "100%")
    for _, _, each, ratio, memory, points, part in rows:
        assert float(ratio) == pytest.approx(float(seconds) / float(each), abs=0.1)
        assert float(memory) >= 0
        assert float(points) / float(gain) == pytest.approx(
            float(part.rstrip("%")) / 100, abs=0.05
        )


@pytest.mark.compiled
def test_the_table_of_engines_names_what_is_not_installed(tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setitem(engines.ENGINES, "Other", ("nobody_has_this_engine", None))
    file = tmp_path / "engines.md"
    chosen = ["FAISS Flat", "FAISS HNSW16", "FAISS SQ8", "Other"]
    engines.main(["--items", "300", "--markdown", str(file), "--engines", *chosen])
    text = file.read_text(encoding="utf-8")
    assert "Not installed: Other." in text
    rows = [line.split("|")[2:-1] for line in text.splitlines() if "| FAISS" in line]
    assert len(rows) == 12
    for name, *cells in rows:
        recalls = [float(cell) for cell in cells]
        assert all(0 <= recall <= 1 for recall in recalls)
        if "Flat" in name:
            assert recalls[1:3] == [1, 1]  # exact
