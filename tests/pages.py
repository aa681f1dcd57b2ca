"""Run the code of the documentation pages from top to bottom.

``python -m tests.pages FILE ...`` updates the output blocks of a page.
"""

import io
import re
import shlex
import sys
from contextlib import chdir, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from sk_qbnorm.__main__ import main

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
RESULTS = DOCS / "results"
FENCE = re.compile(r"^```([\w{}]*)[^\n]*\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r"^```\{include\} (\S+)\n((?::.*\n)*)```$", flags=re.MULTILINE)
# A row of a Markdown table with results of the demo: a name, then numbers.
DEMO_ROW = re.compile(r"^\| (?:\{class\})?`?~?([\w.]+)`? ((?:\| [\d.]+ )+)\|$", re.M)
NUMBER = re.compile(r"[-+]?\d+\.\d+")
# Commands that install something or take minutes are not run here.
SKIPPED_COMMANDS = (
    "pip install",
    "tox",
    "python -m benchmarks",
    "python -m tests",
    "python examples/",
)


def all_pages():
    """Return all pages with prose, sorted by name."""
    pages = [path for path in DOCS.rglob("*.md") if path.parent != RESULTS]
    return [path for path in sorted(pages) if "_build" not in path.parts]


def text_of(path):
    """Return the text of a page with its includes."""

    def included(found):
        options = dict(re.findall(r"^:([\w-]+): ?(.*)$", found[2], flags=re.MULTILINE))
        text = text_of((path.parent / found[1]).resolve())
        if "start-after" in options:
            _, mark, text = text.partition(options["start-after"].strip('"'))
            assert mark, found[0]
        if "end-before" in options:
            text, mark, _ = text.partition(options["end-before"].strip('"'))
            assert mark, found[0]
        return text

    return INCLUDE.sub(included, path.read_text(encoding="utf-8"))


def demo_rows(text):
    """Return the rows of Markdown tables with demo results: names and numbers."""
    return [
        (name.rpartition(".")[2], re.findall(r"[\d.]+", numbers))
        for name, numbers in DEMO_ROW.findall(text)
    ]


def run(path):
    """Run the blocks of a page in order.

    Yields each ``text`` block, which shows output, and the output of the code between
    the previous ``text`` block and this one.
    """
    names, printed = {"__name__": "__main__"}, io.StringIO()
    for language, block in FENCE.findall(text_of(path)):
        with redirect_stdout(printed):
            if language == "python":
                exec(compile(block, path.name, "exec"), names)
            elif language == "sh":
                commands(block)
        if language == "text":
            yield block, printed.getvalue()
            printed = io.StringIO()
        elif not language.startswith("{") and language not in {
            "python",
            "sh",
            "bibtex",
        }:
            raise AssertionError(f"{path.name}: a block of {language!r} is not run")
    yield "", ""  # the last blocks have run


def commands(block):
    """Run the commands of the package in a shell block."""
    for line in block.replace("\\\n", " ").splitlines():
        line = line.partition(" # ")[0].strip()
        if line and not line.startswith(SKIPPED_COMMANDS):
            program, *arguments = shlex.split(line)
            assert (program, *arguments[:2]) == ("python", "-m", "sk_qbnorm"), line
            assert main(arguments[2:]) == 0


def agree(text, printed):
    """Return whether a block matches the output, up to rounding.

    On another processor, a query whose two best items nearly tie may swap them. With
    hundreds of queries this changes two units of the last decimal, or half a percent.
    """
    if NUMBER.sub("", text).split() != NUMBER.sub("", printed).split():
        return False
    said, found = NUMBER.findall(text), NUMBER.findall(printed)
    return len(said) == len(found) and all(
        abs(float(one) - float(other))
        < 2.5 * 10.0 ** -len(one.partition(".")[2]) + 0.005 * abs(float(one))
        for one, other in zip(said, found, strict=True)
    )


def agree_in_part(text, printed):
    """Return whether some lines of the output match a block."""
    lines, n_lines = printed.splitlines(), len(text.splitlines())
    parts = ("\n".join(lines[i : i + n_lines]) for i in range(len(lines)))
    return any(agree(text, part) for part in parts)


def write(path):
    """Write the output of the blocks of a page into its ``text`` blocks."""
    page, end = path.read_text(encoding="utf-8"), 0
    with TemporaryDirectory() as folder, chdir(folder):  # for files that blocks write
        for block, printed in run(path):
            fence = f"```text\n{block}```"
            start = page.find(fence, end)
            # Nothing is printed if the page shows output of a command not run there.
            if start < 0 or not printed or (block and agree_in_part(block, printed)):
                continue
            end = start + len(fence)
            page = f"{page[:start]}```text\n{printed}```{page[end:]}"
            end = start + len(printed)
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write(Path(name).resolve())
