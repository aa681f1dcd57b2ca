"""The gain over raw similarities per query, and its standard error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm._validation import check_matrix, check_number


def gain_lower_bounds(results: ArrayLike, *, n_standard_errors: float = 2.0) -> NDArray:
    r"""Return a lower bound of the gain of each candidate over the first.

    Choose the candidate with the largest bound. It is the first, such as raw
    similarities, unless another is better beyond chance.

    Parameters
    ----------
    results : array-like of shape (n_candidates, n_queries)
        A result per query and candidate (larger is better), such as whether the
        relevant item is found, or its reciprocal rank. The other rows are compared with
        the first. At least 2 queries.
    n_standard_errors : float, default=2.0
        Number of standard errors subtracted from the mean gain, >= 0.

    Returns
    -------
    bounds : ndarray of shape (n_candidates,), dtype float64
        In units of the results. The first is 0; choose ``bounds.argmax()``.

    Raises
    ------
    ValueError
        If `results` is not a finite matrix of at least 2 queries, or
        `n_standard_errors` is out of range.

    See Also
    --------
    NormalizerSearch : Computes the results and chooses.
    gain_scorer : The same bound for `GridSearchCV`.
    sk_qbnorm.metrics.paired_bootstrap_report : Intervals for all measures of a gain.

    Notes
    -----
    With :math:`r_{cq}` the result of query q under candidate c, 0 the first of them,
    and n queries

    .. math::

        d_{cq} &= r_{cq} - r_{0q}, \\
        \text{bound}_c &= \bar d_c - z \sqrt{\frac{\sum_q (d_{cq} - \bar d_c)^2}{n (n -
        1)}}

    with z for `n_standard_errors`. The difficulty of a query for all candidates cancels
    in the differences, so the standard error is that of the gain alone.

    The best of many means is optimistic, more so with fewer queries. Two standard
    errors compensate for about as much: a correction that changes the outcome of few
    queries, or makes it worse as often as better, is not chosen.

    Examples
    --------
    >>> from sk_qbnorm.model_selection import gain_lower_bounds
    >>> raw = [1, 0, 0, 0, 0, 0, 1, 1, 0, 0]
    >>> unsure = [1, 1, 1, 0, 0, 0, 1, 1, 0, 0]
    >>> better = [1, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    >>> gain_lower_bounds([raw, unsure, better]).round(2)
    array([ 0.  , -0.07,  0.17])
    """
    n_standard_errors = check_standard_errors(n_standard_errors)
    gain, error = paired_gains(check_matrix(results, "results"))
    return gain - n_standard_errors * error


def check_standard_errors(number):
    """Return the number of standard errors as a float if it is valid, else raise."""
    advice = "2 is careful, and 0 subtracts nothing"
    return check_number(number, "n_standard_errors", positive=False, advice=advice)


def paired_gains(results):
    """Return the mean gain of each row over the first, and its standard error.

    Parameters
    ----------
    results : ndarray of shape (n_candidates, n_queries)
        Of bool or floats.

    Raises
    ------
    ValueError
        If there is only one query.
    """
    n_queries = results.shape[1]
    if n_queries < 2:
        raise ValueError(
            "At least 2 labeled queries are required to measure a gain, got 1; label "
            "50 or more."
        )
    gains = results.astype(np.float64)
    gains -= gains[:1].copy()
    errors = gains.std(axis=1, ddof=1) / np.sqrt(n_queries)
    return gains.mean(axis=1), errors
