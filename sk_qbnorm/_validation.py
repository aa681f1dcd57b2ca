"""Checks of parameters and arrays, with the public API of scikit-learn."""

import inspect
import warnings
from contextlib import contextmanager
from copy import copy
from functools import partial
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sk_qbnorm import _arrays, _kernels

from ._threads import count_threads

FLOATS = (np.float64, np.float32)


def check_number(value, name, *, positive, advice):
    """Return `value` as a float if it is a finite number in range, else raise."""
    is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    try:
        number = float(value) if is_number else np.nan
    except OverflowError:
        number = np.inf
    if not (np.isfinite(number) and (number > 0 or (number == 0 and not positive))):
        bound = "> 0" if positive else ">= 0"
        raise ValueError(
            f"{name} must be a finite number {bound}, got {value!r}; {advice}."
        )
    return number


def check_beta(beta, name="beta", advice="20 is usual for cosine similarities"):
    """Return ``"scale"``, or a number as a float, else raise."""
    if isinstance(beta, str) and beta == "scale":
        return beta
    advice += ", and 'scale' adapts to their spread"
    return check_number(beta, name, positive=True, advice=advice)


def check_alpha(alpha, usual="1 is usual"):
    """Raise unless the strength of a correction is a finite number >= 0."""
    advice = f"0 corrects nothing and {usual}"
    check_number(alpha, "alpha", positive=False, advice=advice)


def check_count(value, name, *, largest=None):
    """Return `value` as an int if it is an integer in [1, largest], else raise."""
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_integer or value < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {value!r}.")
    if largest is not None and value > largest:
        raise ValueError(
            f"{name} must be at most {largest}, the number of gallery items, got "
            f"{value}."
        )
    return int(value)


def check_choice(value, name, choices):
    """Return `value` if it is one of the choices, else raise."""
    if not isinstance(value, str | None) or value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {known}, got {value!r}.")
    return value


def float_dtype(*matrices):
    """Return float32 if all matrices are, else float64."""
    all_single = all(matrix.dtype == np.float32 for matrix in matrices)
    return np.dtype(np.float32 if all_single else np.float64)


def check_finite(array, name, n_jobs=None):
    """Raise if `array` has NaN or infinity, with the place of the first."""
    is_sparse = sparse.issparse(array)
    if _arrays.is_foreign(array):
        _check_foreign(array, name, finite=True)
        return
    values = array.data if is_sparse else array
    sums = []  # a sum per row finds problems in one pass without a large temporary
    wide = np.float64 if values.dtype.itemsize <= 2 else None  # sums of half floats

    def add(start, stop):
        with np.errstate(over="ignore", invalid="ignore"):
            sums.append(np.sum(values[start:stop], dtype=wide))

    _kernels.share(add, values.shape[0], count_threads(n_jobs))
    if np.isfinite(sums).all():
        return
    bad = ~np.isfinite(values)
    if bad.any():
        first = np.argwhere(bad)[0]
        what = "NaN" if np.isnan(values[tuple(first)]) else "infinity"
        if is_sparse:
            entries = array.tocoo()
            first = entries.row[first[0]], entries.col[first[0]]
        raise ValueError(
            f"{name} must be finite, got {what} in row {first[0]}, column {first[1]} "
            f"({bad.sum()} such entries in total); drop or repair these rows."
        )


def check_features(
    estimator,
    matrix,
    name,
    *,
    reset,
    n_jobs=None,
    names_required=True,
    check=None,
):
    """Return the input of an estimator as a finite float32 or float64 matrix.

    Arrays of other libraries stay in them, if scikit-learn's option says so.

    Sets or checks its ``n_features_in_`` and ``feature_names_in_``. If names are not
    required, they are checked only if both sides have them. `check` replaces
    `check_matrix`.
    """
    if check is None:
        check = partial(check_matrix, estimator=estimator)
    checked = check(matrix, name, n_jobs=n_jobs, keep_foreign=True)
    both_named = hasattr(estimator, "feature_names_in_") and hasattr(matrix, "columns")
    if names_required or both_named:
        validate_data(estimator, matrix, reset=reset, skip_check_array=True)
    elif checked.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {checked.shape[1]} features, but {type(estimator).__name__} is "
            f"expecting {estimator.n_features_in_} features as input."
        )
    return checked


def item_positions(items, names, title="items"):
    """Return gallery indices in place of names; other input is returned as it is.

    Integer names take precedence over indices.
    """
    if names is None:
        return items
    given = np.asarray(items, dtype=object)
    if given.ndim != 1 or given.size == 0 or np.asarray(items).dtype == bool:
        return items
    kind = str if isinstance(names[0], str) else Integral
    if not all(isinstance(item, kind) for item in given):
        return items
    positions = positions_of(given, names)
    if (positions < 0).any():
        unknown = given[positions < 0]
        raise ValueError(
            f"{title} must be in the gallery, got {unknown[0]!r} and "
            f"{len(unknown) - 1} others that are not; pass names of the gallery."
        )
    return positions


def positions_of(items, names):
    """Return the index of each name, -1 for None and for unknown names."""
    places = {name: place for place, name in enumerate(names)}
    if len(places) < len(names):
        raise ValueError(
            f"The names of the gallery items must be unique to be looked up, got "
            f"{len(names) - len(places)} repeated names; use gallery indices instead."
        )
    flat = np.asarray(items, dtype=object).ravel()
    found = [places.get(item, -1) for item in flat]
    return np.array(found, dtype=np.int64).reshape(np.shape(items))


def check_items(items, n_gallery):
    """Return gallery indices from indices or from a mask."""
    check_unmasked(items, "items")
    items = np.asarray(items)
    if items.dtype == bool and items.shape == (n_gallery,):
        return np.flatnonzero(items)
    if items.size == 0 and items.ndim == 1:
        return np.empty(0, dtype=np.int64)
    if items.dtype.kind not in "iu" or items.ndim != 1:
        raise ValueError(
            f"items must be gallery indices or a mask of shape ({n_gallery},), got "
            f"{items.dtype} of shape {items.shape}."
        )
    if items.min() < 0 or items.max() >= n_gallery:
        raise ValueError(
            f"items must be gallery indices in [0, {n_gallery - 1}], got {items.min()} "
            f"to {items.max()}."
        )
    return items


def remaining_items(items, n_gallery):
    """Return the gallery items that remain without some, ascending."""
    kept = np.setdiff1d(np.arange(n_gallery), check_items(items, n_gallery))
    if kept.size == 0:
        raise ValueError(
            f"items must leave at least one item, got all {n_gallery} gallery items; "
            "call fit for another gallery."
        )
    return kept


def warn_caller(message, category=UserWarning):
    """Warn at the first line outside of this package and scikit-learn."""
    own = "sk_qbnorm", "sklearn", "joblib"  # scikit-learn calls through joblib
    frame, level = inspect.currentframe(), 1
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in own:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def clone_sharing_data(estimator, *private_names):
    """Return an unfitted clone that shares its parameters, which may be large.

    `private_names` are fitted attributes that do not end in an underscore.
    """
    twin = copy(estimator)
    for name in [*vars(twin)]:
        if name.endswith("_") or name in (*private_names, "_home"):
            delattr(twin, name)
    return twin


@contextmanager
def unchanged_on_error(estimator):
    """Restore the attributes of the estimator if anything fails."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def check_matrix(
    matrix,
    name,
    *,
    estimator=None,
    n_jobs=None,
    finite=True,
    accept_sparse=False,
    keep_foreign=False,
):
    """Return embeddings or scores as a float32 or float64 matrix, and finite.

    float32 stays float32, also in dataframes and in arrays of other libraries. Sparse
    matrices, where they are accepted, come as CSR. With `keep_foreign`, arrays of other
    libraries may stay in them, half floats too, if scikit-learn's option says so.
    """
    if matrix is None:
        raise ValueError(f"{name} must be a matrix, got None; pass one.")
    if _arrays.is_foreign(matrix):
        if keep_foreign:
            return _check_foreign(matrix, name, finite)
        matrix = _arrays.to_numpy(matrix)
    check_unmasked(matrix, name)
    with _matrix_of_numbers(name):
        matrix, dtype = _readable(matrix, name)
        checked = check_array(
            matrix,
            accept_sparse="csr" if accept_sparse else False,
            dtype=dtype,
            ensure_all_finite=False,
            input_name=name,
            estimator=estimator,
        )
    if finite:
        check_finite(checked, name, n_jobs)
    return checked


def _check_foreign(matrix, name, finite):
    """Return an array of another library as a finite matrix of floats."""
    home = _arrays.home_of(matrix)
    matrix = home.without_gradients(matrix)
    xp, shape = home.xp, tuple(matrix.shape)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"{name} must be a matrix with a row and a column, got an array of shape "
            f"{shape}."
        )
    if not xp.isdtype(matrix.dtype, "real floating"):
        if not xp.isdtype(matrix.dtype, ("bool", "integral")):
            raise ValueError(
                f"{name} must hold real numbers, got dtype {matrix.dtype}; convert it "
                "to float32 or float64 first."
            )
        matrix = home.cast(matrix, home.dtype_of(matrix))
    if finite and not bool(xp.all(xp.isfinite(matrix))):
        check_finite(_arrays.to_numpy(matrix), name)  # tells where
    return matrix


def shape_of(matrix):
    """Return the shape of any array-like, even if numpy functions reject it."""
    shape = getattr(matrix, "shape", None)
    return np.asarray(matrix).shape if shape is None else tuple(shape)


def item_names(matrix, axis=0):
    """Return the names of gallery items: the index (or columns) of a dataframe.

    Strings and integers are names, except the default index 0, 1, 2, ...; None means
    that the items have no names.
    """
    labels = getattr(matrix, "columns" if axis else "index", None)
    if labels is None or callable(labels):  # the index method of a list
        return None
    names = np.asarray(labels, dtype=object)
    if all(isinstance(name, str) for name in names):
        return names
    if not all(isinstance(name, Integral) for name in names):
        return None
    return None if np.array_equal(names, np.arange(len(names))) else names


def known_names(estimator):
    """Return the names of the gallery items that an estimator learned, or None.

    In a Pipeline, the names that the last step with names learned.
    """
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    learned = (getattr(step, "gallery_names_", None) for step in reversed(steps))
    return next((names for names in learned if names is not None), None)


def check_unmasked(values, name):
    """Raise if entries of a masked array are masked, because they would be used."""
    listed = values if isinstance(values, (list, tuple)) else [values]
    if any(isinstance(each, np.ma.MaskedArray) and each.mask.any() for each in listed):
        raise ValueError(
            f"{name} must not have masked entries, got a masked array; replace them, "
            "for example by filled(0), or drop their rows."
        )


def _readable(matrix, name):
    """Return a matrix that `check_array` can read, and the dtype to request.

    Without a dtype, `check_array` converts dtypes of other libraries to float64.
    """
    if hasattr(matrix, "iloc") and hasattr(matrix, "columns"):  # pandas
        dtypes = [_numpy_dtype(dtype) for dtype in set(matrix.dtypes)]
        are_numbers = all(dtype.kind in "fiub" for dtype in dtypes)
        is_single = are_numbers and np.result_type(np.int8, *dtypes) == np.float32
        wanted = np.float32 if is_single else np.float64
    else:
        if not isinstance(matrix, np.ndarray) and not sparse.issparse(matrix):
            matrix = _as_ndarray(matrix, name)
        dtypes, wanted = [matrix.dtype], FLOATS
    for dtype in dtypes:
        if dtype.kind in "mMV":
            raise ValueError(
                f"{name} must hold numbers, got dtype {dtype}; convert it to float32 "
                "or float64 first."
            )
    return matrix, wanted


def _numpy_dtype(dtype):
    """Return the numpy dtype of a column that may have missing values or be sparse."""
    return getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))


def _as_ndarray(matrix, name):
    """Return a list, or an array or dataframe of another library, as an ndarray."""
    has_dlpack_only = hasattr(matrix, "__dlpack__") and not hasattr(matrix, "__array__")
    try:
        return np.from_dlpack(matrix) if has_dlpack_only else np.asarray(matrix)
    except (TypeError, RuntimeError, BufferError) as error:  # on a GPU, or bfloat16
        raise ValueError(
            f"{name} must be an array that numpy can read, got {type(matrix).__name__} "
            f"({error}); convert it to a numpy array of float32 first."
        ) from error


def column_names(matrix):
    """Return the columns of a dataframe as an array if they are strings, else None."""
    labels = getattr(matrix, "columns", None)
    if labels is None:
        return None
    names = np.asarray(labels, dtype=object)
    return names if all(isinstance(name, str) for name in names) else None


class _matrix_of_numbers:
    """Name the input in errors about empty, non-2D or text input."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not ValueError:
            return
        if "could not convert string" in str(error):
            raise ValueError(
                f"{self.name} must hold numbers, got text ({error}); encode it first."
            ) from error
        if str(error).startswith(("Found array with 0 ", "Expected 2D array")):
            raise ValueError(
                f"{self.name} must be a matrix with a row and a column. {error}"
            ) from error
