"""The number of threads does not change results."""

import contextlib
import itertools
import linecache
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl
from joblib import Parallel, cpu_count, delayed, parallel_config
from sklearn.base import clone
from threadpoolctl import threadpool_info, threadpool_limits

from sk_qbnorm import _threads, pairwise_similarity
from sk_qbnorm._kernels import share
from sk_qbnorm._threads import count_threads, limit_blas_threads

from .cases import ALL, NORMALIZERS

each_normalizer = pytest.mark.parametrize("normalizer", ALL.values(), ids=ALL)


@pytest.mark.compiled
@each_normalizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_gives_the_same_bits(normalizer, dtype):
    random = np.random.default_rng(0)
    bank, queries = random.normal(size=(2, 70, 33)).astype(dtype)
    gallery = random.normal(size=(300, 33)).astype(dtype)
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


def test_thread_ranges_cover_everything_once():
    for size in (1, 2, 7, 100):
        for n_threads in (1, 2, 3, 64):
            seen = []
            share(lambda a, b, seen=seen: seen.extend(range(a, b)), size, n_threads)
            assert sorted(seen) == list(range(size))


def test_n_jobs_has_the_meaning_of_joblib():
    assert count_threads(3) == 3
    assert count_threads(-1) == cpu_count()
    with parallel_config(n_jobs=3):
        assert count_threads(None) == 3
        assert count_threads(2) == 2
    with parallel_config(n_jobs=1):
        assert count_threads(None) == 1


@pytest.mark.parametrize("n_threads", [1, 2])
def test_without_n_jobs_there_are_as_many_threads_as_in_blas(n_threads):
    if n_threads > os.cpu_count():
        pytest.skip("BLAS has one thread on one core")
    with threadpool_limits(n_threads, user_api="blas"):
        _threads._give_up_control()
        assert count_threads(None) == n_threads
        with limit_blas_threads():  # the number outside of the limit
            assert count_threads(None) == n_threads
        assert count_threads(None) == n_threads


def test_without_blas_there_is_a_thread_per_core(monkeypatch):
    class Nothing:
        lib_controllers = ()

    monkeypatch.setattr(_threads, "ThreadpoolController", Nothing)
    assert _threads._Blas().count_threads() == cpu_count()


def test_without_n_jobs_a_joblib_thread_starts_no_other_threads():
    found = Parallel(n_jobs=2, prefer="threads")(
        delayed(count_threads)(n_jobs) for n_jobs in (None, None, 2)
    )
    assert found[:2] == [1, 1]


@pytest.mark.parametrize("n_jobs", [1.5, "2"])
def test_n_jobs_must_be_an_integer(n_jobs):
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="n_jobs"):
        clone(NORMALIZERS["DIS"]).set_params(n_jobs=n_jobs).fit(
            random.normal(size=(5, 4))
        )


@pytest.mark.parametrize("n_jobs", [None, -1, 2])
def test_a_worker_does_not_start_its_own_threads(n_jobs):
    in_workers = Parallel(n_jobs=2)(delayed(count_threads)(n_jobs) for _ in range(2))
    assert max(in_workers) <= max(1, cpu_count() // 2)


def test_a_worker_uses_the_threads_that_joblib_assigns(monkeypatch):
    monkeypatch.setattr(_threads, "parent_process", lambda: "somebody")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert count_threads(2) == 2
    assert count_threads(8) == 3
    in_threads = Parallel(n_jobs=2, prefer="threads")
    assert in_threads(delayed(count_threads)(None) for _ in range(2)) == [3, 3]
    with parallel_config(n_jobs=2):
        assert count_threads(None) == 2
    with parallel_config(n_jobs=8):
        assert count_threads(None) == 3
    for odd in ("4,2", "", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", odd)
        assert count_threads(8) == 8


def blas_threads(of_all=True):
    """The threads of each BLAS library; `of_all` skips limits of single threads."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    if of_all:
        pools = [pool for pool in pools if pool["threading_layer"] != "openmp"]
    return {pool["num_threads"] for pool in pools}


@pytest.fixture
def two_blas_threads():
    """Let BLAS use two threads, whatever an earlier test has set."""
    if os.cpu_count() == 1:
        pytest.skip("BLAS has one thread on one core, with a limit or without")
    with threadpool_limits(2, user_api="blas"):
        _threads._give_up_control()  # otherwise other threads cannot set a limit
        yield


def test_every_blas_has_one_thread_in_a_thread_that_limits_itself():
    with (
        limit_blas_threads() as alone,
        ThreadPoolExecutor(1, initializer=alone) as pool,
    ):
        assert pool.submit(blas_threads, of_all=False).result() == {1}


def test_blas_has_one_thread_while_it_has_a_user(two_blas_threads):
    before = blas_threads()
    first, second = limit_blas_threads(), limit_blas_threads()
    with first:
        assert blas_threads() == {1}
        second.__enter__()
    assert blas_threads() == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before


def test_the_last_thread_to_leave_restores_the_threads_of_blas(two_blas_threads):
    before = blas_threads()
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        held = limit_blas_threads(), limit_blas_threads()
        for pool, context in zip((first, second), held, strict=True):
            pool.submit(context.__enter__).result()
            assert blas_threads() == {1}
        for pool, context in zip((first, second), held, strict=True):
            pool.submit(context.__exit__, None, None, None).result()
        assert blas_threads() == before
        with limit_blas_threads():  # while both threads are alive
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_a_failure_restores_the_threads_of_blas(two_blas_threads):
    before = blas_threads()
    with pytest.raises(RuntimeError, match="no"), limit_blas_threads():
        raise RuntimeError("no")
    assert blas_threads() == before
    assert not _threads._blas._users


INTERRUPTED = {_threads.__file__, threadpoolctl.__file__, contextlib.__file__}


def use_blas_with_ctrl_c(moment):
    """Interrupt a use at a given line; return whether it has that many lines."""
    lines_left = moment

    def trace(frame, event, argument):
        nonlocal lines_left
        name = frame.f_code.co_filename
        line = linecache.getline(name, frame.f_lineno).strip()
        # Python handles no signal between the end of a block and the lock release.
        if name in INTERRUPTED and event in ("call", "line") and line[:5] != "with ":
            lines_left -= 1
            if lines_left < 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with limit_blas_threads():
            pass
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_ctrl_c_at_any_line_restores_the_threads_of_blas(two_blas_threads):
    before = blas_threads()
    with limit_blas_threads():
        pass  # search for the libraries once
    for moment in itertools.count():
        was_interrupted = use_blas_with_ctrl_c(moment)
        assert blas_threads() == before, moment
        if not was_interrupted:
            break
    assert moment > 20


def test_a_limit_that_could_not_be_restored_is_restored_by_the_next_use(
    two_blas_threads, monkeypatch
):
    before = blas_threads()
    monkeypatch.setattr(_threads, "_give_up_control", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError), limit_blas_threads():
        pass
    monkeypatch.undo()
    with threadpool_limits(1, user_api="blas"):
        _threads._give_up_control()
    with limit_blas_threads():
        assert blas_threads() == {1}
    assert blas_threads() == before


FORKED = """
import os
import threading
import warnings
from threadpoolctl import threadpool_info, threadpool_limits
from sk_qbnorm import _threads

def blas_threads():
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    pools = [pool for pool in pools if pool["threading_layer"] != "openmp"]
    return {pool["num_threads"] for pool in pools}

warnings.simplefilter("ignore")  # forks of a process with threads
threadpool_limits(2, user_api="blas")
_threads._give_up_control()
before = blas_threads()
entered, leave = threading.Event(), threading.Event()

def use():
    with _threads.limit_blas_threads():
        entered.set()
        leave.wait()

thread = threading.Thread(target=use)
thread.start()
entered.wait()
assert blas_threads() == {1}
child = os.fork()
if child == 0:
    with _threads.limit_blas_threads():
        pass
    os._exit(0 if blas_threads() == before else 1)
leave.set()
thread.join()
assert os.waitpid(child, 0)[1] == 0
assert blas_threads() == before
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_child_forked_during_a_fit_has_the_threads_of_blas(two_blas_threads):
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=100)


def test_libraries_that_are_imported_later_are_limited_too(monkeypatch):
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


def test_a_limit_that_cannot_be_set_leaves_no_user_behind(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    blas = _threads._Blas()
    monkeypatch.setattr(_threads, "ThreadpoolController", interrupted)
    with pytest.raises(KeyboardInterrupt), blas.on_one_thread():
        pass
    assert not blas._users


CONCURRENT = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from sk_qbnorm import DynamicInvertedSoftmax, CSLS, GloballyCorrected

random = np.random.default_rng(0)
bank, queries = random.normal(size=(2, 200, 20))
gallery = random.normal(size=(300, 20))
sims = queries @ gallery.T  # before the threads start, as they limit BLAS

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


@pytest.mark.compiled
@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_several_python_threads_may_fit_and_transform_at_once(layer):
    # The workqueue layer aborts the process when numba's own threads meet in it.
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer}
    command = [sys.executable, "-c", CONCURRENT]
    subprocess.run(command, env=environment, check=True)


def test_one_fitted_normalizer_serves_several_threads():
    random = np.random.default_rng(0)
    normalizer = clone(NORMALIZERS["DIS"]).fit(random.normal(size=(50, 40)))
    sims = random.normal(size=(30, 40))
    scores = normalizer.transform(sims)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(normalizer.transform, [sims] * 16):
            np.testing.assert_array_equal(found, scores)
