"""The gradient checker: reverse-mode gradients against derivatives with error bounds.

For a function f, random cotangents u and directions v, a right reverse rule g = vjp(f)(x; u) satisfies

    <g, v>  =  d/dt <u, f(x + t v)> at t = 0  =  <u, J v>

Every comparison knows how well its right side is known (`tinynet.testing.derivative`), so it can say "unresolved"
where differences cannot decide, and need not hide that behind a wide tolerance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import OptionError
from tinynet.testing._compare import Comparer, Judgement
from tinynet.testing._explain import explained
from tinynet.testing._numerical import NumericalSide, Tolerance
from tinynet.testing._oracles import ORACLES, Taylor, forward_oracle, reference_comparisons
from tinynet.testing._properties import (
    Problem,
    check_properties,
    draw_cotangents,
    forward_checked,
    gradients_of,
    levelled,
    same_bits,
)
from tinynet.testing._reproduction import reproduction
from tinynet.testing.adapters import Adapter, outputs_of, tinynet_adapter
from tinynet.testing.derivative import dense, is_float
from tinynet.testing.report import ArgumentReport, Comparison, GradientReport, Verdict
from tinynet.testing.subject import EngineFunction, Subject, as_arrays, checked_positions, subject_of


@dataclasses.dataclass(frozen=True)
class Options:
    """What `check_vjp` was asked for, beside the function and its arguments."""

    wrt: int | Sequence[int] | None = None
    oracle: str | Callable[..., Any] = "auto"
    seed: int = 0
    cotangents: int = 3
    directions: int = 3
    max_entries: int = 256
    rtol: float | None = None
    atol: float = 0.0
    max_unresolved: float = 0.05
    resamples: int = 2

    def __post_init__(self) -> None:
        for option, low in (("cotangents", 1), ("directions", 0), ("seed", 0), ("max_entries", 0), ("resamples", 0)):
            if getattr(self, option) < low:
                raise OptionError(f"check_vjp: {option} is {getattr(self, option)}, expected at least {low}")
        if not callable(self.oracle) and self.oracle not in ORACLES:
            raise OptionError(
                f"check_vjp: oracle is {self.oracle!r}, expected a callable or one of {', '.join(ORACLES)}"
            )

    def changed(self) -> dict[str, Any]:
        """Those that are not at their defaults."""
        fields = dataclasses.fields(self)
        return {f.name: getattr(self, f.name) for f in fields if getattr(self, f.name) != f.default}


def check_vjp(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    vjp: Callable[..., Any] | None = None,
    adapter: Adapter | None = None,
    wrt: int | Sequence[int] | None = None,
    oracle: str | Callable[..., Any] = "auto",
    jvp: Callable[..., Any] | None = None,
    seed: int = 0,
    cotangents: int = 3,
    directions: int = 3,
    max_entries: int = 256,
    rtol: float | None = None,
    atol: float = 0.0,
    max_unresolved: float = 0.05,
    resamples: int = 2,
    shrink: bool = True,
    name: str | None = None,
) -> GradientReport:
    """Check the reverse-mode gradient of a function: <vjp(x; u), v> = d/dt <u, f(x + t v)>.

    Several dense random cotangents u are drawn anew; in the second of them small outputs count as much as large ones.
    Up to `max_entries` entries an argument has **every** entry compared; a larger one a random sample of
    max_entries / 4. Every argument is also compared along dense random directions, with no |v_i| below 1/2, in which
    each entry takes part.

    *What is guaranteed.* An entry that is compared and off by more than rtol · Σ_k |u_k| |J_k| + noise is found, with
    noise = 512 eps · Σ_k |u_k| |f_k| / max |x| over the outputs that depend on it, and 64 eps of the argument's largest
    gradient. There is no fixed absolute tolerance: a gradient of 1e-6 that is given as 0 fails. Beyond `max_entries`,
    an error δ in one entry that is not sampled is found if |δ| > 2 (rtol · (Σ_k |u_k| |(J v)_k| + |g|₂) + noise), which
    for n equal entries is |δ| > about 4e-7 n |g|.

    *Kinks.* Where the one-sided derivatives of an output disagree, a gradient outside of what lies between them fails,
    one inside is unresolved. Tied entries, of one argument or of several, are also moved together, so that a maximum
    has to share what it gets among them. Unresolved entries are then moved off the kink, at most `resamples` times,
    and compared there. If more than `max_unresolved` of an argument's entries are still unresolved, or beyond
    `max_entries` half of its directions, the verdict is "unresolved", never "pass". Beside a kink only small steps
    tell, so noise there is 2e-9 · Σ_k |u_k| |f_k|, and rtol 1e-5. `check_subgradient` tests the gradient *at* a kink.

    *Cancellation.* Where f is far smaller than it is elsewhere, as x · (1 + erf(x / √2)) is below -6, rounding of its
    intermediate values may be all that there is; an entry that is off by no more than that is unresolved.

    *Also checked:* the gradient's shape and dtype are the argument's; it is linear in the cotangent, and 0 for the
    cotangent 0; neither arguments nor cotangents are changed; two calls give the same bits, before and after other
    calls of f. Of an engine also: the gradient is on the argument's device; a tensor used twice gets the sum of both
    gradients, one that is not used gets none, and no gradient depends on which others are asked for. Of a pair: which
    results share memory (a warning).

    Parameters
    ----------
    f : with `vjp`, a function of NumPy arrays, returning an array or a tuple of arrays; else of the engine's tensors
    args : the arguments. NumPy arrays (and NumPy scalars, as 0-d arrays) are given to f as arrays or tensors; anything
        else (numbers, None, strings) is passed on as it is. Any shape, 0-d and size 0 too
    vjp : `vjp(*args, dy)` -> one gradient per argument (a tuple, or one array for one argument), None for those that
        have none. `dy` has the output's shape and dtype; for several outputs it is a tuple, with None for outputs
        that are not floating
    adapter : the engine whose tensors f takes; by default tinynet
    wrt : the arguments to check; by default all of floating dtype
    oracle : what the gradient is compared with.
        "auto": the complex step for entries, where f takes complex numbers and is analytic, and central differences,
        extrapolated, for the dense directions and for whatever does not pass by it.
        "complex-step", "richardson": one of these alone.
        "forward": the engine's own forward mode, or `jvp`: the dot test <u, J v> = <vjp(u), v>.
        "taylor": the order of convergence of |<u, f(x + h v)> - <u, f(x)> - h <g, v>|, along dense directions only:
        2 where g is right, 1 where it is not.
        A callable `vjp(*args, dy)` over arrays: a second implementation (`vjp_of` makes one of any engine's function)
    jvp : for "forward", of a pair: `jvp(*args, *tangents)` -> one tangent per output; a tangent is None for an argument
        that is no floating array : everything random comes from it
    cotangents, directions : how many of each are drawn
    max_entries : up to this size, every entry of an argument is compared
    rtol : relative to Σ_k |u_k| |J_k|, the sum without cancellation, with which rounding grows in a reduction. Default
        by the lowest precision among the argument and the outputs: float64 1e-7, float32 1e-4, float16 2e-2,
        bfloat16 1e-1; wider where f cannot compute in float64 (the report notes it)
    atol : a further absolute tolerance, for functions that are noisier than their dtype
    max_unresolved : the largest share of undecided comparisons
    resamples : how often entries that could not be decided are moved and compared again
    shrink : on failure, look for the smallest arguments that fail in the same way, guess the cause, draw the Jacobian,
        and write a program that reproduces it; this repeats the check some hundred times
    name : for the report; by default f's

    Returns
    -------
    GradientReport
        verdict, and for each argument counts and the worst entry

    Raises
    ------
    OptionError
        nothing to check, an index in `wrt` that is no floating array, an option outside its domain, or a function that
        gives other values in each call
    DtypeError
        an argument or an output is complex
    TypeError
        f returns nothing that could be an array

    Examples
    --------
    >>> import numpy as np
    >>> check_vjp(np.tanh, [np.array([0.1, 2.0])], vjp=lambda x, dy: dy * (1 - np.tanh(x) ** 2)).verdict
    'pass'
    >>> check_vjp(np.tanh, [np.array([0.1, 2.0])], vjp=lambda x, dy: dy * (1 - np.tanh(x))).verdict
    'fail'
    """
    options = Options(wrt, oracle, seed, cotangents, directions, max_entries, rtol, atol, max_unresolved, resamples)
    subject, args, _ = subject_of(f, args, vjp, adapter, wrt, "check_vjp", name=name, jvp=jvp)
    report = check_once(subject, args, options)
    if report.verdict != "fail" or not shrink:
        return report
    return explained(report, subject, args, lambda smaller: check_once(subject, smaller, options), options.changed())


def assert_vjp(f: Callable[..., Any], args: Sequence[Any], **options: Any) -> GradientReport:
    """Check a gradient with `check_vjp` and its options; raise unless the verdict is "pass".

    Returns
    -------
    GradientReport
        the report of the check that passed

    Raises
    ------
    AssertionError
        with the report, where the verdict is "fail" or "unresolved"
    """
    __tracebackhide__ = True
    report = check_vjp(f, args, **options)
    report.raise_if_failed()
    return report


def vjp_of(f: Callable[..., Any], adapter: Adapter | None = None) -> Callable[..., Any]:
    """The reverse rule of an engine's function, over NumPy arrays: `vjp(*args, dy)`, as `check_vjp` takes it.

    Parameters
    ----------
    f : a function of the engine's tensors
    adapter : the engine; by default tinynet

    Examples
    --------
    The gradient of one engine is the oracle of another's:

    >>> import tinynet
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 5)
    >>> check_vjp(np.tanh, [x], vjp=lambda x, dy: dy * (1 - np.tanh(x) ** 2), oracle=vjp_of(tinynet.tanh)).verdict
    'pass'
    """
    engine = adapter or tinynet_adapter

    def vjp(*args_and_dy: Any) -> tuple[Any, ...]:
        *args, dy = args_and_dy
        subject = EngineFunction(f, engine, getattr(f, "__name__", type(f).__name__))
        indices = [i for i, a in enumerate(args) if isinstance(a, np.ndarray) and is_float(a.dtype)]
        found, _ = subject.gradients(args, dy if isinstance(dy, tuple) else (dy,), indices)
        gradients: list[Any] = [None] * len(args)
        for i, g in zip(indices, found, strict=True):
            gradients[i] = np.zeros_like(args[i]) if g is None else g
        return tuple(gradients)

    return vjp


def check_once(subject: Subject, args: Sequence[Any], options: Options) -> GradientReport:
    """One pass of `check_vjp`, with valid options and arguments."""
    rng = np.random.default_rng(options.seed)
    given = options.wrt is not None
    indices = checked_positions(args, options.wrt, "check_vjp")
    try:
        outputs = forward_checked(subject, args)
        if not any(is_float(y.dtype) or np.iscomplexobj(y) for y in outputs):
            given_dtypes = ", ".join(str(y.dtype) for y in outputs) or "none"
            raise OptionError(
                f"check_vjp: {subject.name}: no output is of floating dtype (the outputs are {given_dtypes})"
            )
        us = [draw_cotangents(outputs, rng) for _ in range(options.cotangents)]
        us[1:2] = [levelled(outputs, u) for u in us[1:2]]
        gradients, skipped = gradients_of(subject, args, us, indices, given=given)
        problems, warnings = check_properties(
            subject, args, outputs, us, gradients, rng, Tolerance(options.rtol, options.atol)
        )
    except Problem as problem:
        return GradientReport(subject.name, "fail", problems=(str(problem),), seed=options.seed)

    indices = [i for i in indices if i not in skipped]
    notes = [f"argument {i} is not checked: vjp gives None for it" for i in skipped]
    reports = _compared(subject, args, us, gradients, indices, options, rng, notes)
    again, _ = gradients_of(subject, args, us[:1], indices, given=True)
    if any(not same_bits(again[0][i], gradients[0][i]) for i in indices):
        problems.append("the gradient changed after other calls of the function: it depends on hidden state")

    verdicts = [report.verdict(options.max_unresolved) for report in reports]
    verdict: Verdict = "pass"
    if problems or "fail" in verdicts:
        verdict = "fail"
    elif "unresolved" in verdicts or not reports:
        verdict = "unresolved"
    return GradientReport(
        subject.name, verdict, tuple(reports), tuple(problems), tuple(warnings), tuple(notes), options.seed
    )


def _compared(
    subject: Subject,
    args: Sequence[Any],
    us: Sequence[Any],
    gradients: Sequence[dict[int, NDArray[Any]]],
    indices: Sequence[int],
    options: Options,
    rng: np.random.Generator,
    notes: list[str],
) -> list[ArgumentReport]:
    """The reports of all arguments."""
    side = NumericalSide(subject, args)
    notes += [side.note] if side.note else []
    if callable(options.oracle):
        return [
            reference_comparisons(options.oracle, args, us, [g[i] for g in gradients], i, side, options.rtol)
            for i in indices
        ]
    if options.oracle == "taylor":
        taylor = Taylor(side, us)
        return [taylor.report(i, [g[i] for g in gradients], rng, max(options.directions, 1)) for i in indices]

    exact = forward_oracle(subject, side, args) if options.oracle == "forward" else None
    kind = "exact" if exact else options.oracle
    comparer = Comparer(side, us, oracle=kind, rtol=options.rtol, atol=options.atol, exact=exact)
    reports, undecided = [], {}
    for i in indices:
        report, undecided[i] = _check_argument(comparer, i, [g[i] for g in gradients], rng, options)
        reports.append(report)
        if options.oracle == "complex-step" and not comparer.analytic(i):
            notes.append(f"argument {i}: the complex step says nothing, f takes no complex numbers or is not analytic")
    open_ = {i: where for i, where in undecided.items() if where.any()}
    if len(open_) > 1:  # ties between arguments: maximum(a, a)
        for report, comparisons in _tied(comparer, open_, gradients, reports):
            for comparison in comparisons:
                report.add(comparison)
    for _ in range(options.resamples if kind in ("auto", "richardson") else 0):
        if open_:
            open_ = _resampled(subject, args, us, open_, {r.argument: r for r in reports}, options, rng)
    return reports


def _check_argument(
    comparer: Comparer, i: int, gradients: list[NDArray[Any]], rng: np.random.Generator, options: Options
) -> tuple[ArgumentReport, NDArray[np.bool_]]:
    """Single entries first, then dense directions; those leave out entries at kinks where they meet one.

    Beside the report, which comparisons of entries could not be decided: (C, *shape).
    """
    x = comparer.side.args[i]
    report = ArgumentReport.empty(i, x.shape, str(gradients[0].dtype), len(gradients), x.size <= options.max_entries)
    few = max(1, options.max_entries // 4)
    entries = np.arange(x.size) if report.exhaustive else rng.choice(x.size, few, replace=False)
    places = [tuple(int(k) for k in np.unravel_index(flat, x.shape)) for flat in entries]
    undecided = np.zeros((len(gradients), *x.shape), bool)
    for comparisons in comparer.entries(i, places, gradients, 5, report.add_judged):
        for comparison in comparisons:
            report.add(comparison)
            assert comparison.index is not None
            undecided[(comparison.cotangent, *comparison.index)] = comparison.verdict == "unresolved"
    report.stopped = report.passed + report.failed + report.unresolved < len(places) * len(gradients)
    kinked = np.asarray(undecided.any(axis=0))
    if kinked.any():  # equal steps keep ties tied: max is smooth along them, and sees who got how much
        for comparison in comparer.direction(i, np.asarray(kinked, np.float64), gradients):
            if comparison.verdict != "unresolved":
                report.add(comparison)
    count = options.directions if x.size else 0
    # Steps that x's own spacing does not swallow: sin(1e8) needs small ones, x² at 1e100 large ones.
    exponents = (
        np.log2(np.abs(x), where=np.isfinite(x) & (x != 0), out=np.zeros(x.shape)) if count else np.zeros(x.shape)
    )
    scale = np.exp2(np.clip(np.floor(exponents) - 20, 0, None))
    vs = [scale * dense(rng, x.shape) for _ in range(count)]
    for v, found in zip(vs, comparer.directions(i, vs, gradients), strict=True):
        if kinked.any() and any(c.verdict == "unresolved" for c in found):
            smooth = comparer.direction(i, np.where(kinked, 0.0, v), gradients)
            found = [s if c.verdict == "unresolved" else c for c, s in zip(found, smooth, strict=True)]
        for comparison in found:
            report.add(comparison)
    return report, undecided


def _tied(
    comparer: Comparer,
    undecided: dict[int, NDArray[np.bool_]],
    gradients: Sequence[dict[int, NDArray[Any]]],
    reports: Sequence[ArgumentReport],
) -> list[tuple[ArgumentReport, list[Comparison]]]:
    """The undecided entries of several arguments, moved together by equal steps; filed under the first of them."""
    indices = list(undecided)
    joint = comparer.joined(indices)
    v = np.concatenate([undecided[i].any(axis=0).ravel() for i in indices]).astype(np.float64)
    flat = [np.concatenate([g[i].ravel() for i in indices]) for g in gradients]
    found = [dataclasses.replace(c, argument=indices[0]) for c in joint.direction(0, v, flat)]
    report = next(r for r in reports if r.argument == indices[0])
    return [(report, [c for c in found if c.verdict != "unresolved"])]


def _resampled(
    subject: Subject,
    args: Sequence[Any],
    us: Sequence[Any],
    undecided: dict[int, NDArray[np.bool_]],
    reports: dict[int, ArgumentReport],
    options: Options,
    rng: np.random.Generator,
) -> dict[int, NDArray[np.bool_]]:
    """Compare undecided entries again, moved off the kink that they are at; returns those that still are undecided."""
    moved = list(args)
    for i, where in undecided.items():
        x = np.array(args[i], np.float64)
        move = rng.choice([-1.0, 1.0], x.shape) * rng.uniform(0.2, 0.6, x.shape) * np.maximum(np.abs(x), 0.5)
        moved[i] = np.where(where.any(axis=0) & np.isfinite(x), x + move, x).astype(args[i].dtype)
    try:
        gradients, _ = gradients_of(subject, moved, us, list(undecided), given=True)
        side = NumericalSide(subject, moved)
    except (Problem, ValueError, ArithmeticError, IndexError, RuntimeError):
        return undecided  # outside of f's domain, or its output has another shape there: they stay unresolved
    oracle = str(options.oracle)
    comparer = Comparer(side, us, oracle=oracle, rtol=options.rtol, atol=options.atol)
    left = {}
    for i, where in undecided.items():
        places = [tuple(int(k) for k in index) for index in np.argwhere(where.any(axis=0))]
        open_ = where.copy()

        def settle(comparisons: list[Comparison], open_: NDArray[np.bool_] = open_) -> bool:
            known = all(c.verdict != "unresolved" for c in comparisons)
            for comparison in comparisons if known else []:
                place = (comparison.cotangent, *(comparison.index or ()))
                if open_[place]:
                    reports[comparison.argument].settle(dataclasses.replace(comparison, moved=True))
                    open_[place] = False
            return known

        def judged(indices: list[tuple[int, ...]], judgement: Judgement, i: int = i) -> NDArray[np.bool_]:
            every = range(len(gradients))
            passed = np.asarray(judgement.passed.all(axis=0))
            return np.array(
                [
                    bool(passed[e]) and settle([judgement.comparison(i, index, c, e) for c in every])
                    for e, index in enumerate(indices)
                ]
            )

        for comparisons in comparer.entries(i, places, [g[i] for g in gradients], 5, judged):
            settle(comparisons)
        if open_.any():
            left[i] = open_
    return left


def check_grad(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    order: int | Sequence[int] = 1,
    adapter: Adapter | None = None,
    wrt: int | Sequence[int] | None = None,
    seed: int = 0,
    name: str | None = None,
    **options: Any,
) -> GradientReport:
    """Check the derivatives of a function to an order: `check_vjp` of f, of its gradient, of that one's gradient …

    The gradient (x, u) -> vjp(f)(x; u) is a function of the engine's tensors (by its `create_graph`), so it can be
    checked, and differentiated, as f can.

    Parameters
    ----------
    f, args, adapter, wrt, seed, name : as in `check_vjp`; f is a function of the engine's tensors
    order : the highest order n, for all of 1 … n; or the orders to check
    options : further options of `check_vjp`

    Returns
    -------
    GradientReport
        of the lowest order that does not pass, else of the highest. Beyond the first, its arguments are f's, then the
        cotangents of each order before

    Raises
    ------
    OptionError
        an order below 1, or as in `check_vjp`
    """
    orders = range(1, order + 1) if isinstance(order, int) else sorted(order)
    if not orders or min(orders) < 1:
        raise OptionError(f"check_grad: order is {order!r}, expected at least 1")
    if "vjp" in options:
        raise OptionError(
            "check_grad: got vjp; expected a function of an engine's tensors (a pair: check_vjp, check_hvp)"
        )
    engine = adapter or tinynet_adapter
    name = str(name or getattr(f, "__name__", type(f).__name__))
    function, given = f, as_arrays(args, adapter)
    indices = checked_positions(given, wrt, "check_grad")
    report = None
    for n in range(1, max(orders) + 1):
        if n > 1:
            function, given, indices = _gradient_function(function, given, indices, engine, [seed, n], name)
        if n in orders:
            shrink = {"shrink": False} if n > 1 else {}
            report = check_vjp(function, given, adapter=engine, wrt=indices, seed=seed, name=name, **options | shrink)
            if report.verdict != "pass":
                if n > 1:
                    asked = {"order": [n], "seed": seed, **({"wrt": wrt} if wrt is not None else {}), **options}
                    program = reproduction(
                        EngineFunction(f, engine, name), as_arrays(args, adapter), asked, "check_grad"
                    )
                    report = dataclasses.replace(report, reproduction=program)
                return report
        name = f"the gradient of {name}"
    assert report is not None
    return report


def _gradient_function(
    f: Callable[..., Any], args: tuple[Any, ...], indices: list[int], engine: Adapter, seed: Any, name: str
) -> tuple[Callable[..., Any], tuple[Any, ...], list[int]]:
    """(x, u) -> vjp(f)(x; u), its arguments and the positions of those to differentiate."""
    outputs = EngineFunction(f, engine, name).forward(args)
    us = draw_cotangents(outputs, np.random.default_rng(seed))
    floating = [k for k, u in enumerate(us) if u is not None]
    n = len(args)

    def gradient(*tensors: Any) -> tuple[Any, ...]:
        cotangents: list[Any] = [None] * len(outputs)
        for k, u in zip(floating, tensors[n:], strict=True):
            cotangents[k] = u
        grads = engine.vjp(f, tensors[:n], cotangents, indices, create_graph=True)
        return tuple(g for g in outputs_of(grads) if g is not None)

    gradient.takes_shared = False  # type: ignore[attr-defined]  # the gradient for one of two equal tensors is both's
    return gradient, (*args, *(us[k] for k in floating)), [*indices, *range(n, n + len(floating))]
