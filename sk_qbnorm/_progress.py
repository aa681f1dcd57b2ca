"""A bar for work that takes long."""

from contextlib import contextmanager


@contextmanager
def progress_bar(title, total, verbose):
    """Give a function that takes how much more has been done.

    Parameters
    ----------
    title : str
    total : int or None
        How much there is to do, None where that is not known.
    verbose : bool
        False for a function that shows nothing.

    Raises
    ------
    ImportError
        If a bar is asked for and tqdm is not installed.
    """
    if not verbose:
        yield lambda n_more: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError(
            "verbose=True shows a bar of tqdm, which is not installed; install it, as "
            "with pip install sk-qbnorm[progress], or set verbose=False."
        ) from error
    with tqdm(desc=title, total=total, unit="sim", unit_scale=True) as bar:
        yield bar.update
