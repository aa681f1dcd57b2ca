"""Write reports as a page, as tables, or as numbers."""

import csv
import json
import os
from io import StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from sk_qbnorm._validation import check_choice

from ._page import page
from ._tables import latex, markdown, tables_of

FORMATS = {  # and the ends of file names
    "html": ".html",
    "markdown": ".md",
    "latex": ".tex",
    "csv": ".csv",
    "json": ".json",
}


def render(reports, format):
    """Return one or several reports as the content of a file."""
    check_choice(format, "format", tuple(FORMATS))
    writers = {
        "html": page,
        "markdown": _markdown,
        "latex": lambda all_: "\n\n".join(map(latex, all_)) + "\n",
        "csv": _csv,
        "json": _json,
    }
    return writers[format](reports)


def write_file(path, text):
    """Write a text file, completely or not at all."""
    path = Path(path)
    temporary = NamedTemporaryFile(  # noqa: SIM115, as it is renamed
        "w", encoding="utf-8", newline="\n", dir=path.parent, delete=False
    )
    try:
        with temporary as file:
            file.write(text)
        os.chmod(temporary.name, 0o666 & ~_umask())
        os.replace(temporary.name, path)
    except BaseException:
        Path(temporary.name).unlink(missing_ok=True)
        raise


def _umask():
    """Return the mask of permissions for new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _markdown(reports):
    parts = []
    for report in reports:
        parts += [f"# {report.title}", _sizes(report)]
        parts += [f"**Recommended: `{report.choice}`.** {report.reason}"]
        parts += [f"```python\n{report.settings}\n```"]
        for table in tables_of(report):
            parts += [f"## {table.title}", table.note, markdown(table)]
        if report.notes:
            parts += ["## Notes", "\n".join(f"- {note}" for note in report.notes)]
    return "\n\n".join(parts) + "\n"


def _sizes(report):
    sizes = report.sizes
    return (
        f"{sizes['n_queries']} queries, {sizes['n_gallery']} gallery items, "
        f"{sizes['n_bank']} bank queries"
    )


def _csv(reports):
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for place, report in enumerate(reports):
        rows = report.tables["comparison"]
        if place == 0:
            writer.writerow(["report", "normalizer", *rows["raw"]])
        for name, row in rows.items():
            writer.writerow([report.title, name, *row.values()])
    return text.getvalue()


def _json(reports):
    content = [
        {
            "title": report.title,
            "sizes": report.sizes,
            "choice": report.choice,
            "reason": report.reason,
            "settings": report.settings,
            "advice": report.advice,
            "notes": report.notes,
            **report.tables,
            "hubs": [*report.tables["hubs"].values()],
        }
        for report in reports
    ]
    return json.dumps(content, indent=1, ensure_ascii=False, default=_plain) + "\n"


def _plain(value):
    """Return a NumPy scalar as a number."""
    return np.asarray(value).item()
