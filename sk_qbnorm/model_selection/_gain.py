"""What is gained over raw similarities, query by query, and how sure that is."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_qbnorm._validation import check_matrix, check_number


def gain_lower_bounds(results: ArrayLike, *, n_standard_errors: float = 2.0) -> NDArray:
    r"""Bound what each candidate gains over the first, query by query.

    The candidate with the largest bound is the one to choose. It is the first, raw
    similarities say, unless another is better beyond what few queries can feign.

    Parameters
    ----------
    results : array-like of shape (n_candidates, n_queries)
        A result of every query under every candidate, larger for better, such as
        whether its item is found, or the reciprocal rank of it. The first row is what
        the others are compared with. There are 2 queries or more.
    n_standard_errors : float, default=2.0
        How many standard errors are taken off the mean gain, >= 0; 0 takes the best
        mean at its word.

    Returns
    -------
    bounds : ndarray of shape (n_candidates,), dtype float64
        In units of the results. The first is 0; ``bounds.argmax()`` is the candidate to
        choose, the first among equals.

    Raises
    ------
    ValueError
        If `results` is not a finite matrix of 2 queries or more, or
        `n_standard_errors` is out of range.

    See Also
    --------
    NormalizerSearch : Makes the results, and the choice.
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

    with z for `n_standard_errors`. What makes a query hard for all candidates falls
    out of the differences, so that the standard error is that of the gain alone.

    The best of many means is too good by chance, the more so the fewer queries there
    are. Two standard errors make up for about as much: a correction that changes the
    outcome of few queries, or as often to the worse as to the better, is not chosen.

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
    """Return how many standard errors to take off, if that makes sense, else raise."""
    advice = "2 is on the careful side, and 0 takes gains at their word"
    return check_number(number, "n_standard_errors", positive=False, advice=advice)


def paired_gains(results):
    """Return mean and standard error of what each row gains over the first.

    Parameters
    ----------
    results : ndarray of shape (n_candidates, n_queries)
        Of bool or floats.

    Raises
    ------
    ValueError
        If there is one query alone.
    """
    n_queries = results.shape[1]
    if n_queries < 2:
        raise ValueError(
            "What is gained can be judged by 2 labelled queries or more, got 1; label "
            "some 50 at the least."
        )
    gains = results.astype(np.float64)
    gains -= gains[:1].copy()
    errors = gains.std(axis=1, ddof=1) / np.sqrt(n_queries)
    return gains.mean(axis=1), errors
