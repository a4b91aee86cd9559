"""How many threads kernels use, and when they must not use any.

Numba's number of threads belongs to the calling thread; here it is one number for the process, handed to Numba when
a thread launches its first parallel kernel, and again when the number has changed. GNU OpenMP keeps one team per
calling thread, so kernels may run in several Python threads at once without a lock.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from typing import Any

import numba

serial_only = False
"""True in a forked child: GNU OpenMP ends a process that uses it on both sides of a fork."""

_number: int | None = None
_local = threading.local()
_layer_lock = threading.Lock()
_layer_chosen = False


def get_num_threads() -> int:
    """The number of threads that large kernels use (1 in a forked child)."""
    if serial_only:
        return 1
    return _number if _number is not None else _most()


def set_num_threads(n: int) -> None:
    """Use `n` threads (int >= 1) in large kernels, whichever Python thread calls them.

    Numba reserves its threads at the start ($NUMBA_NUM_THREADS, else the number of processors): a larger `n` is cut
    to that, and `get_num_threads()` tells the number in effect.
    """
    global _number
    if isinstance(n, bool) or not hasattr(type(n), "__index__"):
        raise TypeError(f"the number of threads must be an int, not {type(n).__name__}")
    n = n.__index__()
    if n < 1:
        raise ValueError(f"the number of threads must be at least 1, not {n}")
    _number = min(n, _most())


def _most() -> int:
    config: Any = numba.config
    return int(config.NUMBA_NUM_THREADS)


def prepare() -> None:
    """Before a parallel kernel: choose the threading layer once, and give this thread the process's number."""
    if not _layer_chosen:
        _choose_layer()
    if _number is not None and getattr(_local, "number", None) != _number:
        numba.set_num_threads(_number)
        _local.number = _number


def _choose_layer() -> None:
    # Numba's own order ends in workqueue, which needs 110 µs a launch and dies when two threads launch at once.
    global _layer_chosen
    with _layer_lock:
        if _layer_chosen:
            return
        from numba.np.ufunc import parallel

        config: Any = numba.config
        if config.THREADING_LAYER == "default" and not parallel._is_initialized:
            with contextlib.suppress(ImportError):  # no OpenMP here: Numba takes what there is
                importlib.import_module("numba.np.ufunc.omppool")
                config.THREADING_LAYER = "omp"
        _layer_chosen = True


def _after_fork_in_child() -> None:
    global serial_only
    serial_only = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
