"""sample_querybank draws a bank by each strategy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sk_qbnorm import pairwise_similarity
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import k_occurrence
from sk_qbnorm.querybanks import sample_querybank
from sk_qbnorm.tiles import _tile

from . import reference
from .cases import bank_and_sims, forms_of, whole

STRATEGIES = ("random", "stratified", "adversarial")
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
PRECOMPUTED = {"metric": "precomputed"}


@each_strategy
@given(drawn=bank_and_sims(), data=st.data())
def test_rows_of_the_bank_are_distinct(strategy, drawn, data):
    sims, _ = drawn
    n_bank = data.draw(st.integers(1, len(sims)))
    options = {"strategy": strategy, "random_state": 0, **PRECOMPUTED}
    rows = sample_querybank(sims, n_bank, **options)
    assert rows.dtype == np.int64
    assert len(set(rows.tolist())) == n_bank
    assert set(rows.tolist()) <= set(range(len(sims)))
    everything = sample_querybank(sims, len(sims), **options)
    np.testing.assert_array_equal(rows, everything[:n_bank])


@given(drawn=bank_and_sims(max_rows=20), seed=st.integers(0, 99))
def test_a_stratified_bank_covers_items_as_evenly_as_possible(drawn, seed):
    sims, _ = drawn
    best = np.array([reference.best(row) for row in sims.tolist()])
    rows = sample_querybank(
        sims, len(sims), strategy="stratified", random_state=seed, **PRECOMPUTED
    )
    there = np.bincount(best, minlength=sims.shape[1])
    for n_bank in range(1, len(sims) + 1):
        taken = np.bincount(best[rows[:n_bank]], minlength=sims.shape[1])
        more_to_take = taken < there
        if more_to_take.any():
            assert taken.max() <= taken[more_to_take].min() + 1
        first_turn = taken[taken.argmax()] == 1
        if first_turn:  # no missing item is retrieved more often than a covered one
            assert there[taken > 0].min() >= there[taken == 0].max(initial=0)


@given(drawn=bank_and_sims(max_rows=20))
def test_an_adversarial_bank_is_sorted_by_how_often_items_are_retrieved(drawn):
    sims, _ = drawn
    rows = sample_querybank(sims, len(sims), strategy="adversarial", **PRECOMPUTED)
    best = np.array([reference.best(row) for row in sims.tolist()])[rows]
    counts = [best.tolist().count(item) for item in best]
    assert counts == sorted(counts, reverse=True)
    changes = np.count_nonzero(np.diff(best))
    assert changes == len(set(best.tolist())) - 1  # the queries of an item are adjacent


@pytest.mark.parametrize("strategy", ["stratified", "adversarial"])
@given(seed=st.integers(0, 99))
def test_the_order_of_the_gallery_does_not_matter(strategy, seed):
    random = np.random.default_rng(seed)
    sims = random.permuted(np.tile(np.arange(6.0), (25, 1)), axis=1)  # without ties
    order = random.permutation(6)
    options = {"strategy": strategy, "random_state": seed, **PRECOMPUTED}
    rows = sample_querybank(sims, 10, **options)
    shuffled = sample_querybank(sims[:, order], 10, **options)
    np.testing.assert_array_equal(rows, shuffled)


@each_strategy
def test_the_random_state_determines_the_bank(strategy):
    sims = np.random.default_rng(0).random((60, 7))
    options = {"strategy": strategy, **PRECOMPUTED}
    first = sample_querybank(sims, 20, random_state=3, **options)
    again = sample_querybank(sims, 20, random_state=3, **options)
    np.testing.assert_array_equal(first, again)
    other = sample_querybank(sims, 20, random_state=4, **options)
    assert (first.tolist() == other.tolist()) == (strategy == "adversarial")


@each_strategy
def test_a_bank_of_embeddings_is_that_of_their_similarities(strategy):
    queries, gallery = whole((50, 4)), whole((30, 4), seed=1)
    options = {"strategy": strategy, "random_state": 0}
    expected = sample_querybank(queries @ gallery.T, 20, **options, **PRECOMPUTED)
    options["gallery"] = gallery
    for metric in ("dot", lambda a, b: a @ b.T):
        found = sample_querybank(queries, 20, metric=metric, **options)
        np.testing.assert_array_equal(found, expected)
    found = sample_querybank(sparse.csr_array(queries), 20, metric="dot", **options)
    np.testing.assert_array_equal(found, expected)
    for name, form in forms_of(queries).items():
        found = sample_querybank(
            form, 20, metric="dot", **{**options, "gallery": forms_of(gallery)[name]}
        )
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_a_random_bank_needs_no_gallery():
    queries = whole((50, 4))
    rows = sample_querybank(queries, 20, random_state=0)
    assert len(set(rows.tolist())) == 20


def test_block_sizes_do_not_change_the_bank(monkeypatch):
    queries, gallery = whole((40, 4)), whole((300, 4), seed=1)
    options = {"gallery": gallery, "strategy": "stratified", "random_state": 0}
    rows = sample_querybank(queries, 20, metric="dot", **options)
    monkeypatch.setattr(_tile, "_TILE_ROWS", 3)
    monkeypatch.setattr(_tile, "_TILE_COLUMNS", 32)
    again = sample_querybank(queries, 20, metric="dot", **options)
    np.testing.assert_array_equal(again, rows)


def test_the_input_is_not_changed():
    queries, gallery = whole((20, 4)), whole((12, 4), 1)
    kept = queries.copy(), gallery.copy()
    options = {"gallery": gallery, "strategy": "stratified"}
    sample_querybank(queries, 5, **options)
    np.testing.assert_array_equal(queries, kept[0])
    np.testing.assert_array_equal(gallery, kept[1])
    for each in (queries, gallery):
        each.setflags(write=False)
    sample_querybank(queries, 5, **options)


def test_rows_select_texts_too():
    data = make_hub_retrieval(random_state=0)
    rows = sample_querybank(
        data.bank_queries, 10, gallery=data.gallery, strategy="adversarial"
    )
    sims = pairwise_similarity(data.bank_queries, data.gallery)
    hub = k_occurrence(sims, k=1).argmax()
    texts = np.array([f"query {row}" for row in range(len(sims))])
    expected = [f"query {row}" for row in np.flatnonzero(sims.argmax(axis=1) == hub)]
    assert texts[rows].tolist() == expected[:10]


SIMS = np.eye(4)
BAD = np.where(SIMS == 1, np.nan, 0)


@pytest.mark.parametrize(
    ("queries", "n_bank", "options", "message"),
    [
        (SIMS, 5, {}, "n_bank.* 4"),
        (SIMS, 0, {}, "n_bank .* 0"),
        (SIMS, 2.0, {}, "n_bank .* 2.0"),
        (BAD, 2, {}, "queries .* NaN in row 0, column 0"),
        ([["a"], ["b"]], 1, {}, "queries .* text"),
        (SIMS[:0], 1, {}, r"0 sample\(s\)"),
        (SIMS, 2, {"strategy": "best"}, "strategy .* 'best'"),
        (SIMS, 2, {"metric": "cos"}, "metric .* 'cos'"),
        (SIMS, 2, {"metric": "cosine"}, "gallery .* got None"),
        (SIMS, 2, {"gallery": SIMS}, "gallery"),
        (
            SIMS,
            2,
            {"metric": "dot", "gallery": SIMS[:, :3]},
            "queries and gallery",
        ),
    ],
)
def test_invalid_queries_and_options_are_rejected(queries, n_bank, options, message):
    options = {"strategy": "stratified", **PRECOMPUTED, **options}
    with pytest.raises(ValueError, match=message):
        sample_querybank(queries, n_bank, **options)


def test_a_random_bank_needs_finite_numbers_too():
    for queries, message in ((BAD, "queries .* NaN"), ([["a"]], "queries .* text")):
        with pytest.raises(ValueError, match=message):
            sample_querybank(queries, 1)
