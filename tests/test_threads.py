"""Threads change how long it takes, and nothing else."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, cpu_count, delayed, parallel_config
from sklearn.base import clone
from threadpoolctl import threadpool_info

from sk_qbnorm import _threads, pairwise_similarity
from sk_qbnorm._kernels import share
from sk_qbnorm._threads import count_threads, limit_blas_threads

from .cases import ALL, NORMALIZERS

RANDOM = np.random.default_rng(0)
each_normalizer = pytest.mark.parametrize("normalizer", ALL.values(), ids=ALL)


@each_normalizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_gives_the_same_bits(normalizer, dtype):
    bank, queries = RANDOM.normal(size=(2, 70, 33)).astype(dtype)
    gallery = RANDOM.normal(size=(300, 33)).astype(dtype)
    sims = pairwise_similarity(queries, gallery)
    for metric in ("precomputed", "cosine", "dot"):
        data = (sims,) if metric == "precomputed" else (bank, gallery)
        found = [
            clone(normalizer).set_params(metric=metric, n_jobs=n_jobs).fit(*data)
            for n_jobs in (1, 2, 5)
        ]
        scores = [fitted.transform(sims) for fitted in found]
        for others in scores[1:]:
            np.testing.assert_array_equal(others, scores[0])


def test_shares_cover_everything_once():
    for size in (1, 2, 7, 100):
        for n_threads in (1, 2, 3, 64):
            seen = []
            share(lambda a, b, seen=seen: seen.extend(range(a, b)), size, n_threads)
            assert sorted(seen) == list(range(size))


def test_n_jobs_means_what_it_means_to_joblib():
    assert count_threads(None) == 1
    assert count_threads(3) == 3
    assert count_threads(-1) == cpu_count()
    with parallel_config(n_jobs=3):
        assert count_threads(None) == 3
        assert count_threads(2) == 2


@pytest.mark.parametrize("n_jobs", [None, -1, 2])
def test_a_worker_does_not_start_threads_of_its_own(n_jobs):
    in_workers = Parallel(n_jobs=2)(delayed(count_threads)(n_jobs) for _ in range(2))
    assert max(in_workers) <= max(1, cpu_count() // 2)


def test_a_worker_has_as_many_threads_as_joblib_leaves_it(monkeypatch):
    monkeypatch.setattr(_threads, "parent_process", lambda: "somebody")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert count_threads(2) == 2
    assert count_threads(8) == 3
    for odd in ("4,2", "", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", odd)
        assert count_threads(8) == 8


def blas_threads(of_all=True):
    """The threads of every BLAS; of those of the process, not of this thread alone."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    if of_all:
        pools = [pool for pool in pools if pool["threading_layer"] != "openmp"]
    return {pool["num_threads"] for pool in pools}


def test_every_blas_has_one_thread_in_a_thread_that_is_told():
    with limit_blas_threads() as alone, ThreadPoolExecutor(1, initializer=alone) as pool:
        assert pool.submit(blas_threads, of_all=False).result() == {1}
    with limit_blas_threads() as alone:
        assert alone is None


def test_blas_is_held_to_one_thread_as_long_as_anybody_asks():
    before = blas_threads()
    first, second = limit_blas_threads(), limit_blas_threads()
    with first:
        assert blas_threads() == {1}
        second.__enter__()
    assert blas_threads() == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before
    with limit_blas_threads():
        assert blas_threads() == before


def test_blas_is_given_back_by_whichever_thread_is_the_last():
    before = blas_threads()
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        held = limit_blas_threads(), limit_blas_threads()
        for pool, context in zip((first, second), held, strict=True):
            pool.submit(context.__enter__).result()
            assert blas_threads() == {1}
        for pool, context in zip((first, second), held, strict=True):
            pool.submit(context.__exit__, None, None, None).result()
        assert blas_threads() == before
        with limit_blas_threads():  # as long as both threads live
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_a_failure_gives_blas_back():
    before = blas_threads()
    with pytest.raises(RuntimeError, match="no"), limit_blas_threads():
        raise RuntimeError("no")
    assert blas_threads() == before
    assert _threads._blas._users == 0


def test_libraries_that_are_imported_later_are_held_too(monkeypatch):
    looked, look = [], _threads.ThreadpoolController
    monkeypatch.setattr(
        _threads, "ThreadpoolController", lambda: looked.append(1) or look()
    )
    blas = _threads._Blas()
    for module, expected in [(None, 1), (None, 1), ("brings_a_library", 2), (None, 2)]:
        if module is not None:
            monkeypatch.setitem(sys.modules, module, None)
        with blas.on_one_thread():
            assert len(looked) == expected


def test_a_limit_that_cannot_be_set_leaves_nobody_behind(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    blas = _threads._Blas()
    monkeypatch.setattr(_threads, "ThreadpoolController", interrupted)
    with pytest.raises(KeyboardInterrupt), blas.on_one_thread():
        pass
    assert blas._users == 0


CONCURRENT = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from sk_qbnorm import DynamicInvertedSoftmax, CSLS, GloballyCorrected

random = np.random.default_rng(0)
bank, queries = random.normal(size=(2, 200, 20))
gallery = random.normal(size=(300, 20))
sims = queries @ gallery.T  # here, as BLAS has other threads while others fit

def work(n_jobs):
    found = []
    for normalizer_class in (DynamicInvertedSoftmax, CSLS, GloballyCorrected):
        fitted = normalizer_class(metric="dot", n_jobs=n_jobs).fit(bank, gallery)
        found.append(fitted.transform(sims))
    return np.stack(found)

alone = work(1)
with ThreadPoolExecutor(4) as pool:
    for together in pool.map(work, [1, 2, 3, 2] * 3):
        np.testing.assert_array_equal(together, alone)
"""


@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_several_python_threads_may_fit_and_transform_at_once(layer):
    # The workqueue layer aborts the process when numba's own threads meet in it.
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer}
    command = [sys.executable, "-c", CONCURRENT]
    subprocess.run(command, env=environment, check=True)


def test_one_fitted_normalizer_serves_several_threads():
    normalizer = clone(NORMALIZERS["DIS"]).fit(RANDOM.normal(size=(50, 40)))
    sims = RANDOM.normal(size=(30, 40))
    scores = normalizer.transform(sims)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(normalizer.transform, [sims] * 16):
            np.testing.assert_array_equal(found, scores)
