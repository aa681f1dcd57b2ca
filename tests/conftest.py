import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# For the benchmarks, behind the package that is installed.
sys.path.append(str(Path(__file__).parent.parent))
os.environ.setdefault("MPLBACKEND", "agg")  # nobody looks
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("quick", parent=settings.get_profile("ci"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(items):
    """Small banks are clipped, and only the tests of that are about the warning."""
    for item in items:
        if "normalizer" in getattr(item, "fixturenames", ()):
            for message in ("n_neighbors=", "beta="):
                mark = pytest.mark.filterwarnings(f"ignore:{message}")
                item.add_marker(mark, append=False)


@pytest.fixture(autouse=True)
def _no_left_over_figures():
    """Close what an example has drawn."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
