"""The engines that run the cases: how each is imported, set to its threads, and asked for a program."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .cases import Case, Maker, Program

TUNED_MALLOC = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=8589934592"


@dataclass(frozen=True)
class Engine:
    """What a worker process does for one engine.

    package      what must be installed
    environment  beside the common one; it stands before the process starts
    start        (threads) -> case -> program, or None where the engine has no such program
    context      everything runs within it
    clear        gives buffers that the engine keeps back, before memory is measured
    """

    package: str
    start: Callable[[int], Callable[[Case], Program | None]]
    environment: Mapping[str, str] = field(default_factory=dict)
    context: Callable[[], Any] = contextlib.nullcontext
    clear: Callable[[], object] = lambda: None


def _tinynet(threads: int) -> Callable[[Case], Program | None]:
    import tinynet

    tinynet.set_num_threads(threads)
    return lambda case: case.build(Maker(tinynet))


def _torch(threads: int) -> Callable[[Case], Program | None]:
    import torch

    torch.set_num_threads(threads)
    return lambda case: case.build(Maker(torch))


def _torch_compile(threads: int) -> Callable[[Case], Program | None]:
    import torch

    torch.set_num_threads(threads)
    return lambda case: case.build(Maker(torch, compiled=torch.compile))


def _jax(threads: int) -> Callable[[Case], Program | None]:
    if hasattr(os, "sched_setaffinity"):  # XLA's pool has a thread for each core that it may use
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import jax

    return lambda case: case.jax(Maker(None), jax) if case.jax else None


def _numpy(threads: int) -> Callable[[Case], Program | None]:
    import numpy

    return lambda case: case.numpy(Maker(None), numpy) if case.numpy else None


@contextlib.contextmanager
def _definitions() -> Iterator[None]:
    import tinynet

    with tinynet.use_definitions():
        yield


def _clear_pool() -> object:
    from tinynet_kernels.cpu.memory import pool

    return pool.clear()


ENGINES = {
    "tinynet": Engine("tinynet", _tinynet, clear=_clear_pool),
    "torch": Engine("torch", _torch),
    "torch-tuned": Engine("torch", _torch, {"GLIBC_TUNABLES": TUNED_MALLOC}),
    "torch-compile": Engine("torch", _torch_compile),
    "jax": Engine("jax", _jax, {"JAX_PLATFORMS": "cpu"}),
    "numpy": Engine("numpy", _numpy),
    "definition": Engine("tinynet", _tinynet, context=_definitions, clear=_clear_pool),
}


def installed(engine: str) -> bool:
    """Whether the engine's package can be imported (it is not imported here)."""
    return importlib.util.find_spec(ENGINES[engine].package) is not None


def version(package: str) -> str:
    """The version of an installed package; tinynet's own, which a checkout has no metadata for."""
    if package == "tinynet":
        import tinynet

        return tinynet.__version__
    return importlib.metadata.version(package)


def environment(engine: str, threads: int, lanes: int | None = None) -> dict[str, str]:
    """A worker's environment: threads bound to cores, the machine's own BLAS choice, the engine's settings."""
    env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "GLIBC_TUNABLES")}
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(threads)
    env |= {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores"}
    if lanes is not None and engine == "tinynet":
        env["TINYNET_VECTOR_LANES"] = str(lanes)
    return env | dict(ENGINES[engine].environment)
