"""Run the tests of normalizers on arrays of another library.

``SK_QBNORM_ARRAYS=torch pytest`` passes every similarity and embedding to the
normalizers as a tensor, and gives their results and fitted attributes to the tests as
NumPy arrays. `LIBRARIES` names what can be installed; ``SK_QBNORM_DEVICE`` chooses a
device, such as ``cuda``.
"""

import functools
import os
from collections.abc import Iterator
from importlib import import_module

import numpy as np
from sklearn import set_config

LIBRARIES = {
    "array_api_strict": "array_api_strict",
    "torch": "array_api_compat.torch",
    "jax": "jax.numpy",
}
METHODS = (
    "fit",
    "transform",
    "fit_transform",
    "_partial_fit",  # behind a descriptor
    "add_gallery",
    "remove_gallery",
)


def namespace(library):
    """Return the namespace of a library."""
    if library == "jax":
        import_module("jax").config.update("jax_enable_x64", True)
    return import_module(LIBRARIES[library])


def device_of(library):
    """Return the device that the environment asks for, or the default."""
    name = os.environ.get("SK_QBNORM_DEVICE")
    return None if name is None or library != "torch" else name


def use(library):
    """Pass arrays of this library to all normalizers for the rest of the process."""
    from sk_qbnorm import _arrays
    from sk_qbnorm.normalizers import BaseNormalizer

    set_config(array_api_dispatch=True)
    xp, device = namespace(library), device_of(library)

    def moved(value):
        if isinstance(value, Iterator):
            return map(moved, value)
        is_matrix = isinstance(value, np.ndarray) and value.ndim == 2
        if not is_matrix or value.dtype.kind not in "fiu" or 0 in value.shape:
            return value
        return xp.asarray(value.copy(), device=device)

    def wrapped(method):
        @functools.wraps(method)
        def call(self, *args, **options):
            args = [moved(arg) for arg in args]
            options = {name: moved(arg) for name, arg in options.items()}
            found = method(self, *args, **options)
            return found if found is self else _arrays.to_numpy(found)

        return call

    def get(self, name):
        value = object.__getattribute__(self, name)
        is_fitted = name.endswith("_") and not name.startswith("_")
        return _arrays.to_numpy(value) if is_fitted else value

    for kind in [BaseNormalizer, *all_subclasses(BaseNormalizer)]:
        for name in METHODS:
            if name in vars(kind) and callable(vars(kind)[name]):
                setattr(kind, name, wrapped(vars(kind)[name]))
    BaseNormalizer.__getattribute__ = get


def all_subclasses(kind):
    """Return the direct and indirect subclasses of a class."""
    direct = kind.__subclasses__()
    return direct + [each for sub in direct for each in all_subclasses(sub)]
