"""SinkhornNormalizer: first step, convergence, and unsupported operations."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sk_qbnorm import (
    DynamicNormalizer,
    InvertedSoftmax,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)

from . import reference

BANK, GALLERY, ITEMS = np.split(np.random.default_rng(0).normal(size=(95, 6)), [40, 65])
pytestmark = pytest.mark.small_blocks
SIMS = pairwise_similarity(BANK, GALLERY)
precomputed = {"metric": "precomputed"}


def test_the_first_half_step_is_inverted_softmax():
    sinkhorn = SinkhornNormalizer(beta=20, max_iter=1, **precomputed).fit(SIMS)
    inverted = InvertedSoftmax(beta=20, **precomputed).fit(SIMS)
    np.testing.assert_array_equal(sinkhorn.gallery_bias_, inverted.gallery_bias_)
    assert sinkhorn.n_iter_ == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (3, 200), (70, 64), (65, 7)])
def test_all_steps_match_the_paper(dtype, n_rows, n_columns):
    random = np.random.default_rng(1)
    sims = random.uniform(-1, 1, size=(n_rows, n_columns)).astype(dtype)
    fitted = SinkhornNormalizer(beta=20, max_iter=6, tol=0, **precomputed).fit(sims)
    expected = reference.sinkhorn_bias(sims.astype(float).tolist(), 20, 6)
    atol = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(fitted.gallery_bias_, expected, atol=atol)


def test_at_convergence_all_items_have_equal_shares():
    beta = 10
    fitted = SinkhornNormalizer(beta=beta, max_iter=500, tol=1e-12, **precomputed).fit(
        SIMS
    )
    assert 2 < fitted.n_iter_ < 500
    gains = np.exp(beta * (SIMS - fitted.gallery_bias_))
    shares = gains / gains.sum(axis=1, keepdims=True)  # of each bank query
    np.testing.assert_allclose(shares.sum(axis=0), len(BANK) / len(GALLERY))


def test_at_convergence_it_solves_hubless_nearest_neighbor_search():
    beta = 10

    def dual(bias):
        exponents = beta * (SIMS - bias)
        gain = np.exp(exponents) / np.exp(exponents).sum(axis=1, keepdims=True)
        value = logsumexp(exponents, axis=1).mean() / beta + bias.mean()
        return value, 1 / bias.size - gain.mean(axis=0)

    found = minimize(dual, np.zeros(len(GALLERY)), jac=True, tol=1e-12)
    fitted = SinkhornNormalizer(beta=beta, max_iter=500, tol=1e-12, **precomputed).fit(
        SIMS
    )
    difference = fitted.gallery_bias_ - found.x
    assert np.ptp(difference) < 1e-5 < np.ptp(found.x)


def test_it_stops_when_biases_stop_changing_and_warns_otherwise():
    with pytest.warns(ConvergenceWarning, match="max_iter=2") as seen:
        SinkhornNormalizer(beta=20, max_iter=2, tol=1e-9, **precomputed).fit(SIMS)
    assert len(seen) == 1
    assert seen[0].filename == __file__
    assert (
        SinkhornNormalizer(beta=1, max_iter=50, tol=1e-3, **precomputed)
        .fit(SIMS)
        .n_iter_
        < 5
    )
    for beta, max_iter, tol in (
        (50, 3, 0),
        (50, 1, 1e-9),
    ):  # all steps are taken, or there is no step to compare
        SinkhornNormalizer(beta=beta, max_iter=max_iter, tol=tol, **precomputed).fit(
            SIMS
        )


@pytest.mark.parametrize("sims", [SIMS[:, :1], np.ones((9, 4))])
def test_tol_of_zero_takes_all_steps(sims):
    array = pytest.importorskip("dask.array")
    settings = SinkhornNormalizer(beta=20, max_iter=7, tol=0, **precomputed)
    assert clone(settings).fit(sims).n_iter_ == 7
    blocks = array.from_array(sims, chunks=(4, 1))
    assert clone(settings).fit(blocks).n_iter_ == 7
    settings.set_params(tol=1e-300)
    assert clone(settings).fit(sims).n_iter_ == 2
    assert clone(settings).fit(blocks).n_iter_ == 2


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_changes_of_exactly_tol_stop_the_iteration():
    two, three = (
        SinkhornNormalizer(beta=8, max_iter=n_iter, tol=0, **precomputed)
        .fit(SIMS)
        .gallery_bias_
        for n_iter in (2, 3)
    )
    change = np.ptp(three - two) * 8
    for n_iter in (3, 9):  # no warning if these are the last steps
        fitted = SinkhornNormalizer(
            beta=8, max_iter=n_iter, tol=change, **precomputed
        ).fit(SIMS)
        assert fitted.n_iter_ == 3
    smaller = np.nextafter(change, 0)
    assert (
        SinkhornNormalizer(beta=8, max_iter=9, tol=smaller, **precomputed)
        .fit(SIMS)
        .n_iter_
        == 4
    )
    with pytest.warns(ConvergenceWarning):
        SinkhornNormalizer(beta=8, max_iter=3, tol=smaller, **precomputed).fit(SIMS)


def test_convergence_ignores_constant_changes():
    beta, step = 20, 3
    biases = [
        SinkhornNormalizer(beta=beta, max_iter=n, tol=0, **precomputed)
        .fit(SIMS)
        .gallery_bias_
        for n in (step - 1, step)
    ]
    changes = beta * np.diff(biases, axis=0)
    spread, largest = np.ptp(changes), np.abs(changes).max()
    assert spread > 1.1 * largest
    tol = (spread + largest) / 2
    assert (
        SinkhornNormalizer(beta=beta, max_iter=50, tol=tol, **precomputed)
        .fit(SIMS)
        .n_iter_
        > step
    )
    tol = 1.01 * spread
    assert (
        SinkhornNormalizer(beta=beta, max_iter=50, tol=tol, **precomputed)
        .fit(SIMS)
        .n_iter_
        <= step
    )


def test_products_are_stored_within_the_memory_budget():
    asked = []

    def metric(queries, gallery):
        asked.append(len(queries))
        return pairwise_similarity(queries, gallery)

    expected = (
        SinkhornNormalizer(beta=20, max_iter=4, tol=0, **precomputed)
        .fit(SIMS)
        .gallery_bias_
    )
    for budget, n_walks in ((SIMS.nbytes, 1), (SIMS.nbytes - 1, 7)):
        asked.clear()
        normalizer = SinkhornNormalizer(
            beta=20, max_iter=4, tol=0, metric=metric, memory_budget=budget
        )
        normalizer.fit(BANK, GALLERY)
        assert sum(asked) == n_walks * len(BANK)
        np.testing.assert_allclose(normalizer.gallery_bias_, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_numbers_neither_overflow_nor_vanish(dtype):
    sims = np.random.default_rng(1).uniform(-1, 1, size=(30, 20)).astype(dtype) * 1000
    fitted = SinkhornNormalizer(beta=50, max_iter=5, tol=0, **precomputed).fit(sims)
    expected = reference.sinkhorn_bias(sims.astype(float).tolist(), 50, 5)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(fitted.gallery_bias_, expected, atol=1000 * rtol)


def test_sinkhorn_cannot_be_fitted_in_parts():
    sinkhorn = SinkhornNormalizer(beta=20, max_iter=3, tol=0).fit(BANK, GALLERY)
    assert not hasattr(sinkhorn, "partial_fit")
    assert not hasattr(DynamicNormalizer(sinkhorn), "partial_fit")
    assert hasattr(DynamicNormalizer(InvertedSoftmax()), "partial_fit")
    expected = sinkhorn.gallery_bias_
    for act in (
        lambda: sinkhorn.fit(iter([BANK, BANK]), GALLERY),
        lambda: DynamicNormalizer(sinkhorn).fit(BANK, iter([GALLERY, GALLERY])),
    ):
        with pytest.raises(ValueError, match="SinkhornNormalizer"):
            act()
    np.testing.assert_array_equal(sinkhorn.gallery_bias_, expected)


@pytest.mark.parametrize("shrinkage", [None, "noise"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_items_are_added_to_the_balance_of_the_last_fit(shrinkage, dtype):
    bank, gallery = BANK.astype(dtype), GALLERY.astype(dtype)
    beside = np.random.default_rng(1).normal(size=(9, 6)).astype(dtype)
    make = SinkhornNormalizer(beta=5, max_iter=4, tol=0, shrinkage=shrinkage)
    expected = clone(make).fit(bank, gallery, beside)
    close = {"atol": 1e-6 if dtype == np.float32 else 1e-12}
    changed = clone(make).fit(bank, gallery, beside)
    changed.remove_gallery(np.arange(20, 25)).add_gallery(bank, gallery[20:])
    np.testing.assert_allclose(changed.gallery_bias_, expected.gallery_bias_, **close)
    assert changed.n_iter_ == expected.n_iter_
    changed.add_gallery(bank, gallery[:3])
    if shrinkage is None:  # which depends on all items
        twice = np.r_[expected.gallery_bias_, expected.gallery_bias_[:3]]
        np.testing.assert_allclose(changed.gallery_bias_, twice, **close)
    before = changed.gallery_bias_
    with pytest.raises(ValueError, match="complete bank"):
        changed.add_gallery(bank[:-1], gallery)
    with pytest.raises(ValueError, match="max_iter"):
        changed.set_params(max_iter=2).add_gallery(bank, gallery)
    np.testing.assert_array_equal(changed.gallery_bias_, before)
    retriever = QuerybankRetriever(DynamicNormalizer(make)).fit(bank, gallery)
    retriever.remove_gallery([24], bank).add_gallery(bank, gallery[24:])
    dynamic = DynamicNormalizer(make).fit(bank, gallery)
    for name in ("gallery_bias_", "activation_counts_"):
        found = getattr(retriever.normalizer_, name)
        np.testing.assert_allclose(found, getattr(dynamic, name), **close)


def test_dask_items_are_added_to_the_balance_of_the_last_fit():
    array = pytest.importorskip("dask.array")
    bank, gallery = (array.from_array(each, chunks=(7, -1)) for each in (BANK, GALLERY))
    make = SinkhornNormalizer(beta=5, max_iter=4, tol=0, shrinkage="noise")
    expected = clone(make).fit(BANK, GALLERY).gallery_bias_
    for fitted in (clone(make).fit(bank, gallery), clone(make).fit(BANK, GALLERY)):
        for known_bank in (bank, BANK):
            fitted.remove_gallery(np.arange(20, 25))
            fitted.add_gallery(known_bank, gallery[20:])
            np.testing.assert_allclose(fitted.gallery_bias_, expected, atol=1e-12)
        with pytest.raises(ValueError, match="complete bank"):
            fitted.add_gallery(bank[:30], gallery[20:])
        with pytest.raises(ValueError, match="compute_chunk_sizes"):
            fitted.add_gallery(bank[bank[:, 0] > -99], gallery[20:])


@pytest.mark.parametrize("n_iter", [1, 2, 5])
def test_noise_shrinks_each_bias_as_in_the_reference(n_iter):
    make = SinkhornNormalizer(beta=3, max_iter=n_iter, tol=0, shrinkage="noise")
    expected = reference.shrunken_sinkhorn_bias(SIMS.tolist(), 3, n_iter)
    np.testing.assert_allclose(make.fit(SIMS).gallery_bias_, expected, atol=1e-13)


def test_biases_that_vary_by_chance_only_are_shrunk_to_their_mean():
    same = np.random.default_rng(0).normal(scale=0.1, size=(40, 500))
    shrunken = SinkhornNormalizer(beta=5, shrinkage="noise").fit(same).gallery_bias_
    plain = SinkhornNormalizer(beta=5).fit(same).gallery_bias_
    assert shrunken.std() < 0.3 * plain.std()
    equal = SinkhornNormalizer(shrinkage="noise").fit(np.ones((4, 5))).gallery_bias_
    np.testing.assert_array_equal(equal, equal[0])
    with pytest.raises(ValueError, match="at least 2"):
        SinkhornNormalizer(shrinkage="noise").fit(same[:1])
    with pytest.raises(ValueError, match="shrinkage"):
        SinkhornNormalizer(shrinkage="nose").fit(same)


@pytest.mark.compiled
@pytest.mark.parametrize("metric", ["cosine", "dot", pairwise_similarity])
def test_dask_blocks_are_balanced_like_the_whole(metric):
    array = pytest.importorskip("dask.array")
    items = np.random.default_rng(1).normal(size=(30, 6))
    settings = SinkhornNormalizer(beta=3, max_iter=4, tol=0, metric=metric)
    bank, gallery, other_sims = (
        array.from_array(each, chunks=(7, 4)) for each in (BANK, GALLERY, items)
    )
    nobody = bank[bank[:, 0] > 99]
    alone = clone(settings).fit(BANK, GALLERY).gallery_bias_
    both = clone(settings).fit(BANK, GALLERY, items).gallery_bias_
    dynamic = DynamicNormalizer(settings, metric=metric).fit(BANK, GALLERY)
    found = DynamicNormalizer(settings, metric=metric).fit(bank, gallery)
    np.testing.assert_allclose(found.gallery_bias_, alone, atol=1e-12)
    np.testing.assert_array_equal(found.activation_mask_, dynamic.activation_mask_)
    for given, expected in (
        ((bank, gallery), alone),
        ((BANK, gallery), alone),
        ((array.concatenate([bank, nobody]), GALLERY), alone),
        ((bank, gallery, other_sims), both),
        ((bank, GALLERY, items), both),
    ):
        fitted = clone(settings).fit(*given)
        assert (fitted.n_bank_seen_, fitted.n_features_in_) == (40, 25)
        assert fitted.n_iter_ == 4
        np.testing.assert_allclose(fitted.gallery_bias_, expected, atol=1e-12)


def test_similarities_in_dask_blocks_are_balanced_like_the_whole():
    array = pytest.importorskip("dask.array")
    other_sims = np.random.default_rng(1).uniform(-1, 1, size=(9, 40))
    settings = SinkhornNormalizer(beta=20, max_iter=4, tol=0, **precomputed)
    expected = clone(settings).fit(SIMS, gallerybank=other_sims).gallery_bias_
    blocks = array.from_array(SIMS, chunks=(9, 8))
    for given in (other_sims, array.from_array(other_sims, chunks=(5, 4))):
        fitted = clone(settings).fit(blocks, gallerybank=given)
        np.testing.assert_allclose(fitted.gallery_bias_, expected, atol=1e-12)
    for wrong, message in ((other_sims[:, :3], "got 3"), (other_sims[0], "2D array")):
        with pytest.raises(ValueError, match=message):
            clone(settings).fit(blocks, gallerybank=wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": 0}, "beta must be a finite number > 0, got 0; 50 is usual"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1, got 0"),
        ({"tol": -1}, "tol must be a finite number >= 0, got -1; 0 takes all"),
        ({"alpha": np.nan}, "alpha must be a finite number >= 0, got nan"),
        ({"memory_budget": -1}, "memory_budget must be a finite number >= 0, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SinkhornNormalizer(**precomputed).set_params(**settings).fit(SIMS)


def test_fitting_in_parts_is_refused_before_the_first_part():
    asked = []

    def metric(queries, gallery):
        asked.append(len(queries))
        return queries @ gallery.T

    for given in ((iter([BANK]), GALLERY), (BANK, iter([GALLERY]))):
        with pytest.raises(ValueError, match="SinkhornNormalizer"):
            SinkhornNormalizer(beta=5, metric=metric).fit(*given)
    assert not asked


def test_the_progress_bar_of_several_passes_has_no_total(capsys):
    pytest.importorskip("tqdm")
    SinkhornNormalizer(beta=20, max_iter=3, tol=0, verbose=True).fit(BANK, GALLERY)
    shown = capsys.readouterr().err
    assert "fit SinkhornNormalizer" in shown
    assert "%" not in shown


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sinkhorn_balances_both_galleries_and_returns_biases_of_the_first(dtype):
    settings = SinkhornNormalizer(beta=20, max_iter=5, tol=0)
    bank, gallery, items = (x.astype(dtype) for x in (BANK, GALLERY, ITEMS))
    both = clone(settings).fit(bank, np.vstack([gallery, items]))
    expected = both.gallery_bias_[:25]
    other_sims = pairwise_similarity(items, bank)
    sims = pairwise_similarity(bank, gallery)
    of_sims = clone(settings).set_params(**precomputed)
    for found in (
        clone(settings).fit(bank, gallery, items),
        clone(settings).set_params(memory_budget=1e9).fit(bank, gallery, items),
        clone(settings).fit(bank, gallery, items.astype(np.float64)),
        of_sims.fit(sims, gallerybank=other_sims),
        QuerybankRetriever(settings).fit(bank, gallery, items).normalizer_,
    ):
        assert found.n_features_in_ == 25
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(found.gallery_bias_, expected, atol=tolerance)
        assert found.transform(sims).dtype == dtype
    with pytest.raises(ValueError, match="gallerybank"):
        of_sims.fit(sims, gallerybank=other_sims[:, :3])
    with pytest.raises(ValueError, match="gallerybank"):
        clone(settings).fit(bank, gallery, items[:, :2])


def test_a_gallery_bank_may_be_wider_than_a_tile():
    random = np.random.default_rng(0)
    bank, gallery, items = (random.normal(size=(n, 3)) for n in (9, 700, 2000))
    expected = SinkhornNormalizer(beta=20, max_iter=2, tol=0).fit(
        bank, np.vstack([gallery, items])
    )
    for metric in ("cosine", pairwise_similarity):
        found = SinkhornNormalizer(beta=20, max_iter=2, tol=0, metric=metric).fit(
            bank, gallery, items
        )
        expected_bias = expected.gallery_bias_[:700]
        np.testing.assert_allclose(found.gallery_bias_, expected_bias, atol=1e-12)
    narrow = SinkhornNormalizer(beta=20, max_iter=2, tol=0)
    narrow.fit(bank.astype(np.float32), gallery.astype(np.float32), items)
    np.testing.assert_allclose(narrow.gallery_bias_, expected_bias, atol=1e-5)
