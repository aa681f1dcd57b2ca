"""A curve with its confidence band, beside the line of no correction."""

from numbers import Real

from ._canvas import AFTER, BEFORE, REFERENCE, draw_legend, plain_number


def draw_curve(ax, values, curve, raw, band_label):
    """Draw curve, band and line.

    Parameters
    ----------
    ax : matplotlib Axes
    values : ndarray of shape (n_values,)
    curve : ndarray of shape (3, n_values)
        The curve and the ends of its band.
    raw : float
        Where the line is.
    band_label : str

    Returns
    -------
    line, band, raw_line : Line2D, PolyCollection and Line2D of matplotlib
    """
    middle, low, high = curve
    style = {"color": AFTER, "alpha": 0.2, "linewidth": 0}
    band = ax.fill_between(values, low, high, **style, label=band_label)
    style = {"color": AFTER, "marker": "o", "markersize": 4, "linewidth": 2}
    (line,) = ax.plot(values, middle, **style, label="corrected")
    style = {"color": BEFORE, "linestyle": "--", "linewidth": 2}
    raw_line = ax.axhline(raw, **style, label="raw")
    if values[0] > 0 and values[-1] >= 20 * values[0]:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(plain_number)
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom - 0.4 * (top - bottom), top)  # the legend below the curves
    draw_legend(ax, loc="lower left")
    return line, band, raw_line


def mark_present(ax, name, value, values):
    """Mark the value that a parameter has, where it is a number among the others."""
    if isinstance(value, Real) and values[0] <= value <= values[-1]:
        label = f"{name} = {value:g}, as it is set"
        ax.axvline(value, ymin=0.3, color=REFERENCE, linestyle=":", label=label)
        draw_legend(ax, loc="lower left")
