"""The gallery bank: what it must match, and the errors if it does not."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import (
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.tiles import Gallery

RANDOM = np.random.default_rng(0)
BANK, ITEMS, GALLERY, QUERIES = (RANDOM.normal(size=(n, 5)) for n in (40, 30, 25, 60))
SIMS, OTHER_SIMS = pairwise_similarity(BANK, GALLERY), pairwise_similarity(ITEMS, BANK)
ITEM_SIMS = pairwise_similarity(ITEMS, GALLERY)
BETAS = {"beta_query": 20.0, "beta_gallery": 5.0}
DUALS = [DualInvertedSoftmax(**BETAS), DualDynamicInvertedSoftmax(min_count=2, **BETAS)]
each_dual = pytest.mark.parametrize("dual", DUALS, ids=["DualIS", "DualDIS"])
precomputed = {"metric": "precomputed"}


def frame(matrix, columns="abcde", index=None):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(matrix, columns=list(columns), index=index)


def blocks(matrix, chunks=(9, -1)):
    return pytest.importorskip("dask.array").from_array(matrix, chunks=chunks)


def test_the_spread_of_blocks_includes_the_gallery_bank():
    for settings, given in (
        ({"metric": "dot"}, (BANK, GALLERY, 9 * ITEMS)),
        (precomputed, (SIMS, None, 9 * OTHER_SIMS)),
    ):
        scaled = SinkhornNormalizer(beta="scale", max_iter=4, tol=0, **settings)
        expected = clone(scaled).fit(*given)
        bank, gallery, items = (
            each if each is None else blocks(each) for each in given
        )
        for other_sims in (items, given[2]):
            found = clone(scaled).fit(bank, gallery, other_sims)
            assert found.beta_ == pytest.approx(expected.beta_, rel=1e-12)
            np.testing.assert_allclose(
                found.gallery_bias_, expected.gallery_bias_, atol=1e-12
            )


def test_the_gallery_bank_must_have_the_columns_of_the_gallery():
    sinkhorn = SinkhornNormalizer(beta=20, max_iter=4, tol=0)
    given = frame(BANK), frame(GALLERY), frame(ITEMS, "abced")
    message = "gallerybank and gallery"
    for bank in (given[0], blocks(BANK)):
        with pytest.raises(ValueError, match=message):
            clone(sinkhorn).fit(bank, *given[1:])
        expected = clone(sinkhorn).fit(BANK, GALLERY, ITEMS).gallery_bias_
        found = clone(sinkhorn).fit(bank, given[1], frame(ITEMS))
        np.testing.assert_allclose(found.gallery_bias_, expected, atol=1e-12)
    clone(sinkhorn).set_params(metric=pairwise_similarity).fit(*given)


def test_gallery_bank_similarities_out_of_range_are_refused():
    bank = BANK.astype(np.float32)
    message = "gallery bank.* float32.* infinity"
    for n_times in (1, 100):  # in a tile with the gallery's, and in tiles of its own
        gallery = np.tile(GALLERY, (n_times, 1)).astype(np.float32)
        with pytest.raises(ValueError, match=message):
            SinkhornNormalizer(metric="dot").fit(bank, gallery, ITEMS * 1e60)


def test_an_iterator_as_gallery_bank_is_refused_by_name():
    message = "gallerybank"
    for bank, gallery in ((BANK, GALLERY), (blocks(BANK), GALLERY)):
        with pytest.raises(ValueError, match=message):
            SinkhornNormalizer(beta=20, max_iter=2, tol=0).fit(
                bank, gallery, iter([ITEMS])
            )
    for sims in (SIMS, blocks(SIMS)):
        with pytest.raises(ValueError, match=message):
            SinkhornNormalizer(**precomputed).fit(sims, gallerybank=iter([OTHER_SIMS]))


def test_an_empty_gallery_bank_is_refused_by_name():
    nothing = blocks(ITEMS)[blocks(ITEMS)[:, 0] > 99]
    sinkhorn = SinkhornNormalizer(beta=20, max_iter=2, tol=0)
    for given in (
        (BANK, GALLERY, ITEMS[:0]),
        (blocks(BANK), GALLERY, ITEMS[:0]),
        (BANK, blocks(GALLERY), nothing),
        (blocks(BANK), GALLERY, blocks(ITEMS[:0])),
    ):
        with pytest.raises(ValueError, match="gallerybank"):
            clone(sinkhorn).fit(*given)
    for sims, other_sims in ((SIMS, OTHER_SIMS), (blocks(SIMS), blocks(OTHER_SIMS))):
        with pytest.raises(ValueError, match="gallerybank"):
            clone(sinkhorn).set_params(**precomputed).fit(
                sims, gallerybank=other_sims[:0]
            )
    some = blocks(ITEMS)[blocks(ITEMS)[:, 0] > 0]
    found = clone(sinkhorn).fit(blocks(BANK), GALLERY, some)
    expected = clone(sinkhorn).fit(BANK, GALLERY, ITEMS[ITEMS[:, 0] > 0])
    np.testing.assert_allclose(found.gallery_bias_, expected.gallery_bias_, atol=1e-12)


def test_errors_of_blocks_name_the_gallery_bank():
    same = "gallerybank"
    nans = np.where(ITEMS > 2, np.nan, ITEMS)
    for items, message in (
        (nans, "gallerybank .* NaN"),
        (blocks(nans), "gallerybank .* NaN"),
        (ITEMS[:, :4], same),
        (blocks(ITEMS[:, :4]), same),
        (ITEMS[0], "gallerybank"),
        (blocks(ITEMS[0], 2), "gallerybank"),
    ):
        with pytest.raises(ValueError, match=message):
            SinkhornNormalizer(beta=20, max_iter=2, tol=0).fit(
                blocks(BANK), GALLERY, items
            )


def test_similarities_in_blocks_of_unknown_sizes_cannot_be_concatenated():
    unknown = blocks(SIMS)[blocks(SIMS)[:, 0] > -9]
    other_sims = blocks(OTHER_SIMS.T)[blocks(OTHER_SIMS.T)[:, 0] > -9].T
    for given, name in (
        ((unknown, OTHER_SIMS), "querybank"),
        ((blocks(SIMS), other_sims), "gallerybank"),
    ):
        with pytest.raises(ValueError, match=name):
            SinkhornNormalizer(**precomputed).fit(given[0], gallerybank=given[1])


@each_dual
def test_both_banks_must_have_the_same_gallery_names(dual):
    names = [f"item {j}" for j in range(25)]
    of_queries, of_items = (frame(sims, names) for sims in (SIMS, ITEM_SIMS))
    of_sims = clone(dual).set_params(**precomputed)
    moved = of_items[names[::-1]]
    for act in (
        lambda: clone(of_sims).fit(of_queries, gallerybank=moved),
        lambda: clone(of_sims).partial_fit(of_queries, gallerybank=moved),
        lambda: clone(of_sims).fit(of_queries).partial_fit(of_queries, None, moved),
    ):
        with pytest.raises(ValueError, match="gallerybank"):
            act()
    expected = clone(of_sims).fit(SIMS, gallerybank=ITEM_SIMS).gallery_bias_
    for given in (of_items, ITEM_SIMS):  # of which only one has names
        fitted = clone(of_sims).fit(of_queries, gallerybank=given)
        np.testing.assert_array_equal(fitted.gallery_bias_, expected)


@each_dual
def test_gallery_names_come_from_the_querybank(dual):
    names = [f"item {j}" for j in range(25)]
    named = frame(GALLERY, index=names)
    expected = clone(dual).fit(BANK, named, ITEMS)
    for known, new, has_names in (
        (named[:20], named[20:], True),
        (GALLERY[:20], GALLERY[20:], False),
    ):
        retriever = QuerybankRetriever(dual).fit(BANK[:30], known)
        retriever.partial_fit(BANK[30:], None, ITEMS).add_gallery(BANK, new, ITEMS)
        retriever.add_gallery(BANK, new, ITEMS)
        retriever.remove_gallery(range(20, 25), BANK, ITEMS)
        alone = clone(dual).partial_fit(BANK[:30], known)
        alone.partial_fit(BANK[30:], GALLERY[:20], ITEMS).add_gallery(BANK, new, ITEMS)
        mixed = clone(dual).partial_fit(BANK[:30], known)
        mixed.partial_fit(BANK[30:], named[:20], ITEMS).add_gallery(BANK, new, ITEMS)
        for fitted in (retriever.normalizer_, alone, mixed):
            assert hasattr(fitted, "feature_names_in_") == has_names
            assert hasattr(fitted.gallerybank_normalizer_, "feature_names_in_") == (
                has_names
            )
            np.testing.assert_allclose(fitted.gallery_bias_, expected.gallery_bias_)
        assert not has_names or list(alone.feature_names_in_) == names


def test_the_gates_of_both_banks_use_the_current_min_count():
    dual = DualDynamicInvertedSoftmax().fit(BANK[:30], GALLERY, ITEMS)
    dual.set_params(min_count=2).partial_fit(BANK[30:], GALLERY)
    expected = DualDynamicInvertedSoftmax(min_count=2).fit(BANK, GALLERY, ITEMS)
    np.testing.assert_array_equal(dual.activation_mask_, expected.activation_mask_)


@each_dual
def test_errors_name_the_bank(dual):
    fitted = clone(dual).fit(BANK, GALLERY, ITEMS)
    for act, message in (
        (
            lambda: fitted.add_gallery(BANK, GALLERY, ITEMS[:4]),
            "gallerybank .* 30 rows, got 4",
        ),
        (
            lambda: fitted.add_gallery(BANK[:4], GALLERY, ITEMS),
            "querybank .* 40 rows, got 4",
        ),
        (
            lambda: fitted.set_params(beta_gallery=3).partial_fit(BANK, GALLERY, ITEMS),
            "gallery",
        ),
        (
            lambda: fitted.set_params(beta_query=3).partial_fit(blocks(BANK), GALLERY),
            "query",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            act()


def test_the_search_visits_only_combinations_of_gates_that_occur():
    alone = DualDynamicInvertedSoftmax().fit(BANK, GALLERY)
    both = DualDynamicInvertedSoftmax(min_count=2).fit(BANK, GALLERY, ITEMS)
    wide = DualDynamicInvertedSoftmax(n_activation=25).fit(BANK, GALLERY, ITEMS)
    for fitted, choices in ((alone, [0, 1]), (both, [0, 1, 2, 3]), (wide, [0, 3])):
        correction = fitted._correction()
        for part in (correction, correction.take_items(slice(0, 1))):
            tiles = Gallery(GALLERY[:1], "cosine").tiles(QUERIES)
            assert list(part.searches(tiles, 1)) == choices
        retriever = QuerybankRetriever(fitted, n_neighbors=4)
        scores = fitted.transform(pairwise_similarity(QUERIES, GALLERY))
        best = np.argsort(-scores, axis=1, kind="stable")[:, :4]
        for gallery in (GALLERY, blocks(GALLERY, (2, -1))):
            items = None if fitted is alone else ITEMS
            found = retriever.fit(BANK, gallery, items).kneighbors(QUERIES)[1]
            np.testing.assert_array_equal(found, best)
