"""A short ``repr`` of estimators whose parameters hold data."""

import inspect

import numpy as np


class ShortReprMixin:
    """Print the shape of a parameter that holds data, and not the data."""

    def __repr__(self):
        defaults = inspect.signature(type(self).__init__).parameters
        changed = []
        for name, value in sorted(self.get_params(deep=False).items()):
            if value is not defaults[name].default and not _is_equal(
                value, defaults[name].default
            ):
                changed.append(f"{name}={_short(value)}")
        return f"{type(self).__name__}({', '.join(changed)})"


def _is_equal(value, default):
    return type(value) is type(default) and bool(np.all(value == default))


def _short(value):
    shape = getattr(value, "shape", None)
    if shape is None and isinstance(value, (list, tuple)) and len(value) > _FEW:
        return f"<{type(value).__name__} of {len(value)}>"
    if not shape:
        return repr(value)
    return f"<{' x '.join(map(str, shape))} {type(value).__name__}>"


_FEW = 3
