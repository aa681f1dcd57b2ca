"""Adding and removing gallery items gives the result of a new fit."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    InvertedSoftmax,
    QuerybankRetriever,
    pairwise_similarity,
)

from .cases import NORMALIZERS, bank_and_sims

VARIANTS = {
    **NORMALIZERS,
    "DIS of two": DynamicInvertedSoftmax(
        beta=20.0, n_activation=2, min_count=2, metric="precomputed"
    ),
}
each_variant = pytest.mark.parametrize("normalizer", VARIANTS.values(), ids=VARIANTS)
may_clip = pytest.mark.filterwarnings("ignore:n_neighbors=", "ignore:n_activation=")


def assert_same(found, expected, sims):
    np.testing.assert_allclose(
        found.transform(sims), expected.transform(sims), rtol=1e-12, atol=1e-14
    )
    assert found.n_features_in_ == expected.n_features_in_
    assert found.n_bank_seen_ == expected.n_bank_seen_
    if hasattr(expected, "activation_counts_"):
        np.testing.assert_array_equal(
            found.activation_counts_, expected.activation_counts_
        )


@may_clip
@each_variant
@given(drawn=bank_and_sims(), data=st.data())
def test_adding_and_removing_similarities_equals_a_new_fit(normalizer, drawn, data):
    bank, sims = drawn
    n_gallery = bank.shape[1]
    cut = data.draw(st.integers(1, n_gallery))
    changed = clone(normalizer).fit(bank[:, :cut])
    if cut < n_gallery:
        changed.add_gallery(bank[:, cut:])
    whole = clone(normalizer).fit(bank)
    assert_same(changed, whole, sims)

    gone = data.draw(st.sets(st.integers(0, n_gallery - 1), max_size=n_gallery - 1))
    left = np.delete(np.arange(n_gallery), list(gone))
    changed.remove_gallery(np.array(sorted(gone), dtype=int), bank[:, left])
    assert_same(changed, clone(normalizer).fit(bank[:, left]), sims[:, left])


@each_variant
@pytest.mark.parametrize(
    "metric", ["cosine", "dot", lambda q, g: -abs(q[:, :1] - g.T[0])]
)
def test_adding_and_removing_embeddings_equals_a_new_fit(normalizer, metric):
    random = np.random.default_rng(0)
    bank, queries = random.normal(size=(2, 30, 4))
    gallery = random.normal(size=(20, 4))
    gone = np.zeros(20, dtype=bool)
    gone[[0, 7, 19]] = True
    by_embeddings = clone(normalizer).set_params(metric=metric)
    sims = pairwise_similarity(queries, gallery[~gone], metric)
    expected = clone(by_embeddings).fit(bank, gallery[~gone])

    changed = (
        clone(by_embeddings).fit(bank, gallery[:12]).add_gallery(bank, gallery[12:])
    )
    changed.remove_gallery(gone, bank, gallery[~gone])
    assert_same(changed, expected, sims)

    retriever = QuerybankRetriever(normalizer, n_neighbors=5, metric=metric).fit(
        bank, gallery[:12]
    )
    retriever.add_gallery(bank, gallery[12:]).remove_gallery(gone, bank)
    fresh = QuerybankRetriever(normalizer, n_neighbors=5, metric=metric).fit(
        bank, gallery[~gone]
    )
    assert retriever.n_gallery_ == 17
    for found, expected in zip(
        retriever.kneighbors(queries), fresh.kneighbors(queries), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)

    more = random.normal(size=(9, 4))
    retriever.partial_fit(more)
    both = QuerybankRetriever(normalizer, n_neighbors=5, metric=metric)
    both.fit(np.vstack([bank, more]), gallery[~gone])
    np.testing.assert_array_equal(
        retriever.kneighbors(queries)[1], both.kneighbors(queries)[1]
    )


def on_disk(matrix, folder):
    file = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(file, matrix)
    return np.load(file, mmap_mode="r")


def in_blocks(matrix, folder):
    array = pytest.importorskip("dask.array")
    return array.from_array(matrix, chunks=(4, 3))


def in_sparse_blocks(matrix, folder):
    array = pytest.importorskip("dask.array")
    blocks = array.from_array(matrix, chunks=(3, -1))
    return blocks.map_blocks(sparse.csr_array, meta=sparse.csr_array((0, 0)))


def in_undeclared_sparse_blocks(matrix, folder):
    """Return sparse blocks that Dask treats as dense ones."""
    array = pytest.importorskip("dask.array")
    blocks = array.from_array(matrix, chunks=(3, -1))
    return blocks.map_blocks(sparse.csr_matrix, meta=np.empty((0, 0)))


GALLERY_FORMS = {
    "dense": lambda matrix, folder: matrix,
    "csr": lambda matrix, folder: sparse.csr_array(matrix),
    "csc": lambda matrix, folder: sparse.csc_matrix(matrix),
    "memmap": on_disk,
    "Dask": in_blocks,
    "sparse Dask": in_sparse_blocks,
    "undeclared sparse Dask": in_undeclared_sparse_blocks,
}
SPARSE_BANK, SPARSE_QUERIES = np.random.default_rng(1).normal(size=(2, 12, 6))
SPARSE_GALLERY = np.random.default_rng(2).normal(size=(14, 6))
SPARSE_GALLERY[np.random.default_rng(3).random(SPARSE_GALLERY.shape) < 0.4] = 0
SPARSE_GALLERY[:, 0] += 0.1


def product(queries, gallery):
    return (queries @ gallery.T) / 3


JOINING = {
    "IS": (InvertedSoftmax(beta=20), "cosine"),
    "DIS": (DynamicInvertedSoftmax(beta=20), "dot"),
    "CSLS": (CSLS(n_neighbors=3), product),
}
JOINED = [*itertools.product(GALLERY_FORMS, GALLERY_FORMS, ["IS"])]
JOINED += [
    (*forms, name)
    for forms in [("Dask", "csr"), ("memmap", "sparse Dask"), ("csr", "dense")]
    for name in JOINING
    if name != "IS"
]


@pytest.mark.parametrize(("known", "new", "name"), JOINED)
def test_items_of_any_form_can_be_added_to_a_gallery_of_any_form(
    known, new, name, tmp_path
):
    def assert_same_as_fresh(retriever, left):
        fresh = clone(retriever).fit(SPARSE_BANK, SPARSE_GALLERY[left])
        scores, items = retriever.kneighbors(SPARSE_QUERIES)
        expected = fresh.kneighbors(SPARSE_QUERIES)
        np.testing.assert_array_equal(items, expected[1])
        np.testing.assert_allclose(scores, expected[0], rtol=1e-10, atol=1e-12)
        by_blocks = retriever.kneighbors(in_blocks(SPARSE_QUERIES, tmp_path))
        np.testing.assert_array_equal(by_blocks[1], expected[1])

    known, new = (
        GALLERY_FORMS[form](part, tmp_path)
        for form, part in ((known, SPARSE_GALLERY[:9]), (new, SPARSE_GALLERY[9:]))
    )
    normalizer, metric = JOINING[name]
    retriever = QuerybankRetriever(normalizer, n_neighbors=3, metric=metric).fit(
        SPARSE_BANK, known
    )
    retriever.add_gallery(SPARSE_BANK, new)
    left = np.arange(14)
    assert_same_as_fresh(retriever, left)
    for gone in ([2, 8, 10], [0, 1, 2]):  # the second is a whole block
        retriever.remove_gallery(gone, SPARSE_BANK)
        left = np.delete(left, gone)
        assert_same_as_fresh(retriever, left)
    retriever.add_gallery(SPARSE_BANK, known)
    assert retriever.kneighbors(SPARSE_QUERIES)[1].max() < 17


COPIED = {
    "dense": np.copy,
    "view": lambda matrix: np.repeat(matrix, 2, axis=0)[::2],
    "F order": lambda matrix: np.array(matrix, order="F"),
    "float32": lambda matrix: matrix.astype(np.float32),
    "int64": lambda matrix: (matrix * 9).astype(np.int64),
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
}


def write_into(matrix):
    numbers = matrix.data if sparse.issparse(matrix) else matrix
    numbers[:] = numbers[::-1].copy()


@pytest.mark.parametrize("metric", ["cosine", "dot", product])
@pytest.mark.parametrize("form", COPIED.values(), ids=COPIED)
def test_writing_into_the_gallery_does_not_change_a_retriever(form, metric):
    gallery, new = form(SPARSE_GALLERY), form(SPARSE_GALLERY[:4] + 1)
    retriever = QuerybankRetriever(
        InvertedSoftmax(), n_neighbors=3, metric=metric, gallery=gallery
    )
    retriever.fit(SPARSE_BANK)
    expected = retriever.kneighbors(SPARSE_QUERIES)
    write_into(gallery)
    found = retriever.kneighbors(SPARSE_QUERIES)
    np.testing.assert_array_equal(found, expected)
    retriever.add_gallery(SPARSE_BANK, new)
    expected = retriever.kneighbors(SPARSE_QUERIES)
    write_into(new)
    found = retriever.kneighbors(SPARSE_QUERIES)
    np.testing.assert_array_equal(found, expected)


def test_a_retriever_copies_a_dataframe():
    pandas = pytest.importorskip("pandas")
    numbers = SPARSE_GALLERY.copy()
    frame = pandas.DataFrame(numbers, copy=False)
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=3, metric="dot").fit(
        SPARSE_BANK, frame
    )
    expected = retriever.kneighbors(SPARSE_QUERIES)
    numbers[:] = 0
    np.testing.assert_array_equal(retriever.kneighbors(SPARSE_QUERIES), expected)


def test_names_follow_added_and_removed_items():
    random = np.random.default_rng(0)
    pandas = pytest.importorskip("pandas")
    bank, gallery = random.normal(size=(6, 3)), random.normal(size=(4, 3))
    frame = pandas.DataFrame(gallery, index=["cat", "dog", "owl", "yak"])
    normalizer = InvertedSoftmax().fit(bank, frame[:3]).add_gallery(bank, frame[3:])
    assert list(normalizer.get_feature_names_out()) == ["cat", "dog", "owl", "yak"]
    normalizer.remove_gallery([1])
    assert list(normalizer.get_feature_names_out()) == ["cat", "owl", "yak"]
    sims = pandas.DataFrame(bank @ gallery.T, columns=frame.index)
    columns = InvertedSoftmax(metric="precomputed").fit(sims[["cat", "dog"]])
    columns.add_gallery(sims[["owl"]])
    assert list(columns.feature_names_in_) == ["cat", "dog", "owl"]
    with pytest.raises(ValueError, match="gallery"):
        normalizer.add_gallery(bank, gallery)
    with pytest.raises(ValueError, match="gallery"):
        InvertedSoftmax().fit(bank, gallery).add_gallery(bank, frame)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([4], r"items .*\[0, 3\].* 4"),
        ([-1], r"items .*\[0, 3\].* -1"),
        ([0.5], "items .* float64"),
        ([[0, 1]], r"items .*\(1, 2\)"),
        ([True, False], r"items .*\(4,\).* \(2,\)"),
        ([0, 1, 2, 3], "items .* 4"),
        (np.ones(4, dtype=bool), "items"),
    ],
)
def test_items_outside_the_gallery_are_refused(items, message):
    random = np.random.default_rng(0)
    bank, gallery = random.normal(size=(6, 3)), random.normal(size=(4, 3))
    for fitted in (
        InvertedSoftmax().fit(bank, gallery),
        QuerybankRetriever(InvertedSoftmax(), n_neighbors=2).fit(bank, gallery),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.remove_gallery(items)


def test_another_bank_is_refused_and_changes_nothing():
    random = np.random.default_rng(0)
    bank, gallery = random.normal(size=(6, 3)), random.normal(size=(4, 3))
    normalizer = DynamicInvertedSoftmax().fit(bank, gallery)
    best = normalizer.activation_counts_.argmax()
    left = np.delete(gallery, best, 0)
    for act, message in (
        (lambda: normalizer.add_gallery(bank[:5], gallery), "6 rows, got 5"),
        (lambda: normalizer.remove_gallery([best]), "querybank"),
        (lambda: normalizer.remove_gallery([best], bank[:5], left), "6 rows, got 5"),
        (
            lambda: normalizer.remove_gallery([best], bank, gallery),
            "3 remaining items, got 4",
        ),
        (lambda: normalizer.remove_gallery([best], bank), "metric was 'cosine'"),
        (
            lambda: (
                clone(normalizer)
                .fit(bank, gallery)
                .set_params(beta=3)
                .add_gallery(bank, gallery)
            ),
            "beta",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            act()
        assert normalizer.n_features_in_ == 4
        assert normalizer.activation_counts_.sum() == 6
    with pytest.raises(NotFittedError):
        DynamicInvertedSoftmax().remove_gallery([0])
    with pytest.raises(NotFittedError):
        QuerybankRetriever().add_gallery(bank, gallery)


@pytest.mark.parametrize("metric", ["cosine", "precomputed"])
def test_new_items_without_the_bank_are_refused_in_one_line(metric):
    bank = np.eye(3)
    fitted = [InvertedSoftmax(metric=metric).fit(bank, bank)]
    if metric == "cosine":
        fitted.append(QuerybankRetriever(n_neighbors=1).fit(bank, bank))
    for each in fitted:
        with pytest.raises(ValueError, match="querybank") as refused:
            each.add_gallery(None, bank)
        assert "\n" not in str(refused.value)
