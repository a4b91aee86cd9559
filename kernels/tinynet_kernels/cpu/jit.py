"""How kernels are compiled, and where the compiled code is kept.

`@kernel` gives a function with one coarse `prange` two compiled forms, serial and parallel; `@inner` marks what
kernels call. Both compile when first used, per dtype. The choice between the two forms looks at the amount of work
only, never at the number of threads, so that results keep their bits when that number changes.

Compiled kernels are kept in `cache_dir()`, under a key that hashes every source file of the package: Numba's own
cache looks at the file of the kernel only and would miss an edited helper. One file holds one (kernel, form,
signature, processor), written whole and then renamed, so processes that compile at the same time cannot mix theirs.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba
from numba.core import compiler, event
from numba.core.caching import _Cache
from numba.core.serialize import dumps

from . import simd, threads

SERIAL_BELOW = 200_000
"""Below this many element-operations a parallel launch (3 µs) costs more than it saves."""

_NOTICE_AFTER = 2.0
_WAIT = 120.0  # seconds for another process to compile a kernel
_UNUSED_AFTER = 30 * 24 * 3600.0
_PACKAGE = Path(__file__).resolve().parents[1]


def inner(
    function: Callable[..., Any] | None = None, *, fastmath: Iterable[str] = ("contract",), inline: bool = False
) -> Any:
    """A function that kernels call; it becomes part of each kernel's code.

    `inline`: at every call; `reassoc` implies it. Otherwise the compiler decides, and a function that is called has two
    copies, its own and the kernel's, of which a fresh kernel calls the first and one from the cache the second. Where
    the order of a sum is the compiler's choice, the two may differ in their last bits.
    """
    if function is None:
        return functools.partial(inner, fastmath=fastmath, inline=inline)
    options: dict[str, Any] = {"fastmath": set(fastmath), "forceinline": inline or "reassoc" in fastmath}
    return numba.njit(nogil=True, error_model="numpy", **options)(function)


class Kernel:
    """A compiled function called as ``kernel(work, *args)``; `work` is its number of element-operations."""

    def __init__(self, function: Callable[..., Any], fastmath: Iterable[str]) -> None:
        self._function = function
        self._fastmath = set(fastmath)
        functools.update_wrapper(self, function)

    def __call__(self, work: int, *args: Any) -> Any:
        if work < SERIAL_BELOW or threads.serial_only:
            return self.serial(*args)
        threads.prepare()
        return self.parallel(*args)

    @functools.cached_property
    def serial(self) -> Any:
        """The form that runs in the calling thread."""
        return self._compiled(parallel=False)

    @functools.cached_property
    def parallel(self) -> Any:
        """The form whose `prange` is divided among the threads."""
        return self._compiled(parallel=True)

    def _compiled(self, *, parallel: bool) -> Any:
        options: dict[str, Any] = {"fastmath": self._fastmath, "parallel": parallel}
        dispatcher: Any = numba.njit(nogil=True, error_model="numpy", **options)(self._function)
        if dispatcher is not self._function:  # it is when the JIT is off
            _timer.watch(dispatcher)
            folder = _code_folder()
            if folder is not None:
                dispatcher._cache = _CodeCache(self._function, folder, "parallel" if parallel else "serial")
        return dispatcher


def kernel(function: Callable[..., Any] | None = None, *, fastmath: Iterable[str] = ("contract",)) -> Any:
    """Decorate a kernel: a function whose one coarse loop is a `prange`."""
    if function is None:
        return functools.partial(kernel, fastmath=fastmath)
    return Kernel(function, fastmath)


class _CodeCache(_Cache):
    """Compiled code of one form of one kernel: a file for each signature and processor."""

    def __init__(self, function: Callable[..., Any], folder: Path, form: str) -> None:
        self._folder = folder
        self._name = f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}-{form}"
        self._enabled = True
        self._lock: _Lock | None = None

    @property
    def cache_path(self) -> str:
        return str(self._folder)

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        for path in self._folder.glob(f"{self._name}-*.code"):
            path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        if not self._enabled:
            return None
        target_context.refresh()
        path = self._path(sig, target_context)
        found = self._read(path, target_context)
        if found is None:
            self._unlock()  # of a compilation that failed
            self._lock = _Lock(path)
            self._lock.wait()
            found = self._read(path, target_context)  # another process may have written it meanwhile
            if found is not None:
                self._unlock()
        return found

    def _read(self, path: Path, target_context: Any) -> Any:
        try:  # Numba's form of compiled code is a pickle: as dangerous as machine code, so the folder is its owner's alone
            data = path.read_bytes()
            return compiler.CompileResult._rebuild(target_context, *pickle.loads(data))
        except FileNotFoundError:
            return None
        except Exception:  # a damaged file is as good as none: compile, and write it anew
            return None

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def save_overload(self, sig: Any, data: Any) -> None:
        if self._enabled and not data.lifted and not data.library.has_dynamic_globals:
            path = self._path(sig, data.target_context)
            with contextlib.suppress(OSError):  # a full disk costs the cache, not the run
                _write_whole(path, dumps(data._reduce()))
        self._unlock()

    def _path(self, sig: Any, target_context: Any) -> Path:
        key = repr((sig, target_context.codegen().magic_tuple()))
        return self._folder / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:20]}.code"


class _Lock:
    """Lets one process compile a kernel, while others that need it wait for its file; it ends with the process at the latest.

    Where files cannot be locked nobody waits, and after two minutes nobody does.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._handle = path.with_suffix(".lock"), -1

    def wait(self) -> None:
        try:
            import fcntl

            self._handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            until = time.monotonic() + _WAIT
            while time.monotonic() < until:
                try:
                    fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(0.02)
                else:
                    return
        except (ImportError, OSError):
            return

    def release(self) -> None:
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            os.close(self._handle)
            self._handle = -1


def _write_whole(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def cache_dir() -> Path:
    """The folder of everything that is cached: $TINYNET_CACHE_DIR, else tinynet/ in the user's cache folder."""
    chosen = os.environ.get("TINYNET_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinynet"


def source_key(package: Path = _PACKAGE) -> str:
    """Hash of all that compiled code depends on beside signature and processor: sources, versions, switches."""
    import llvmlite

    digest = hashlib.sha256()
    config: Any = numba.config
    switches = (config.BOUNDSCHECK, config.OPT, config.LOOP_VECTORIZE, config.SLP_VECTORIZE, config.DEBUGINFO_DEFAULT)
    versions = (sys.version_info[:2], numba.__version__, llvmlite.__version__)
    digest.update(repr((versions, switches, simd.width())).encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


@functools.cache
def _code_folder() -> Path | None:
    """The folder of this version's compiled code, made if need be; None (and one warning) where that fails."""
    root = cache_dir() / "kernels"
    try:
        folder = root / source_key()
        _make_private(cache_dir())
        _make_private(root)
        _make_private(folder)
        tempfile.TemporaryFile(dir=folder).close()
        os.utime(folder)  # says "used": the age of a folder is the time since
    except OSError as error:
        warnings.warn(f"tinynet: compiled kernels are not cached: {error}", RuntimeWarning, stacklevel=2)
        return None
    _remove_unused(root, keep=folder)
    return folder


def _make_private(folder: Path) -> None:
    # Compiled code is executed when it is loaded: nobody else may be able to put it there.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid"):
        status = folder.stat()
        if status.st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to another user")
        if status.st_mode & 0o022:
            raise PermissionError(f"{folder} is writable by other users")


def _remove_unused(root: Path, keep: Path) -> None:
    for folder in root.iterdir():
        with contextlib.suppress(OSError):
            if folder != keep and time.time() - folder.stat().st_mtime > _UNUSED_AFTER:
                shutil.rmtree(folder, ignore_errors=True)


class _CompileTimer(event.Listener):
    """Tells the user, once, why the first run is slow."""

    def __init__(self) -> None:
        self._kernels: set[int] = set()
        self._began: dict[int, float] = {}
        self._seconds = 0.0
        self._told = False

    def watch(self, dispatcher: Any) -> None:
        if not self._kernels:
            event.register("numba:compile", self)
        self._kernels.add(id(dispatcher))

    def on_start(self, event: Any) -> None:
        which = id(event.data["dispatcher"])
        if which in self._kernels:
            self._began[which] = time.perf_counter()

    def on_end(self, event: Any) -> None:
        began = self._began.pop(id(event.data["dispatcher"]), None)
        if began is None:
            return
        self._seconds += time.perf_counter() - began
        if self._seconds > _NOTICE_AFTER and not self._told:
            self._told = True
            folder = _code_folder()
            where = f"cached in {folder}" if folder is not None else "not cached"
            print(f"tinynet: compiling kernels, {where}", file=sys.stderr)


_timer = _CompileTimer()
