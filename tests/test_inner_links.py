"""The check of the built documentation finds broken links."""

import runpy

import pytest

from .pages import DOCS

pytest.importorskip("sphinx")


@pytest.fixture
def faults():
    return runpy.run_path(str(DOCS / "extensions" / "inner_links.py"))["faults"]


def test_valid_links_are_accepted(tmp_path, faults):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">b</a> <a href="#">top</a> <img src="c.png">'
        '<a href="https://example.org/">elsewhere</a> <img src="data:,">'
    )
    (tmp_path / "b.html").write_text('<p id="here">')
    (tmp_path / "c.png").touch()
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "part.html").write_text('<a href="nowhere">a part</a>')
    assert faults(tmp_path) == []


def test_broken_links_are_found(tmp_path, faults):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there">b</a> <a href="c.html">c</a> <img src="c.png">'
        '<script src="https://example.org/x.js"></script>'
    )
    (tmp_path / "b.html").write_text('<p id="here">')
    assert faults(tmp_path) == [
        "a.html leads to b.html#there, which is not there",
        "a.html leads to c.html, which is not there",
        "a.html leads to c.png, which is not there",
        "a.html loads https://example.org/x.js",
    ]
