"""What all pictures are drawn on, and the colours that they share."""

# Of Okabe and Ito: told apart by the colour-blind. Line styles, markers and hatches say
# the same once more, for print in grey.
BEFORE = "#d55e00"
AFTER = "#0072b2"
ACTIVE = "#009e73"
SAME = "#a6d5f2"
FAINT = "#e4e4e4"
REFERENCE = "#555555"


def axes_of(ax, size, name):
    """Return the axes to draw on: those given, or those of a new figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
    size : tuple of float
        Width and height of a new figure, in inches.
    name : str
        Of the display that asks.

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
                f"{name} draws with matplotlib, which is not installed; install it, as "
                'with pip install "sk-qbnorm[plot]".'
            ) from error
        _, ax = plt.subplots(figsize=size, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def draw_legend(ax, *entries, **options):
    """Draw a legend that a layout does not shrink narrow axes for."""
    ax.legend(*entries, frameon=False, **options).set_in_layout(False)


def plain_number(value, position=None):
    """Return a number of a logarithmic axis as people write it."""
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"
