"""The kernels without the compiler: each source file run as plain Python over NumPy, so that a changed one runs at once.

Only launchers that serve as somebody's backward are exchanged, and only while a changed kernel is tried; forwards stay
compiled.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from scipy import special

from tests.mutation import vectors
from tests.mutation.source import globals_read
from tinynet_kernels import cpu
from tinynet_kernels.cpu import arrays, threads

Array = np.ndarray[Any, Any]
FOLDER = Path(cpu.__file__).parent


def plain_kernel(function: Any = None, **_: Any) -> Any:
    """`@kernel` without compiling: the amount of work is left out."""
    if function is None:
        return plain_kernel

    def launch(work: int, *args: Any) -> Any:
        return launch.function(*args)  # type: ignore[attr-defined]

    launch.function = function  # type: ignore[attr-defined]
    return launch


def plain_inner(function: Any = None, **_: Any) -> Any:
    return plain_inner if function is None else function


def gemm(
    address: int, ta: bool, tb: bool, m: int, n: int, k: int, a: Array, ao: int, lda: int, b: Array, bo: int, ldb: int,
    beta: float, c: Array, co: int, ldc: int,
) -> None:  # fmt: skip
    """C (m, n) = op(A) op(B) + beta C on blocks of flat arrays, as `blas.gemm`."""
    left = _block(a, ao, lda, *((k, m) if ta else (m, k)))
    right = _block(b, bo, ldb, *((n, k) if tb else (k, n)))
    product = (left.T if ta else left) @ (right.T if tb else right)
    for i in range(m):
        line = c[co + i * ldc : co + i * ldc + n]
        line[...] = product[i] + (beta * line if beta else 0.0)


def _block(a: Array, offset: int, ld: int, rows: int, columns: int) -> Array:
    return np.array([a[offset + i * ld : offset + i * ld + columns] for i in range(rows)]).reshape(rows, columns)


class _NumPy:
    """NumPy, but for two things: what a kernel forgets to write is NaN (or a huge number), and not what lay there; and
    an unsigned index, which spares compiled code the test for a negative one, is a plain number."""

    uintp = int

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: Any, dtype: Any = np.float64) -> Array:
        kind = np.dtype(dtype).kind
        return np.full(shape, np.nan if kind == "f" else np.iinfo(dtype).max if kind in "iu" else False, dtype)


GIVEN: dict[str, dict[str, Any]] = {
    "numba": {"prange": range},
    "jit": {"kernel": plain_kernel, "inner": plain_inner},
    "blas": {"gemm": gemm, "gemm_address": lambda dtype: 1},
    "arrays": vars(arrays),
    "simd": vectors.SIMD,
    "gemm": vectors.GEMM,
    "winograd": vectors.WINOGRAD,
    "attention_vectors": vectors.ATTENTION,
    "threads": {**vars(threads), "get_num_threads": lambda: 2},  # so that work is divided
    "vmath": {
        "exp": np.exp, "exp_negative": np.exp, "expm1_negative": np.expm1, "log": np.log, "sigmoid": special.expit,
        "tanh": np.tanh,
        "softplus": lambda x: np.logaddexp(x.dtype.type(0), x), "normal_cdf": special.ndtr,
        "normal_pdf": lambda x: np.exp(-x * x / 2) * x.dtype.type(1 / np.sqrt(2 * np.pi)),
        "ordered": lambda x: x, "unordered": lambda x: x,
    },
}  # fmt: skip


SMALL = {  # so that small arrays are divided, too
    "activation": {"_CHUNK": 5},
    "pointwise": {"_CHUNK": 5},
    "dropout": {"_CHUNK": 5},
    "conv": {"_SUM_BYTES": 1},
    "reduce": {"_CHUNK": 2},
    "conv_columns": {"_PIXELS": 6, "_ROW": 0, "_BLAS": 1.0, "_PIECES": 2},
    "conv_pointwise": {"_FEW_PIXELS": 1, "_FEW_CHANNELS": 1, "_PARTS": 4, "_PIXELS": 2, "_PIECES": 4, "_ROWS": 1},
    "attention_tiles": {"KEYS": 4},
    "moments": {"_BLOCK": 3, "_ROWS": 2},
    "norm": {"_SHORT": 3, "_COLUMNS": 2},
    "product": {"_LEAST": 20, "_NARROW": 2, "_DEPTH": 2, "_COLUMN_BYTES": 4 * vectors.WIDTH * 4},
    "recurrent": {"_ROWS": 2, "_FEW": 2, "_CHUNK": 2, "_PACKED": 3},
    "row_norm": {"_ROWS": 4, "_TOGETHER": 4},
}


class _Namespace:
    """Attributes that are the very globals of a file."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.__dict__ = scope


@functools.cache
def module(name: str) -> _Namespace:
    """A kernel file, run without the compiler."""
    path = FOLDER / f"{name}.py"
    home = ModuleType(f"plain.{name}")
    sys.modules[home.__name__] = home  # where a dataclass looks for its names
    scope = vars(home)
    body: list[ast.stmt] = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.level or node.module == "numba"):
            for alias in node.names:
                if node.module is None:
                    value = _Namespace(GIVEN[alias.name]) if alias.name in GIVEN else module(alias.name)
                else:
                    known = GIVEN.get(node.module) or vars(module(node.module))
                    value = known[alias.name]
                scope[alias.asname or alias.name] = value
        else:
            body.append(node)
    exec(compile(ast.Module(body, []), str(path), "exec"), scope)
    scope["np"] = _NumPy()
    scope.update(SMALL.get(name, {}))
    return _Namespace(scope)


@contextlib.contextmanager
def sizes_as_they_are() -> Iterator[None]:
    """What `SMALL` changes is put back: other ways through the same files serve the same arrays."""
    compiled = {name: importlib.import_module(f"{cpu.__name__}.{name}") for name in SMALL}
    for name, values in SMALL.items():
        module(name).__dict__.update({n: getattr(compiled[name], n) for n in values})
    try:
        yield
    finally:
        for name, values in SMALL.items():
            module(name).__dict__.update(values)


def launcher(name: str) -> FunctionType:
    """The plain form of `cpu.name`."""
    home = importlib.import_module(getattr(cpu, name).__module__)
    return vars(module(home.__name__.rpartition(".")[2]))[name]  # type: ignore[no-any-return]


def function_of(value: Any) -> FunctionType | None:
    """The function behind a plain kernel, or the function itself, if it comes from a kernel file."""
    function = getattr(value, "function", value)
    if isinstance(function, FunctionType) and function.__code__.co_filename.startswith(str(FOLDER)):
        return None if function.__module__ == arrays.__name__ else function
    return None


def parts(name: str) -> list[FunctionType]:
    """The launcher and everything that it calls in kernel files."""
    out: list[FunctionType] = []
    stack: list[FunctionType] = [launcher(name)]
    while stack:
        function = stack.pop(0)
        if function in out:
            continue
        out.append(function)
        for _, value in globals_read(function):
            members = value.__dict__ if isinstance(value, _Namespace) else {}
            inner = [v for n, v in members.items() if n in function.__code__.co_names] or [value]
            stack += [f for v in inner if (f := function_of(v)) is not None]
    return out


@contextlib.contextmanager
def exchanged(names: list[str]) -> Iterator[None]:
    """`tinynet_kernels.cpu` launches the plain forms of these kernels."""
    before: dict[str, Callable[..., Any]] = {n: getattr(cpu, n) for n in names}
    for n in names:
        setattr(cpu, n, quietly(launcher(n)))
    try:
        yield
    finally:
        for n, function in before.items():
            setattr(cpu, n, function)


def quietly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled code raises no floating-point warnings."""

    def run(*args: Any, **options: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args, **options)

    return run
