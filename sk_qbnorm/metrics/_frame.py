"""Reports as pandas DataFrames."""


def as_table(report, as_frame):
    """Return the dict of dicts unchanged, or as a DataFrame with one row per measure.

    Raises
    ------
    ImportError
        If a DataFrame is requested and pandas is not installed.
    """
    if not as_frame:
        return report
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ImportError(
            "as_frame=True returns a pandas DataFrame, but pandas is not installed; "
            "install it, or use as_frame=False for a dict."
        ) from error
    return DataFrame.from_dict(report, orient="index")
