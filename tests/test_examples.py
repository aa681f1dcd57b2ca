import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.fixture(autouse=True)
def _draw_on_nothing(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setattr(sys, "argv", ["example.py"])


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.compiled
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path, capsys):
    if "faiss" in path.stem:
        pytest.importorskip("faiss")
    runpy.run_path(str(path))
    assert "R@1" in capsys.readouterr().out


@pytest.mark.compiled
def test_the_figure_is_written_where_asked(tmp_path, monkeypatch):
    figure = tmp_path / "figure.png"
    monkeypatch.setattr(sys, "argv", ["plot_hub_by_name.py", str(figure)])
    path = next(path for path in EXAMPLES if path.stem == "plot_hub_by_name")
    result = runpy.run_path(str(path))
    assert figure.read_bytes().startswith(b"\x89PNG")
    readme = (path.parent.parent / "README.md").read_text(encoding="utf-8")
    before, after = (result[name].max() for name in ("before", "after"))
    asterisk = result["worst"][-1]
    numbers = re.search(r"answers for (\d+) of them, and for (\d+)", readme).groups()
    assert [int(number) for number in numbers] == [before, result["after"][asterisk]]
    assert after < before
