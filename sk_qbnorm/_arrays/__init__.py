"""Arrays of other libraries, such as tensors of PyTorch on a GPU.

scikit-learn's option ``array_api_dispatch`` turns them on; without it, inputs become
NumPy arrays. `Home` is the library and the device of an array. The primitives of
`_kernels` exist here once more as expressions of the Python array API: a tile of such
an array carries these, a tile of a NumPy array the compiled ones, and nothing else
needs to know.

What is proportional to a tile is computed on the device. What is left of a tile, a few
numbers per row or column, comes back to NumPy, in float64.

::

    _estimator   fitted attributes that live where the data did
    _kernels     the primitives, as array expressions
        |
    _standard    the largest entries, by a sort; _torch has a top-k
        |
    _home        which library and device; move arrays from and to NumPy
"""

from sk_qbnorm import _kernels as compiled

from . import _kernels as kernels
from ._estimator import ArraysMixin, move_estimator
from ._home import Home, concat, home_of, is_foreign, like, take_rows, to_numpy

__all__ = [
    "ArraysMixin",
    "Home",
    "concat",
    "home_of",
    "is_foreign",
    "kernels",
    "kernels_of",
    "like",
    "move_estimator",
    "take_rows",
    "to_numpy",
]


def kernels_of(matrix):
    """Return the primitives for a matrix: array expressions, or compiled ones."""
    return kernels if is_foreign(matrix) else compiled
