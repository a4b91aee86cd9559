"""How the gradient checker calls a function: as a NumPy pair, or over an engine's tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from tinynet.testing.adapters import Adapter, Array, call, outputs_of


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
        outputs = call(self.adapter, self.f, self._tensors(args, ()))
        return tuple(self.adapter.to_numpy(y) for y in outputs_of(outputs))

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
