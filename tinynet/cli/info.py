"""What `tinynet info` says."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from .. import __version__, get_num_threads


def lines() -> Iterator[str]:
    """Name and value, a line each."""
    yield f"tinynet      {__version__}"
    yield f"python       {platform.python_version()} ({platform.python_implementation()}, {platform.platform()})"
    for name in ("numpy", "numba", "llvmlite", "scipy", "ml_dtypes", "safetensors"):
        yield f"{name:<12} {importlib.metadata.version(name)}"
    yield f"processor    {_processor()}, {os.cpu_count()} logical cores"
    yield f"threads      {get_num_threads()} (layer {_threading_layer()})"
    for blas in _blas():
        yield f"blas         {blas}"
    yield f"cache        {cache()}"
    yield "gpu          not supported by this build"


def _processor() -> str:
    """The processor's name, where the system tells it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _threading_layer() -> str:
    from numba.core import config

    return str(config.THREADING_LAYER)  # type: ignore[attr-defined]


def _blas() -> Iterator[str]:
    """Each BLAS library in the process: whose it is, its core and its threads."""
    import scipy.linalg.blas  # noqa: F401  (loads SciPy's own library)
    import threadpoolctl

    for library in threadpoolctl.threadpool_info():
        if library["user_api"] == "blas":
            owner = Path(library["filepath"]).parent.name.removesuffix(".libs")
            yield (
                f"{library['internal_api']} {library.get('version')} of {owner}, "
                f"core {library.get('architecture', 'unknown')}, {library['num_threads']} threads"
            )


def cache() -> str:
    """The folder of compiled kernels, and its size."""
    from tinynet_kernels import cpu

    folder = cpu.cache_dir()
    if folder is None:
        return "none (no writable folder)"
    size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
    return f"{folder} ({size / 2**20:.1f} MiB)"
