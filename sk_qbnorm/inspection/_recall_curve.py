"""Recall over the values of a parameter, and how far its gain is to be trusted."""

import numpy as np

from sk_qbnorm.metrics._draws import Draws

_USUAL = {"beta": np.geomspace(1, 1000, 13), "alpha": np.linspace(0, 1.5, 13)}


def usual_values(param_name):
    """Return values of a parameter that are worth a look."""
    kind = param_name.rpartition("__")[2]
    if kind not in _USUAL:
        raise ValueError(
            f"There is no usual range for param_name={param_name!r}, got "
            "param_range=None; pass the values to try."
        )
    return _USUAL[kind]


def check_values(values):
    """Return the values of a parameter as an array, ascending."""
    checked = np.asarray(values)
    numeric = checked.dtype.kind in "iuf" and checked.ndim == 1 and checked.size > 0
    if not (numeric and np.isfinite(checked).all() and (np.diff(checked) > 0).all()):
        raise ValueError(
            "param_range must be finite numbers in ascending order, got "
            f"{values!r}; pass such as [5, 10, 20, 40]."
        )
    return checked


def recall_curve(hits, before, after, n_values, n_resamples, level, random_state):
    """Return the recall with each value, its band, and the raw recall.

    Parameters
    ----------
    hits : callable
        What tells of scores which queries find a relevant item.
    before : array-like of shape (n_queries, n_gallery)
    after : iterable of array-like of shape (n_queries, n_gallery)
    n_values : int
        How many matrices `after` must be.
    n_resamples, level, random_state
        As in `paired_bootstrap_report`.

    Returns
    -------
    curve : dict
        ``recall``, ``low`` and ``high``, ndarray of shape (n_values,), and ``raw``.
    """
    found = hits(before)
    gains = []
    for scores in after:
        if np.shape(scores) != np.shape(before):
            raise ValueError(
                "before and after must be scores of the same queries and items, got "
                f"matrices of shape {np.shape(before)} and {np.shape(scores)}."
            )
        gains.append(hits(scores).astype(np.int8) - found)
    if len(gains) != n_values:
        raise ValueError(
            "after must be one matrix of scores for each value of param_range, "
            f"expected {n_values}, got {len(gains)}."
        )

    def gain(queries):  # of all values on the same queries: the band does not jump
        return {place: each[queries].mean(axis=-1) for place, each in enumerate(gains)}

    report = Draws(found.size, n_resamples, random_state).intervals(gain, level)
    raw = float(found.mean())
    curve = {
        name: raw + np.array([row[column] for row in report.values()])
        for name, column in (("recall", "value"), ("low", "low"), ("high", "high"))
    }
    return {**curve, "raw": raw}
