"""The verdict of a comparison between a given gradient and the derivative that an oracle knows."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynet.testing._numerical import NumericalSide, default_rtol, flatten
from tinynet.testing.derivative import (
    BASES,
    QUICK,
    Derivative,
    Direction,
    Floats,
    afar,
    along,
    complex_step,
    dense,
    differentiate,
    epsilon,
)
from tinynet.testing.report import Comparison, Verdict

Exact = Callable[[int, Sequence[Direction]], Derivative]
"""An oracle that needs no differences: (argument, directions) -> J v of all outputs."""

_CHUNK = 1 << 15  # outputs × directions that are held at once


@dataclass(frozen=True)
class Judgement:
    """What one ladder says of C cotangents and E directions: every field is (C, E)."""

    got: Floats
    expected: Floats
    limit: Floats  # tolerance + error bound
    bound: Floats  # error bound, half the jump at a kink in it
    kink: NDArray[np.bool_]
    converged: NDArray[np.bool_]
    passed: NDArray[np.bool_]
    failed: NDArray[np.bool_]

    def at(self, where: NDArray[np.bool_]) -> Judgement:
        """Some of the directions."""
        return Judgement(**{name: getattr(self, name)[:, where] for name in Judgement.__dataclass_fields__})

    def comparison(self, i: int, index: tuple[int, ...] | None, c: int, e: int) -> Comparison:
        """One of them, for the report."""
        verdict: Verdict = "pass" if self.passed[c, e] else "fail" if self.failed[c, e] else "unresolved"
        got, expected, limit, bound = (float(a[c, e]) for a in (self.got, self.expected, self.limit, self.bound))
        return Comparison(i, index, c, got, expected, limit, bound, bool(self.kink[c, e]), verdict)


class Comparer:
    """Compares given gradients with derivatives, for all cotangents at once.

    Parameters
    ----------
    side : the numerical side
    cotangents : C tuples, one array (or None) per output
    oracle : "auto" (the complex step where it is right, and differences for what does not pass by it), "complex-step"
        or "richardson", or "exact"
    exact : with "exact", the oracle
    rtol, atol : as in `check_vjp`
    """

    def __init__(
        self,
        side: NumericalSide,
        cotangents: Sequence[Sequence[NDArray[Any] | None]],
        *,
        oracle: str,
        rtol: float | None,
        atol: float,
        exact: Exact | None = None,
    ) -> None:
        self.side, self.oracle, self.exact = side, oracle, exact
        self.rtol, self.atol = rtol, atol
        self.u = np.stack([flatten(us) for us in cotangents])
        self.absolute = np.abs(self.u)
        f0 = np.where(np.isfinite(side.f0), np.abs(side.f0), 0.0)
        self.size = self.absolute * f0  # (C, K): |u_k| |f_k|
        # An output lost in rounding may come from larger numbers: gelu(-9) = -9 · 0.5 · (1 + erf(…)) is 0.
        self.dormant_size = self.absolute * np.maximum(f0, 1.0)
        self._analytic: dict[int, bool] = {}

    def analytic(self, i: int) -> bool:
        """Whether the complex step serves for argument i."""
        if self.oracle not in ("auto", "complex-step"):
            return False
        if i not in self._analytic:
            rng = np.random.default_rng(i)
            shape = self.side.args[i].shape
            v = dense(rng, shape)
            self._analytic[i] = self.side.analytic(i, v)
        return self._analytic[i]

    def joined(self, indices: Sequence[int]) -> Comparer:
        """A comparer of several arguments, flattened and joined to one."""
        other = copy.copy(self)
        other.side = self.side.joined(indices)
        return other

    def entries(
        self,
        i: int,
        indices: Sequence[tuple[int, ...]],
        gradients: Sequence[NDArray[Any]],
        max_failures: int,
        judged: Callable[[list[tuple[int, ...]], Judgement], NDArray[np.bool_]],
    ) -> Iterable[list[Comparison]]:
        """Compare single entries of the gradients of argument i.

        First they are judged together; `judged` says which of them that settles. The others follow one by one, one
        comparison per cotangent each, until `max_failures` of them have failed.
        """
        one = np.ones(())
        step = max(1, _CHUNK // max(self.side.f0.size, 1))
        failures = 0
        for start in range(0, len(indices), step):
            part = [Direction(index, one) for index in indices[start : start + step]]
            for comparisons in self._compare(i, part, gradients, judged):
                yield comparisons
                failures += any(c.verdict == "fail" for c in comparisons)
                if failures >= max_failures:
                    return

    def directions(self, i: int, vs: Sequence[Floats], gradients: Sequence[NDArray[Any]]) -> Iterable[list[Comparison]]:
        """Compare the gradients along each v: one comparison per cotangent."""
        return self._compare(i, [Direction(None, v) for v in vs], gradients) if vs else ()

    def direction(self, i: int, v: Floats, gradients: Sequence[NDArray[Any]]) -> list[Comparison]:
        """Compare the gradients along one v."""
        return next(iter(self.directions(i, [v], gradients)))

    def _compare(
        self,
        i: int,
        directions: list[Direction],
        gradients: Sequence[NDArray[Any]],
        settled: Callable[[list[tuple[int, ...]], Judgement], NDArray[np.bool_]] | None = None,
    ) -> Iterable[list[Comparison]]:
        """All directions at once by the quick oracles; those that do not pass one by one, by finer and finer ladders."""
        x, f = self.side.args[i], self.side.along(i)
        judge = _Judge(self, x, gradients)
        count = len(gradients)
        single = directions[0].index is not None
        if self.oracle == "exact" or (self.oracle == "complex-step" and self.analytic(i)):
            derivative = self.exact(i, directions) if self.exact else complex_step(f, self.side.f0, x, directions)
            assert derivative is not None
            told = judge(derivative, derivative.moved, final=True)
            for e, d in enumerate(directions):
                yield [told.comparison(i, d.index, c, e) for c in range(count)]
            return
        if self.oracle == "complex-step":
            for d in directions:
                yield [_unknown(i, d.index, c) for c in range(count)]
            return
        judgements: list[Judgement] = []
        dependent = np.zeros((len(directions), self.side.f0.size), bool)  # outputs known to read x along v
        undecided = list(range(len(directions)))

        def judged(derivative: Derivative) -> None:
            dependent[undecided] |= derivative.moved
            part = judge(derivative, dependent[undecided])
            if settled is not None:
                done = settled([directions[e].index or () for e in undecided], part)
                undecided[:] = np.array(undecided)[~done].tolist()
                part = part.at(~done)
            if not undecided:
                return
            judgements.append(_spread(part, undecided, len(directions)))

        # The dense directions are what shows where the complex step is wrong: they are for differences alone.
        if single and self.analytic(i):
            derivative = complex_step(f, self.side.f0, x, directions)
            if derivative is not None:
                judged(derivative)
        if self.side.coarsest <= 2.0**-52 and undecided:
            base, levels = QUICK
            some = [directions[e] for e in undecided]
            judged(differentiate(f, self.side.f0, x, some, base, self.side.eps, levels))
        for e in undecided:
            done: dict[int, Comparison] = {}
            for judgement in judgements:
                for c in np.flatnonzero(judgement.passed[:, e]).tolist():
                    done.setdefault(c, judgement.comparison(i, directions[e].index, c, e))
            if len(done) < count:
                at_once = [judgement.at(np.arange(len(directions)) == e) for judgement in judgements]
                self._slowly(i, directions[e], judge, dependent[e : e + 1], done, at_once)
            yield [done[c] for c in range(count)]

    def _slowly(
        self,
        i: int,
        d: Direction,
        judge: _Judge,
        dependent: NDArray[np.bool_],
        done: dict[int, Comparison],
        judgements: list[Judgement],
    ) -> None:
        """Finer ladders until each comparison passes, or two oracles are certain that it fails; `done` gets the rest.

        Where neither happens, the ladder with the least error decides. `judgements` are those made so far.
        """
        x, f, f0 = self.side.args[i], self.side.along(i), self.side.f0
        left = [c for c in range(len(judge.gradients)) if c not in done]
        ladders: list[Derivative] = []
        certain = len(judgements) > 1 and _certain(judgements[-2], judgements[-1], left)
        for base in [] if certain else _bases(x, d):
            ladder = differentiate(f, f0, x, [d], base, self.side.eps)
            if d.v.any() and not ladder.directions[0].v.any():
                continue  # the steps vanish in x's own spacing
            ladders.append(ladder)
            dependent |= ladder.moved
            judgements.append(judge(ladder, dependent))
            for c in left:
                if judgements[-1].passed[c, 0]:
                    done[c] = judgements[-1].comparison(i, d.index, c, 0)
            left = [c for c in left if c not in done]
            if not left:
                return
            if len(judgements) > 1 and _certain(judgements[-2], judgements[-1], left):
                break
        changed, size = afar(f, f0, x, d)
        dependent |= changed
        # What an output of natural size 1 loses by cancelling nearly to 0: neither side knows a gradient better.
        natural = np.minimum(size, max(1.0, float(np.max(np.abs(x), where=np.isfinite(x), initial=0.0))))
        lost = self.absolute @ np.where(dependent[0], 4 * self.side.eps * natural, 0.0)
        final = [(ladder.base, judge(ladder, dependent, final=True)) for ladder in ladders]
        for c in left:
            judged = []
            for base, j in final or [(QUICK[0], judgements[-1])] * certain:
                comparison = j.comparison(i, d.index, c, 0)
                if np.isnan(comparison.got) and np.isfinite(comparison.error_bound):
                    comparison = dataclasses.replace(
                        comparison, verdict="fail"
                    )  # both one-sided derivatives are finite
                elif comparison.verdict == "fail" and comparison.error <= comparison.bound + lost[c] / base:
                    comparison = dataclasses.replace(comparison, verdict="unresolved")
                judged.append(((not j.converged[c, 0], float(j.bound[c, 0])), comparison))
            done[c] = _decide(sorted(judged, key=lambda pair: pair[0])) if judged else _unknown(i, d.index, c)


class _Judge:
    """Judges the gradients of one argument: fail if apart by more than tolerance + error bound; else pass if that bound
    is within the tolerance.

    A tableau that kinks within the ladder's reach, or steps far above a fast oscillation, keep from converging has an
    error *estimate* of the size of the derivative, and no bound: it decides nothing. The final judgement, after all
    ladders, accepts a wider bound, since the fine steps beside a kink are noisy.
    """

    def __init__(self, comparer: Comparer, x: NDArray[Any], gradients: Sequence[NDArray[Any]]) -> None:
        self.comparer, self.gradients = comparer, gradients
        side = comparer.side
        dtypes = [gradients[0].dtype, *side.dtypes]
        self.rtol = max(default_rtol(dtypes), side.rtol) if comparer.rtol is None else comparer.rtol
        lowest = max(epsilon(d) for d in dtypes)
        reach = max(2.0**-10, float(np.max(np.abs(x), where=np.isfinite(x), initial=0.0)))
        f0 = np.where(np.isfinite(side.f0), np.abs(side.f0), 0.0)
        self.floor = 512 * side.eps / reach  # of |f|: df ~ f / x
        if lowest > 2.0**-52:  # a rule that reads low-precision outputs, as tanh's 1 - y² does, has their rounding
            self.floor = self.floor + 8 * lowest / min(reach, 1.0) / np.maximum(f0, 1.0)
        largest = [np.max(np.abs(g), where=np.isfinite(g), initial=0.0) for g in gradients]
        self.largest = np.array(largest, np.float64)

    def __call__(self, ladder: Derivative, dependent: NDArray[np.bool_], final: bool = False) -> Judgement:
        comparer, side = self.comparer, self.comparer.side
        single = ladder.directions[0].index is not None
        value, moved = ladder.value, ladder.moved
        dormant = dependent & ~moved  # read x, but these steps were lost in rounding
        limit = max(1e-3, 200 * side.coarsest)
        projected = np.array([along(ladder.directions, g) for g in self.gradients])
        with np.errstate(all="ignore"):  # bounds that are no bounds, at the edge of f's domain
            got, spread = projected[:, 0], projected[:, 1]
            size = comparer.absolute @ np.abs(value).T
            expected = comparer.u @ value.T
            jump = 0.55 * (comparer.absolute @ ladder.jump.T)  # half of it, and some for x beside the kink
            vague = ladder.error > limit * np.abs(value) + 2.0**-29 * np.abs(side.f0)
            errors = np.where(moved, np.where(vague, 10.0, 1.0) * ladder.error, 0.0)
            error = comparer.absolute @ errors.T
            error += (comparer.dormant_size * side.eps) @ dormant.T / ladder.base
            error[:, np.isinf(np.where(moved, 0.0, ladder.error)).any(axis=1)] = np.inf  # NaN at x, whatever x does
            tolerance = self.rtol * (size + np.where(np.isfinite(spread), spread, 0.0))
            awake = (dependent & moved).T
            tolerance += (comparer.size * self.floor) @ awake + (comparer.dormant_size * self.floor) @ dormant.T
            if single:  # what rounding leaves of an entry whose terms cancel is as large as in the others
                tolerance += float(np.max(self.floor, initial=0.0)) / 8 * self.largest[:, None]
            tolerance += comparer.atol * np.array([float(np.sqrt(np.square(d.v).sum())) for d in ladder.directions])
            enough = tolerance
            if final:
                sizes = comparer.size @ awake + comparer.dormant_size @ dormant.T
                enough = np.maximum(tolerance, 1e-5 * size + 2.0**-29 * sizes)
            converged = error <= np.maximum(enough, limit * size)
            bound = error + jump
            moves = np.array([bool(d.v.any()) or not d.v.size for d in ladder.directions])
            decided = converged & np.isfinite(bound) & np.isfinite(expected) & moves  # else lost in x's own spacing
            failed = decided & ~(np.abs(got - expected) <= tolerance + bound)
            passed = decided & ~failed & (bound <= enough)
            kink = (jump > 0.05 * size) & (jump > enough)
        return Judgement(got, expected, tolerance + bound, bound, kink, converged, passed, failed)


def _certain(first: Judgement, second: Judgement, cotangents: Sequence[int]) -> bool:
    """Whether two ladders of different steps agree, within small bounds and away from kinks, that all of these fail."""
    agree = np.abs(first.expected - second.expected) <= first.bound + second.bound
    sharp = [
        (j.failed & ~j.kink & (j.bound <= 1e-5 * np.abs(j.got - j.expected)))[list(cotangents)] for j in (first, second)
    ]
    return bool(agree[list(cotangents)].all() and sharp[0].all() and sharp[1].all())


def _bases(x: NDArray[Any], d: Direction) -> list[float]:
    bases = list(BASES)
    if d.index is not None:
        magnitude = abs(float(x[d.index]))
        own = float(np.exp2(np.floor(np.log2(magnitude)) - 2)) if 0 < magnitude < float("inf") else 1.0
        if own > 2:  # x² at 1e8
            bases.insert(1, own)
        elif own < BASES[-2]:  # sqrt at 1e-10, relu at 1e-12
            bases.append(own)
    return bases


def _spread(part: Judgement, places: Sequence[int], count: int) -> Judgement:
    """A judgement of some directions as one of all, in which the others have not passed."""

    def spread(field: NDArray[Any]) -> NDArray[Any]:
        array = np.zeros((len(field), count), field.dtype)
        array[:, list(places)] = field
        return array

    return Judgement(**{name: spread(getattr(part, name)) for name in Judgement.__dataclass_fields__})


def _unknown(i: int, index: tuple[int, ...] | None, c: int) -> Comparison:
    return Comparison(i, index, c, float("nan"), float("nan"), 0.0, float("inf"), False, "unresolved")


def _decide(ranked: list[tuple[tuple[bool, float], Comparison]]) -> Comparison:
    """The best ladder's word, unless it fails a gradient, and another ladder contradicts it.

    Below the steps at which a cancelling function moves in quanta, it is smooth again, with another slope, and a ladder
    converges to that: x (1 + erf x) is n x 2^-53 near -6. Then a converged ladder of larger steps that agrees with the
    gradient is right; and if there is none, but one that knows better than nothing, the two leave it open.
    """
    best = ranked[0][1]
    if best.verdict != "fail":
        return best
    contested = False
    for (unconverged, _), other in ranked[1:]:
        if abs(other.expected - best.expected) > other.error_bound + best.error_bound:
            if not unconverged and other.verdict != "fail":
                return other
            contested = contested or other.error_bound < 0.3 * abs(other.expected)
    return dataclasses.replace(best, verdict="unresolved") if contested else best
