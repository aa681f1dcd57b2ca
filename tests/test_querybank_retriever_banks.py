"""A retriever with a gallery bank, which must match the gallery."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import (
    DualInvertedSoftmax,
    InvertedSoftmax,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)

RANDOM = np.random.default_rng(0)
BANK, ITEMS, GALLERY, QUERIES = (RANDOM.normal(size=(n, 5)) for n in (40, 30, 25, 60))


def frame(matrix, columns="abcde"):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(matrix, columns=list(columns))


def blocks(matrix):
    return pytest.importorskip("dask.array").from_array(matrix, chunks=(9, -1))


def narrow(queries, gallery):
    """Compare the first features of the queries with a narrower gallery."""
    width = min(queries.shape[1], gallery.shape[1])
    return pairwise_similarity(queries[:, :width], gallery[:, :width])


def test_a_balance_with_a_gallery_bank_is_kept_when_items_change():
    sinkhorn = QuerybankRetriever(SinkhornNormalizer(beta=20, max_iter=3, tol=0)).fit(
        BANK, GALLERY, ITEMS
    )
    expected = sinkhorn.normalizer_.gallery_bias_
    for act, message in (
        (lambda: sinkhorn.add_gallery(BANK, GALLERY[:3], ITEMS), "gallerybank"),
        (lambda: sinkhorn.remove_gallery([0], BANK, ITEMS), "gallerybank"),
        (lambda: sinkhorn.partial_fit(BANK, None, ITEMS), "whole querybank"),
    ):
        with pytest.raises(ValueError, match=message):
            act()
    sinkhorn.remove_gallery([0]).add_gallery(BANK, GALLERY[:1])
    found = sinkhorn.normalizer_.gallery_bias_  # the balance includes the other items
    np.testing.assert_allclose(found, np.roll(expected, -1), atol=1e-12)
    dual = QuerybankRetriever(DualInvertedSoftmax()).fit(BANK, GALLERY, ITEMS)
    with pytest.raises(ValueError, match="querybank"):
        dual.add_gallery(BANK[:3], GALLERY[:3], ITEMS)


def test_a_retriever_can_be_fitted_again_to_other_features():
    wide = [np.hstack([each, each[:, :1]]) for each in (BANK, GALLERY, ITEMS)]
    frames = [frame(each, "vwxyzu") for each in wide]
    expected = QuerybankRetriever(DualInvertedSoftmax()).fit(*wide)
    fitted = QuerybankRetriever(DualInvertedSoftmax())
    for bank, gallery, items in (
        wide,
        (iter(wide[:1]), *wide[1:]),
        (iter(wide[:1]), wide[1], iter(wide[2:])),
        (blocks(wide[0]), wide[1], blocks(wide[2])),
        frames,
        (iter(frames[:1]), *frames[1:]),
    ):
        fitted.fit(frame(BANK), frame(GALLERY), frame(ITEMS))
        fitted.fit(bank, gallery, items)
        assert fitted.n_features_in_ == 6
        np.testing.assert_allclose(
            fitted.normalizer_.gallery_bias_, expected.normalizer_.gallery_bias_
        )


def test_a_callable_metric_may_compare_different_widths():
    gallery, items = GALLERY[:, :3], ITEMS[:, :3]
    for normalizer in (
        DualInvertedSoftmax(),
        SinkhornNormalizer(beta=20, max_iter=3, tol=0),
    ):
        expected = clone(normalizer).set_params(metric=narrow)
        expected.fit(BANK, gallery, items)
        for given in (
            (BANK, gallery, items),
            (frame(BANK), frame(gallery, "xyz"), frame(items, "xyz")),
            (blocks(BANK), gallery, items),
        ):
            retriever = QuerybankRetriever(normalizer, metric=narrow).fit(*given)
            found = retriever.normalizer_.gallery_bias_
            np.testing.assert_allclose(found, expected.gallery_bias_, atol=1e-12)
    dual = DualInvertedSoftmax(beta_query=20, beta_gallery=5)
    retriever = QuerybankRetriever(dual, metric=narrow)
    retriever.fit(BANK[:30], gallery[:20], iter([items[:9]]))
    retriever.partial_fit(BANK[30:], None, items[9:])
    retriever.add_gallery(BANK, gallery[20:], items).remove_gallery([0], BANK, items)
    expected = clone(dual).set_params(metric=narrow).fit(BANK, gallery[1:], items)
    found = retriever.normalizer_.gallery_bias_
    np.testing.assert_allclose(found, expected.gallery_bias_)


def test_the_gallery_bank_must_match_the_gallery():
    bank, gallery = frame(BANK), frame(GALLERY)
    new = QuerybankRetriever(DualInvertedSoftmax())
    known = clone(new).fit(bank, gallery, frame(ITEMS))
    widths = "gallerybank and gallery .* features"
    columns = "gallerybank and gallery .* columns"
    for items, message in (
        (ITEMS[:, :4], widths),
        (iter([ITEMS[:, :4]]), widths),
        (np.full((3, 5), np.nan), "gallerybank .* NaN"),
        (frame(ITEMS, "abced"), columns),
        (iter([frame(ITEMS), frame(ITEMS, "abced")]), columns),
    ):
        parts = list(items) if not hasattr(items, "shape") else None
        for act in (
            lambda given: clone(new).fit(bank, gallery, given),
            lambda given: known.partial_fit(bank, None, given),
            lambda given: known.add_gallery(bank, gallery, given),
        ):
            with pytest.raises(ValueError, match=message):
                act(items if parts is None else iter(parts))
    for items in (ITEMS, frame(ITEMS), iter([ITEMS]), iter([frame(ITEMS)])):
        known.partial_fit(bank, None, items)  # with no warning


def test_a_gallery_bank_that_the_normalizer_does_not_use_is_refused():
    with pytest.raises(ValueError, match="gallerybank"):
        QuerybankRetriever(InvertedSoftmax()).fit(BANK, GALLERY, ITEMS)
