"""The commands in the README, and the example and the walks in CONTRIBUTING.

test_pages.py runs the other blocks of the README.
"""

import re
import sys

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import DynamicNormalizer, InvertedSoftmax, QuerybankRetriever

from .pages import FENCE, ROOT

BLOCKS = FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))

# .ci/run runs these commands, not a test.
SET_UP = {
    "pip install . && python -m sk_qbnorm demo",
    "pip install tox && tox -e py",
}


def blocks(language):
    return [text for name, text in BLOCKS if name == language]


def test_the_normalizer_of_the_contributing_guide_is_complete():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = (block for language, block in FENCE.findall(text) if language == "python")
    names = {"__name__": "guide"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    random = np.random.default_rng(0)
    bank, queries = random.normal(size=(2, 12, 4))
    gallery = random.normal(size=(9, 4))
    one = names["PeakNormalizer"](metric="dot")
    in_parts = clone(one).partial_fit(bank[:5], gallery[:6])
    in_parts.partial_fit(bank[5:], gallery[:6]).add_gallery(bank, gallery[6:])
    sims = queries @ gallery.T
    scores = sims - (bank @ gallery.T).max(axis=0)
    np.testing.assert_allclose(in_parts.transform(sims), scores)
    bias = one.fit(bank, gallery).index_bias()
    np.testing.assert_allclose(sims - bias, scores)
    new = clone(one).fit(bank, gallery[:6]).bias_of(bank, gallery[6:])
    np.testing.assert_allclose(new, bias[6:])
    for normalizer in (one, DynamicNormalizer(one)):
        retriever = QuerybankRetriever(normalizer, n_neighbors=9, metric="dot")
        retriever.fit(bank, gallery)
        found, order = retriever.kneighbors(queries)
        whole = np.take_along_axis(retriever.decision_function(queries), order, 1)
        np.testing.assert_array_equal(found, whole)


def calls_of(function, *args):
    """Return the qualified names of the package functions that are called."""
    names = []

    def record(frame, event, arg):
        if event == "call" and "sk_qbnorm" in frame.f_code.co_filename:
            names.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(record)
    try:
        function(*args)
    finally:
        sys.setprofile(before)
    return names


@pytest.mark.parametrize("method", ["fit", "transform", "kneighbors"])
def test_the_walks_of_the_contributing_guide_are_the_calls_that_are_made(method):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, section = text.partition(f"### `{method}`\n")
    steps = re.findall(r"^\d+\. `([\w.]+)`", section.partition("\n#")[0], re.MULTILINE)
    random = np.random.default_rng(0)
    bank, queries, gallery = random.normal(size=(3, 12, 4))
    normalizer = InvertedSoftmax(beta=20, n_jobs=1)
    retriever = QuerybankRetriever(normalizer, n_neighbors=3, n_jobs=1)
    calls = {
        "fit": lambda: normalizer.fit(bank, gallery),
        "transform": lambda: normalizer.fit(bank, gallery).transform(sims),
        "kneighbors": lambda: retriever.kneighbors(queries),
    }
    sims = np.tanh(random.normal(size=(5, 12)))
    retriever.fit(bank, gallery)
    found = iter(calls_of(calls[method]))
    assert 5 <= len(steps) <= 10
    for step in steps:
        assert step in found, step  # after the previous steps


def test_the_commands_that_set_up_are_those_that_ci_runs():
    lines = {line for text in blocks("sh") for line in text.splitlines()}
    assert lines >= SET_UP
    script = ROOT / ".ci" / "run"
    if not script.exists():
        pytest.skip("not in a checkout")
    assert set(script.read_text().splitlines()) >= SET_UP
