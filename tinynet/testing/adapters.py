"""How the gradient checker calls functions: NumPy pairs, and engines through adapters.

An engine is imported when its adapter is first used, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Adapter(Protocol):
    """What the checker needs of an engine."""

    @property
    def name(self) -> str:
        """The engine's name, for reports."""
        ...

    def from_numpy(self, array: Array, requires_grad: bool) -> Any:
        """A new tensor with the array's values and dtype, sharing no memory with it."""
        ...

    def to_numpy(self, value: Any) -> Array:
        """The tensor's values, outside of any graph."""
        ...

    def vjp(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        cotangents: Sequence[Any],
        wrt: Sequence[int],
        create_graph: bool = False,
    ) -> Sequence[Any]:
        """The gradients of Σ_k <cotangents[k], f(*args)[k]> with respect to args[i], i in wrt.

        `cotangents` has one entry per output, None for an output without a gradient (integers). The result has one
        entry per index in `wrt`, None where the engine gives no gradient.
        """
        ...


class _Autograd:
    """The adapter of an engine with PyTorch's names: `tensor`, `requires_grad_`, `autograd.grad`, `detach`."""

    def __init__(self, name: str, load: Callable[[], ModuleType]) -> None:
        self.name = name
        self._load = load

    def from_numpy(self, array: Array, requires_grad: bool) -> Any:
        tensor = self._load().tensor(np.array(array, order="C"))
        return tensor.requires_grad_() if requires_grad else tensor

    def to_numpy(self, value: Any) -> Array:
        return np.asarray(value.detach().numpy()) if hasattr(value, "detach") else np.asarray(value)

    def vjp(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        cotangents: Sequence[Any],
        wrt: Sequence[int],
        create_graph: bool = False,
    ) -> Sequence[Any]:
        args = [a.detach().requires_grad_() if i in wrt and not a.requires_grad else a for i, a in enumerate(args)]
        pairs = [
            (y, u) for y, u in zip(outputs_of(f(*args)), cotangents, strict=True) if u is not None and y.requires_grad
        ]
        if not pairs:  # no output depends on an argument that requires a gradient
            return [None] * len(wrt)
        outputs, grad_outputs = zip(*pairs, strict=True)
        return tuple(
            self._load().autograd.grad(
                list(outputs),
                [args[i] for i in wrt],
                list(grad_outputs),
                allow_unused=True,
                create_graph=create_graph,
            )
        )

    def __repr__(self) -> str:
        return f"<tinynet.testing adapter of {self.name}>"


class _Torch(_Autograd):
    """PyTorch, whose lazily zero, conjugate or negative tensors only `force` turns into arrays."""

    def to_numpy(self, value: Any) -> Array:
        return np.asarray(value.numpy(force=True)) if hasattr(value, "detach") else np.asarray(value)


def _tinynet() -> ModuleType:
    import tinynet

    return tinynet


def _torch() -> ModuleType:
    import torch

    return torch


tinynet_adapter: Adapter = _Autograd("tinynet", _tinynet)
torch_adapter: Adapter = _Torch("torch", _torch)


def outputs_of(result: Any) -> tuple[Any, ...]:
    """A function's outputs as a tuple, whether it returns one or several."""
    return tuple(result) if isinstance(result, tuple | list) else (result,)


class Subject(Protocol):
    """A differentiable function over arrays, as the checker sees it.

    Attributes
    ----------
    unused_is_zero : whether None for a gradient means zero (an engine: no path) or "not differentiable" (a pair)
    plain : whether gradients are handed out as they are, so that sharing memory with them means something
    """

    name: str
    unused_is_zero: bool
    plain: bool

    def forward(self, args: Sequence[Any]) -> tuple[Array, ...]:
        """The outputs, as arrays."""
        ...

    def gradients(
        self, args: Sequence[Any], cotangents: Sequence[Array | None], wrt: Sequence[int]
    ) -> tuple[list[Any], list[tuple[str, Array, Array]]]:
        """One gradient (or None) per index in `wrt`, and what must not have changed: (name, before, after)."""
        ...


class NumpyPair:
    """A plain function over arrays, and its reverse rule: `f(*arrays)`, `vjp(*arrays, dy)`."""

    unused_is_zero = False  # the rule's author says with None: this argument has no gradient
    plain = True

    def __init__(self, f: Callable[..., Any], vjp: Callable[..., Any], name: str) -> None:
        self.f, self.vjp, self.name = f, vjp, name

    def forward(self, args: Sequence[Any]) -> tuple[Array, ...]:
        return tuple(np.asarray(y) for y in outputs_of(self.f(*args)))

    def gradients(
        self, args: Sequence[Any], cotangents: Sequence[Array | None], wrt: Sequence[int]
    ) -> tuple[list[Any], list[tuple[str, Array, Array]]]:
        before = [np.array(a) if isinstance(a, np.ndarray) else None for a in args]
        dy_before = [None if u is None else np.array(u) for u in cotangents]
        result = self.vjp(*args, cotangents[0] if len(cotangents) == 1 else tuple(cotangents))
        gradients = outputs_of(result)
        if len(gradients) != len(args):
            raise LengthMismatch(f"vjp returned {len(gradients)} gradients, expected one per argument: {len(args)}")
        kept = [(f"argument {i}", b, a) for i, (b, a) in enumerate(zip(before, args, strict=True)) if b is not None]
        kept += [
            (f"cotangent {i}", b, u)
            for i, (b, u) in enumerate(zip(dy_before, cotangents, strict=True))
            if b is not None and u is not None
        ]
        return [gradients[i] for i in wrt], kept


class LengthMismatch(Exception):
    """A reverse rule that returns another number of gradients than there are arguments."""


class EngineFunction:
    """A function over an engine's tensors, seen through its adapter."""

    unused_is_zero = True  # the engine says with None: no path from this argument to the outputs
    plain = False

    def __init__(self, f: Callable[..., Any], adapter: Adapter, name: str) -> None:
        self.f, self.adapter, self.name = f, adapter, name

    def forward(self, args: Sequence[Any]) -> tuple[Array, ...]:
        return tuple(self.adapter.to_numpy(y) for y in outputs_of(self.f(*self._tensors(args, ()))))

    def gradients(
        self, args: Sequence[Any], cotangents: Sequence[Array | None], wrt: Sequence[int]
    ) -> tuple[list[Any], list[tuple[str, Array, Array]]]:
        tensors = self._tensors(args, wrt)
        dy = [None if u is None else self.adapter.from_numpy(u, False) for u in cotangents]
        gradients = self.adapter.vjp(self.f, tensors, dy, wrt)
        kept = [
            (f"argument {i}", a, self.adapter.to_numpy(tensors[i]))
            for i, a in enumerate(args)
            if isinstance(a, np.ndarray)
        ]
        kept += [
            (f"cotangent {i}", u, self.adapter.to_numpy(t))
            for i, (u, t) in enumerate(zip(cotangents, dy, strict=True))
            if u is not None
        ]
        return [None if g is None else self.adapter.to_numpy(g) for g in gradients], kept

    def _tensors(self, args: Sequence[Any], wrt: Sequence[int]) -> list[Any]:
        return [self.adapter.from_numpy(a, i in wrt) if isinstance(a, np.ndarray) else a for i, a in enumerate(args)]
