"""Every operation that exists, and every function that takes part in its backward."""

from __future__ import annotations

import contextlib
import functools
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

import tinynet
from tests.mutation import kernels
from tests.mutation.source import globals_read
from tinynet.autograd import basis, engine, primitive, views
from tinynet.autograd.fused import Fused
from tinynet.autograd.primitive import Primitive
from tinynet.ops.fused_primitive import FusedPrimitive
from tinynet_kernels import cpu

Operation = Primitive | Fused
# The forward of these is the backward of another: each is the transpose of an operation, or puts a gradient together.
TRANSPOSES = ("sum_to", "expand", "unindex", "put", "put_along", "paste")
ENGINE: tuple[Any, ...] = (
    engine.deliver, engine.fit, engine.prune, engine.run, primitive.Gradient.__call__, Primitive.backward,
    Primitive.plan, primitive.rebuild, Fused.backward, basis.sum_to_array, views.describe, views.follow, views.rebase,
)  # fmt: skip
FORWARDS = ("conv_forward", "linear_forward", "matmul")  # what they are made of shows in the values, which are tested
# Winograd's transforms start at 16 channels, which no record has; tests/kernels/test_conv_vectors.py compares them.
LEFT_OUT_MODULES = ("plain.conv_winograd",)
LEFT_OUT = (
    "_window_sum", "_row_add",  # of average pooling's forward, which shares its loops with the backward
    "serves", "serves_input", "serves_weight", "block_of", "work", "_runs",  # which way is quicker, how finely: all the same
    "like", "whole",  # the order of axes in memory, how many zeros stand behind a row
    "_pack_transposed",  # of the recurrent layers' forwards alone
    "philox_blocks",  # the random stream, which forward and backward draw alike; its numbers have tests of their own
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A function whose source is changed, the operations that it serves, and the kernels to run as plain Python."""

    name: str
    function: FunctionType
    operations: tuple[str, ...]
    launchers: tuple[str, ...] = ()

    @property
    def kernels(self) -> set[str]:
        """Names that the function calls with an amount of work."""
        if not self.launchers:
            return set()
        names = {n for n, v in globals_read(self.function) if hasattr(v, "function")}
        return names | ({"forward", "grad_input", "grad_weight"} if "depthwise" in self.function.__globals__ else set())


@dataclass
class _Found:
    function: FunctionType
    name: str
    operations: list[str] = field(default_factory=list)
    launchers: list[str] = field(default_factory=list)


@functools.cache
def operations() -> dict[str, Operation]:
    """All primitives and fused operations of the package, by name."""
    found: dict[str, Operation] = {}
    for module in pkgutil.walk_packages(tinynet.__path__, "tinynet."):
        if module.name.split(".")[1] in ("autograd", "ops", "nn", "random", "methods"):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Primitive | Fused):
                    other = found.setdefault(value.name, value)
                    if isinstance(value, FusedPrimitive) and other is value.primitive:
                        found[value.name] = value
                    elif not (isinstance(other, FusedPrimitive) and value is other.primitive):
                        assert other is value, f"two operations are called {value.name}"
    return dict(sorted(found.items()))


@contextlib.contextmanager
def kernels_for_all_sizes() -> Iterator[None]:
    """Small arrays, on which the checks run, go to the kernels too."""
    by_size = [op for op in operations().values() if isinstance(op, FusedPrimitive)]
    before = [op.smallest for op in by_size]
    for op in by_size:
        op.smallest = 0
    try:
        yield
    finally:
        for op, size in zip(by_size, before, strict=True):
            op.smallest = size


def has_kernels(name: str) -> bool:
    """Whether a primitive goes to a kernel where its input is large."""
    return isinstance(operations().get(name), FusedPrimitive)


def differentiable() -> dict[str, Operation]:
    return {n: op for n, op in operations().items() if isinstance(op, Fused) or op.differentiable}


def rules(op: Operation) -> dict[str, FunctionType]:
    """The functions that an operation gives as its gradients, by the input that they are for."""
    if isinstance(op, FusedPrimitive):  # it has two: its kernels', and its primitive's
        return {"backward": op.gradients, **rules(op.primitive)}  # type: ignore[dict-item]
    if isinstance(op, Fused):
        return {"backward": op.gradients}  # type: ignore[dict-item]
    inputs = ["xs"] if op.variadic else op.inputs
    return {f"d{n}": g.function for n, g in zip(inputs, op.gradients, strict=True) if g is not None}  # type: ignore[misc]


@functools.cache
def sites() -> tuple[Site, ...]:
    """What the gradient rules are made of: the rules, the helpers that they call, the kernels behind them."""
    found: dict[int, _Found] = {}
    for name, op in differentiable().items():
        for rule, function in rules(op).items():
            _follow(f"{name}.{rule}", function, name, found)
    out = [Site(f.name, f.function, tuple(f.operations), tuple(f.launchers)) for f in found.values()]
    everywhere = {id(basis.sum_to_array)}  # the engine undoes every broadcast by it
    out = [replace(s, operations=(*s.operations, "engine")) if id(s.function) in everywhere else s for s in out]
    taken = {id(s.function) for s in out}
    for function in ENGINE:
        if id(function) not in taken:
            out.append(Site(f"engine: {function.__qualname__}", function, ("engine",)))
    return tuple(out)


def _follow(name: str, function: FunctionType, operation: str, found: dict[int, _Found]) -> None:
    known = found.setdefault(id(function), _Found(function, name))
    if operation in known.operations:
        return
    known.operations.append(operation)
    for _, value in globals_read(function):
        if isinstance(value, FunctionType) and value.__module__.startswith("tinynet.ops."):
            _follow(f"{_family(value)}.{value.__name__}", value, operation, found)
        elif isinstance(value, Fused) and isinstance(value.forward, FunctionType):
            _follow_kernels(value.forward, operation, found)
        elif isinstance(value, Primitive) and value.name in TRANSPOSES and isinstance(value.forward, FunctionType):
            _follow(f"{value.name}.forward", value.forward, operation, found)
    _follow_kernels(function, operation, found)


def _follow_kernels(function: FunctionType, operation: str, found: dict[int, _Found]) -> None:
    for launcher in function.__code__.co_names:
        if launcher in cpu.__all__ and launcher not in FORWARDS:
            for part in kernels.parts(launcher):
                if part.__name__ in LEFT_OUT or part.__module__ in LEFT_OUT_MODULES or part in _of_forwards():
                    continue
                family = part.__module__ if part.__module__ else ""
                one = found.setdefault(
                    id(part), _Found(part, f"kernel {family.removeprefix('plain.')}.{part.__name__}")
                )
                for values, value in ((one.operations, operation), (one.launchers, launcher)):
                    if value not in values:
                        values.append(value)


@functools.cache
def _of_forwards() -> tuple[FunctionType, ...]:
    return tuple(f for name in FORWARDS for f in kernels.parts(name))


def _family(function: Any) -> str:
    return str(function.__module__).rpartition(".")[2]


@functools.cache
def backward_launchers() -> tuple[str, ...]:
    """All kernels that serve as a backward, and the products that gradients are made with."""
    return tuple(sorted({n for s in sites() for n in s.launchers} | {"matmul", "conv_forward"}))
