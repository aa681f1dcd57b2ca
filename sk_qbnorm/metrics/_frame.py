"""Reports as tables of pandas."""


def as_table(report, as_frame):
    """Return the report, of dict by measure, or a DataFrame with a row for each.

    Raises
    ------
    ImportError
        If a DataFrame is asked for and pandas is not installed.
    """
    if not as_frame:
        return report
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ImportError(
            "as_frame=True gives a DataFrame of pandas, which is not installed; "
            "install it, or set as_frame=False for a dict."
        ) from error
    return DataFrame.from_dict(report, orient="index")
