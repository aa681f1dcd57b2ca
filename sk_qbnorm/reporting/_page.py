"""A report as one HTML page, without anything from the network."""

import re
from html import escape
from io import StringIO

from sk_qbnorm.inspection import HubsByNameDisplay, KOccurrenceDisplay

from ._tables import latex, tables_of

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #5a5a5a; --line: #d5d5d5;
  --paper: #fff; --box: #eef5fa; --mark: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --soft: #a9a9a9; --line: #444; --paper: #16181a;
    --box: #1d2a33; --mark: #56b4e9; }
  figure svg { filter: invert(1) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .2rem; }
p { margin: .3rem 0 .8rem; } .soft { color: var(--soft); }
section + section { margin-top: 3rem; border-top: 2px solid var(--line);
  padding-top: 1rem; }
.choice { background: var(--box); border-left: .3rem solid var(--mark);
  padding: .8rem 1rem; margin: 1rem 0; }
.choice strong { font-size: 1.1rem; }
pre { overflow-x: auto; border: 1px solid var(--line); padding: .6rem;
  margin: .5rem 0; font-size: .85rem; background: var(--paper); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0;
  white-space: normal; }
td.name { overflow-wrap: break-word; min-width: 9.5rem; max-width: 24rem; }
tr.best td { font-weight: bold; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 20rem; min-width: 0; }
figure svg { width: 100%; height: auto; }
@media print {
  :root { --ink: #000; --soft: #333; --line: #999; --paper: #fff; --box: #fff;
    --mark: #000; }
  figure svg { filter: none; } body { max-width: none; padding: 0; font-size: .7rem; }
  section + section { break-before: page; }
  .wide { overflow: visible; } table { font-size: .65rem; }
  th, td { padding: .15rem .35rem; } pre { font-size: .65rem; white-space: pre-wrap; }
  h1 { font-size: 1.1rem; } h2 { font-size: .9rem; margin-top: 1rem; }
  .choice strong { font-size: .9rem; }
  figure, table, .choice { break-inside: avoid; } h2, p { break-after: avoid; }
}
"""

_BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z][a-z]|\()")  # of the name of a class


def page(reports):
    """Return the page."""
    title = escape(reports[0].title)
    sections = "\n".join(
        _section(report, place) for place, report in enumerate(reports)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{sections}\n</body>\n</html>\n"
    )


def _section(report, place):
    sizes = report.sizes
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="soft">{sizes["n_queries"]:,} queries, {sizes["n_gallery"]:,} '
        f"gallery items, {sizes['n_bank']:,} bank queries</p>",
        f'<div class="choice"><strong>{_recommendation(report)}</strong>'
        f"<p>{escape(report.reason)}</p><pre>{escape(report.settings)}</pre></div>",
        _figures(report, place),
        *(_table(table, report) for table in tables_of(report)),
        f"<h2>For a paper</h2><pre>{escape(latex(report))}</pre>",
    ]
    if report.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
        parts.append(f"<h2>Notes</h2><ul>{notes}</ul>")
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _recommendation(report):
    if report.choice == "raw":
        return "Leave the scores alone"
    return f"Use {escape(report.choice)}"


def _table(table, report):
    head = "".join(f'<th scope="col">{_breakable(name)}</th>' for name in table.header)
    chosen = "raw" if report.choice == "raw" else report.corrected
    rows = []
    for row in table.rows:
        best = ' class="best"' if row[0] == chosen else ""
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        cells = f'<td class="name">{_breakable(row[0])}</td>{cells}'
        rows.append(f"<tr{best}>{cells}</tr>")
    return (
        f'<h2>{escape(table.title)}</h2><p class="soft">{escape(table.note)}</p>\n'
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>'
        + "\n".join(rows)
        + "</tbody></table></div>"
    )


def _breakable(name):
    """Return a name that narrow pages may break between words."""
    return _BETWEEN_WORDS.sub("<wbr>", escape(name))


def _figures(report, place):
    """Return the plots as SVG, or nothing without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        return ""
    before, after = report.occurrences
    known = {
        "n_queries": report.sizes["n_queries"] or report.sizes["n_bank"],
        "k": report.k,
        "name": report.corrected,
    }
    displays = {
        "Number of items that many queries retrieve": (
            KOccurrenceDisplay(before, after, **known)
        ),
        "The largest hubs by name": (
            HubsByNameDisplay(before, after, names=report.gallery_ids, **known)
        ),
    }
    drawn = []
    for number, (title, display) in enumerate(displays.items()):
        salt = f"{place}-{number}"  # names inside the plots must differ
        with rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"}):
            figure = Figure(figsize=(6.2, 4.6), layout="constrained")
            display.plot(figure.add_subplot())
            text = StringIO()
            metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
            figure.savefig(text, format="svg", transparent=True, metadata=metadata)
        svg = text.getvalue()
        svg = svg[svg.index("<svg") :].replace(
            "<svg", f'<svg role="img" aria-label="{title}"', 1
        )
        drawn.append(f"<figure>{svg}</figure>")
    return f'<div class="figures">{"".join(drawn)}</div>'
