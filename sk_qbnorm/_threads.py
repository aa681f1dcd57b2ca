"""How many threads there are, and BLAS held to one of them."""

import os
import sys
import threading
from contextlib import contextmanager, nullcontext
from multiprocessing import parent_process

from joblib import effective_n_jobs
from threadpoolctl import OpenBLASController, ThreadpoolController

# Since threadpoolctl 3.8 the thread that sets a limit keeps all others from setting one
# until it lets go; ours is taken back by whichever thread is the last to leave.
_let_go = getattr(OpenBLASController, "clear_controlling_thread", lambda: None)


def count_threads(n_jobs):
    """Return the number of threads that `n_jobs` means here."""
    n_threads = effective_n_jobs(n_jobs)
    if parent_process() is not None:
        # In a worker: joblib says so how many threads each of the workers may have.
        left = os.environ.get("OMP_NUM_THREADS", "")
        if left.isdecimal() and int(left) > 0:
            n_threads = min(n_threads, int(left))
    return n_threads


def own_threads(n_jobs):
    """Return a context in which our threads are the only ones.

    It gives what a thread that is started within has to call, or None. Where nothing
    was asked for, by `n_jobs` or by `joblib.parallel_config`, BLAS keeps the threads
    that it has.
    """
    if n_jobs is None and count_threads(None) == 1:
        return nullcontext()
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

    @contextmanager
    def on_one_thread(self):
        with self._lock:
            if self._users == 0:
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
