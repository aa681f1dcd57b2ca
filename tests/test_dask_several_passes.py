"""Normalizers that visit a bank of Dask arrays several times."""

import warnings
import weakref
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone

from sk_qbnorm import (
    CSLS,
    CappedNormalizer,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    InvertedSoftmax,
    ListSinkhornNormalizer,
    NearestNeighborNormalizer,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval

from .test_dask import assert_same_fit, assert_same_search

array = pytest.importorskip("dask.array")

DATA = make_hub_retrieval(60, 40, 24, n_features=6, random_state=0)
BANK, QUERIES = DATA.bank_queries, DATA.queries
GALLERY = np.vstack([DATA.gallery, BANK.mean(axis=0)])
SIMS = pairwise_similarity(BANK, GALLERY)
CAPS = {1: 0.1, 5: 0.4}
NORMALIZERS = {
    "raw": CappedNormalizer(None, CAPS),
    "IS": CappedNormalizer(InvertedSoftmax(alpha=0.3), CAPS),
    "NNN": CappedNormalizer(NearestNeighborNormalizer(n_neighbors=4), CAPS),
    "Sinkhorn": CappedNormalizer(SinkhornNormalizer(shrinkage="noise"), CAPS),
    "lists": CappedNormalizer(ListSinkhornNormalizer(alpha=0.5), CAPS),
    "with a gate": DynamicNormalizer(CappedNormalizer(CSLS(n_neighbors=4), CAPS)),
    "limited DIS": DynamicInvertedSoftmax(influence_limit=3),
    "both": CappedNormalizer(InvertedSoftmax(influence_limit=3, alpha=0.3), CAPS),
}
METRICS = ["cosine", "dot", lambda queries, gallery: queries @ gallery.T / 3]
slow = partial(pytest.param, marks=pytest.mark.compiled)
each_normalizer = pytest.mark.parametrize(
    "normalizer", NORMALIZERS.values(), ids=NORMALIZERS
)


def in_blocks(matrix, rows=25, columns=-1):
    return array.from_array(matrix, chunks=(rows, columns))


@each_normalizer
@pytest.mark.parametrize("metric", METRICS, ids=["cosine", "dot", "callable"])
def test_blocks_give_the_fit_and_the_search_of_the_whole(normalizer, metric):
    in_memory = QuerybankRetriever(normalizer, metric=metric, n_neighbors=4)
    expected = in_memory.fit(BANK, GALLERY).kneighbors(QUERIES)
    for given in (
        (in_blocks(BANK), in_blocks(GALLERY, (3, 0, 20, 2))),
        (in_blocks(BANK, 20, 2), GALLERY),
        (BANK, in_blocks(GALLERY, 9, 4)),
    ):
        retriever = clone(in_memory).fit(*given)
        assert_same_fit(retriever.normalizer_, in_memory.normalizer_)
        assert_same_search(retriever.kneighbors(QUERIES), expected)


@each_normalizer
@pytest.mark.parametrize(
    "dtype",
    [np.float64, *(slow(each) for each in (np.float32, np.float16, np.int8))],
)
def test_similarities_may_be_a_grid_of_blocks(normalizer, dtype):
    bank = (SIMS * 9).astype(dtype)
    expected = clone(normalizer).fit(bank)
    for blocks in ((25, 9), (-1, 5), ((1, 0, 59), (20, 0, 5))):
        fitted = clone(normalizer).fit(in_blocks(bank, *blocks))
        assert_same_fit(fitted, expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["NNN", "limited DIS"])
def test_blocks_may_be_sparse(name):
    normalizer = NORMALIZERS[name]
    bank, gallery = (np.where(abs(x) < 0.2, 0, x) for x in (BANK, GALLERY))
    expected = clone(normalizer).fit(bank, gallery)
    sparse_bank, sparse_gallery = (
        in_blocks(x, 10).map_blocks(sparse.csr_array, meta=sparse.csr_array((0, 0)))
        for x in (bank, gallery)
    )
    mixed = array.concatenate([sparse_gallery[:10], in_blocks(gallery)[10:]])
    for given in (
        (sparse_bank, sparse_gallery),
        (sparse_bank, mixed),
        (sparse_bank, gallery),
        (in_blocks(bank), sparse.csr_array(gallery)),
    ):
        assert_same_fit(clone(normalizer).fit(*given), expected)


@each_normalizer
def test_a_gallery_in_blocks_may_change(normalizer):
    in_memory = clone(normalizer).fit(BANK, GALLERY[:15])
    fitted = clone(normalizer).fit(in_blocks(BANK), in_blocks(GALLERY[:15], 4))
    in_memory.add_gallery(BANK, GALLERY[15:])
    fitted.add_gallery(in_blocks(BANK), in_blocks(GALLERY[15:], 4))
    assert_same_fit(fitted, in_memory)
    left = np.delete(GALLERY, [2, 20, 24], axis=0)
    in_memory.remove_gallery([2, 20, 24], BANK, left)
    fitted.remove_gallery([2, 20, 24], in_blocks(BANK), in_blocks(left))
    assert_same_fit(fitted, in_memory)


@pytest.mark.compiled
@each_normalizer
def test_the_number_of_threads_does_not_matter(normalizer):
    bank, gallery = in_blocks(BANK), in_blocks(GALLERY, 9)
    expected = clone(normalizer).set_params(n_jobs=1).fit(bank, gallery)
    found = clone(normalizer).set_params(n_jobs=3).fit(bank, gallery)
    assert_same_fit(found, expected, rtol=0)


@pytest.mark.parametrize("rows", [-1, 300])
def test_a_block_may_be_wider_than_a_tile(rows):
    gallery = np.random.default_rng(0).normal(size=(500, 6))
    expected = CappedNormalizer(None, CAPS).fit(BANK, gallery)
    fitted = clone(expected).fit(BANK, in_blocks(gallery, rows))
    assert_same_fit(fitted, expected)


def test_a_dataframe_in_memory_keeps_its_names():
    names = [f"item {j}" for j in range(len(GALLERY))]
    gallery = pd.DataFrame(GALLERY, index=names)
    fitted = clone(NORMALIZERS["NNN"]).fit(in_blocks(BANK), gallery)
    assert list(fitted.get_feature_names_out()) == names


@pytest.mark.parametrize("name", ["NNN", "limited DIS"])
def test_one_block_of_each_side_is_in_memory(name):
    class Block(np.ndarray):
        """An array that a weak reference can follow."""

    references, most = [], []

    def read(block):
        kept = block.copy().view(Block)
        references.append(weakref.ref(kept))
        most.append(sum(each() is not None for each in references))
        return kept

    bank, gallery = (
        in_blocks(x, 10).map_blocks(read, meta=x[:0]) for x in (BANK, GALLERY)
    )
    fitted = clone(NORMALIZERS[name]).set_params(n_jobs=1)
    fitted.fit(bank, gallery)
    assert len(most) > 40  # each of the 9 blocks is read in every pass
    assert max(most[9:]) <= 4  # after the sample for beta="scale"


def test_blocks_need_known_sizes_and_rows():
    capped = clone(NORMALIZERS["raw"])
    bank, gallery = in_blocks(BANK), in_blocks(GALLERY)
    some = bank[bank[:, 0] > 0]
    with pytest.raises(ValueError, match=r"querybank .* compute_chunk_sizes\(\)"):
        capped.fit(some, gallery)
    with pytest.raises(ValueError, match=r"gallery .* compute_chunk_sizes\(\)"):
        capped.fit(bank, gallery[gallery[:, 0] > -9])
    capped.fit(some.compute_chunk_sizes(), gallery)
    for nothing in ((bank[:0], gallery), (bank, gallery[:0])):
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            capped.fit(*nothing)


def test_invalid_blocks_are_refused_with_their_name():
    spoilt = np.where(np.arange(60)[:, None] == 40, np.nan, BANK)
    capped = clone(NORMALIZERS["raw"])
    with pytest.raises(ValueError, match="querybank .* NaN in row"):
        capped.fit(in_blocks(spoilt), GALLERY)
    with pytest.raises(ValueError, match="gallery .* NaN in row"):
        capped.fit(BANK, in_blocks(spoilt))
    with pytest.raises(ValueError, match="got 6 and 3"):
        capped.fit(BANK, in_blocks(GALLERY[:, :3]))


def test_progress_is_shown(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        capped = clone(NORMALIZERS["raw"]).set_params(verbose=True)
        capped.fit(in_blocks(BANK), GALLERY)
    assert "fit" in capsys.readouterr().err
