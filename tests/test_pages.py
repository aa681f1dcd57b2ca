"""Every block of the documentation runs, and its output matches the page."""

import io
import re
from contextlib import redirect_stdout

import pytest
from sklearn import config_context

from sk_qbnorm.__main__ import main

from .pages import (
    DEMO_ROW,
    DOCS,
    FENCE,
    RESULTS,
    ROOT,
    agree,
    agree_in_part,
    all_pages,
    demo_rows,
    run,
    text_of,
)

OPTIONAL = {
    "dask": "dask.array",
    "pandas": "pandas",
    "polars": "polars",
    "import faiss": "faiss",
    "import psycopg": "psycopg",
    "import qdrant_edge": "qdrant_edge",
    "import duckdb": "duckdb",
    "import lancedb": "lancedb",
    "import torch": "torch",
}
README = ROOT / "README.md"
PAGES = [
    page
    for page in (README, *all_pages())
    if re.search(r"```(python|sh)", text_of(page))
]
# Parameters, versions and examples, and numbers that tests/test_quality.py checks.
SOURCED = {
    "choosing.md": {"0.75", "1.5", "0.5"},  # defaults, and an alpha
    "commands.md": {"0.75"},  # a default
    "scale.md": {"0.2"},  # the size of 100,000 embeddings, in GB
    "start.md": {"3.11"},  # of Python
}
# Tables of papers, identifiers of works, and versions.
PUBLISHED = {"changelog", "contributing", "paper", "references"}
PROSE = [page for page in (README, *all_pages()) if page.stem not in PUBLISHED]
NO_PROSE = re.compile(
    r"\$\$.*?\$\$|\$[^$]+\$|`[^`]+`|\]\([^)]*\)|https?://\S+", flags=re.DOTALL
)
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\w)")


@pytest.fixture(scope="module")
def demo():
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(["demo"]) == 0
    return printed.getvalue()


@pytest.mark.compiled
@pytest.mark.filterwarnings("ignore:n_neighbors=", "ignore:XDG_RUNTIME_DIR")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_prints_what_it_shows(page, demo, tmp_path, monkeypatch):
    text = text_of(page)
    assert "```text\n```" not in text, "a block that says nothing"
    for word, module in OPTIONAL.items():
        if word in text:
            pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    with config_context():  # a page may change it
        for block, printed in run(page):
            known = f"{printed}\n{demo}"
            found = agree(block, printed) or agree_in_part(block, known)
            assert found, f"{block}\nprinted:\n{printed}"


@pytest.mark.compiled
@pytest.mark.parametrize(
    "page", [README, DOCS / "index.md"], ids=lambda page: page.stem
)
def test_tables_of_the_first_page_show_results_of_the_demo(page, demo):
    rows = demo_rows(page.read_text(encoding="utf-8"))
    assert [name for name, _ in rows][:2] == ["raw", "InvertedSoftmax"]
    first_table = demo.partition("Largest hubs")[0]
    for name, numbers in rows:
        (line,) = re.findall(rf"^{name} .*$", first_table, flags=re.MULTILINE)
        *recalls, rank, _, skewness = line.split()[1:]  # without the geometric mean
        assert agree(" ".join(numbers), " ".join([*recalls, rank, skewness]))


def test_every_option_of_the_command_line_is_on_its_page(capsys):
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    for command in ("demo", "evaluate", "report"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        assert {
            option for option in options - {"--help"} if option not in page
        } == set()


def test_pages_are_found():
    assert {page.stem for page in PAGES} >= {"start", "choosing", "scale", "pipelines"}


def test_a_block_with_other_output_is_detected():
    assert agree("R@1 61.0 of 600\n", "R@1 61.2 of 600")
    assert agree("R@1 0.617\n", "R@1 0.613")
    assert not agree("R@1 61.0 of 600\n", "R@1 61.7 of 600")
    assert not agree("R@1 0.617\n", "R@1 0.627")
    assert not agree("R@1 61.0 of 600\n", "R@1 61.0 of 601")
    assert not agree("R@1 61.0\n", "R@1 61.0 61.0")
    assert not agree("R@1 61.0\n", "")
    assert agree_in_part("raw 48.3\nIS 61.0\n", "first\nraw 48.3\nIS 61.2\nlast")
    assert not agree_in_part("raw 48.3\nIS 61.0\n", "raw 48.3\nfirst\nIS 61.0\nlast")


def test_links_of_the_readme_and_the_pages_are_valid():
    for page in [README, ROOT / "CONTRIBUTING.md", *all_pages()]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", text):
            if "auto_examples" in target:
                place = ROOT / "examples" / target.rpartition("/")[2]
                found = place.with_suffix(".py").exists() or place.stem == "index"
            else:
                found = (page.parent / target).exists()
            assert found, f"{page.name}: {target}"


def without_source(page):
    """Return the decimal numbers in the prose of a page that no output contains."""
    text = text_of(page)
    sources = [block for language, block in FENCE.findall(text) if language == "text"]
    own = page.read_text(encoding="utf-8")
    results = {path for path in RESULTS.glob("*.md") if f"results/{path.name}" in own}
    if "quality.md" in own:  # this page includes the tables
        results.add(RESULTS / "quality.md")
    sources += [path.read_text(encoding="utf-8") for path in results]
    printed = [float(number) for number in re.findall(r"\d+\.\d+", " ".join(sources))]
    prose = NO_PROSE.sub(" ", DEMO_ROW.sub("", FENCE.sub("", text)))
    return {
        number
        for number in set(DECIMAL.findall(prose)) - SOURCED.get(page.name, set())
        if float(number)
        not in {round(x, len(number.partition(".")[2])) for x in printed}
    }


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.stem)
def test_numbers_in_prose_are_printed_by_a_block(page):
    assert without_source(page) == set()


def test_a_number_without_a_source_is_detected(tmp_path):
    page = tmp_path / "page.md"
    block = "```python\nprint(61.04)\n```\n\n```text\n61.04\n```\n"
    page.write_text(f"It is 61.0, with `beta=2.5`, $1.5$.\n\n{block}")
    assert without_source(page) == set()
    page.write_text(f"It is 61.1, or 98.7.\n\n{block}")
    assert without_source(page) == {"61.1", "98.7"}
