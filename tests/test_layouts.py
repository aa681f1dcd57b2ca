"""Memory layouts do not change results, and inputs are not modified."""

import os
import pkgutil
import re
from importlib import import_module

import numpy as np
import pytest
from sklearn.base import clone

import sk_qbnorm
from sk_qbnorm import NearestNeighborScorer, pairwise_similarity
from sk_qbnorm.metrics import average_precision, k_occurrence, retrieval_report

from . import small_blocks
from .cases import ALL, layouts_of

pytestmark = pytest.mark.small_blocks
each_normalizer = pytest.mark.parametrize("normalizer", ALL.values(), ids=ALL)
each_size = pytest.mark.parametrize("n_rows", small_blocks.sizes_around(256))
N_GALLERY = 4


def similarities(n_rows, dtype=np.float64, seed=0):
    """Similarities with ties and a constant column."""
    sims = np.random.default_rng(seed).integers(-9, 10, (n_rows, N_GALLERY)) / 8
    sims[:, 1] = 0.5
    return sims.astype(dtype)


def assert_same(result, expected, form):
    np.testing.assert_array_equal(result, expected, err_msg=form)
    assert result.dtype == expected.dtype


@each_normalizer
@each_size
def test_transform_gives_the_same_for_every_layout_and_keeps_its_input(
    normalizer, n_rows
):
    sims, bank = similarities(n_rows, np.float32), similarities(9, np.float32, seed=1)
    fitted = clone(normalizer).fit(bank)
    threaded = clone(normalizer).set_params(n_jobs=3).fit(bank)
    expected = fitted.transform(sims.copy())
    for form, given in layouts_of(sims).items():
        assert_same(fitted.transform(given), expected, form)
        assert_same(given, sims, form)
        assert_same(threaded.transform(given), expected, form)


@each_normalizer
@each_size
def test_fit_transform_gives_the_same_for_every_layout_and_keeps_its_input(
    normalizer, n_rows
):
    sims = similarities(n_rows)
    expected = clone(normalizer).fit_transform(sims.copy())
    for form, given in layouts_of(sims).items():
        assert_same(clone(normalizer).fit_transform(given), expected, form)
        assert_same(given, sims, form)


@each_normalizer
@each_size
def test_copy_false_does_not_change_the_scores(normalizer, n_rows):
    sims = similarities(n_rows)
    fitted = clone(normalizer).fit(similarities(9, seed=1))
    expected = fitted.transform(sims)
    fitted.set_params(copy=False)
    for form, given in layouts_of(sims).items():
        scores = fitted.transform(given)
        assert_same(scores, expected, form)
        assert_same(given, expected if given.flags.writeable else sims, form)


@each_normalizer
def test_a_writable_memmap_does_not_change(normalizer, tmp_path):
    sims = similarities(257)
    path = tmp_path / "sims.bin"
    stored = np.memmap(path, sims.dtype, "w+", shape=(257, N_GALLERY + 3))
    stored[:, :N_GALLERY] = sims
    stored.flush()
    before = path.read_bytes()
    opened = np.memmap(path, sims.dtype, "r+", shape=stored.shape)
    fitted = clone(normalizer).fit(sims)
    expected = fitted.transform(sims)
    for part, rows in ((opened, sims), (opened[::-1], sims[::-1])):
        scores = fitted.transform(part[:, :N_GALLERY])
        assert_same(scores, expected[:: 1 if part is opened else -1], "memmap")
        assert_same(part[:, :N_GALLERY], rows, "memmap")
    opened.flush()
    assert path.read_bytes() == before


@pytest.mark.parametrize("normalizer", ALL.values(), ids=ALL)
def test_candidates_in_any_layout_are_rescored_alike(normalizer):
    sims = similarities(257)
    items = np.argsort(-sims, axis=1, kind="stable")[:, :3]
    candidates = np.take_along_axis(sims, items, 1)
    fitted = clone(normalizer).fit(similarities(9, seed=1))
    expected = fitted.rescore(candidates, items)
    for form, given in layouts_of(candidates).items():
        given_items = layouts_of(items)[form]
        for found, right in zip(
            fitted.rescore(given, given_items), expected, strict=True
        ):
            assert_same(found, right, form)
        assert_same(given, candidates, form)
        assert_same(given_items, items, form)


@each_size
@pytest.mark.filterwarnings("ignore:Recall at")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_measures_and_searches_are_the_same_for_every_layout(n_rows, dtype):
    scores = similarities(n_rows, dtype)
    relevant = np.arange(n_rows) % N_GALLERY
    indicator = (np.arange(N_GALLERY) != relevant[:, None]).astype(np.int8)

    def measured(matrix):
        scorer = NearestNeighborScorer(n_neighbors=3).fit(matrix)
        return [
            *retrieval_report(relevant, matrix).values(),
            average_precision(indicator, matrix),
            k_occurrence(matrix, k=2),
            *scorer.kneighbors(matrix),
        ]

    expected = measured(scores.copy())
    for form, given in layouts_of(scores).items():
        for found, right in zip(measured(given), expected, strict=True):
            np.testing.assert_array_equal(found, right, err_msg=form)
        assert_same(given, scores, form)


@pytest.mark.parametrize("metric", ["cosine", "dot"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_embeddings_in_any_layout_give_the_same_similarities(metric, dtype):
    queries = np.random.default_rng(2).integers(-4, 5, (257, 6)).astype(dtype)
    gallery = np.random.default_rng(3).integers(-4, 5, (9, 6)).astype(dtype)
    expected = pairwise_similarity(queries, gallery, metric)
    for form, given in layouts_of(queries).items():
        found = pairwise_similarity(given, layouts_of(gallery)[form], metric)
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=form)
        assert_same(given, queries, form)


def block_sizes():
    """Every block size constant of the package."""
    name = re.compile("_[A-Z_]*(BLOCK|ROWS|COLUMNS|WINDOW|CHUNK|LANES|ENTRIES)[A-Z_]*")
    for module in pkgutil.walk_packages(sk_qbnorm.__path__, "sk_qbnorm."):
        if module.name.endswith("__main__"):
            continue
        for constant, size in vars(import_module(module.name)).items():
            if name.fullmatch(constant) and isinstance(size, int):
                yield module.name.removeprefix("sk_qbnorm."), constant, size


def test_every_block_can_be_made_small():
    found = {(module, constant): size for module, constant, size in block_sizes()}
    assert len(found) >= 18
    is_small = "SK_QBNORM_SMALL_BLOCKS" in os.environ
    for (module, constant), size in found.items():
        small = small_blocks.ALL[module][constant]
        assert (size == small) if is_small else (size > small)


@pytest.mark.compiled
def test_compiled_kernels_refuse_small_blocks():
    with pytest.raises(RuntimeError, match="NUMBA_DISABLE_JIT"):
        small_blocks.shrink()
