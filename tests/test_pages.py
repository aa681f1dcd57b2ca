"""Every block of the documentation runs, and prints what the page says it prints."""

import io
import re
from contextlib import redirect_stdout

import pytest

from sk_qbnorm.__main__ import main

from .pages import DOCS, ROOT, agree, all_pages, run, text_of

README = ROOT / "README.md"
PAGES = [
    page
    for page in (README, *all_pages())
    if re.search(r"```(python|sh)", text_of(page))
]


@pytest.fixture(scope="module")
def demo():
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(["demo"]) == 0
    return printed.getvalue()


@pytest.mark.compiled
@pytest.mark.filterwarnings("ignore:n_neighbors=")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page, demo, tmp_path, monkeypatch):
    if "dask" in page.read_text(encoding="utf-8"):
        pytest.importorskip("dask.array")
    monkeypatch.chdir(tmp_path)
    for block, printed in run(page):
        assert block in demo or agree(block, printed), f"{block}\nprinted:\n{printed}"


def test_every_option_of_the_command_line_is_on_its_page(capsys):
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    for command in ("demo", "evaluate"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        assert {
            option for option in options - {"--help"} if option not in page
        } == set()


def test_there_are_pages():
    assert {page.stem for page in PAGES} >= {"start", "choosing", "scale", "pipelines"}


def test_a_block_that_says_something_else_is_found():
    assert agree("R@1 61.0 of 600\n", "R@1 61.1 of 600")
    assert not agree("R@1 61.0 of 600\n", "R@1 61.2 of 600")
    assert not agree("R@1 61.0 of 600\n", "R@1 61.0 of 601")
    assert not agree("R@1 61.0\n", "R@1 61.0 61.0")


def test_links_of_the_readme_and_the_pages_lead_somewhere():
    for page in [README, ROOT / "CONTRIBUTING.md", *all_pages()]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", text):
            if "auto_examples" in target:
                place = ROOT / "examples" / target.rpartition("/")[2]
                found = place.with_suffix(".py").exists() or place.stem == "index"
            else:
                found = (page.parent / target).exists()
            assert found, f"{page.name}: {target}"
