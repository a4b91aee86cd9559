"""Engines as the gradient checker sees them. An engine is imported when its adapter is first used, never before."""

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
