"""How many threads there are, and BLAS held to one of them."""

import os
import sys
import threading
from contextlib import contextmanager
from multiprocessing import parent_process

from joblib import cpu_count, effective_n_jobs
from joblib.parallel import get_active_backend
from threadpoolctl import OpenBLASController, ThreadpoolController

# Since threadpoolctl 3.8 the thread that sets a limit keeps all others from setting one
# until it lets go; ours is taken back by whichever thread is the last to leave.
_let_go = getattr(OpenBLASController, "clear_controlling_thread", lambda: None)


def count_threads(n_jobs):
    """Return the number of threads for a value of `n_jobs`.

    None means what `joblib.parallel_config` has set, or else as many threads as BLAS
    uses: all cores, unless an environment variable or threadpoolctl has limited it.
    """
    if n_jobs is None:
        backend, configured = get_active_backend()
        if configured is None and backend.nesting_level == 0:
            return _blas.count_threads()
    n_threads = effective_n_jobs(n_jobs)
    if parent_process() is not None:
        # In a worker process, joblib limits the threads of each by this variable.
        limit = os.environ.get("OMP_NUM_THREADS", "")
        if limit.isdecimal() and int(limit) > 0:
            n_threads = min(n_threads if n_jobs is not None else int(limit), int(limit))
    return n_threads


def limit_blas_threads():
    """Return a context in which BLAS uses one thread, because ours use the rest.

    It gives a function that each thread started within has to call.
    """
    return _blas.on_one_thread()


class _Blas:
    """Holds BLAS to one thread as long as anybody asks for it.

    The limit is one for the whole process: the first to come sets it, the last to
    leave takes it back, and so fits in several Python threads do not undo each
    other's.
    """

    def __init__(self):
        self.start_anew()

    def start_anew(self):
        """Know of nobody who asks, as in a forked child: its threads are gone."""
        self._lock = threading.Lock()
        self._users = 0
        self._controller = self._limit = None
        self._n_modules = 0

    def _libraries(self):
        # To look for them costs milliseconds, and only an import brings new ones.
        if self._n_modules != len(sys.modules):
            self._controller = ThreadpoolController()
            self._n_modules = len(sys.modules)
        return self._controller

    def count_threads(self):
        """Return the number of threads of BLAS outside of `on_one_thread`."""
        with self._lock:
            return self._available if self._users else self._current()

    def _current(self):
        found = self._libraries().select(user_api="blas").info()
        return max((library["num_threads"] for library in found), default=cpu_count())

    @contextmanager
    def on_one_thread(self):
        with self._lock:
            if self._users == 0:
                self._available = self._current()
                self._limit = self._libraries().limit(limits=1, user_api="blas")
                _let_go()
            self._users += 1
        try:
            yield self._on_this_thread
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._limit.restore_original_limits()
                    _let_go()

    def _on_this_thread(self):
        # A BLAS on OpenMP has a limit for each thread; it ends as the thread does.
        self._controller.limit(limits=1, user_api="blas")
        _let_go()


_blas = _Blas()
at_fork = getattr(os, "register_at_fork", lambda **hooks: None)  # Windows has none
at_fork(after_in_child=_blas.start_anew)
