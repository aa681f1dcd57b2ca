"""Shrinkage of biases by their own sampling noise."""

import numpy as np

SHRINKAGES = (None, "noise")


def shrunken_bias(bias, second_moment, beta, n_bank):
    r"""Return biases shrunk towards their mean, the more the noisier each of them is.

    The bank is a sample of all queries. With :math:`w_{ij} = e^{\beta (p_{ij} - a_i -
    b_j)}`, whose mean over the bank is 1, the delta method gives the variance of a
    bias, and the method of moments that of all true biases:

    .. math::

        v_j &= \frac{\overline{w_j^2} - 1}{(n_{bank} - 1) \beta^2}, \qquad
        t = \max(0, \mathrm{var}_j \, b_j - \bar v), \\
        \tilde b_j &= \bar b + \frac{t}{t + v_j} (b_j - \bar b)

    Parameters
    ----------
    bias : ndarray of shape (n_gallery,)
        :math:`b_j`.
    second_moment : ndarray of shape (n_gallery,)
        ``log(mean_i exp(2 * beta * (p_ij - a_i))) / (2 * beta)``.
    beta : float
    n_bank : int
        At least 2 queries.

    Returns
    -------
    shrunken : ndarray of shape (n_gallery,)
    """
    if n_bank < 2:
        raise ValueError(
            "querybank must hold at least 2 queries for shrinkage='noise', which "
            "estimates how much the biases vary between banks, got 1; pass more "
            "queries, or shrinkage=None."
        )
    exponents = np.maximum(2 * beta * (second_moment - bias), 0)
    variances = np.expm1(exponents) / ((n_bank - 1) * beta**2)
    center = bias.mean()
    signal = max(0.0, bias.var() - variances.mean())
    if signal == 0:
        return np.full_like(bias, center)
    return center + signal / (signal + variances) * (bias - center)
