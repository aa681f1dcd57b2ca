"""top_hubs."""

import numpy as np
import pytest

from sk_qbnorm.metrics import k_occurrence, top_hubs

SCORES = np.random.default_rng(0).normal(size=(30, 8)) + np.arange(8) / 4
AFTER = SCORES - np.arange(8) / 4


def test_hubs_are_listed_by_name_with_their_counts():
    names = np.array([f"clip {item}" for item in range(8)])
    before, after = k_occurrence(SCORES, k=2), k_occurrence(AFTER, k=2)
    hubs = top_hubs(SCORES, names, 2, after=AFTER, n_hubs=3)
    assert [hub["item"] for hub in hubs] == [*np.argsort(-before, kind="stable")[:3]]
    for hub in hubs:
        item = hub["item"]
        assert hub["name"] == f"clip {item}"
        assert type(hub["name"]) is str
        assert (hub["before"], hub["after"]) == (before[item], after[item])


def test_without_names_hubs_are_named_by_column_or_index():
    pandas = pytest.importorskip("pandas")
    hubs = top_hubs(SCORES, k=2, n_hubs=100)
    assert len(hubs) == 8
    assert all(hub["name"] == hub["item"] for hub in hubs)
    frame = pandas.DataFrame(SCORES, columns=[*"abcdefgh"])
    table = top_hubs(frame, k=2, n_hubs=4, as_frame=True)
    assert table.shape == (4, 3)
    assert [*table["name"]] == ["abcdefgh"[item] for item in table["item"]]


def test_result_lists_are_counted():
    hubs = top_hubs([[0, 2], [2, 1]], ["a", "b", "c"], 2, n_gallery=3)
    assert hubs[0] == {"item": 2, "name": "c", "before": 2}


@pytest.mark.parametrize(
    "options", [{"names": ["a"]}, {"n_hubs": 0}, {"k": 9}, {"after": SCORES[:, :7]}]
)
def test_input_that_does_not_match_is_refused(options):
    with pytest.raises(ValueError, match=r"got|has"):
        top_hubs(SCORES, **({"k": 2} | options))
