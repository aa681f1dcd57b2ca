"""The benchmark runs, at a size too small to measure speed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.compiled
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_the_benchmark_measures_every_workload(tmp_path):
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
