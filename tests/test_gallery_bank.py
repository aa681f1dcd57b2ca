"""The gallery bank beside a querybank: what it has to match, and who is told what."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import SinkhornNormalizer, pairwise_similarity

RANDOM = np.random.default_rng(0)
BANK, ITEMS, GALLERY, QUERIES = (RANDOM.normal(size=(n, 5)) for n in (40, 30, 25, 60))
SIMS, BESIDE = (pairwise_similarity(BANK, each) for each in (GALLERY, ITEMS))
precomputed = {"metric": "precomputed"}


def frame(matrix, columns="abcde", index=None):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(matrix, columns=list(columns), index=index)


def blocks(matrix, chunks=(9, -1)):
    return pytest.importorskip("dask.array").from_array(matrix, chunks=chunks)


def test_the_scale_of_blocks_is_that_of_both_galleries():
    for settings, given in (
        ({"metric": "dot"}, (BANK, GALLERY, 9 * ITEMS)),
        (precomputed, (SIMS, None, 9 * BESIDE)),
    ):
        scaled = SinkhornNormalizer("scale", 4, 0, **settings)
        expected = clone(scaled).fit(*given)
        bank, gallery, items = (
            each if each is None else blocks(each) for each in given
        )
        for beside in (items, given[2]):
            found = clone(scaled).fit(bank, gallery, beside)
            assert found.beta_ == pytest.approx(expected.beta_, rel=1e-12)
            np.testing.assert_allclose(
                found.gallery_bias_, expected.gallery_bias_, atol=1e-12
            )


def test_columns_of_the_gallery_bank_are_those_of_the_gallery():
    sinkhorn = SinkhornNormalizer(20, 4, 0)
    given = frame(BANK), frame(GALLERY), frame(ITEMS, "abced")
    message = "gallerybank and gallery must have the same columns in the same order"
    for bank in (given[0], blocks(BANK)):
        with pytest.raises(ValueError, match=message):
            clone(sinkhorn).fit(bank, *given[1:])
        expected = clone(sinkhorn).fit(BANK, GALLERY, ITEMS).gallery_bias_
        found = clone(sinkhorn).fit(bank, given[1], frame(ITEMS))
        np.testing.assert_allclose(found.gallery_bias_, expected, atol=1e-12)
    clone(sinkhorn).set_params(metric=pairwise_similarity).fit(*given)


def test_a_gallery_bank_beyond_the_range_of_the_bank_is_refused():
    bank = BANK.astype(np.float32)
    message = "similarities to the gallery bank, in float32, must be finite, got infin"
    for n_times in (1, 100):  # in a tile with the gallery's, and in tiles of its own
        gallery = np.tile(GALLERY, (n_times, 1)).astype(np.float32)
        with pytest.raises(ValueError, match=message):
            SinkhornNormalizer(metric="dot").fit(bank, gallery, ITEMS * 1e60)


def test_a_gallery_bank_in_parts_is_refused_by_name():
    message = "gallerybank must be a matrix, .* got an iterator; pass a matrix"
    for bank, gallery in ((BANK, GALLERY), (blocks(BANK), GALLERY)):
        with pytest.raises(ValueError, match=message):
            SinkhornNormalizer(20, 2, 0).fit(bank, gallery, iter([ITEMS]))
    for sims in (SIMS, blocks(SIMS)):
        with pytest.raises(ValueError, match=message):
            SinkhornNormalizer(**precomputed).fit(sims, gallerybank=iter([BESIDE]))


def test_an_empty_gallery_bank_is_refused_by_name():
    nothing = blocks(ITEMS)[blocks(ITEMS)[:, 0] > 99]
    sinkhorn = SinkhornNormalizer(20, 2, 0)
    for given in (
        (BANK, GALLERY, ITEMS[:0]),
        (blocks(BANK), GALLERY, ITEMS[:0]),
        (BANK, blocks(GALLERY), nothing),
        (blocks(BANK), GALLERY, blocks(ITEMS[:0])),
    ):
        with pytest.raises(
            ValueError, match=r"gallerybank.*0 sample|0 sam.*gallerybank"
        ):
            clone(sinkhorn).fit(*given)
    for sims, beside in ((SIMS, BESIDE), (blocks(SIMS), blocks(BESIDE))):
        with pytest.raises(ValueError, match="gallerybank"):
            clone(sinkhorn).set_params(**precomputed).fit(
                sims, gallerybank=beside[:, :0]
            )
    some = blocks(ITEMS)[blocks(ITEMS)[:, 0] > 0]
    found = clone(sinkhorn).fit(blocks(BANK), GALLERY, some)
    expected = clone(sinkhorn).fit(BANK, GALLERY, ITEMS[ITEMS[:, 0] > 0])
    np.testing.assert_allclose(found.gallery_bias_, expected.gallery_bias_, atol=1e-12)


def test_errors_of_blocks_name_the_gallery_bank():
    same = "querybank and gallerybank must have the same number of features"
    nans = np.where(ITEMS > 2, np.nan, ITEMS)
    for items, message in (
        (nans, "gallerybank must be finite, got NaN"),
        (blocks(nans), "a block of gallerybank must be finite, got NaN"),
        (ITEMS[:, :4], same),
        (blocks(ITEMS[:, :4]), same),
        (ITEMS[0], "gallerybank must be a matrix with a row and a column. Expected 2D"),
        (blocks(ITEMS[0], 2), "2D array, got 1D array for gallerybank"),
    ):
        with pytest.raises(ValueError, match=message):
            SinkhornNormalizer(20, 2, 0).fit(blocks(BANK), GALLERY, items)


def test_similarities_in_blocks_of_unknown_sizes_cannot_stand_beside_each_other():
    unknown = blocks(SIMS)[blocks(SIMS)[:, 0] > -9]
    beside = blocks(BESIDE)[blocks(BESIDE)[:, 0] > -9]
    for given, name in (
        ((unknown, BESIDE), "querybank"),
        ((blocks(SIMS), beside), "gallerybank"),
    ):
        message = f"The blocks of {name} must have known sizes.*compute_chunk_sizes()"
        with pytest.raises(ValueError, match=message):
            SinkhornNormalizer(**precomputed).fit(given[0], gallerybank=given[1])
