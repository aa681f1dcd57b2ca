"""Fitted estimators whose arrays live where the data of `fit` did."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from ._home import home_of, to_numpy

Fitted = TypeVar("Fitted")


class ArraysMixin:
    """Keep fitted attributes in the library and on the device of the data.

    Pickles hold NumPy arrays, so that they load where there is no such device.
    """

    _home = None  # of the data of `fit`; None for NumPy

    def _set_home(self, home):
        """Move the fitted attributes to where the data of `fit` live."""
        self._home = home
        if home is not None:
            vars(self).update(_moved_attributes(self, home))

    def _check_home(self, X, method):
        """Raise if the input lives elsewhere than the data of `fit` did."""
        home = home_of(X)
        if home != self._home:
            here, there = (each or "NumPy" for each in (home, self._home))
            raise ValueError(
                f"Inputs of {type(self).__name__}.{method}() must use the same "
                f"namespace and device as those of fit, got {here}, expected {there}; "
                "convert them, or move the estimator by sk_qbnorm.move_estimator."
            )

    def __copy__(self):
        twin = type(self).__new__(type(self))
        vars(twin).update(vars(self))
        return twin

    def __getstate__(self):
        return {**super().__getstate__(), **_moved_attributes(self, None)}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags


def _moved_attributes(estimator, home):
    """Return the fitted attributes that change if the estimator moves."""
    attributes = {
        name: _moved(value, home)
        for name, value in vars(estimator).items()
        if home is None or name.endswith("_") or name.startswith("_")
    }
    return attributes | {"_home": home}


def _moved(value, home):
    if hasattr(value, "_moved_to"):  # a gallery or a bank
        return value._moved_to(home)
    if isinstance(value, ArraysMixin):
        return moved(value, home)
    if home is None:
        return to_numpy(value)
    is_numeric = isinstance(value, np.ndarray) and value.dtype.kind in "fib"
    return home.asarray(value) if is_numeric else value


def moved(estimator, home):
    """Return a copy of a fitted estimator whose arrays live somewhere else."""
    twin = estimator.__copy__()
    vars(twin).update(_moved_attributes(estimator, home))
    return twin


def move_estimator(estimator: Fitted, like: Any = None) -> Fitted:
    """Return a copy of a fitted estimator whose arrays live where another array does.

    Fit on a GPU and serve on a machine without one, or the other way round. Pickles
    need no such step: they hold NumPy arrays, and the loaded estimator takes these.

    Parameters
    ----------
    estimator : estimator of sk_qbnorm, or Pipeline
        Fitted.
    like : array, default=None
        An array of the library and the device to move to, such as
        ``torch.empty(0, device="cuda")``. Arrays of other libraries than NumPy count
        only with ``sklearn.set_config(array_api_dispatch=True)``. None means NumPy.

    Returns
    -------
    estimator : of the type of `estimator`
        The original is unchanged. What needs no move is shared.

    Raises
    ------
    ValueError
        If `estimator` is neither of this package nor a Pipeline.

    See Also
    --------
    QuerybankRetriever : Keeps its gallery where the data of `fit` live.

    Examples
    --------
    >>> from sk_qbnorm import InvertedSoftmax, move_estimator
    >>> normalizer = InvertedSoftmax(beta=20).fit([[0.9, 0.1], [0.8, 0.3]])
    >>> move_estimator(normalizer).gallery_bias_.round(2)
    array([0.87, 0.27])
    """
    home = None if like is None else home_of(like)
    steps = getattr(estimator, "steps", None)
    if steps is not None:  # a Pipeline
        twin: Any = type(estimator).__new__(type(estimator))
        vars(twin).update(vars(estimator))
        twin.steps = [
            (name, moved(step, home) if isinstance(step, ArraysMixin) else step)
            for name, step in steps
        ]
        return twin
    if not isinstance(estimator, ArraysMixin):
        raise ValueError(
            "estimator must be an estimator of sk_qbnorm or a Pipeline of these, got "
            f"{estimator!r}."
        )
    return moved(estimator, home)
