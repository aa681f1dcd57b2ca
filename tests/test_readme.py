"""Every block of the README runs, and every number in it is printed by the package."""

import re
import shlex
from pathlib import Path

import pytest

from sk_qbnorm.__main__ import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)

# What sets up a machine is run as it stands, but by .ci/run and not by a test.
SET_UP = {
    "pip install . && python -m sk_qbnorm demo",
    "pip install tox && tox -e py",
}


def blocks(language):
    return [text for name, text in BLOCKS if name == language]


@pytest.mark.compiled
def test_blocks_run_in_the_order_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, "README.md", "exec"), names)
        elif language == "sh":
            for line in text.splitlines():
                if line not in SET_UP:
                    program, *arguments = shlex.split(line)
                    assert (program, *arguments[:2]) == ("python", "-m", "sk_qbnorm")
                    assert main(arguments[2:]) == 0
    printed = capsys.readouterr().out
    assert "recall@1" in printed
    assert "dynamicinvertedsoftmax__beta" in printed
    assert "DynamicInvertedSoftmax" in printed


@pytest.mark.compiled
@pytest.mark.filterwarnings("ignore:n_neighbors=")
def test_the_guide_to_scale_runs(tmp_path, monkeypatch):
    pytest.importorskip("dask.array")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    code = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert len(code) > 9
    names = {}
    for text in code:
        exec(compile(text, "scale.md", "exec"), names)
    assert names["indices"].shape == (600, 10)


def test_the_commands_that_set_up_are_those_that_ci_runs():
    lines = {line for text in blocks("sh") for line in text.splitlines()}
    assert lines >= SET_UP
    script = ROOT / ".ci" / "run"
    if not script.exists():
        pytest.skip("not in a checkout")
    assert set(script.read_text().splitlines()) >= SET_UP


@pytest.mark.compiled
def test_tables_are_those_of_the_demo(capsys):
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert len(blocks("text")) == 2
    for table in blocks("text"):
        assert table in printed


def test_there_is_no_block_that_is_not_run():
    assert {language for language, _ in BLOCKS} == {"python", "sh", "text"}


def test_what_the_readme_links_to_is_there():
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (ROOT / target).exists(), target
