"""Progress of long computations: a tqdm bar, or plain lines without tqdm."""

import sys
import time
from contextlib import contextmanager

_SECONDS = 5.0  # between two plain lines


@contextmanager
def progress_bar(title, total, verbose):
    """Yield a function that adds to the amount of work done.

    Parameters
    ----------
    title : str
    total : int or None
        Total amount of work; None if unknown.
    verbose : bool
        If False, nothing is printed.
    """
    if not verbose:
        yield lambda n_more: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        lines = _Lines(title, total)
        yield lines.update
        lines.write()
        return
    with tqdm(desc=title, total=total, unit="sim", unit_scale=True) as bar:
        yield bar.update


class _Lines:
    """Print a line to stderr every few seconds."""

    def __init__(self, title, total):
        self._title, self._total = title, total
        self._done = 0
        self._last = time.monotonic()

    def update(self, n_more):
        self._done += n_more
        if time.monotonic() - self._last >= _SECONDS:
            self.write()

    def write(self):
        self._last = time.monotonic()
        share = f", {self._done / self._total:.0%}" if self._total else ""
        sys.stderr.write(f"{self._title}: {self._done:.3g} similarities{share}\n")
