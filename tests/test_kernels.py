import subprocess
import sys

import pytest

from sk_qbnorm import _kernels
from sk_qbnorm._kernels import _jit


def test_every_kernel_is_behind_the_door():
    for name in _kernels._HOMES:
        assert callable(getattr(_kernels, name))
    with pytest.raises(AttributeError, match="has no attribute 'magic'"):
        _ = _kernels.magic


def test_numba_is_loaded_by_the_first_fit_and_not_before():
    program = (
        "import sys, sk_qbnorm, sk_qbnorm.metrics, sk_qbnorm.datasets\n"
        "assert 'numba' not in sys.modules\n"
        "sk_qbnorm.InvertedSoftmax(metric='precomputed').fit([[1.0]])\n"
        "assert 'numba' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_kernels_compile_where_no_cache_can_be_written(monkeypatch):
    def without_locator(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(_jit.numba, "njit", without_locator)
    assert _jit.kernel(len) is len
