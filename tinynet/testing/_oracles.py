"""What a gradient can be compared with, beside differences: forward mode, a second implementation, a Taylor remainder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import OptionError
from tinynet.testing._compare import Exact
from tinynet.testing._numerical import NumericalSide, default_rtol, flatten
from tinynet.testing.adapters import outputs_of
from tinynet.testing.derivative import Derivative, Direction, Floats, along, dense, epsilon, is_float, rounded
from tinynet.testing.report import ArgumentReport, Comparison, Verdict
from tinynet.testing.subject import Subject

ORACLES = ("auto", "complex-step", "richardson", "forward", "taylor")


def forward_oracle(subject: Subject, side: NumericalSide, args: Sequence[Any]) -> Exact:
    """J v by the subject's own forward mode."""

    def exact(i: int, directions: Sequence[Direction]) -> Derivative:
        value = np.empty((len(directions), side.f0.size))
        for e, d in enumerate(directions):
            v = np.zeros(args[i].shape)
            v[... if d.index is None else d.index] = d.v
            value[e] = flat_tangents(subject.tangents(args, [v.astype(args[i].dtype)], [i]), side.shapes, subject.name)
        eps = max((epsilon(dtype) for dtype in side.dtypes), default=2.0**-52)
        return Derivative(directions, 1.0, value, 64 * eps * np.abs(value), np.zeros_like(value), value != 0)

    return exact


def flat_tangents(
    tangents: Sequence[NDArray[Any] | None], shapes: Sequence[tuple[int, ...]], name: str
) -> NDArray[np.float64]:
    """The outputs' tangents, flattened and joined; OptionError where they are not one for each floating output."""
    given = [t.shape if t is not None else None for t in tangents]
    if len(tangents) != len(shapes) or any(g not in (None, s) for g, s in zip(given, shapes, strict=True)):
        raise OptionError(f"{name}: jvp gives tangents of shapes {given}, expected one per output: {list(shapes)}")
    return flatten([t if t is None or is_float(t.dtype) else t.astype(np.float64) for t in tangents])


def reference_comparisons(
    reference: Callable[..., Any],
    args: Sequence[Any],
    cotangents: Sequence[Sequence[NDArray[Any] | None]],
    gradients: Sequence[NDArray[Any]],
    i: int,
    side: NumericalSide,
    rtol: float | None,
) -> ArgumentReport:
    """Every entry of the gradients of argument i against a second implementation's."""
    g = gradients[0]
    report = ArgumentReport.empty(i, args[i].shape, str(g.dtype), len(gradients), True)
    rtol = default_rtol([g.dtype, *side.dtypes]) if rtol is None else rtol
    f0 = np.where(np.isfinite(side.f0), np.abs(side.f0), 0.0)
    for c, (us, given) in enumerate(zip(cotangents, gradients, strict=True)):
        found = outputs_of(reference(*args, us[0] if len(us) == 1 else tuple(us)))
        if len(args) == 1 and found[0] is None:
            raise TypeError("check_vjp: the oracle returned None, expected a gradient")
        if len(found) != len(args):
            raise OptionError(
                f"check_vjp: the oracle returned {len(found)} gradients, expected one per argument: {len(args)}"
            )
        expected = np.zeros(given.shape) if found[i] is None else np.asarray(found[i], np.float64)
        if expected.shape != given.shape:
            raise OptionError(
                f"check_vjp: the oracle's gradient of argument {i} has shape {expected.shape}, expected {given.shape}"
            )
        got = given.astype(np.float64)
        largest = np.max(np.abs(expected), where=np.isfinite(expected), initial=0.0)
        noise = 512 * epsilon(given.dtype) * (float(np.abs(flatten(us)) @ f0) + float(largest))
        limit = rtol * np.abs(expected) + noise
        with np.errstate(all="ignore"):
            equal = (got == expected) | (np.isnan(got) & np.isnan(expected)) | (np.abs(got - expected) <= limit)
        report.got[c], report.expected[c] = got, expected
        report.passed += int(equal.sum())
        report.failed += int((~equal).sum())
        first = np.argwhere(~equal)[:1] if not equal.all() else np.argwhere(equal)[:1]
        for place in first:
            index = tuple(int(k) for k in place)
            verdict: Verdict = "pass" if equal[index] else "fail"
            report.note(
                Comparison(
                    i, index, c, float(got[index]), float(expected[index]), float(limit[index]), 0.0, False, verdict
                )
            )
    return report


class Taylor:
    """The order at which the remainder of the linear model vanishes: no tolerance, a slope.

        R(h) = |<u, f(x + h v)> - <u, f(x)> - h <g, v>|  =  O(h²) for a right g,  h |<g, v> - <u, J v>| + O(h²) else

    Source: the derivative test of PDE-constrained optimisation, as in P. E. Farrell et al., "Automated derivation of
    the adjoint of high-level transient finite element programs", SIAM J. Sci. Comput. 35 (2013), section 5.
    """

    def __init__(self, side: NumericalSide, cotangents: Sequence[Sequence[NDArray[Any] | None]]) -> None:
        self.side = side
        self.u = np.stack([flatten(us) for us in cotangents])

    def report(
        self, i: int, gradients: Sequence[NDArray[Any]], rng: np.random.Generator, directions: int
    ) -> ArgumentReport:
        """Comparisons of argument i along dense random directions."""
        x = self.side.args[i]
        report = ArgumentReport.empty(i, x.shape, str(gradients[0].dtype), len(gradients), False)
        for _ in range(directions if x.size else 0):
            v = dense(rng, x.shape)
            for comparison in self._compare(i, Direction(None, v), gradients):
                report.add(comparison)
        return report

    def _compare(self, i: int, d: Direction, gradients: Sequence[NDArray[Any]]) -> list[Comparison]:
        x, f, f0 = self.side.args[i], self.side.along(i), self.side.f0
        steps: Floats = np.exp2(-np.arange(2.0, 26.0))
        (d,) = rounded([d], x, float(steps[0]), float(steps[-1]))
        with np.errstate(all="ignore"):
            moved = np.stack([f(d.moved(x, float(h))) for h in steps])
            noise = 2 * self.side.eps * np.maximum(np.abs(moved), np.abs(f0))
            return [self._judge(i, c, d, g, steps, moved, noise) for c, g in enumerate(gradients)]

    def _judge(
        self, i: int, c: int, d: Direction, g: NDArray[Any], steps: Floats, moved: Floats, noise: Floats
    ) -> Comparison:
        got, spread = (float(part[0]) for part in along([d], g))
        change = (moved - self.side.f0) @ self.u[c]
        floor = 20 * (noise @ np.abs(self.u[c]) + steps * 8 * epsilon(g.dtype) * spread)
        remainder = np.abs(change - steps * got)
        finite = np.isfinite(remainder)
        seen = np.flatnonzero(finite & (remainder > floor))
        unseen = finite & (remainder <= floor)
        unseen[: seen[-1] + 1 if len(seen) else 0] = False
        order, verdict = float("nan"), "unresolved"
        # Steps that leave a kink behind make the remainder vanish at once, not by a power of h.
        abrupt = len(seen) > 0 and unseen.any() and remainder[seen[-1]] > 8 * floor[seen[-1]]
        if len(seen) > 1 and seen[-1] == seen[-2] + 1 and not abrupt:
            order = float(np.log2(remainder[seen[-2]] / remainder[seen[-1]]))
            verdict = "pass" if order > 1.7 else "fail" if order < 1.3 else "unresolved"
        elif unseen.any():  # linear in x near it, to rounding
            bound = float(np.min(floor[unseen] / steps[unseen]))
            verdict = "pass" if bound <= 1e-5 * abs(got) or (got == 0 and not change[unseen].any()) else "unresolved"
        k = int(seen[-1]) if len(seen) else 0
        expected = float(change[k] / steps[k])
        final: Verdict = "pass" if verdict == "pass" else "fail" if verdict == "fail" else "unresolved"
        return Comparison(i, None, c, got, expected, float(floor[k] / steps[k]), 0.0, False, final, order=order)
