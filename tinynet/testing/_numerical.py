"""The numerical side of the gradient checker: f as finite differences and the complex step see it."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynet.testing.derivative import (
    LEVELS,
    QUICK,
    Direction,
    FlatFunction,
    Floats,
    complex_step,
    differentiate,
    epsilon,
    is_float,
)
from tinynet.testing.subject import Forward

_RTOL = {"float64": 1e-7, "longdouble": 1e-7, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
_NUMERICAL_RTOL = {"float64": 1e-7, "longdouble": 1e-7, "float32": 2e-3, "float16": 0.2, "bfloat16": 0.5}
_OUTSIDE = (ValueError, ArithmeticError, IndexError, RuntimeError)  # what f may raise outside of its domain


def default_rtol(dtypes: Sequence[np.dtype[Any]]) -> float:
    """The relative tolerance of gradients computed in these dtypes: the widest among them."""
    return max((_rtol_of(d) for d in dtypes), default=1e-7)


@dataclass(frozen=True)
class Tolerance:
    """What the caller of a check allows: `rtol` in place of the dtypes' own, and `atol` beside it."""

    rtol: float | None = None
    atol: float = 0.0

    def of(self, size: Any, dtypes: Sequence[np.dtype[Any]]) -> Any:
        """How far results of this size, computed in these dtypes, may be apart."""
        return (default_rtol(dtypes) if self.rtol is None else self.rtol) * size + self.atol


@functools.cache
def _rtol_of(dtype: np.dtype[Any]) -> float:
    return _RTOL.get(dtype.name, 1e-7)


def flatten_complex(outputs: Sequence[NDArray[Any]], shapes: Sequence[tuple[int, ...]]) -> NDArray[Any]:
    """The same of complex outputs; real where one of them (integers apart) is not complex, or of another shape."""
    if [y.shape for y in outputs] != shapes or any(is_float(y.dtype) for y in outputs):
        return np.zeros(0)
    parts = [y.ravel() for y in outputs if np.iscomplexobj(y)]
    return np.concatenate(parts) if parts else np.zeros(0)


def flatten(outputs: Sequence[NDArray[Any] | None]) -> Floats:
    """All floating outputs (or cotangents) flattened and joined, in float64."""
    if len(outputs) == 1 and outputs[0] is not None and outputs[0].dtype == np.float64:
        return outputs[0].ravel()
    parts = [y.astype(np.float64).ravel() for y in outputs if y is not None and is_float(y.dtype)]
    return np.concatenate(parts) if parts else np.zeros(0)


class NumericalSide:
    """f near x for finite differences: in float64 where f computes in it, else in the arguments' own dtype.

    Attributes
    ----------
    args : the arguments in the dtype in which f is evaluated
    dtypes : the floating dtypes of the outputs as f was given, from which tolerances follow
    f0 : (K,) f(x), floating outputs flattened and joined
    eps : (K,) spacing of each output's numbers
    note : what the report should say about the precision, or ""
    """

    def __init__(self, subject: Forward, args: Sequence[Any]) -> None:
        self.subject = subject
        self.note = ""
        native = subject.forward(args)
        self.dtypes = [y.dtype for y in native if is_float(y.dtype)]
        double = [a.astype(np.float64) if isinstance(a, np.ndarray) and is_float(a.dtype) else a for a in args]
        outputs = native
        self.args = [np.array(a) if isinstance(a, np.ndarray) else a for a in args]
        if any(
            a is not b and a.dtype != b.dtype for a, b in zip(args, double, strict=True) if isinstance(b, np.ndarray)
        ):
            try:
                with np.errstate(all="ignore"):
                    outputs = subject.forward(double)
                if [y.shape for y in outputs] != [y.shape for y in native]:
                    raise TypeError("other shapes in float64")
                self.args = double
            except (TypeError, *_OUTSIDE) as error:
                outputs = native
                self.note = f"the numerical side ran in the arguments' own dtype: in float64, f raised {error!r}"
        self.shapes = [y.shape for y in outputs]
        self.f0 = flatten(outputs)
        self.eps = np.concatenate(
            [np.full(y.size, max(epsilon(y.dtype), 2.0**-52)) for y in outputs if is_float(y.dtype)] or [np.zeros(0)]
        )
        self.coarsest = float(self.eps.max(initial=2.0**-52))
        low = {y.dtype.name for y in outputs if is_float(y.dtype) and epsilon(y.dtype) > 2.0**-52}
        low |= {a.dtype.name for a in self.args if isinstance(a, np.ndarray) and is_float(a.dtype)}
        self.rtol = max((_NUMERICAL_RTOL.get(d, 1e-7) for d in low), default=1e-7)
        if low - {"float64", "longdouble"} and not self.note:
            self.note = "the numerical side ran in low precision: f returns it for float64 arguments"

    def along(self, i: int) -> FlatFunction:
        """F as a function of its argument i alone; NaN where f raises, outside of its domain."""
        args = self.subject.prepared(self.args)

        def moved(x: NDArray[Any]) -> NDArray[Any]:
            args[i] = np.asarray(x)  # arithmetic makes a scalar of a 0-d array
            if np.iscomplexobj(x):
                return flatten_complex(self.subject.forward(args), self.shapes)
            try:
                outputs = self.subject.forward(args)
            except _OUTSIDE:
                return np.full_like(self.f0, np.nan)
            if [y.shape for y in outputs] != self.shapes:
                return np.full_like(self.f0, np.nan)
            return flatten(outputs)

        return moved

    def joined(self, indices: Sequence[int]) -> NumericalSide:
        """The same with several arguments flattened and joined to one, number 0."""
        other = copy.copy(self)
        other.args = [np.concatenate([self.args[i].ravel() for i in indices])]
        other.subject = _Joined(self.subject, self.args, indices)
        return other

    def analytic(self, i: int, v: Floats) -> bool:
        """Whether the complex step gives the derivatives of f in its argument i: it does so along v, for every output.

        Differences decide, where they converge: |x| and the real part of x give other numbers, or none.
        """
        x, f, direction = self.args[i], self.along(i), Direction(None, v)
        if x.dtype != np.float64 or self.coarsest > 2.0**-52 or not x.size:
            return False
        exact = complex_step(f, self.f0, x, [direction])
        if exact is None:
            return False
        told, some = False, False
        for base, levels in (QUICK, (2.0**-7, LEVELS)):
            if told:
                break
            ladder = differentiate(f, self.f0, x, [direction], base, self.eps, levels)
            error = ladder.error + 0.55 * ladder.jump
            known = error < 1e-4 * np.abs(ladder.value)
            told = bool((known | (ladder.value == exact.value)).all())
            if (np.abs(ladder.value - exact.value) > 10 * error + 1e-6 * np.abs(ladder.value))[known].any():
                return False
            some = some or bool(known.any())
        return some


class _Joined:
    """A subject whose only argument holds several of another's."""

    def __init__(self, subject: Forward, args: Sequence[Any], indices: Sequence[int]) -> None:
        self.subject, self.given, self.indices = subject, subject.prepared(args), indices
        self.shapes = [args[i].shape for i in indices]
        self.name = subject.name

    def prepared(self, args: Sequence[Any]) -> list[Any]:
        return list(args)

    def forward(self, args: Sequence[Any]) -> tuple[NDArray[Any], ...]:
        given, start = list(self.given), 0
        for i, shape in zip(self.indices, self.shapes, strict=True):
            size = int(np.prod(shape))
            given[i] = args[0][start : start + size].reshape(shape)
            start += size
        return self.subject.forward(given)
