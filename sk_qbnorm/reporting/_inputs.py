"""Bring similarities into one form: queries in rows, gallery items in columns."""

import numpy as np

from sk_qbnorm._validation import check_choice


def flatten_captions(sims, called="queries"):
    """Return captions x videos from an array of videos x captions x videos.

    Parameters
    ----------
    sims : ndarray of shape (n_videos, n_captions, n_videos)
        Entry (i, c, j) is the similarity of caption c of video i to video j. Rows of
        captions that do not exist are minus infinity.
    called : str
        What users call `sims`, for error messages.

    Returns
    -------
    sims : ndarray of shape (n_videos * n_captions, n_videos)
    video_of : ndarray of shape (n_videos * n_captions,)
        The video that each caption describes.
    """
    n_videos, n_captions, n_columns = sims.shape
    if n_columns != n_videos:
        raise ValueError(
            f"{called} has shape {sims.shape}; an array with three dimensions must be "
            "videos x captions x videos, with as many rows as columns of videos. Pass "
            "a matrix of queries x gallery instead."
        )
    flat = sims.reshape(n_videos * n_captions, n_columns)
    return flat, np.repeat(np.arange(n_videos), n_captions)


def padding(sims):
    """Return which rows are nothing but minus infinity."""
    return np.isneginf(sims).all(axis=1)


def orient_bank(bank, n_gallery, bank_rows=None, *, bank_name, queries_name):
    """Return bank similarities with the gallery in columns, and notes about that.

    Parameters
    ----------
    bank : ndarray of two dimensions
    n_gallery : int or None
        None if only the bank is known: its rows are taken as bank queries then.
    bank_rows : {"queries", "items"} or None
        What the rows of `bank` are; None to tell by the shapes.
    bank_name, queries_name : str
        What users call the bank, and the queries with their shape.
    """
    check_choice(bank_rows, "bank_rows", (None, "queries", "items"))
    if n_gallery is None:
        return _oriented_alone(bank, bank_rows, bank_name)
    shapes = f"{bank_name} has shape {bank.shape}, {queries_name}"
    if bank_rows is None and bank.shape == (n_gallery, n_gallery):
        raise ValueError(
            f"{shapes}: the {n_gallery} rows of the bank may be bank queries or the "
            "gallery items. Say which by bank_rows='queries' or bank_rows='items' "
            "(--bank-rows)."
        )
    sides = {"queries": 1, "items": 0}
    fitting = [rows for rows, side in sides.items() if bank.shape[side] == n_gallery]
    if not fitting:
        raise ValueError(
            f"{shapes}: expected a bank of n_bank x {n_gallery}, one column per "
            f"gallery item, or {n_gallery} x n_bank. Both must hold the same gallery; "
            "if the queries have the gallery in rows, transpose them."
        )
    if bank_rows not in (None, *fitting):
        raise ValueError(
            f"{shapes}: the bank does not have the {n_gallery} gallery items in its "
            f"{'columns' if bank_rows == 'queries' else 'rows'}, which "
            f"bank_rows={bank_rows!r} (--bank-rows) says; leave it out."
        )
    if (bank_rows or fitting[0]) == "items":
        return bank.T, [_turned(bank_name)]
    return bank, []


def _oriented_alone(bank, bank_rows, bank_name):
    if bank_rows == "items":
        return bank.T, [_turned(bank_name)]
    if bank_rows == "queries":
        return bank, []
    n_rows, n_columns = bank.shape
    note = (
        f"{bank_name}: its {n_rows} rows are taken as bank queries, its {n_columns} "
        "columns as gallery items; pass bank_rows='items' (--bank-rows items) if it is "
        "the other way round."
    )
    return bank, [note]


def _turned(bank_name):
    return f"{bank_name}: its rows are the gallery items; transposed."
