"""float32 stays float32 in every form of a matrix; masked entries are refused."""

from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sk_qbnorm import (
    GallerySimilarity,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborScorer,
    QuerybankRetriever,
    pairwise_similarity,
)
from sk_qbnorm.indexes import AugmentedVectors, QueryShift
from sk_qbnorm.metrics import bootstrap_report, hub_agreement, k_occurrence, recall_at_k

RANDOM = np.random.default_rng(0)
BANK, QUERIES, GALLERY = RANDOM.normal(size=(3, 14, 5)).astype(np.float32)


class ForeignDtype:
    """A dtype that numpy does not know, such as those of torch."""


class ForeignArray:
    """An array of another library that numpy can read."""

    dtype = ForeignDtype()

    def __init__(self, values):
        self.values, self.shape, self.ndim = values, values.shape, values.ndim

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype, copy=copy)


class DlpackArray:
    """An array that numpy can read only by the DLPack protocol."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class UnreadableArray(ForeignArray):
    """An array on another device, or with a dtype that numpy does not know."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Got unsupported ScalarType BFloat16")


def with_column(frame, dtype):
    return frame.astype({frame.columns[0]: dtype})


FORMS = {
    "polars": pl.DataFrame,
    "polars with int8": lambda x: pl.DataFrame(x).with_columns(
        pl.col("column_0").cast(pl.Int8)
    ),
    "pandas": pd.DataFrame,
    "pandas nullable": lambda x: pd.DataFrame(x).astype("Float32"),
    "pandas of both": lambda x: with_column(pd.DataFrame(x), "Float32"),
    "pandas with nullable int8": lambda x: with_column(
        pd.DataFrame(x).round().astype("Float32"), "Int8"
    ),
    "pandas of big-endian": lambda x: pd.DataFrame(x.astype(">f4")),
    "foreign": ForeignArray,
    "DLPack": DlpackArray,
    "list of rows": list,
    "list of foreign rows": lambda x: [ForeignArray(row) for row in x],
}
WIDER = {
    "polars": lambda x: pl.DataFrame(x).with_columns(
        pl.col("column_0").cast(pl.Float64)
    ),
    "pandas": lambda x: with_column(pd.DataFrame(x), "float64"),
    "pandas nullable": lambda x: with_column(
        pd.DataFrame(x).astype("Float32"), "Float64"
    ),
    "pandas with int64": lambda x: with_column(
        pd.DataFrame(x).round().astype("Float32"), "Int64"
    ),
    "pandas of big-endian": lambda x: pd.DataFrame(x.astype(">f8")),
    "foreign": lambda x: ForeignArray(x.astype(np.float64)),
    "float16": lambda x: x.astype(np.float16),
    "foreign float16": lambda x: ForeignArray(x.astype(np.float16)),
    "list": lambda x: x.tolist(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_float32_stays_float32(form):
    bank, queries, gallery = form(BANK), form(QUERIES), form(GALLERY)
    sims = np.asarray(pairwise_similarity(queries, gallery))
    assert sims.dtype == np.float32
    if not isinstance(queries, DlpackArray):
        plain = [np.asarray(each, dtype=np.float32) for each in (queries, gallery)]
        np.testing.assert_allclose(sims, pairwise_similarity(*plain), rtol=1e-6)
    normalizer = InvertedSoftmax().fit(form(sims))
    assert normalizer.transform(form(sims)).dtype == np.float32
    for metric in ("cosine", "dot"):
        retriever = QuerybankRetriever(metric=metric).fit(bank, gallery)
        assert retriever.kneighbors(queries)[0].dtype == np.float32
    similarity = GallerySimilarity(gallery).fit(bank)
    assert similarity.transform(queries).dtype == np.float32
    augmented = AugmentedVectors().fit(gallery, np.arange(14))
    assert augmented.gallery(gallery, np.arange(14)).dtype == np.float32
    assert augmented.queries(queries).dtype == np.float32
    shift = QueryShift().fit(gallery, np.arange(14))
    assert shift.queries(queries).dtype == np.float32
    candidates = normalizer.rescore(form(sims), np.tile(np.arange(14), (14, 1)))
    assert candidates[0].dtype == np.float32


@pytest.mark.parametrize("form", WIDER.values(), ids=WIDER)
def test_wider_numbers_than_float32_become_float64(form):
    sims = pairwise_similarity(form(QUERIES), GALLERY)
    assert sims.dtype == np.float64
    normalizer = InvertedSoftmax().fit(form(BANK))
    assert normalizer.transform(form(QUERIES)).dtype == np.float64


def test_sparse_frames_of_float32_stay_float32():
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_array(QUERIES))
    sims = pairwise_similarity(frame, GALLERY)
    np.testing.assert_array_equal(
        sims, pairwise_similarity(sparse.csr_array(QUERIES), GALLERY)
    )
    assert sims.dtype == np.float32


@pytest.mark.parametrize(
    "queries",
    [
        UnreadableArray(QUERIES),
        [UnreadableArray(row) for row in QUERIES],
        QUERIES.astype("m8[s]"),
        pd.DataFrame({"a": [1.0], "b": pd.to_datetime(["2020-01-01"])}),
        pd.DataFrame({"a": [1.0], "b": pd.to_datetime(["2020-01-01"], utc=True)}),
        pl.DataFrame({"a": [date(2020, 1, 1)]}),
    ],
    ids=["unreadable", "unreadable rows", "timedelta", "dates", "zoned dates", "Date"],
)
def test_matrices_without_numbers_are_refused(queries):
    with pytest.raises(ValueError, match="queries must"):
        pairwise_similarity(queries, np.ones((2, 2)))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("of_gallery", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("metric", ["cosine", "dot", lambda x, y: (x @ y.T) / 3])
def test_mixed_dtypes_are_compared_in_float64_everywhere(form, of_gallery, metric):
    singles = BANK, GALLERY
    doubles = [each.astype(np.float64) for each in singles]
    for one, other in ((0, 1), (1, 0)):
        bank, gallery = [singles, doubles][one][0], [singles, doubles][other][1]
        bank, gallery = form(bank), of_gallery(gallery)
        expected = pairwise_similarity(*doubles, metric)
        sims = pairwise_similarity(bank, gallery, metric)
        np.testing.assert_allclose(sims, expected, rtol=1e-12, atol=1e-15)
        fitted = InvertedSoftmax(beta=5, metric=metric).fit(bank, gallery)
        wanted = InvertedSoftmax(beta=5).fit(sims)
        np.testing.assert_allclose(
            fitted.gallery_bias_, wanted.gallery_bias_, rtol=1e-12
        )


def masked(values):
    values = np.array(values)
    mask = np.zeros(values.shape, dtype=bool)
    mask.ravel()[-1] = True
    return np.ma.masked_array(values, mask)


def agree(queries):
    normalizer = MixNormalizer(queries, InvertedSoftmax(), n_neighbors=2)
    normalizer.fit(BANK, GALLERY)


SIMS = pairwise_similarity(QUERIES, GALLERY)
RETRIEVER = QuerybankRetriever().fit(BANK, GALLERY)
FITTED = InvertedSoftmax().fit(SIMS)
SHIFT = QueryShift().fit(GALLERY, FITTED.index_bias())
PLACES, ITEMS = np.arange(14), np.tile(np.arange(14), (14, 1))
TAKE = {
    "queries": (lambda x: pairwise_similarity(x, GALLERY), QUERIES),
    "queries, a list": (lambda x: pairwise_similarity(list(x), GALLERY), QUERIES),
    "querybank": (lambda x: InvertedSoftmax().fit(x, GALLERY), BANK),
    "gallery": (lambda x: QuerybankRetriever().fit(BANK, x), GALLERY),
    "queries of agreement": (agree, QUERIES),
    "query_sims": (FITTED.transform, SIMS),
    "scores": (lambda x: recall_at_k(PLACES, x), SIMS),
    "scores to rescore": (lambda x: FITTED.rescore(x, ITEMS), SIMS),
    "indices": (lambda x: FITTED.rescore(SIMS, x), ITEMS),
    "items": (lambda x: FITTED.remove_gallery(x), [3, 4]),
    "bias": (lambda x: AugmentedVectors().fit(GALLERY, x), np.ones(14)),
    "bias of columns": (lambda x: QueryShift().fit(GALLERY, x), np.ones((14, 2))),
    "corrected": (lambda x: SHIFT.queries(QUERIES, x), np.ones(14, dtype=bool)),
    "relevant": (lambda x: recall_at_k(x, SIMS), PLACES),
    "relevant, lists": (lambda x: recall_at_k([*x], SIMS), PLACES[:, None]),
    "relevant, a matrix": (lambda x: recall_at_k(x, SIMS), np.eye(14)),
    "relevant, labels": (
        lambda x: recall_at_k(x, SIMS, gallery_labels=PLACES),
        PLACES,
    ),
    "gallery_labels": (lambda x: recall_at_k(PLACES, SIMS, gallery_labels=x), PLACES),
    "y": (lambda x: RETRIEVER.score(QUERIES, x), PLACES),
    "labels of a scorer": (
        lambda x: NearestNeighborScorer(gallery_labels=x).fit(SIMS),
        PLACES,
    ),
    "query_mask": (
        lambda x: recall_at_k(PLACES, SIMS, query_mask=x),
        np.ones(14, dtype=bool),
    ),
    "groups": (lambda x: bootstrap_report(PLACES, SIMS, groups=x), PLACES),
    "counts": (lambda x: hub_agreement(x, PLACES * 0 + 10), PLACES * 0 + 10),
    "scores to count": (lambda x: k_occurrence(x, k=2), SIMS),
    "indices to count": (lambda x: k_occurrence(x, k=2, n_gallery=14), ITEMS),
}


@pytest.mark.parametrize(("take", "values"), TAKE.values(), ids=TAKE)
def test_masked_entries_are_refused_and_not_ignored(take, values):
    with pytest.raises(ValueError, match="masked"):
        take(masked(values))


def test_a_masked_array_without_masked_entries_is_an_array():
    sims = pairwise_similarity(np.ma.masked_array(QUERIES), np.ma.masked_array(GALLERY))
    np.testing.assert_array_equal(sims, SIMS)
    assert type(sims) is np.ndarray
