"""The tables of a report as text."""

from typing import NamedTuple

_MEASURES = {
    "mean_k_occurrence": "mean k-occurrence",
    "hubness_skewness": "skewness of the k-occurrence",
    "robin_hood_index": "Robin Hood index",
    "gini_index": "Gini index",
    "antihub_rate": "share of items that no query retrieves",
    "hub_rate": "share of places held by 1% of the items",
    "max_k_occurrence": "k-occurrence of the largest hub",
    "coverage": "items that the bank retrieves",
    "coverage_limit": "items that a bank of this size can retrieve",
    "activation_rate": "items that are the best of a bank query",
    "activated_expected": "new bank queries whose best item is activated",
    "hub_variation": "hub variation of the bank (0 without hubs)",
    "bias_spread": "spread of the bias",
    "bias_standard_error": "standard error of the bias",
    "activated_queries": "queries whose best item is activated",
    "hub_variation_queries": "hub variation of the queries (0 without hubs)",
    "hub_agreement": "agreement of bank and queries on the hubs",
    "similarity_gap": "similarity of the bank minus that of the queries (std)",
}


class Table(NamedTuple):
    """A table of text, its title, and a sentence about it."""

    title: str
    note: str
    header: list
    rows: list


def tables_of(report):
    """Return all tables of a report."""
    return [comparison(report), hubness(report), hubs(report), bank(report)]


def recalls_of(report):
    """Return the values of k of the recalls; none without labels."""
    row = report.tables["comparison"]["raw"]
    return [int(name[7:]) for name in row if name[7:].isdigit()]


def comparison(report):
    """Return the table of normalizers, with intervals."""
    ks = recalls_of(report)
    header = ["", *(f"R@{k}" for k in ks)]
    if ks:
        header += [f"gain of R@{k}" for k in ks] + ["MdR"]
    header += ["skewness", "largest hub"]
    rows = []
    for name, row in report.tables["comparison"].items():
        cells = [name, *(f"{100 * row[f'recall@{k}']:.1f}" for k in ks)]
        for k in ks:
            gain, low, high = (
                100 * row[f"recall@{k}_{end}"] for end in ("gain", "low", "high")
            )
            shown = f"{gain:+.1f} [{low:+.1f}, {high:+.1f}]"
            cells.append("" if name == "raw" else shown)
        if ks:
            cells.append(f"{row['median_rank']:.1f}")
        cells += [f"{row['hubness_skewness']:.2f}", f"{row['max_k_occurrence']:,}"]
        rows.append(cells)
    note = f"Skewness and largest hub are of the top {report.k}."
    if ks:
        note = (
            "Recall in %, gains over raw in points with paired 95% intervals, and the "
            f"median rank. {note}"
        )
    if report.sizes["n_queries"]:
        learners = "MixNormalizer and NormalizerSearch" if ks else "MixNormalizer"
        note += (
            f" {learners} correct{'' if ks else 's'} each half of the queries by what "
            "the other half taught."
        )
    else:
        note += " Each half of the bank is corrected by the other half."
    return Table("Normalizers", note, header, rows)


def hubness(report):
    """Return the hubness before, after and by chance."""
    rows = [
        [_MEASURES[name], *map(_short, row.values())]
        for name, row in report.tables["hubness"].items()
    ]
    header = ["", "raw", report.corrected, "by chance"]
    note = "Values near the last column are what chance alone gives."
    return Table("Hubness", note, header, rows)


def hubs(report):
    """Return the largest hubs by name."""
    rows = [
        [
            str(hub["name"]),
            f"{hub['before']:,}",
            f"{hub['after']:,}",
            _p_value(hub["suspect_p_value"]),
        ]
        for hub in report.tables["hubs"].values()
    ]
    expected = report.tables["hubness"]["max_k_occurrence"]["no_hubs"]
    unit = "queries" if report.sizes["n_queries"] else "bank queries"
    note = (
        f"Number of {unit} with the item in their top {report.k}. By chance, the "
        f"largest of all items would have about {expected:.0f}. A suspect has a small "
        "adjusted p-value: more than 5% of the queries retrieve it beyond chance. A "
        "strong natural hub and a planted one cannot be told apart."
    )
    header = ["gallery item", "raw", report.corrected, "suspect"]
    return Table("Largest hubs", note, header, rows)


def bank(report):
    """Return the diagnosis of the bank."""
    rows = [
        [_MEASURES[name], _short(row["value"])]
        for name, row in report.tables["bank"].items()
    ]
    note = " ".join(report.advice) or "No measure speaks against this bank."
    return Table("Querybank", note, ["", "value"], rows)


def _p_value(value):
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _short(value):
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else "0.000"


def markdown(table):
    """Return a table in Markdown."""
    lines = [table.header, ["---", *["--:"] * (len(table.header) - 1)], *table.rows]
    cells = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {line} |" for line in cells)


def latex(report):
    """Return recall and median rank for a paper, one row per normalizer."""
    ks = recalls_of(report)
    names = [f"R@{k}" for k in ks] + (["MdR"] if ks else []) + ["skewness"]
    lines = [
        f"% {report.title}",
        rf"\begin{{tabular}}{{l{'r' * len(names)}}}",
        r"\hline",
        " & ".join(["", *names]) + r" \\",
        r"\hline",
    ]
    for name, row in report.tables["comparison"].items():
        cells = [f"{100 * row[f'recall@{k}']:.1f}" for k in ks]
        cells += [f"{row['median_rank']:.1f}"] if ks else []
        cells.append(f"{row['hubness_skewness']:.2f}")
        lines.append(" & ".join([name.replace("_", r"\_"), *cells]) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"])
