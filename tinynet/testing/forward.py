"""Checks of forward mode: J v against differences, output by output, and Hessian products against both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import OptionError
from tinynet.testing._numerical import NumericalSide, Tolerance, default_rtol
from tinynet.testing._oracles import flat_tangents
from tinynet.testing._properties import draw_cotangents, forward_checked, same_bits
from tinynet.testing.adapters import Adapter, outputs_of, tinynet_adapter
from tinynet.testing.derivative import BASES, Direction, Floats, afar, dense, differentiate, is_float
from tinynet.testing.gradients import check_vjp
from tinynet.testing.report import ArgumentReport, Comparison, GradientReport, Verdict
from tinynet.testing.subject import EngineFunction, Subject, subject_of


def check_jvp(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    jvp: Callable[..., Any] | None = None,
    adapter: Adapter | None = None,
    wrt: int | Sequence[int] | None = None,
    seed: int = 0,
    directions: int = 3,
    rtol: float | None = None,
    atol: float = 0.0,
    max_unresolved: float = 0.05,
    name: str | None = None,
) -> GradientReport:
    """Check forward mode: jvp(x; v)_k = d/dt f_k(x + t v) at t = 0, for every output k.

    Dense random directions v, with no |v_i| below 1/2, are drawn for each argument. In each, every entry of the
    Jacobian takes part; an entry off by δ is found where |δ v_i| exceeds rtol |(J v)_k|, and rounding.

    *Also checked:* a tangent has its output's shape and dtype; it is linear in v, and 0 for v = 0; arguments are not
    changed; two calls give the same bits.

    Parameters
    ----------
    f, args, wrt, seed, directions, rtol, atol, max_unresolved, name : as in `check_vjp`
    jvp : of a NumPy function f, `jvp(*args, *tangents)` -> one tangent per output: one tangent is given per argument,
        None for those that are no floating arrays
    adapter : the engine whose tensors f takes, with its forward mode `adapter.jvp`; by default tinynet

    Returns
    -------
    GradientReport
        one `ArgumentReport` per argument; the index of a comparison is the *output's*, flattened over all of them

    Raises
    ------
    OptionError, DtypeError, TypeError
        as `check_vjp`; and where there is no forward mode

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 5)
    >>> check_jvp(np.tanh, [x], jvp=lambda x, v: v * (1 - np.tanh(x) ** 2)).verdict
    'pass'
    """
    if directions < 1:
        raise OptionError(f"check_jvp: directions is {directions}, expected at least 1")
    subject, args, indices = subject_of(f, args, None, adapter, wrt, "check_jvp", name=name, jvp=jvp)
    rng = np.random.default_rng(seed)
    outputs = forward_checked(subject, args)
    draw_cotangents(outputs, rng)  # refuses complex outputs
    side = NumericalSide(subject, args)
    problems: list[str] = []
    reports = []
    for i in indices:
        report = ArgumentReport.empty(i, args[i].shape, str(args[i].dtype), directions, True)
        vs = [dense(rng, args[i].shape) for _ in range(directions)]
        given = [_tangents(subject, args, i, v, outputs, side, problems) for v in vs]
        if problems:
            return GradientReport(subject.name, "fail", (), tuple(problems), seed=seed, what="jvp")
        problems += _linearity(subject, args, i, vs, given, outputs, side, Tolerance(rtol, atol))
        report.got = report.expected = np.zeros(0)  # its entries are outputs
        for k, (v, tangents) in enumerate(zip(vs, given, strict=True)):
            for comparison in _compare(side, i, k, v, tangents, rtol, atol):
                report.count(comparison)
        reports.append(report)
    notes = (side.note,) if side.note else ()
    verdicts = {r.verdict(max_unresolved) for r in reports}
    verdict: Verdict = (
        "fail" if problems or "fail" in verdicts else "unresolved" if "unresolved" in verdicts else "pass"
    )
    return GradientReport(subject.name, verdict, tuple(reports), tuple(problems), (), notes, seed, what="jvp")


def check_hvp(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    grad: Callable[..., Any] | None = None,
    hvp: Callable[..., Any] | None = None,
    adapter: Adapter | None = None,
    wrt: int | Sequence[int] | None = None,
    seed: int = 0,
    directions: int = 3,
    rtol: float | None = None,
    atol: float = 0.0,
    name: str | None = None,
) -> GradientReport:
    """Check products with the Hessian of a scalar function: H v = d/dt grad f(x + t v) at t = 0, and <w, H v> = <v, H w>.

    The gradient is checked first (`check_vjp`), then is what H v is the derivative of (`check_jvp`), then the symmetry.

    Parameters
    ----------
    f, args, adapter, wrt, seed, directions, rtol, atol, name : as in `check_vjp`; f gives one number
    grad : of a NumPy function f, `grad(*args)` -> one gradient per argument (a tuple, or one array for one argument)
    hvp : of a NumPy function f, `hvp(*args, *tangents)` -> one product per argument; a tangent is None for an argument
        that is no floating array. Of an engine's function, the engine's double backward is checked

    Returns
    -------
    GradientReport
        of the gradient if that fails, else of the products

    Raises
    ------
    OptionError
        f gives more than one number, or only one of `grad` and `hvp` is given
    """
    if (grad is None) != (hvp is None) or (grad is not None and adapter is not None):
        raise OptionError("check_hvp: expected both grad and hvp (a NumPy function), or neither (an engine's)")
    subject, args, indices = subject_of(f, args, grad, adapter, wrt, "check_hvp", name=name)
    outputs = forward_checked(subject, args)
    if [y.size for y in outputs] != [1]:
        raise OptionError(f"check_hvp: f gives outputs of shapes {[y.shape for y in outputs]}, expected one number")
    first: dict[str, Any] = {"wrt": indices, "seed": seed, "rtol": rtol, "atol": atol, "name": subject.name}
    if grad is not None:

        def vjp(*given: Any) -> tuple[Any, ...]:
            gradients = grad(*given[:-1])
            return tuple(None if g is None else g * given[-1] for g in outputs_of(gradients))

        report = check_vjp(f, args, vjp=vjp, **first)
    else:
        report = check_vjp(f, args, adapter=adapter, **first)
    if report.verdict != "pass":
        return report
    gradient, product = _pair(grad, hvp, args, indices) if grad and hvp else _of_engine(f, adapter, indices, outputs[0])
    options: dict[str, Any] = {"wrt": indices, "seed": seed, "directions": directions, "rtol": rtol, "atol": atol}
    title = f"the gradient of {subject.name}"
    report = check_jvp(gradient, args, jvp=product, name=title, **options)
    asymmetric = _symmetry(product, args, indices, seed, Tolerance(rtol, atol))
    if asymmetric:
        problems = (*report.problems, asymmetric)
        return dataclasses.replace(report, verdict="fail", problems=problems)
    return report


def _pair(
    grad: Callable[..., Any], hvp: Callable[..., Any], args: Sequence[Any], indices: Sequence[int]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Gradient and product as functions with one output per checked argument."""

    def chosen(rule: Callable[..., Any]) -> Callable[..., Any]:
        def function(*given: Any) -> tuple[Any, ...]:
            result = outputs_of(rule(*given))
            if len(result) != len(args):
                raise OptionError(f"check_hvp: got {len(result)} results, expected one per argument: {len(args)}")
            return tuple(np.zeros_like(args[i]) if result[i] is None else result[i] for i in indices)

        return function

    return chosen(grad), chosen(hvp)


def _of_engine(
    f: Callable[..., Any], adapter: Adapter | None, indices: Sequence[int], y: NDArray[Any]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The same by an engine: the gradient, and its reverse rule, which for a symmetric H is H v."""
    engine = adapter or tinynet_adapter
    one = np.ones_like(y)

    def gradient_of(*tensors: Any) -> tuple[Any, ...]:
        grads = engine.vjp(f, tensors, [engine.from_numpy(one, False)], indices, create_graph=True)
        return tuple(
            tensors[i] * 0 if g is None else g for i, g in zip(indices, grads, strict=True)
        )  # no path: 0, with a place in the graph

    subject = EngineFunction(gradient_of, engine, "gradient")

    def gradient(*given: Any) -> tuple[Any, ...]:
        tensors = [engine.from_numpy(a, i in indices) if isinstance(a, np.ndarray) else a for i, a in enumerate(given)]
        return tuple(engine.to_numpy(g) for g in gradient_of(*tensors))

    def product(*given: Any) -> tuple[Any, ...]:
        args, tangents = given[: len(given) // 2], given[len(given) // 2 :]
        found, _ = subject.gradients(args, [tangents[i] for i in indices], indices)
        return tuple(np.zeros_like(args[i]) if g is None else g for i, g in zip(indices, found, strict=True))

    return gradient, product


def _symmetry(
    product: Callable[..., Any], args: Sequence[Any], indices: Sequence[int], seed: int, tolerance: Tolerance
) -> str:
    rng = np.random.default_rng([seed, 3])
    sides = []
    for _ in range(2):
        vs: list[Any] = [None] * len(args)
        for i, a in enumerate(args):
            if isinstance(a, np.ndarray) and is_float(a.dtype):
                vs[i] = np.asarray(dense(rng, a.shape) if i in indices else 0 * a, a.dtype)
        sides.append((vs, product(*args, *vs)))
    (v, hv), (w, hw) = sides

    def dot(a: Sequence[Any], b: Sequence[Any]) -> tuple[float, float]:
        terms = [np.asarray(p, np.float64) * a[i] for p, i in zip(b, indices, strict=True)]
        return sum(float(t.sum()) for t in terms), sum(float(np.abs(t).sum()) for t in terms)

    (left, size), (right, other) = dot(w, hv), dot(v, hw)
    limit = tolerance.of(max(size, other), [args[i].dtype for i in indices])
    if np.isfinite(limit) and abs(left - right) > limit:
        return f"the Hessian is not symmetric: <w, H v> is {left:.10g}, <v, H w> is {right:.10g} (allowed {limit:.2g})"
    return ""


def _tangents(
    subject: Subject,
    args: Sequence[Any],
    i: int,
    v: Floats,
    outputs: Sequence[NDArray[Any]],
    side: NumericalSide,
    problems: list[str],
) -> Floats:
    before = [np.array(a) if isinstance(a, np.ndarray) else None for a in args]
    v = v.astype(args[i].dtype)
    found, again = (subject.tangents(args, [v], [i]) for _ in range(2))
    for k, (b, a) in enumerate(zip(before, args, strict=True)):
        if b is not None and not same_bits(b, a):
            np.copyto(a, b)
            problems.append(f"argument {k} was changed in place by the jvp")
    for k, (y, t, u) in enumerate(zip(outputs, found, again, strict=False)):
        if t is not None and is_float(y.dtype) and t.dtype != y.dtype:
            problems.append(f"the tangent of output {k} has dtype {t.dtype}, expected the output's {y.dtype}")
        if t is not None and u is not None and not same_bits(t, u):
            problems.append(f"two calls give different tangents of output {k} for the same arguments")
    filled = [np.zeros_like(y) if t is None and is_float(y.dtype) else t for y, t in zip(outputs, found, strict=False)]
    filled = [t if is_float(y.dtype) else None for y, t in zip(outputs, filled, strict=False)]
    return flat_tangents([*filled, *found[len(outputs) :]], side.shapes, subject.name)


def _linearity(
    subject: Subject,
    args: Sequence[Any],
    i: int,
    vs: Sequence[Floats],
    given: Sequence[Floats],
    outputs: Sequence[NDArray[Any]],
    side: NumericalSide,
    tolerance: Tolerance,
) -> list[str]:
    dtype = args[i].dtype
    second = vs[1 % len(vs)]
    problems: list[str] = []
    mixed = _tangents(subject, args, i, -24 * vs[0] + 0.75 * second, outputs, side, problems)
    zero = _tangents(subject, args, i, np.zeros(args[i].shape), outputs, side, problems)
    expected = -24 * given[0] + 0.75 * given[1 % len(vs)]
    limit = (
        tolerance.of(24 * np.abs(given[0]) + np.abs(given[1 % len(vs)]), [dtype, *side.dtypes]) + 25 * tolerance.atol
    )
    with np.errstate(all="ignore"):
        apart = np.abs(mixed - expected) > limit + 64 * 2.0**-52 * np.max(np.abs(expected), initial=0.0)
    if apart.any():
        k = int(np.flatnonzero(apart)[0])
        problems.append(
            f"the jvp is not linear in the tangent of argument {i}: at output {k}, jvp(a v + b w) is {mixed[k]:.10g}, "
            f"a jvp(v) + b jvp(w) is {expected[k]:.10g}"
        )
    if (zero[np.isfinite(given[0])] != 0).any():
        problems.append(f"the jvp for the tangent 0 of argument {i} is not 0")
    return problems


def _compare(
    side: NumericalSide, i: int, k: int, v: Floats, got: Floats, rtol: float | None, atol: float
) -> list[Comparison]:
    """Every output along one direction, each judged by the ladder that knows it best."""
    x, f = side.args[i], side.along(i)
    value, bound = np.zeros_like(got), np.full_like(got, np.inf)
    jumps = np.zeros_like(got)
    moved = np.zeros(got.shape, bool)
    direction = Direction(None, v)
    for base in BASES if x.size else ():
        ladder = differentiate(f, side.f0, x, [direction], base, side.eps)
        moved |= ladder.moved[0]
        trusted = ladder.moved[0] | ~moved
        error = ladder.error[0] + 0.55 * ladder.jump[0]
        better = (error < bound) & trusted & (ladder.moved[0] | (error == 0))
        value, bound = np.where(better, ladder.value[0], value), np.where(better, error, bound)
        jumps = np.where(better, 0.55 * ladder.jump[0], jumps)
    if not x.size:
        bound = np.zeros_like(got)
    elif not moved.all():  # reads x, but these steps were lost in rounding
        lost = afar(f, side.f0, x, direction)[0] & ~moved
        bound = np.where(lost, side.eps * np.maximum(np.abs(side.f0), 1.0) / BASES[0], bound)
    rtol = max(default_rtol([*side.dtypes, x.dtype]), side.rtol) if rtol is None else rtol
    largest = float(np.max(np.abs(value), where=np.isfinite(value), initial=0.0))
    reach = float(np.clip(np.max(np.abs(x), where=np.isfinite(x), initial=0.0), 2.0**-10, 1.0))
    f0 = np.where(np.isfinite(side.f0), np.abs(side.f0), 0.0)
    tolerance = rtol * (np.abs(value) + np.abs(np.where(np.isfinite(got), got, 0.0))) + 64 * side.eps * largest
    tolerance += 512 * side.eps * f0 / reach + atol
    comparisons = []
    for n in range(got.size):
        limit = float(tolerance[n] + bound[n])
        verdict: Verdict = "unresolved"
        if bound[n] <= max(tolerance[n], 1e-3 * abs(value[n]) + 1e-5 * largest):
            verdict = "pass" if abs(got[n] - value[n]) <= limit else "fail"
        kink = bool(jumps[n] > tolerance[n])
        numbers = float(got[n]), float(value[n]), limit, float(bound[n])
        comparisons.append(Comparison(i, (n,), k, *numbers, kink, verdict, output=True))
    return comparisons
