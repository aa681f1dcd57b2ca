import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from . import other_arrays, small_blocks

# The benchmarks are importable, after the installed package.
sys.path.append(str(Path(__file__).parent.parent))
os.environ.setdefault("MPLBACKEND", "agg")  # no window
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("quick", parent=settings.get_profile("ci"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
if small_blocks.ARE_ON:
    small_blocks.shrink()
if "SK_QBNORM_ARRAYS" in os.environ:
    other_arrays.use(os.environ["SK_QBNORM_ARRAYS"])


def pytest_collection_modifyitems(items):
    """Ignore warnings about small banks and unusual betas, except in their tests."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore:beta"), append=False)
        if "normalizer" in getattr(item, "fixturenames", ()):
            mark = pytest.mark.filterwarnings("ignore:n_neighbors=")
            item.add_marker(mark, append=False)


@pytest.fixture(autouse=True)
def _close_figures():
    """Close all figures after a test."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
