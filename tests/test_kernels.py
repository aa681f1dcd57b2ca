"""Kernels against the reference, at sizes that no block divides and extreme scales."""

import math
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from numba.core.errors import TypingError

from sk_qbnorm import _kernels
from sk_qbnorm._kernels import _jit
from sk_qbnorm._kernels._exp2 import exp2, exp2_double, exp2_single

from . import reference

pytestmark = pytest.mark.small_blocks
SIZES = [(1, 1), (3, 5), (4, 64), (63, 65), (65, 130), (131, 7), (3, 1024), (2, 1500)]
TOLERANCE = {np.float32: 2e-6, np.float64: 1e-13}

each_size = pytest.mark.parametrize(("n_rows", "n_columns"), SIZES)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def tile(matrix, margin=0):
    """All of a matrix as a tile, or all but a margin."""
    n_rows, n_columns = matrix.shape
    return matrix, margin, n_rows - margin, margin, n_columns - margin


def log_mean_exp(sims, beta, cuts=()):
    """Run the kernel on a matrix that is passed in tiles of some rows."""
    peak, total = sims[0].copy(), np.zeros(sims.shape[1])
    for first, last in pairwise([0, *cuts, len(sims)]):
        part = sims, first, last, 0, sims.shape[1]
        _kernels.add_log_sum_exp(part, beta, peak, total)
    return peak + np.log(total / len(sims)) / beta


def assert_is_log_mean_exp(found, sims, beta):
    columns = zip(*sims.astype(np.float64).tolist(), strict=True)
    expected = [reference.log_mean_exp(column, beta) for column in columns]
    largest = np.abs(sims).max() + 1 / beta
    rtol = TOLERANCE[sims.dtype.type]
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * largest)


@each_dtype
def test_powers_of_two_are_accurate_and_clipped_to_the_range(dtype):
    one = exp2_single if dtype == np.float32 else exp2_double
    low, high = (-126, 120) if dtype == np.float32 else (-1022, 1000)
    exponents = np.r_[np.linspace(low, high, 997), -0.5, 0.5, 0, 1e-9].astype(dtype)
    found = np.array([one(y) for y in exponents])
    rtol = 3e-7 if dtype == np.float32 else 1e-15
    np.testing.assert_allclose(found, np.exp2(exponents), rtol=rtol)
    assert [exp2(y) for y in exponents[::100]] == list(found[::100])
    for y, bound in ((dtype(-1e30), low), (dtype(1e30), high), (dtype(-np.inf), low)):
        assert one(y) == np.exp2(dtype(bound))


@each_dtype
@each_size
@pytest.mark.parametrize("beta", [0.5, 20.0])
def test_log_sum_exp_matches_the_definition(dtype, n_rows, n_columns, beta):
    random = np.random.default_rng(0)
    sims = random.normal(size=(n_rows, n_columns)).astype(dtype)
    assert_is_log_mean_exp(log_mean_exp(sims, beta), sims, beta)
    cuts = sorted({n_rows // 3, n_rows // 2} - {0})
    assert_is_log_mean_exp(log_mean_exp(sims, beta, cuts), sims, beta)


@each_dtype
@pytest.mark.parametrize("scale", [1e-5, 1, 1e5])
def test_log_sum_exp_is_right_at_any_scale(dtype, scale):
    random = np.random.default_rng(0)
    sims = (random.uniform(-1, 1, size=(150, 6)) * scale).astype(dtype)
    sims[:, 0] = scale  # all equal
    sims[:, 1] = -scale
    sims[:, 2] = -scale
    sims[-1, 2] = scale  # one huge outlier in the last row
    sims[:, 3] = np.linspace(-scale, scale, 150)  # ever larger: every peak is too low
    sims[:, 4] = sims[::-1, 3]
    for cuts in ((), (64, 149)):
        assert_is_log_mean_exp(log_mean_exp(sims, 1.0, cuts), sims, 1.0)


def test_old_terms_do_not_count_after_a_much_larger_one():
    # Sums near their limit, flushed many times, then a peak beyond the range.
    sims = np.zeros((3000, 1), dtype=np.float32)
    sims[1:-1] = 68.0
    sims[-1] = 1000.0
    assert log_mean_exp(sims, 1.0)[0] == pytest.approx(1000 - math.log(3000))


@each_dtype
@each_size
@pytest.mark.parametrize("k", [1, 2, 10, 200])
def test_column_top_k_matches_a_sort(dtype, n_rows, n_columns, k):
    random = np.random.default_rng(0)
    sims = random.integers(-9, 9, size=(n_rows, n_columns)).astype(dtype)
    top = np.full((n_columns, k), -np.inf, dtype=dtype)
    half = n_rows // 2
    for first, last in ((0, half), (half, n_rows)):
        _kernels.add_top_k((sims, first, last, 0, n_columns), top)
    expected = -np.sort(-sims, axis=0)[:k].T
    np.testing.assert_array_equal(top[:, :n_rows], expected)
    assert (top[:, n_rows:] == -np.inf).all()


@each_dtype
@each_size
@pytest.mark.parametrize("k", [1, 2, 7, 64, 128, 129])
def test_row_top_k_matches_a_stable_sort(dtype, n_rows, n_columns, k):
    random = np.random.default_rng(0)
    k = min(k, n_columns)
    scores = random.integers(-9, 9, size=(n_rows, n_columns)).astype(dtype)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    values, columns = _kernels.row_top_k(tile(scores), k)
    np.testing.assert_array_equal(columns, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(scores, expected, axis=1))
    for order in "CF":
        _, found = _kernels.best_items(np.array(scores, order=order), k, 3)
        np.testing.assert_array_equal(found, expected)


@each_dtype
@pytest.mark.parametrize("k", [1, 3, 40])
@pytest.mark.parametrize(("scale", "biased"), [(1.0, True), (2.0, True), (2.0, False)])
def test_row_top_k_continues_from_tile_to_tile(dtype, k, scale, biased):
    random = np.random.default_rng(0)
    sims = random.integers(-3, 4, size=(5, 200)).astype(dtype)
    bias = random.integers(0, 3, size=200).astype(dtype) * biased
    keys, items = _kernels.empty_top_k((5, k), dtype)
    for left, right in ((0, 30), (30, 31), (31, 200)):
        part = bias[left:right] if biased else None
        tile = sims, 0, 5, left, right
        _kernels.add_row_top_k(tile, scale, part, left, keys, items)
    keys, items = _kernels.best_first(keys, items, k)
    scores = scale * sims - bias
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(items, expected)
    np.testing.assert_array_equal(keys, np.take_along_axis(scores, expected, axis=1))


@each_dtype
@pytest.mark.parametrize("k", [1, 3, 40])
def test_least_ranks_match_a_sort(dtype, k):
    random = np.random.default_rng(0)
    bank = np.sort(random.integers(0, 9, size=(60, 12)).astype(dtype), axis=1)
    sims = random.integers(-1, 10, size=(300, 60)).astype(dtype)
    ranks, found = np.full((300, k), 13), np.zeros((300, k), dtype)
    items = np.full((300, k), -1)
    for left, right in ((0, 25), (25, 60)):
        tile = sims, 0, 300, left, right
        bank_columns = bank[left:right]
        _kernels.add_row_least_ranks(tile, bank_columns, left, ranks, found, items)
    order = np.lexsort((items, -found, ranks))
    ranks, found, items = (
        np.take_along_axis(each, order, 1) for each in (ranks, found, items)
    )
    all_ranks = _kernels.bank_ranks(sims, bank, 1)
    everything = np.broadcast_to(np.arange(60), sims.shape)
    expected = np.lexsort((everything, -sims, all_ranks))[:, :k]
    np.testing.assert_array_equal(items, expected)
    np.testing.assert_array_equal(ranks, np.take_along_axis(all_ranks, expected, 1))
    np.testing.assert_array_equal(found, np.take_along_axis(sims, expected, 1))
    np.testing.assert_array_equal(_kernels.item_ranks(found, items, bank), ranks)


def test_only_the_part_of_a_tile_within_its_bounds_counts():
    random = np.random.default_rng(0)
    scores = random.normal(size=(9, 80))
    inside = scores[2:-2, 2:-2].copy()
    for k in (1, 5):
        values, columns = _kernels.row_top_k(tile(scores, margin=2), k)
        expected_values, expected_columns = _kernels.row_top_k(tile(inside), k)
        np.testing.assert_array_equal(values, expected_values)
        np.testing.assert_array_equal(columns, expected_columns)


@each_dtype
def test_bank_ranks_match_a_binary_search(dtype):
    random = np.random.default_rng(0)
    for n_queries, n_gallery, n_bank in ((1, 1, 1), (5, 17, 2), (1030, 3, 9)):
        bank = random.integers(0, 6, size=(n_gallery, n_bank)).astype(dtype)
        bank.sort(axis=1)
        sims = random.integers(-1, 7, size=(n_queries, n_gallery)).astype(dtype)
        ranks = _kernels.bank_ranks(sims, bank, 2)
        up_to = [
            np.searchsorted(bank[j], sims[:, j], "right") for j in range(n_gallery)
        ]
        np.testing.assert_array_equal(ranks, n_bank - np.transpose(up_to))


def test_every_kernel_can_be_imported_from_the_package():
    for name in _kernels._MODULES:
        assert callable(getattr(_kernels, name))
    with pytest.raises(AttributeError, match="has no attribute 'magic'"):
        _ = _kernels.magic


def run(program, **environment):
    """Run a program in a new process, which must print nothing."""
    import os

    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == result.stderr == ""


def test_numba_is_imported_by_the_first_fit_and_not_before():
    run(
        "import sys, sk_qbnorm, sk_qbnorm.metrics, sk_qbnorm.datasets\n"
        "assert 'numba' not in sys.modules\n"
        "sk_qbnorm.InvertedSoftmax(metric='precomputed').fit([[1.0]])\n"
        "assert 'numba' in sys.modules\n"
    )


FIRST_FIT = (
    "import numpy as np, sk_qbnorm\n"
    "bank = np.eye(3)\n"
    "fitted = sk_qbnorm.InvertedSoftmax(metric='precomputed').fit(bank)\n"
    "assert np.isfinite(fitted.transform(bank)).all()\n"
)


def test_the_first_fit_fills_a_cache_and_prints_nothing(tmp_path):
    run(FIRST_FIT, NUMBA_CACHE_DIR=str(tmp_path))
    if not _jit.numba.config.DISABLE_JIT:
        assert list(tmp_path.rglob("*.nbi"))


def test_kernels_compile_if_no_cache_can_be_written(tmp_path):
    nowhere = tmp_path / "a file"
    nowhere.write_text("where a folder is expected")
    run(FIRST_FIT, NUMBA_CACHE_DIR=str(nowhere / "cache"))


def test_kernels_compile_if_numba_finds_no_place_for_a_cache(monkeypatch):
    def without_locator(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(_jit.numba, "njit", without_locator)
    assert _jit.kernel(len) is len


def fit_and_warn(folder, before="", **environment):
    """Run a fit that compiles with this cache; return its warnings."""
    code = (
        before + "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n"
    )
    code += "    warnings.simplefilter('always')\n"
    code += "".join(f"    {line}\n" for line in FIRST_FIT.splitlines())
    code += (
        f"assert [{str(folder)!r} in str(each.message) for each in seen] == [True]\n"
    )
    run(code, NUMBA_CACHE_DIR=str(folder), NUMBA_DISABLE_JIT="0", **environment)


@pytest.mark.compiled
def test_a_fit_works_and_warns_once_if_files_of_the_cache_are_damaged(tmp_path):
    run(FIRST_FIT, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_DISABLE_JIT="0")
    indexes = sorted(tmp_path.rglob("*.nbi"))
    codes = sorted(tmp_path.rglob("*.nbc"))
    for empty in (indexes[0], codes[-1]):
        empty.write_bytes(b"")
    for cut in (indexes[1], codes[-2]):
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    fit_and_warn(tmp_path)


@pytest.mark.compiled
def test_a_fit_works_and_warns_once_if_the_cache_cannot_grow(tmp_path):
    resource = pytest.importorskip("resource", reason="Windows limits no file sizes")
    limit = resource.RLIMIT_FSIZE
    fit_and_warn(
        tmp_path,
        f"import resource, sk_qbnorm\nresource.setrlimit({limit}, (100, 100))\n",
    )


class FakeKernel:
    """The parts of a compiled numba function that `_jit` uses."""

    stats = SimpleNamespace(cache_path="folder of the cache")

    def __init__(self, failures=()):
        self.failures = list(failures)
        self.overloads = {}

    def compile(self, signature):
        if self.failures:
            raise self.failures.pop(0)
        self.overloads[signature] = f"code for {signature}"
        return self.overloads[signature]

    def add_overload(self, result):
        self.overloads[result.removeprefix("code for ")] = result


@pytest.fixture
def kernel_whose_cache_fails(monkeypatch):
    """Make a kernel whose cache raises the given errors, one per call."""
    monkeypatch.setattr(_jit, "_warned_folders", set())

    def make(*failures):
        def njit(**options):
            return lambda function: FakeKernel(failures if "cache" in options else ())

        monkeypatch.setattr(_jit.numba, "njit", njit)
        return _jit.kernel(len)

    return make


@pytest.mark.parametrize(
    "failures", [[OSError(28, "no space")], [EOFError(), EOFError()]]
)
def test_a_kernel_is_compiled_if_its_cache_cannot_be_read_or_written(
    failures, kernel_whose_cache_fails
):
    kernel = kernel_whose_cache_fails(*failures)
    with pytest.warns(RuntimeWarning, match="cache") as seen:
        assert kernel.compile("float64") == "code for float64"
    assert len(seen) == 1
    assert kernel.overloads == {"float64": "code for float64"}


def test_a_broken_cache_warns_once(kernel_whose_cache_fails):
    first = kernel_whose_cache_fails(EOFError(), EOFError())
    with pytest.warns(RuntimeWarning, match="cache"):
        first.compile("float32")
    second = kernel_whose_cache_fails(EOFError(), EOFError())
    assert second.compile("float64") == "code for float64"  # a warning is an error here


def test_code_that_numba_rejects_is_not_blamed_on_the_cache(kernel_whose_cache_fails):
    kernel = kernel_whose_cache_fails(TypingError("no such type"))
    with pytest.raises(TypingError):
        kernel.compile("str")


def test_compiled_code_is_not_added_twice(kernel_whose_cache_fails):
    kernel = kernel_whose_cache_fails(EOFError(), EOFError())
    kernel.overloads["float64"] = "code of another thread"
    with pytest.warns(RuntimeWarning, match="cache"):
        kernel.compile("float64")
    assert kernel.overloads["float64"] == "code of another thread"
