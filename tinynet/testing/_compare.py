"""The numerical side of the gradient checker, and the verdict of one comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynet.testing.derivative import (
    BASES,
    Derivative,
    FlatFunction,
    Floats,
    depends,
    differentiate,
    epsilon,
    is_float,
)
from tinynet.testing.report import Comparison, Verdict
from tinynet.testing.subject import Subject

_RTOL = {"float64": 1e-7, "longdouble": 1e-7, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
_NUMERICAL_RTOL = {"float64": 1e-7, "longdouble": 1e-7, "float32": 2e-3, "float16": 0.2, "bfloat16": 0.5}
_OUTSIDE = (ValueError, ArithmeticError, IndexError, RuntimeError)  # what f may raise outside of its domain


def default_rtol(dtypes: Sequence[np.dtype[Any]]) -> float:
    """The relative tolerance of gradients computed in these dtypes: the widest among them."""
    return max((_RTOL.get(d.name, 1e-7) for d in dtypes), default=1e-7)


def flatten(outputs: Sequence[NDArray[Any] | None]) -> Floats:
    """All floating outputs (or cotangents) flattened and joined, in float64."""
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

    def __init__(self, subject: Subject, args: Sequence[Any]) -> None:
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
        args = list(self.args)

        def moved(x: NDArray[Any]) -> Floats:
            args[i] = np.asarray(x)  # arithmetic makes a scalar of a 0-d array
            try:
                outputs = self.subject.forward(args)
            except _OUTSIDE:
                return np.full_like(self.f0, np.nan)
            if [y.shape for y in outputs] != self.shapes:
                return np.full_like(self.f0, np.nan)
            return flatten(outputs)

        return moved


class Comparer:
    """Compares given gradients with numerical derivatives, one direction at a time, for all cotangents at once.

    Parameters
    ----------
    side : the numerical side
    cotangents : C tuples, one array (or None) per output
    rtol, atol : as in `check_vjp`
    """

    def __init__(
        self,
        side: NumericalSide,
        cotangents: Sequence[Sequence[NDArray[Any] | None]],
        *,
        rtol: float | None,
        atol: float,
    ) -> None:
        self.side = side
        self.rtol, self.atol = rtol, atol
        self.u = np.stack([flatten(us) for us in cotangents])
        f0 = np.where(np.isfinite(side.f0), np.abs(side.f0), 0.0)
        self.size = np.abs(self.u) * f0  # (C, K): |u_k| |f_k|
        # An output lost in rounding may come from larger numbers: gelu(-9) = -9 · 0.5 · (1 + erf(…)) is 0.
        self.dormant_size = np.abs(self.u) * np.maximum(f0, 1.0)

    def entry(self, i: int, index: tuple[int, ...], gradients: Sequence[NDArray[Any]]) -> list[Comparison]:
        """Compare the gradients' entry at `index` of argument i: one comparison per cotangent."""
        x = self.side.args[i]
        v = np.zeros(x.shape)
        v[index] = 1.0
        bases = list(BASES)
        magnitude = abs(float(x[index]))
        own = float(np.exp2(np.floor(np.log2(magnitude)) - 2)) if 0 < magnitude < float("inf") else 1.0
        if own > 2:  # x² at 1e8
            bases.insert(1, own)
        elif own < BASES[-2]:  # sqrt at 1e-10, relu at 1e-12
            bases.append(own)
        return self._compare(i, index, v, bases, gradients)

    def direction(self, i: int, v: Floats, gradients: Sequence[NDArray[Any]]) -> list[Comparison]:
        """Compare the gradients along v: one comparison per cotangent."""
        return self._compare(i, None, v, list(BASES), gradients)

    def _compare(
        self,
        i: int,
        index: tuple[int, ...] | None,
        v: Floats,
        bases: list[float],
        gradients: Sequence[NDArray[Any]],
    ) -> list[Comparison]:
        """Finer ladders until each comparison passes; where none does, the ladder with the least error decides."""
        x, f = self.side.args[i], self.side.along(i)
        dtypes = [gradients[0].dtype, *self.side.dtypes]
        rtol = max(default_rtol(dtypes), self.side.rtol) if self.rtol is None else self.rtol
        lowest = max(epsilon(d) for d in dtypes)
        floor = 512 * self.side.eps + (8 * lowest if lowest > 2.0**-52 else 0.0)
        floor = floor / np.clip(np.max(np.abs(x), where=np.isfinite(x), initial=0.0), 2.0**-10, 1.0)  # of df ~ f / x
        dependent = np.zeros(self.side.f0.shape, bool)  # outputs known to read x along v
        ladders: list[Derivative] = []
        done: dict[int, Comparison] = {}
        for base in bases:
            ladder = differentiate(f, self.side.f0, x, v, base, self.side.eps)
            if v.any() and not ladder.direction.any():
                continue  # the steps vanish in x's own spacing
            ladders.append(ladder)
            dependent |= ladder.moved
            for c in set(range(len(gradients))) - set(done):
                _, comparison = self._judge(i, index, c, gradients[c], ladder, dependent, rtol, floor)
                if comparison.verdict == "pass":
                    done[c] = comparison
            if len(done) == len(gradients):
                return [done[c] for c in range(len(gradients))]

        dependent |= depends(f, self.side.f0, x, v)
        for c in set(range(len(gradients))) - set(done):
            judged = [
                self._judge(i, index, c, gradients[c], ladder, dependent, rtol, floor, final=True) for ladder in ladders
            ]
            unknown = Comparison(i, index, c, float("nan"), float("nan"), 0.0, float("inf"), False, "unresolved")
            done[c] = _decide(sorted(judged, key=lambda pair: pair[0])) if judged else unknown
        return [done[c] for c in range(len(gradients))]

    def _judge(
        self,
        i: int,
        index: tuple[int, ...] | None,
        c: int,
        gradient: NDArray[Any],
        ladder: Derivative,
        dependent: NDArray[np.bool_],
        rtol: float,
        floor: Floats,
        final: bool = False,
    ) -> tuple[tuple[bool, float], Comparison]:
        """Fail if apart by more than tolerance + error bound; else pass if that bound is within the tolerance.

        A tableau that kinks within the ladder's reach, or steps far above a fast oscillation, keep from converging
        has an error *estimate* of the size of the derivative, and no bound: it decides nothing. The final judgement,
        after all ladders, accepts a wider bound, since the fine steps beside a kink are noisy.

        Returns the comparison behind the key by which ladders are ranked: converged, then the error bound.
        """
        u = np.abs(self.u[c][ladder.moved])
        value = ladder.value[ladder.moved]
        size = float(u @ np.abs(value))
        jump = 0.55 * float(u @ ladder.jump[ladder.moved])  # half of it, and some for x beside the kink
        dormant = dependent & ~ladder.moved  # read x, but these steps were lost in rounding
        errors = ladder.error[ladder.moved]
        limit = max(1e-3, 200 * self.side.coarsest)
        vague = errors > limit * np.abs(value) + 2.0**-29 * np.abs(self.side.f0[ladder.moved])
        with np.errstate(over="ignore"):  # a bound that is no bound, at the edge of f's domain
            error = float(u @ np.where(vague, 10 * errors, errors))
        error += float(self.dormant_size[c][dormant] @ self.side.eps[dormant]) / ladder.base
        if np.isinf(ladder.error[~ladder.moved]).any():  # an output that is NaN at x, whatever x does
            error = float("inf")
        expected = float(self.u[c][ladder.moved] @ value)
        moves = ladder.direction != 0
        with np.errstate(all="ignore"):
            terms = gradient[moves].astype(np.float64) * ladder.direction[moves]
            got = float(terms.sum())
            spread = float(np.sqrt(np.square(terms).sum()))
            tolerance = rtol * (size + (spread if np.isfinite(spread) else 0.0))
            sizes = np.where(dormant, self.dormant_size[c], self.size[c])[dependent]
            tolerance += float(sizes @ floor[dependent])
            if index is not None:  # what rounding leaves of an entry whose terms cancel is as large as in the others
                largest = np.max(np.abs(gradient), where=np.isfinite(gradient), initial=0.0)
                tolerance += float(np.max(floor, initial=0.0)) / 8 * float(largest)
            tolerance += self.atol * float(np.sqrt(np.square(ladder.direction).sum()))
        enough = max(tolerance, 1e-5 * size + 2.0**-29 * float(sizes.sum())) if final else tolerance
        converged = error <= max(enough, limit * size)
        bound = error + jump
        verdict: Verdict = "unresolved"
        if converged and np.isfinite(bound) and np.isfinite(expected):
            if not abs(got - expected) <= tolerance + bound:
                verdict = "fail"
            elif bound <= enough:
                verdict = "pass"
        comparison = Comparison(
            i, index, c, got, expected, tolerance + bound, bound, jump > 0.05 * size and jump > enough, verdict
        )
        return (not converged, bound), comparison


def _decide(ranked: list[tuple[tuple[bool, float], Comparison]]) -> Comparison:
    """The best ladder's word, unless it fails a gradient with which a converged ladder that contradicts it agrees.

    Below the steps at which a cancelling function (gelu(-6)) moves in quanta, it is smooth again, with another slope.
    """
    best = ranked[0][1]
    for (unconverged, _), other in ranked[1:]:
        if best.verdict != "fail" or unconverged:
            break
        contradicts = abs(other.expected - best.expected) > other.error_bound + best.error_bound
        if contradicts and other.verdict != "fail":
            return other
    return best
