"""Banks and galleries as Dask arrays, on threads and on other processes."""

import os
import pickle
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import GloballyCorrected, QuerybankRetriever
from sk_qbnorm._dask import _tasks

from .cases import NORMALIZERS

array = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

BANK, QUERIES = np.random.default_rng(0).normal(size=(2, 18, 5))
GALLERY = np.random.default_rng(1).normal(size=(13, 5))
MERGING = {name: each for name, each in NORMALIZERS.items() if name != "GC"}
MERGING["DIS n=3"] = clone(MERGING["DIS"]).set_params(n_activation=3)
MERGING["DIS probability"] = clone(MERGING["DIS"]).set_params(
    beta=3, output="probability"
)
METRICS = ["cosine", "dot", lambda queries, gallery: queries @ gallery.T / 3]
RETRIEVER = QuerybankRetriever(n_neighbors=3, metric="dot")

each_normalizer = pytest.mark.parametrize("normalizer", MERGING.values(), ids=MERGING)


def in_blocks(matrix, rows=4, features=3):
    return array.from_array(matrix, chunks=(rows, features))


def assert_same_fit(fitted, expected, rtol=1e-10):
    names = {name for name in vars(expected) if name.endswith("_")}
    names = {name for name in names if not name.endswith("normalizer_")}
    for name in sorted(names):
        found, wanted = np.asarray(getattr(fitted, name)), getattr(expected, name)
        if found.dtype.kind == "f":
            np.testing.assert_allclose(found, wanted, rtol=rtol, err_msg=name)
        else:  # counts are exact
            np.testing.assert_array_equal(found, wanted, err_msg=name)


def assert_same_search(found, expected):
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-10, atol=1e-12)


@pytest.mark.compiled
@pytest.mark.parametrize("metric", METRICS, ids=["cosine", "dot", "callable"])
@pytest.mark.parametrize("blocks", [(4, -1), (-1, 2), (5, (1, 4)), (-1, -1)], ids=str)
@each_normalizer
def test_blocks_give_the_same_result_as_the_whole(normalizer, blocks, metric):
    in_memory = QuerybankRetriever(normalizer, metric=metric, n_neighbors=4)
    expected = in_memory.fit(BANK, GALLERY).kneighbors(QUERIES)
    sims = QUERIES @ GALLERY.T
    queries, bank, gallery = (in_blocks(x, *blocks) for x in (QUERIES, BANK, GALLERY))
    for given in ((bank, gallery), (bank, GALLERY), (BANK, gallery)):
        retriever = clone(in_memory).fit(*given)
        assert_same_fit(retriever.normalizer_, in_memory.normalizer_)
        scores = (each.normalizer_.transform(sims) for each in (retriever, in_memory))
        np.testing.assert_allclose(*scores, rtol=1e-10, atol=1e-12)
        assert_same_search(retriever.kneighbors(queries), expected)
        assert_same_search(retriever.kneighbors(QUERIES), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int8])
@each_normalizer
def test_similarities_may_be_a_grid_of_blocks(normalizer, dtype):
    bank = (BANK @ GALLERY.T * 9).astype(dtype)
    for blocks in ((5, 4), (1, -1), (-1, 1), ((1, 14, 3), (1, 2, 10)), (-1, -1)):
        fitted = clone(normalizer).fit(in_blocks(bank, *blocks))
        assert_same_fit(fitted, normalizer.fit(bank), rtol=1e-5)


def test_a_gallery_in_memory_keeps_its_names():
    pandas = pytest.importorskip("pandas")
    names = [f"item {j}" for j in range(len(GALLERY))]
    gallery = pandas.DataFrame(GALLERY, index=names)
    normalizer = (
        clone(MERGING["IS"]).set_params(metric="cosine").fit(in_blocks(BANK), gallery)
    )
    assert list(normalizer.get_feature_names_out()) == names


def test_ties_across_blocks_go_to_the_smaller_index():
    queries, gallery = np.eye(5), np.tile(np.eye(5), (4, 1))  # exact in any order
    retriever = QuerybankRetriever(MERGING["NNN"], n_neighbors=9, metric="dot")
    items = retriever.fit(queries, in_blocks(gallery)).kneighbors(in_blocks(queries))[1]
    np.testing.assert_array_equal(items[0], [0, 5, 10, 15, 1, 2, 3, 4, 6])


@pytest.mark.parametrize("mode", ["connectivity", "score", "distance"])
def test_graphs_of_blocks_equal_the_graph_of_the_whole(mode):
    in_memory = QuerybankRetriever(n_neighbors=3).fit(BANK, GALLERY)
    retriever = clone(in_memory).fit(BANK, in_blocks(GALLERY))
    found = retriever.kneighbors_graph(in_blocks(QUERIES), mode=mode).toarray()
    expected = in_memory.kneighbors_graph(QUERIES, mode=mode).toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("give", [np.asarray, in_blocks])
@each_normalizer
def test_bank_and_gallery_may_change_in_blocks(normalizer, give):
    bank = np.vstack([BANK, QUERIES])
    in_memory = QuerybankRetriever(normalizer, n_neighbors=3).fit(bank, GALLERY)
    retriever = clone(in_memory).partial_fit(in_blocks(BANK), in_blocks(GALLERY))
    retriever.partial_fit(give(QUERIES))
    assert_same_fit(retriever.normalizer_, in_memory.normalizer_)
    in_memory.add_gallery(bank, -GALLERY).remove_gallery([0, 5, 20], bank)
    retriever.add_gallery(give(bank), give(-GALLERY))
    retriever.remove_gallery([0, 5, 20], give(bank))
    assert_same_search(retriever.kneighbors(QUERIES), in_memory.kneighbors(QUERIES))


def test_blocks_may_be_empty_and_have_unknown_sizes_in_fit():
    left = np.arange(18) // 4 != 1  # the second block is empty
    bank = in_blocks(BANK)[array.from_array(left, chunks=4)]
    gallery = in_blocks(GALLERY)[array.from_array(left[:13], chunks=4)]
    unfitted = clone(RETRIEVER).set_params(normalizer=MERGING["DIS"])
    expected = clone(unfitted).fit(BANK[left], GALLERY[left[:13]])
    normalizer = clone(expected.normalizer_).fit(bank, gallery)
    assert_same_fit(normalizer, expected.normalizer_)
    with pytest.raises(ValueError, match=r"compute_chunk_sizes\(\)"):
        clone(unfitted).fit(bank, gallery)
    retriever = clone(unfitted).fit(bank, gallery.compute_chunk_sizes())
    assert_same_search(retriever.kneighbors(bank), expected.kneighbors(BANK[left]))
    for use in (lambda nothing: normalizer.fit(nothing, GALLERY), retriever.kneighbors):
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            use(bank[bank[:, 0] > 99])


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda wrong: clone(RETRIEVER).fit(BANK, wrong), "gallery"),
        (lambda wrong: clone(RETRIEVER).fit(wrong, GALLERY), "querybank"),
        (lambda wrong: clone(RETRIEVER).fit(BANK, GALLERY).predict(wrong), "queries"),
        (lambda wrong: clone(MERGING["IS"]).fit(wrong), "querybank"),
    ],
)
def test_invalid_blocks_are_refused(use, name):
    spoilt = np.where(np.arange(18)[:, None] == 9, np.nan, BANK)
    with pytest.raises(ValueError, match=f"{name} .* NaN in row"):
        use(in_blocks(spoilt))
    for shape in ((3, 3, 5), (5,)):
        with pytest.raises(ValueError, match="2D|one number"):
            use(array.ones(shape, chunks=2))


def test_operations_without_dask_support_are_refused():
    blocks, by_dot = in_blocks(GALLERY), clone(RETRIEVER).fit(BANK, in_blocks(GALLERY))
    by_rank = QuerybankRetriever(GloballyCorrected()).fit(BANK, GALLERY)
    for use, message in (
        (lambda: by_dot.fit(in_blocks(BANK[:, :3]), blocks), "got 3 and 5"),
        (lambda: by_dot.fit(iter([BANK]), blocks), "iterator"),
        (lambda: by_dot.score(QUERIES, [0] * 18), "Dask"),
        (lambda: by_dot.kneighbors_graph(QUERIES, mode="distance"), "istance"),
        (lambda: by_rank.decision_function(blocks), "Dask"),
        (lambda: by_rank.fit(BANK, blocks), "Dask .* n_bank x n_gallery"),
    ):
        with pytest.raises(ValueError, match=message):
            use()
    expected = by_rank.kneighbors(QUERIES)
    assert_same_search(by_rank.kneighbors(in_blocks(QUERIES)), expected)


def test_verbose_shows_the_bar_of_dask(capsys):
    retriever = clone(RETRIEVER).fit(in_blocks(BANK), in_blocks(GALLERY))
    assert capsys.readouterr() == ("", "")
    retriever.set_params(verbose=True).kneighbors(QUERIES)
    assert "100% Completed" in capsys.readouterr().out
    retriever.fit(in_blocks(BANK), GALLERY)
    assert "100% Completed" in capsys.readouterr().out


@each_normalizer
def test_no_task_returns_all_similarities(normalizer, monkeypatch):
    monkeypatch.setattr(_tasks, "SAMPLE_ROWS", 10)  # for the spread
    bank, gallery = np.random.default_rng(2).normal(size=(2, 200, 3))
    results = []
    with dask.callbacks.Callback(posttask=lambda *task: results.append(task[1])):
        retriever = QuerybankRetriever(normalizer, n_neighbors=3)
        retriever.fit(in_blocks(bank, 50), in_blocks(gallery, 50))
        retriever.kneighbors(in_blocks(gallery, 50))
        sims = in_blocks(bank @ gallery.T, 50, 50)
        clone(normalizer).fit(sims).remove_gallery([0], sims[:, 1:])
    sizes = [len(pickle.dumps(result)) for result in results]
    assert len(sizes) > 48  # one for each pair of blocks, and more
    assert max(sizes) < 200 * 200 * 8 / 5


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two processes; a killed one is replaced."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    options["local_directory"] = tmp_path_factory.mktemp("workers")
    with distributed.LocalCluster(**options) as cluster:
        yield cluster


@pytest.mark.compiled
def test_processes_and_threads_give_the_same_result(cluster):
    def found(metric):
        retriever = clone(RETRIEVER).set_params(metric=metric)
        retriever.fit(in_blocks(BANK), in_blocks(GALLERY))
        return retriever.normalizer_, retriever.kneighbors(in_blocks(QUERIES))

    for metric in METRICS:
        expected = found(metric)
        with cluster.get_client():
            normalizer, neighbors = found(metric)
        assert_same_fit(normalizer, expected[0])
        assert_same_search(neighbors, expected[1])


def reader(folder):
    """Return a function that reads blocks; workers need not import this module."""

    def read(block):
        mark = f"{os.getpid()}-{time.monotonic_ns()}"
        (folder / f"begun-{mark}").touch()
        if len([*folder.glob("done-*")]) >= 6:
            (folder / f"waiting-{mark}").touch()
            while not (folder / "go-on").exists():
                time.sleep(0.01)
        (folder / f"done-{mark}").touch()
        return block

    return read


def kill_a_waiting_worker(folder, pids):
    """Kill a worker at a block; return its id and the number of finished blocks."""
    deadline = time.monotonic() + 180
    while not (waiting := [*folder.glob("waiting-*")]) and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        pid = int(waiting[0].name.split("-")[1])
        assert pid in pids  # never this process
        os.kill(pid, signal.SIGKILL)
        return pid, len([*folder.glob("done-*")])
    finally:
        (folder / "go-on").touch()


@pytest.mark.compiled
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_fit_survives_a_killed_worker(cluster, tmp_path):
    bank, gallery = in_blocks(BANK, 1, -1), in_blocks(GALLERY)
    expected = clone(RETRIEVER).fit(bank, gallery)
    with cluster.get_client() as client, ThreadPoolExecutor(1) as pool:
        pids = client.run(os.getpid).values()
        killed = pool.submit(kill_a_waiting_worker, tmp_path, pids)
        read = bank.map_blocks(reader(tmp_path), meta=BANK[:0])
        fitted = clone(RETRIEVER).fit(read, gallery)
        pid, n_done = killed.result()
        client.wait_for_workers(2, timeout=180)  # the killed worker is replaced
        assert pid not in client.run(os.getpid).values()
    assert_same_fit(fitted.normalizer_, expected.normalizer_)
    begun, done = (len([*tmp_path.glob(f"{what}-*")]) for what in ("begun", "done"))
    assert 6 <= n_done < len(BANK) <= done < begun
