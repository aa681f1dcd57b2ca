"""Axes, legends and colors of all displays."""

# Colors of Okabe and Ito, which color-blind readers can tell apart. Line styles,
# markers and hatches repeat the distinction for prints in gray.
BEFORE = "#d55e00"
AFTER = "#0072b2"
ACTIVE = "#009e73"
UNCHANGED = "#a6d5f2"
FAINT = "#e4e4e4"
REFERENCE = "#555555"


def get_axes(ax, size, name):
    """Return `ax`, or the axes of a new figure if it is None.

    Parameters
    ----------
    ax : matplotlib Axes or None
    size : tuple of float
        Width and height of a new figure, in inches.
    name : str
        Name of the display, for the error message.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                f"{name} requires matplotlib, which is not installed; install it with "
                'pip install "sk-qbnorm[plot]".'
            ) from error
        _, ax = plt.subplots(figsize=size, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def draw_legend(ax, *entries, **options):
    """Draw a legend that does not shrink narrow axes in a constrained layout."""
    ax.legend(*entries, frameon=False, **options).set_in_layout(False)


def plain_number(value, position=None):
    """Format a tick label of a logarithmic axis without powers of 10."""
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"
