"""How many threads there are, and BLAS held to one of them."""

import os
import sys
import threading
from contextlib import contextmanager, nullcontext
from multiprocessing import parent_process
from numbers import Integral

from joblib import effective_n_jobs
from threadpoolctl import OpenBLASController, ThreadpoolController

# Since threadpoolctl 3.8 the thread that sets a limit keeps all others from setting one
# until it lets go; ours is taken back by whichever thread is the last to leave.
_let_go = getattr(OpenBLASController, "clear_controlling_thread", lambda: None)


def count_threads(n_jobs):
    """Return the number of threads that `n_jobs` means here."""
    if n_jobs is not None and not isinstance(n_jobs, Integral):
        raise ValueError(
            f"n_jobs must be an integer or None, got {n_jobs!r}; -1 means all cores."
        )
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
    """Limits BLAS to one thread as long as anybody needs it.

    The limit applies to the whole process: the first user sets it and the last one
    restores what was before, so that fits in several Python threads do not undo each
    other's limits.

    Ctrl-C may interrupt any line. What was before is therefore recorded before the
    limit is set, and forgotten only after it is restored; until then, whoever comes
    next restores it.
    """

    def __init__(self):
        self._controller = self._before = None
        self._n_modules = 0
        self.forget_users()

    def forget_users(self):
        """Forget all users, as in a forked child, where their threads are gone."""
        self._lock = threading.Lock()
        self._users = set()

    def _libraries(self):
        # To look for them costs milliseconds, and only an import brings new ones.
        if self._n_modules != len(sys.modules):
            self._controller = ThreadpoolController()
            self._n_modules = len(sys.modules)
        return self._controller

    @contextmanager
    def on_one_thread(self):
        user = object()
        try:
            try:
                with self._lock:
                    if not self._users:
                        self._restore()  # what a fork or a second Ctrl-C has left
                        self._before = self._libraries().limit(limits=None)
                        self._limit_this_thread()
                    self._users.add(user)
                yield self._limit_this_thread
            finally:
                self._remove(user)
        finally:  # again, as Ctrl-C may have interrupted the first
            self._remove(user)

    def _remove(self, user):
        with self._lock:
            self._users.discard(user)
            if not self._users:
                self._restore()

    def _restore(self):
        if self._before is not None:
            self._before.restore_original_limits()
            _let_go()
            self._before = None

    def _limit_this_thread(self):
        # A BLAS on OpenMP has a limit for each thread; it ends as the thread does.
        for library in self._controller.lib_controllers:
            if library.user_api == "blas":
                library.set_num_threads(1)
        _let_go()


_blas = _Blas()
at_fork = getattr(os, "register_at_fork", lambda **hooks: None)  # Windows has none
at_fork(after_in_child=_blas.forget_users)
