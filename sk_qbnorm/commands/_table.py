"""A plain-text table that compares rankings."""

from sk_qbnorm.metrics import hubness_skewness, retrieval_report

_COLUMNS = ("R@1", "R@5", "R@10", "MdR", "geom", "skewness")
_NAME_WIDTH = 26


def write_heading(write):
    """Write the column names."""
    names = "".join(f"{name:>9}" for name in _COLUMNS)
    write(f"{'':{_NAME_WIDTH}}{names}")


def write_row(write, name, scores, relevant, query_mask=None):
    """Measure one score matrix and write its row."""
    report = retrieval_report(relevant, scores, query_mask=query_mask)
    shares = ("recall@1", "recall@5", "recall@10", "geometric_mean_recall")
    r1, r5, r10, geometric = (100 * report[share] for share in shares)
    measured = scores if query_mask is None else scores[query_mask]
    skewness = hubness_skewness(measured, k=min(10, scores.shape[1]))
    cells = (
        f"{r1:9.1f}{r5:9.1f}{r10:9.1f}{report['median_rank']:9.1f}{geometric:9.1f}"
        f"{skewness:9.2f}"
    )
    write(f"{name:{_NAME_WIDTH}}{cells}")
