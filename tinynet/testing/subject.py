"""How the gradient checker calls a function: as a NumPy pair, or over an engine's tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from tinynet.errors import DtypeError, OptionError
from tinynet.testing.adapters import Adapter, Array, call, device_of, outputs_of, tinynet_adapter
from tinynet.testing.derivative import is_float


class Forward(Protocol):
    """A function over arrays."""

    name: str

    def forward(self, args: Sequence[Any]) -> tuple[Array, ...]:
        """The outputs, as arrays."""
        ...

    def prepared(self, args: Sequence[Any]) -> list[Any]:
        """The arguments as `forward` need not convert them again."""
        ...


class Subject(Forward, Protocol):
    """A differentiable function over arrays, as the checker sees it.

    Attributes
    ----------
    unused_is_zero : whether None for a gradient means zero (an engine: no path) or "not differentiable" (a pair)
    plain : whether gradients are handed out as they are, so that sharing memory with them means something
    """

    unused_is_zero: bool
    plain: bool

    def gradients(
        self, args: Sequence[Any], cotangents: Sequence[Array | None], wrt: Sequence[int]
    ) -> tuple[list[Any], list[tuple[str, Array, Array]]]:
        """One gradient (or None) per index in `wrt`, and what must not have changed: (name, before, after)."""
        ...

    def tangents(self, args: Sequence[Any], tangents: Sequence[Array], wrt: Sequence[int]) -> tuple[Array | None, ...]:
        """J v: the tangent of each output, None for outputs that are not floating; one tangent per index in `wrt`."""
        ...


def checked_outputs(result: Any, name: str) -> tuple[Any, ...]:
    """What f returned, as a tuple; TypeError where it returned nothing that could be an array."""
    outputs = outputs_of(result)
    for k, y in enumerate(outputs):
        if y is None or isinstance(y, str | dict | set):
            what = f"{type(y).__name__} as output {k}" if isinstance(result, tuple | list) else type(y).__name__
            raise TypeError(f"{name}: returned {what}, expected an array or a tuple of arrays")
    return outputs


class NumpyPair:
    """A plain function over arrays, and its reverse rule: `f(*arrays)`, `vjp(*arrays, dy)`."""

    unused_is_zero = False  # the rule's author says with None: this argument has no gradient
    plain = True

    def __init__(
        self,
        f: Callable[..., Any],
        vjp: Callable[..., Any] | None,
        name: str,
        jvp: Callable[..., Any] | None = None,
    ) -> None:
        self.f, self.vjp, self.jvp, self.name = f, vjp, jvp, name

    def forward(self, args: Sequence[Any]) -> tuple[Array, ...]:
        return tuple(np.asarray(y) for y in checked_outputs(self.f(*args), self.name))

    def prepared(self, args: Sequence[Any]) -> list[Any]:
        return list(args)

    def tangents(self, args: Sequence[Any], tangents: Sequence[Array], wrt: Sequence[int]) -> tuple[Array | None, ...]:
        if self.jvp is None:
            raise OptionError(f"{self.name}: no jvp is given, which this check needs")
        given: list[Any] = [None] * len(args)
        for i, a in enumerate(args):
            if isinstance(a, np.ndarray) and is_float(a.dtype):
                given[i] = np.zeros_like(a)
        for i, v in zip(wrt, tangents, strict=True):
            given[i] = np.array(v)
        result = self.jvp(*args, *given)
        if result is None:
            raise TypeError(f"{self.name}: jvp returned None, expected one tangent per output")
        return tuple(None if y is None else np.asarray(y) for y in outputs_of(result))

    def gradients(
        self, args: Sequence[Any], cotangents: Sequence[Array | None], wrt: Sequence[int]
    ) -> tuple[list[Any], list[tuple[str, Array, Array]]]:
        before = [np.array(a) if isinstance(a, np.ndarray) else None for a in args]
        dy_before = [None if u is None else np.array(u) for u in cotangents]
        assert self.vjp is not None
        result = self.vjp(*args, cotangents[0] if len(cotangents) == 1 else tuple(cotangents))
        gradients = outputs_of(result)
        if len(gradients) != len(args):
            raise BadGradient(f"vjp returned {len(gradients)} gradients, expected one per argument: {len(args)}")
        kept = [(f"argument {i}", b, a) for i, (b, a) in enumerate(zip(before, args, strict=True)) if b is not None]
        kept += [
            (f"cotangent {i}", b, u)
            for i, (b, u) in enumerate(zip(dy_before, cotangents, strict=True))
            if b is not None and u is not None
        ]
        return [gradients[i] for i in wrt], kept


class BadGradient(Exception):
    """A reverse rule that returns another number of gradients than there are arguments, or one on another device."""


class EngineFunction:
    """A function over an engine's tensors, seen through its adapter."""

    unused_is_zero = True  # the engine says with None: no path from this argument to the outputs
    plain = False

    def __init__(self, f: Callable[..., Any], adapter: Adapter, name: str) -> None:
        self.f, self.adapter, self.name = f, adapter, name

    def forward(self, args: Sequence[Any]) -> tuple[Array, ...]:
        try:
            result = call(self.adapter, self.f, self._tensors(args, ()))
        except TypeError as error:
            if "ufunc" not in str(error):
                raise
            raise TypeError(
                f"{self.name}: got tensors of {self.adapter.name}, and cannot take them ({error}); for a function of "
                f"NumPy arrays give vjp=, for another engine's adapter="
            ) from error
        outputs = checked_outputs(result, self.name)
        return tuple(self.adapter.to_numpy(y) for y in outputs)

    def prepared(self, args: Sequence[Any]) -> list[Any]:
        return self._tensors(args, ())

    def tangents(self, args: Sequence[Any], tangents: Sequence[Array], wrt: Sequence[int]) -> tuple[Array | None, ...]:
        if not hasattr(self.adapter, "jvp"):
            raise OptionError(f"{self.name}: the adapter of {self.adapter.name} has no jvp, which this check needs")
        tensors = self._tensors(args, wrt)
        vs = [self.adapter.from_numpy(v, False) for v in tangents]
        outputs = self.adapter.jvp(self.f, tensors, vs, wrt)
        return tuple(None if y is None else self.adapter.to_numpy(y) for y in outputs)

    def gradients(
        self, args: Sequence[Any], cotangents: Sequence[Array | None], wrt: Sequence[int]
    ) -> tuple[list[Any], list[tuple[str, Array, Array]]]:
        tensors = self._tensors(args, wrt)
        dy = [None if u is None else self.adapter.from_numpy(u, False) for u in cotangents]
        gradients = self.adapter.vjp(self.f, tensors, dy, wrt)
        for i, g in zip(wrt, gradients, strict=True):
            here, there = device_of(tensors[i]), device_of(g)
            if g is not None and here and there and here != there:
                raise BadGradient(f"the gradient of argument {i} is on device {there}, expected the argument's {here}")
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

    def with_unused(
        self, args: Sequence[Any], cotangents: Sequence[Sequence[Array | None]], wrt: Sequence[int]
    ) -> list[Any]:
        """The gradients when the same arguments are used once per row of `cotangents`, and an argument that f does not
        get: the last gradient is that one's."""
        tensors = [*self._tensors(args, wrt), self.adapter.from_numpy(args[wrt[0]], True)]
        dy = [None if u is None else self.adapter.from_numpy(u, False) for us in cotangents for u in us]

        def repeated(*given: Any) -> tuple[Any, ...]:
            return tuple(y for _ in cotangents for y in outputs_of(self.f(*given[:-1])))

        gradients = self.adapter.vjp(repeated, tensors, dy, [*wrt, len(args)])
        return [None if g is None else self.adapter.to_numpy(g) for g in gradients]

    def shared(self, args: Sequence[Any], cotangents: Sequence[Array | None], i: int, j: int) -> Any:
        """The gradient of argument i where the same tensor is argument j, too."""
        tensors = self._tensors(args, [i])
        dy = [None if u is None else self.adapter.from_numpy(u, False) for u in cotangents]

        def both(*given: Any) -> Any:
            return self.f(*given[:j], given[i], *given[j + 1 :])

        (g,) = self.adapter.vjp(both, tensors, dy, [i])
        return None if g is None else self.adapter.to_numpy(g)

    def _tensors(self, args: Sequence[Any], wrt: Sequence[int]) -> list[Any]:
        return [self.adapter.from_numpy(a, i in wrt) if isinstance(a, np.ndarray) else a for i, a in enumerate(args)]


def subject_of(
    f: Callable[..., Any],
    args: Sequence[Any],
    vjp: Callable[..., Any] | None,
    adapter: Adapter | None,
    wrt: int | Sequence[int] | None,
    caller: str,
    *,
    name: str | None = None,
    jvp: Callable[..., Any] | None = None,
) -> tuple[Subject, tuple[Any, ...], list[int]]:
    """The subject, its arguments as arrays, and the positions of those to check; errors that name the `caller`."""
    if vjp is not None and adapter is not None:
        raise OptionError(f"{caller}: got both vjp and adapter; expected vjp (a NumPy pair) or adapter (an engine)")
    for what, function in (("f", f), ("vjp", vjp), ("jvp", jvp)):
        if function is not None and not callable(function):
            raise TypeError(f"{caller}: {what} is of type {type(function).__name__}, expected a callable")
    if not isinstance(args, Sequence) or isinstance(args, str):
        raise TypeError(f"{caller}: args is of type {type(args).__name__}, expected a list or tuple of arguments")
    name = str(name or getattr(f, "__name__", type(f).__name__))
    arrays = as_arrays(args, adapter)
    indices = checked_positions(arrays, wrt, caller)
    if vjp is not None or jvp is not None and adapter is None:
        return NumpyPair(f, vjp, name, jvp), arrays, indices
    return EngineFunction(f, adapter or tinynet_adapter, name), arrays, indices


def as_arrays(args: Sequence[Any], adapter: Adapter | None) -> tuple[Any, ...]:
    """The arguments with NumPy scalars and engines' tensors as arrays."""
    result = []
    for a in args:
        if isinstance(a, np.generic):
            a = np.asarray(a)
        elif hasattr(a, "__array__") and hasattr(a, "dtype") and not isinstance(a, np.ndarray):
            a = np.array((adapter or tinynet_adapter).to_numpy(a))
        result.append(a)
    return tuple(result)


def checked_positions(args: Sequence[Any], wrt: int | Sequence[int] | None, caller: str) -> list[int]:
    """The positions of the arguments to check; OptionError or DtypeError where there is nothing to check."""
    for i, a in enumerate(args):
        if isinstance(a, np.ndarray) and np.issubdtype(a.dtype, np.complexfloating):
            raise DtypeError(f"{caller}: argument {i} has dtype {a.dtype}, expected real numbers")
    floating = [i for i, a in enumerate(args) if isinstance(a, np.ndarray) and is_float(a.dtype)]
    if wrt is None:
        if not floating:
            given = ", ".join(str(a.dtype) if isinstance(a, np.ndarray) else type(a).__name__ for a in args)
            raise OptionError(
                f"{caller}: no argument is a NumPy array of floating dtype: there is no gradient to check "
                f"(the arguments are {given or 'none'})"
            )
        return floating
    wanted = [wrt] if isinstance(wrt, int) else list(wrt)
    for i in wanted:
        if i not in floating:
            raise OptionError(f"{caller}: wrt holds {i}, expected positions of floating arrays: {floating}")
    return wanted
