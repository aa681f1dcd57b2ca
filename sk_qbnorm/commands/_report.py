"""``sk-qbnorm report``: from files to a decision and to the tables of a paper."""

import sys
from pathlib import Path

from sk_qbnorm.reporting import FORMATS, render, write_file
from sk_qbnorm.reporting import report as make_report

from ._report_files import ReportFiles


def report(
    bank,
    *,
    queries=None,
    gallery=None,
    relevant=None,
    names=None,
    masks=None,
    both=None,
    bank_rows=None,
    beta="scale",
    metric=None,
    format="html",
    output=None,
    title=None,
    write=print,
):
    """Read files, write a report, and print the recommendation.

    Parameters
    ----------
    bank : str
        File with similarities of bank queries x gallery, or embeddings.
    queries, gallery : str, default=None
        Files in the same form; the gallery only with embeddings.
    relevant : str, default=None
        A file, ``"diagonal"`` or ``"captions"``.
    names : str, default=None
        Text file with one name per gallery item.
    masks : str, default=None
        File with 0 for queries to leave out.
    both : str, default=None
        File with the bank of the other direction, where the gallery items are the
        queries.
    bank_rows : {"queries", "items"}, default=None
        What the rows of a bank are; None to tell by its shape.
    beta : float or "scale", default="scale"
        Inverse temperature.
    metric : {"cosine", "dot"}, default=None
        How to compare embeddings.
    format : {"html", "markdown", "latex", "csv", "json"}, default="html"
        The kind of file to write.
    output : str, default=None
        The file to write.
    title : str, default=None
        Title of the report.
    write : callable, default=print
        Called with one line of text at a time.
    """
    output = Path(output or f"report{FORMATS[format]}")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise ValueError(
            f"--output {output} must be a file in a folder that exists; create the "
            "folder, or pass the name of a file."
        )
    given = ReportFiles(bank, queries, gallery, relevant, names, masks, bank_rows)
    options = {"beta": beta, "metric": metric, "verbose": sys.stderr is not None}
    title = title or output.stem
    results = [make_report(**given.forth(), title=title, **options)]
    if both is not None:
        named = {"title": f"{title}, other direction"}
        results.append(make_report(**given.back(both), **named, **options))
    results[0].notes[:0] = given.notes
    write_file(output, render(results, format))
    for note in given.notes:
        write(f"note: {note}")
    for result in results:
        _summarize(result, write)
    write(f"written to {output}")


def _summarize(result, write):
    chosen = "leave the scores alone" if result.choice == "raw" else result.choice
    write(f"{result.title}: {chosen}")
    write(result.reason)
    rows = result.tables["comparison"]
    recalls = [name for name in rows["raw"] if name[7:].isdigit()]
    names = [name.replace("recall", "R") for name in recalls]
    names += ["MdR"] * bool(recalls) + ["skewness"]
    width = max(map(len, rows)) + 1
    write(" " * width + "".join(f"{name:>9}" for name in names))
    for name, row in rows.items():
        cells = [f"{100 * row[recall]:9.1f}" for recall in recalls]
        cells += [f"{row['median_rank']:9.1f}" for _ in recalls[:1]]
        write(f"{name:{width}}{''.join(cells)}{row['hubness_skewness']:9.2f}")
