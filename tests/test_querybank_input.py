"""Input that querybank_report rejects."""

import numpy as np
import pytest

from sk_qbnorm.querybanks import querybank_report

from .cases import whole

PRECOMPUTED = {"metric": "precomputed"}
SIMS = np.eye(4)
BAD = np.where(SIMS == 1, np.nan, 0)


@pytest.mark.parametrize(
    ("bank", "options", "message"),
    [
        (BAD, {}, "querybank .* NaN in row 0, column 0"),
        (SIMS, {"queries": BAD}, "queries .* NaN in row 0, column 0"),
        (SIMS[:1], {}, "querybank .* 1"),
        (SIMS, {"queries": SIMS[:1]}, "queries .* 1"),
        (SIMS, {"queries": SIMS[:, :3]}, "queries .* 4 .* got 3"),
        ([["a", "b"]], {}, "querybank .* text"),
        (SIMS[:0], {}, r"0 sample\(s\)"),
        (SIMS, {"k": 5}, "k .* 5"),
        (SIMS, {"k": 0}, "k .* 0"),
        (SIMS, {"beta": 0}, "beta .* 0"),
        (SIMS, {"beta": "wide"}, "beta .* 'wide'"),
        (SIMS, {"n_resamples": 1}, "n_resamples .* 1"),
        (SIMS, {"n_resamples": 0}, "n_resamples .* 0"),
        (SIMS, {"metric": "cosine"}, "gallery .* got None"),
        (SIMS, {"gallery": SIMS}, "gallery"),
        (
            SIMS,
            {"metric": "dot", "gallery": SIMS, "queries": SIMS[:, :3]},
            "queries and gallery",
        ),
    ],
)
def test_invalid_banks_and_options_are_rejected(bank, options, message):
    with pytest.raises(ValueError, match=message):
        querybank_report(bank, **{"k": 2, **PRECOMPUTED, **options})


def test_columns_of_dataframes_must_match():
    pandas = pytest.importorskip("pandas")
    bank = pandas.DataFrame(whole((5, 2)), columns=["x", "y"])
    gallery = pandas.DataFrame(whole((5, 2)), columns=["y", "x"])
    with pytest.raises(ValueError, match="gallery"):
        querybank_report(bank, gallery, k=1)


def test_similarities_must_be_of_the_same_items_in_the_same_order():
    pandas = pytest.importorskip("pandas")
    bank = pandas.DataFrame(whole((5, 3)), columns=["x", "y", "z"])
    options = {"k": 1, "random_state": 0, **PRECOMPUTED}
    with pytest.raises(ValueError, match="queries .* 'z' in column 1"):
        querybank_report(bank, queries=bank[["x", "z", "y"]], **options)
    expected = querybank_report(bank, queries=bank, **options)
    assert querybank_report(bank, queries=bank.to_numpy(), **options) == expected
    assert querybank_report(bank.to_numpy(), queries=bank, **options) == expected


@pytest.mark.parametrize("name", ["querybank", "queries", "gallery"])
def test_iterators_are_rejected(name):
    given = {"querybank": SIMS, "queries": SIMS, "gallery": SIMS}
    given[name] = iter([SIMS])
    with pytest.raises(ValueError, match=f"{name} .* iterator"):
        querybank_report(**given, k=1)


@pytest.mark.filterwarnings("ignore:overflow encountered")  # of kernels without JIT
@pytest.mark.parametrize(("beta", "match"), [("scale", "beta"), (20.0, "float64")])
@pytest.mark.parametrize("size", [1e200, 1e308])
def test_similarities_that_float64_cannot_square_are_rejected(size, beta, match):
    sims = np.random.default_rng(0).random((40, 12)) * size
    with pytest.raises(ValueError, match=match):
        querybank_report(sims, queries=sims[::-1], beta=beta, **PRECOMPUTED)
