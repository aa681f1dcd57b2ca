"""Banks and galleries on disk, in parts or sparse, and progress of long fits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import linear_kernel

from sk_qbnorm import (
    GallerySimilarity,
    InvertedSoftmax,
    QuerybankRetriever,
    _progress,
    pairwise_similarity,
)

from .cases import NORMALIZERS, without

BANK, QUERIES = np.random.default_rng(0).normal(size=(2, 30, 6)) * 20
GALLERY = np.random.default_rng(1).normal(size=(19, 6)) * 20
DATA = BANK, QUERIES, GALLERY
FORMATS = [sparse.csr_array, sparse.csc_array, sparse.coo_array]
FORMATS += [sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix]

each_kind = pytest.mark.parametrize("kind", ["float32", "float16", "int8", ">f4"])
each_format = pytest.mark.parametrize("give", FORMATS)
each_normalizer = pytest.mark.parametrize(
    "normalizer", NORMALIZERS.values(), ids=NORMALIZERS
)


def assert_close(found, expected, rtol=1e-10):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)
    assert found.dtype == expected.dtype


def assert_same_fit(fitted, expected, rtol=1e-10):
    assert fitted.n_bank_seen_ == expected.n_bank_seen_
    for name in ("gallery_bias_", "activation_counts_", "bank_columns_"):
        if hasattr(expected, name):
            assert_close(getattr(fitted, name), getattr(expected, name), rtol)


def assert_same_search(found, expected, rtol=1e-10):
    np.testing.assert_array_equal(found[1], expected[1])
    assert_close(found[0], expected[0], rtol)


@pytest.fixture(params=["C", "F"])
def on_disk(request, tmp_path):
    """Return a function that returns bank, queries and gallery, also as files."""

    def written(kind):
        for name, matrix in enumerate(DATA):
            options = {"dtype": kind, "shape": matrix.shape, "order": request.param}
            file = np.memmap(tmp_path / str(name), mode="w+", **options)
            file[:] = matrix.astype(kind)
            yield np.array(file), np.memmap(tmp_path / str(name), mode="r", **options)

    return lambda kind: zip(*written(kind), strict=True)


@pytest.mark.parametrize("metric", ["cosine", "dot"])
@each_kind
@each_normalizer
def test_files_give_the_same_result_as_matrices(normalizer, kind, metric, on_disk):
    (bank, queries, gallery), files = on_disk(kind)
    in_memory = QuerybankRetriever(normalizer, n_neighbors=4, metric=metric).fit(
        bank, gallery
    )
    expected = in_memory.kneighbors(queries)
    rtol = 1e-4 if kind == "float32" else 1e-10
    for given in ((files[0], gallery), (files[0], files[2]), (bank, files[2])):
        retriever = clone(in_memory).fit(*given)
        assert_same_fit(retriever.normalizer_, in_memory.normalizer_, rtol)
        assert_same_search(retriever.kneighbors(files[1]), expected, rtol)
    assert np.shares_memory(retriever._gallery.embeddings, files[2])


@each_kind
def test_files_of_any_numeric_dtype_are_accepted(kind, on_disk):
    (bank, queries, gallery), files = on_disk(kind)
    sims = pairwise_similarity(queries, gallery)
    assert_close(pairwise_similarity(*files[1:]), sims)
    assert_close(GallerySimilarity(files[2]).fit_transform(files[1]), sims)
    expected = InvertedSoftmax(metric=lambda queries, gallery: queries @ gallery.T)
    fitted = clone(expected).fit(files[0], files[2])
    assert_same_fit(fitted, expected.fit(bank, gallery))
    expected = InvertedSoftmax(metric="precomputed").fit(bank)
    fitted = clone(expected).fit(files[0])
    assert_close(fitted.transform(files[1]), expected.transform(queries))


LIMITED = """
import resource, sys
import numpy as np
from sk_qbnorm import QuerybankRetriever

def found_in(gallery, items):
    queries = np.array(gallery[items])
    retriever = QuerybankRetriever(n_neighbors=2, n_jobs=2).fit(queries, gallery)
    return retriever.kneighbors(queries)[1][:, 0]
gallery = np.memmap(sys.argv[1], dtype=np.float32, mode="r").reshape(-1, 512)
items = np.arange(0, len(gallery), 4000)
found_in(gallery[:1000], np.arange(len(items)))  # allocate permanent buffers first
with open("/proc/self/status") as status:
    in_use = next(int(line.split()[1]) for line in status if line.startswith("VmData"))
limit = in_use * 2**10 + 160 * 2**20  # a third is for threads and their stacks
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
np.testing.assert_array_equal(found_in(gallery, items), items)
try:
    np.array(gallery)
except MemoryError:
    print("It cannot be copied.")
"""


@pytest.mark.compiled
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")
def test_a_gallery_may_be_larger_than_memory(tmp_path):
    path = tmp_path / "gallery"
    block = np.random.default_rng(0).standard_normal((2048, 512), dtype=np.float32)
    with path.open("wb") as file:
        for shift in range(100):  # 400 MiB
            np.roll(block, shift, axis=1).tofile(file)
    command = [sys.executable, "-c", LIMITED, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    path.unlink()
    assert ended.stdout == "It cannot be copied.\n", ended.stderr


def in_parts(matrix):
    for rows in (slice(0, 1), slice(1, 9), slice(9, 9), slice(9, 30)):
        yield matrix[rows]


@each_normalizer
def test_parts_of_any_size_give_the_same_fit_as_the_whole(normalizer):
    expected = clone(normalizer).fit(BANK @ GALLERY.T)
    assert_same_fit(clone(normalizer).fit(in_parts(BANK @ GALLERY.T)), expected)
    by_dot = clone(normalizer).set_params(metric="dot")
    for given in ((in_parts(BANK), GALLERY), (BANK, in_parts(GALLERY))):
        assert_same_fit(clone(by_dot).fit(*given), expected)
    retriever = QuerybankRetriever(normalizer, metric="dot")
    assert_same_fit(retriever.fit(in_parts(BANK), GALLERY).normalizer_, expected)
    expected.partial_fit(QUERIES @ GALLERY.T)
    by_dot.partial_fit(in_parts(BANK), GALLERY)
    assert_same_fit(by_dot.partial_fit(QUERIES, in_parts(GALLERY)), expected)
    assert_same_fit(retriever.partial_fit(in_parts(QUERIES)).normalizer_, expected)


def test_iterators_that_cannot_be_used_are_refused():
    used_up = in_parts(BANK)
    assert len(list(used_up)) == 4
    by_similarity = InvertedSoftmax(metric="precomputed")
    for given in (used_up, iter([])):
        for estimator in (InvertedSoftmax(), by_similarity, QuerybankRetriever()):
            with pytest.raises(ValueError, match="querybank"):
                estimator.fit(given, GALLERY)
        with pytest.raises(ValueError, match="gallery"):
            InvertedSoftmax().fit(BANK, given)
    with pytest.raises(ValueError, match="querybank"):
        InvertedSoftmax().fit(in_parts(BANK), in_parts(GALLERY))
    with pytest.raises(ValueError, match="gallery"):
        QuerybankRetriever().fit(BANK, in_parts(GALLERY))


def test_parts_of_a_gallery_can_have_names():
    pandas = pytest.importorskip("pandas")
    names = [f"item {item}" for item in range(len(GALLERY))]
    gallery = pandas.DataFrame(GALLERY, index=names)
    sims = pandas.DataFrame(BANK @ GALLERY.T, columns=names)
    by_items = InvertedSoftmax().fit(BANK, in_parts(gallery))
    by_columns = InvertedSoftmax(metric="precomputed").fit(in_parts(sims))
    assert list(by_items.feature_names_in_) == names
    assert list(by_columns.feature_names_in_) == names


@pytest.mark.compiled
@pytest.mark.parametrize("metric", ["cosine", "dot", linear_kernel])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-4), (np.float64, 1e-10)])
@each_normalizer
def test_sparse_embeddings_give_the_same_result_as_dense_ones(
    normalizer, dtype, rtol, metric
):
    bank, queries, gallery = (np.where(abs(x) > 12, x, 0).astype(dtype) for x in DATA)
    bank[3] = queries[4] = gallery[5] = 0
    in_memory = QuerybankRetriever(normalizer, n_neighbors=4, metric=metric).fit(
        bank, gallery
    )
    expected = in_memory.kneighbors(queries)
    sims = pairwise_similarity(bank, gallery, metric)
    for give in FORMATS:
        a, b = give(bank), give(gallery)
        for given in ((a, b), (a, gallery), (bank, b)):
            assert_close(pairwise_similarity(*given, metric), sims, rtol)
            retriever = clone(in_memory).fit(*given)
            assert_same_fit(retriever.normalizer_, in_memory.normalizer_, rtol)
            assert_same_search(retriever.kneighbors(give(queries)), expected, rtol)
            assert_same_search(retriever.kneighbors(queries), expected, rtol)


@each_format
def test_a_pipeline_may_start_with_sparse_embeddings(give):
    sims, queries = pairwise_similarity(QUERIES, GALLERY), give(QUERIES)
    assert_close(GallerySimilarity(give(GALLERY)).fit_transform(QUERIES), sims)
    assert_close(GallerySimilarity(give(GALLERY)).fit_transform(queries), sims)


@each_format
def test_nan_in_sparse_embeddings_is_refused_with_its_place(give):
    spoilt = np.where(np.arange(6) % 2, 0, BANK)
    spoilt[7, 3] = np.nan
    with pytest.raises(ValueError, match="querybank"):
        InvertedSoftmax().fit(give(spoilt), GALLERY)
    with pytest.raises(ValueError, match="gallery"):
        QuerybankRetriever().fit(give(BANK), give(spoilt))


def test_sparse_word_counts_can_be_searched():
    captions = ["a dog in wet grass", "snow on an old roof", "a man plays guitar"]
    asked = [
        "dog on grass",
        "old house under snow",
        "guitar of a man",
        "snow and grass",
    ]
    words = TfidfVectorizer().fit(captions)
    bank, gallery, queries = map(words.transform, (asked[::-1], captions, asked[:3]))
    retriever = QuerybankRetriever(n_neighbors=1).fit(bank, gallery)
    dense = clone(retriever).fit(bank.toarray(), gallery.toarray())
    expected = dense.kneighbors(queries.toarray(), 3)
    assert_same_search(retriever.kneighbors(queries, 3), expected)
    assert retriever.score(queries, [0, 1, 2]) == 1


@pytest.mark.parametrize("give", [np.asarray, in_parts])
def test_verbose_shows_a_bar(give, capsys):
    retriever = QuerybankRetriever().fit(give(BANK), GALLERY)
    retriever.kneighbors(QUERIES)
    assert capsys.readouterr() == ("", "")
    retriever.set_params(verbose=True).fit(give(BANK), GALLERY)
    assert "fit DynamicInvertedSoftmax" in capsys.readouterr().err
    retriever.kneighbors(QUERIES)
    assert "search: 100%" in capsys.readouterr().err


def test_without_tqdm_progress_is_printed_in_lines(monkeypatch, capsys):
    without(monkeypatch, "tqdm")
    InvertedSoftmax().fit(BANK, GALLERY)
    assert capsys.readouterr() == ("", "")
    InvertedSoftmax(verbose=True).fit(BANK, GALLERY)
    said = capsys.readouterr().err
    assert "fit InvertedSoftmax" in said
    assert "570" in said
    assert "100%" in said
    InvertedSoftmax(verbose=True).fit(in_parts(BANK), GALLERY)  # of unknown size
    said = capsys.readouterr().err
    assert "570" in said
    assert "%" not in said


def test_progress_lines_are_some_seconds_apart(monkeypatch, capsys):
    without(monkeypatch, "tqdm")
    now = 0.0
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now)
    with _progress.progress_bar("search", 100, True) as progress:
        for _ in range(10):
            now += 2.0
            progress(10)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["30%", "60%", "90%", "100%"]


def test_a_search_that_fails_prints_no_last_line(monkeypatch, capsys):
    without(monkeypatch, "tqdm")
    with (
        pytest.raises(RuntimeError, match="no"),
        _progress.progress_bar("search", 100, True),
    ):
        raise RuntimeError("no")
    assert capsys.readouterr() == ("", "")


def test_the_scale_of_sparse_parts_is_that_of_all_their_rows():
    random = np.random.default_rng(0)
    bank, gallery = random.normal(size=(40, 6)), random.normal(size=(9, 6))
    bank[random.random(bank.shape) < 0.5] = 0
    parts = iter([sparse.csr_array(bank[:15]), sparse.csr_array(bank[15:])])
    found = InvertedSoftmax().fit(parts, sparse.csr_array(gallery))
    expected = InvertedSoftmax().fit(bank, gallery)
    assert found.beta_ == pytest.approx(expected.beta_)
    np.testing.assert_allclose(found.gallery_bias_, expected.gallery_bias_)
