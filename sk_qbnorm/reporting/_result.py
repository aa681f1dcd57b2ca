"""The result of a report."""

from __future__ import annotations

from os import PathLike
from typing import Any

from sk_qbnorm.metrics import as_table

from ._render import render, write_file


class Report:
    """The tables and the recommendation of `sk_qbnorm.report`.

    Parameters
    ----------
    title : str
        Title of the report.
    built : object
        The results, from `sk_qbnorm.report`.
    notes : list of str
        What was assumed, and warnings.

    Attributes
    ----------
    choice : str
        The recommended normalizer with its parameters, or ``"raw"``.
    reason : str
        One sentence that says why.
    settings : str
        Python code that applies the recommendation.
    corrected : str
        The row of `comparison` whose hubs are shown after the correction.
    sizes : dict of str to int
        ``n_queries``, ``n_gallery`` and ``n_bank``.
    advice : list of str
        What speaks against the bank, as in `querybank_report`.
    tables : dict of str to dict
        The four tables below as dicts of dicts, without pandas.

    See Also
    --------
    sk_qbnorm.report : Computes a report.

    Examples
    --------
    >>> import sk_qbnorm
    >>> from sk_qbnorm.datasets import make_hub_retrieval
    >>> data = make_hub_retrieval(random_state=0)
    >>> result = sk_qbnorm.report(data.bank_queries, gallery=data.gallery)
    >>> result.choice
    'SinkhornNormalizer(alpha=0.5)'
    >>> page = result.render("html")
    """

    def __init__(self, title: str, built: Any, notes: list[str]) -> None:
        self.title = title
        self.notes = notes
        self.sizes = built.sizes
        self.k = built.k
        self.choice = built.choice.name
        self.reason = built.choice.reason
        self.settings = built.choice.settings
        self.corrected = built.choice.row
        self.advice = built.advice
        self.tables = built.tables
        self.occurrences = built.occurrences
        self.gallery_ids = built.gallery_ids

    @property
    def hubness(self) -> Any:
        """Hubness before, after and expected by chance, as a DataFrame."""
        return as_table(self.tables["hubness"], True)

    @property
    def bank(self) -> Any:
        """The measures of `querybank_report`, as a DataFrame."""
        return as_table(self.tables["bank"], True)

    @property
    def comparison(self) -> Any:
        """One row per normalizer, as from `compare`, as a DataFrame."""
        return as_table(self.tables["comparison"], True)

    @property
    def hubs(self) -> Any:
        """The largest hubs by name, as a DataFrame."""
        return as_table(self.tables["hubs"], True)

    def render(self, format: str = "html") -> str:
        """Return the report as text.

        Parameters
        ----------
        format : {"html", "markdown", "latex", "csv", "json"}, default="html"
            A page with plots if matplotlib is installed; all tables; the table of
            normalizers for a paper; its numbers; or all numbers.

        Returns
        -------
        text : str
            The content of a file.

        Raises
        ------
        ValueError
            If the format is unknown.
        """
        return render([self], format)

    def save(self, path: str | PathLike, format: str = "html") -> None:
        """Write the report to a file, completely or not at all.

        Parameters
        ----------
        path : str or path-like
            The file.
        format : {"html", "markdown", "latex", "csv", "json"}, default="html"
            As in `render`.

        Raises
        ------
        ValueError
            If the format is unknown.
        OSError
            If the file cannot be written.
        """
        write_file(path, self.render(format))
