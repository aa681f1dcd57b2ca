"""Check the pages that were built: inner links lead somewhere, nothing is fetched."""

from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.util.logging import getLogger

LOGGER = getLogger(__name__)
# What a browser loads by itself, and with which attribute.
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}


class Page(HTMLParser):
    """The places of a page, where it leads to, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.places, self.links, self.loaded = {"", "top"}, set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in {"id", "name"}:
                self.places.add(value)
            if name in {"href", "src"} and value:
                self.links.add(value)
            if (tag, name) in LOADED and value:
                self.loaded.add(value)


def faults(folder):
    """Return a sentence for each fault of the pages in a folder, as a sorted list."""
    folder = Path(folder).resolve()
    paths = set(folder.rglob("*.html")) - set((folder / "_static").rglob("*"))
    pages = {path: Page(path) for path in paths}
    found = defaultdict(set)
    for path, page in pages.items():
        for link in page.links:
            target = urlsplit(link)
            if target.scheme or target.netloc:
                if link in page.loaded and target.scheme != "data":
                    found[f"loads {link}"].add(path.name)
                continue
            place = path
            if target.path:
                place = (path.parent / unquote(target.path)).resolve()
            fragment = unquote(target.fragment)
            known = place not in pages or fragment in pages[place].places
            if not (place.exists() and known):
                found[f"leads to {link}, which is not there"].add(path.name)
    return [f"{min(names)} {fault}" for fault, names in sorted(found.items())]


def check(app, error):
    """Warn of each fault of the pages that have been built."""
    if error is None and app.builder.format == "html":
        for fault in faults(app.outdir):
            LOGGER.warning(fault)


def setup(app):
    app.connect("build-finished", check, priority=900)  # all files have been written
    return {"parallel_read_safe": True}
