"""Check built pages: internal links must resolve, and nothing may be fetched."""

from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.util.logging import getLogger

LOGGER = getLogger(__name__)
# Tags that a browser loads without a click, with the attribute of the address.
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}


class Page(HTMLParser):
    """The anchors of a page, its links, and the files that it loads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded = {"", "top"}, set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in {"id", "name"}:
                self.anchors.add(value)
            if name in {"href", "src"} and value:
                self.links.add(value)
            if (tag, name) in LOADED and value:
                self.loaded.add(value)


def faults(folder):
    """Return a sorted list with a sentence per fault of the pages in a folder."""
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
            target_path = path
            if target.path:
                target_path = (path.parent / unquote(target.path)).resolve()
            fragment = unquote(target.fragment)
            page_at = pages.get(target_path)
            has_anchor = page_at is None or fragment in page_at.anchors
            if not (target_path.exists() and has_anchor):
                found[f"leads to {link}, which is not there"].add(path.name)
    return [f"{min(names)} {fault}" for fault, names in sorted(found.items())]


def check(app, error):
    """Log a warning for each fault of the built pages."""
    if error is None and app.builder.format == "html":
        for fault in faults(app.outdir):
            LOGGER.warning(fault)


def setup(app):
    app.connect("build-finished", check, priority=900)  # all files have been written
    return {"parallel_read_safe": True}
