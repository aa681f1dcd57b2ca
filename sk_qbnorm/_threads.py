"""Count threads, and limit BLAS to one thread."""

import os
import sys
import threading
from contextlib import contextmanager
from multiprocessing import parent_process
from numbers import Integral

from joblib import cpu_count, effective_n_jobs
from joblib.parallel import get_active_backend
from threadpoolctl import OpenBLASController, ThreadpoolController

# Since threadpoolctl 3.8, a thread that sets a limit keeps other threads from setting
# one until it gives up control. Here the last thread that leaves restores the limit,
# which may be a different thread.
_give_up_control = getattr(OpenBLASController, "clear_controlling_thread", lambda: None)


def count_threads(n_jobs):
    """Return the number of threads for a value of `n_jobs`.

    None means what `joblib.parallel_config` has set, or else as many threads as BLAS
    uses: all cores, unless an environment variable or threadpoolctl has limited it.
    """
    if n_jobs is not None and not isinstance(n_jobs, Integral):
        raise ValueError(
            f"n_jobs must be an integer or None, got {n_jobs!r}; -1 means all cores."
        )
    if n_jobs is None:
        backend, n_jobs = get_active_backend()
        if n_jobs is None and backend.nesting_level == 0:
            return _blas.count_threads()
    n_threads = effective_n_jobs(n_jobs)
    if parent_process() is not None:
        # In a worker process, joblib limits the threads of each by this variable.
        limit = os.environ.get("OMP_NUM_THREADS", "")
        if limit.isdecimal() and int(limit) > 0:
            n_threads = min(n_threads if n_jobs is not None else int(limit), int(limit))
    return n_threads


def limit_blas_threads():
    """Return a context in which BLAS uses one thread, as our threads use the cores.

    The context gives a function that each thread started inside must call.
    """
    return _blas.on_one_thread()


class _Blas:
    """Limit BLAS to one thread while at least one user needs it.

    The limit applies to the whole process. The first user sets it and the last user
    restores the previous one, so that fits in several Python threads do not undo each
    other's limits.

    Ctrl-C may interrupt any line. The previous limit is therefore stored before the new
    one is set, and deleted only after it is restored. If that was interrupted, the next
    user restores it.
    """

    def __init__(self):
        self._controller = self._before = None
        self._n_modules = 0
        self.forget_users()

    def forget_users(self):
        """Forget all users, as in a forked child, which has none of their threads."""
        self._lock = threading.Lock()
        self._users = set()

    def _libraries(self):
        # Searching takes milliseconds, and only an import can load new libraries.
        if self._n_modules != len(sys.modules):
            self._controller = ThreadpoolController()
            self._n_modules = len(sys.modules)
        return self._controller

    def count_threads(self):
        """Return the number of threads of BLAS outside of `on_one_thread`."""
        with self._lock:
            if self._users:
                return self._available
            self._restore()
            return self._current()

    def _current(self):
        found = [
            library.num_threads
            for library in self._libraries().lib_controllers
            if library.user_api == "blas"
        ]
        return max(found, default=cpu_count())

    @contextmanager
    def on_one_thread(self):
        user = object()
        try:
            try:
                with self._lock:
                    if not self._users:
                        self._restore()  # after a fork or a second Ctrl-C
                        self._available = self._current()
                        self._before = self._libraries().limit(limits=None)
                        self._limit_this_thread()
                    self._users.add(user)
                yield self._limit_this_thread
            finally:
                self._remove(user)
        finally:  # again: Ctrl-C may have interrupted the first call
            self._remove(user)

    def _remove(self, user):
        with self._lock:
            self._users.discard(user)
            if not self._users:
                self._restore()

    def _restore(self):
        if self._before is not None:
            self._before.restore_original_limits()
            _give_up_control()
            self._before = None

    def _limit_this_thread(self):
        # A BLAS with OpenMP has one limit per thread, which ends with the thread.
        for library in self._controller.lib_controllers:
            if library.user_api == "blas":
                library.set_num_threads(1)
        _give_up_control()


_blas = _Blas()
at_fork = getattr(os, "register_at_fork", lambda **hooks: None)  # Windows has none
at_fork(after_in_child=_blas.forget_users)
