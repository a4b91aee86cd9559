"""The gradient checker: reverse-mode gradients against numerical derivatives with error bounds.

For a function f, random cotangents u and directions v, a right reverse rule g = vjp(f)(x; u) satisfies

    <g, v>  =  d/dt <u, f(x + t v)> at t = 0  =  <u, J v>

Every comparison knows how well its right side is known (`tinynet.testing.derivative`), so it can say "unresolved"
where finite differences cannot decide, and need not hide that behind a wide tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import OptionError
from tinynet.testing._compare import Comparer, NumericalSide
from tinynet.testing._properties import (
    Problem,
    check_properties,
    draw_cotangents,
    forward_checked,
    gradients_of,
    same_bits,
)
from tinynet.testing.adapters import Adapter, outputs_of, tinynet_adapter
from tinynet.testing.derivative import is_float
from tinynet.testing.report import ArgumentReport, GradientReport, Verdict
from tinynet.testing.subject import EngineFunction, NumpyPair, Subject


def check_vjp(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    vjp: Callable[..., Any] | None = None,
    adapter: Adapter | None = None,
    wrt: int | Sequence[int] | None = None,
    seed: int = 0,
    cotangents: int = 3,
    directions: int = 3,
    max_entries: int = 256,
    rtol: float | None = None,
    atol: float = 0.0,
    max_unresolved: float = 0.05,
    name: str | None = None,
) -> GradientReport:
    """Check the reverse-mode gradient of a function: <vjp(x; u), v> = d/dt <u, f(x + t v)>.

    Several dense random cotangents u are drawn anew. Up to `max_entries` entries an argument has **every** entry
    compared; a larger one a random sample of max_entries / 4. Every argument is also compared along dense random
    directions, with no |v_i| below 1/2, in which each entry takes part.

    *What is guaranteed.* An entry that is compared and off by more than rtol · Σ_k |u_k| |J_k| + noise is found, with
    noise = 512 eps · Σ_k |u_k| |f_k| over the outputs that depend on it (divided by max |x| where that is below 1), and
    64 eps of the argument's largest gradient. There is no fixed absolute tolerance: a gradient of 1e-6 that is given
    as 0 fails. Beyond `max_entries`, an error δ in one entry that is not sampled is found if
    |δ| > 2 (rtol · (Σ_k |u_k| |(J v)_k| + |g|₂) + noise), which for n equal entries is |δ| > about 4e-7 n |g|.

    *Kinks.* Where the one-sided derivatives of an output disagree, a gradient outside of what lies between them fails,
    one inside is unresolved. Tied entries are also moved together, so that a maximum has to share what it gets among
    them (ties between two arguments are not seen). If more than `max_unresolved` of an argument's entries are
    unresolved, or beyond `max_entries` half of its directions, the verdict is "unresolved", never "pass". Beside a
    kink only small steps tell, so noise there is 2e-9 · Σ_k |u_k| |f_k|, and rtol 1e-5.

    *False alarms* are known where f cancels to far below its own intermediate values (x · (1 + erf(x / √2)) below -6 in
    float64): give `atol`, or stay out of such tails.

    *Also checked:* the gradient's shape and dtype are the argument's; it is linear in the cotangent, and 0 for the
    cotangent 0; neither arguments nor cotangents are changed; two calls give the same bits, before and after other
    calls of f.

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
    seed : everything random comes from it
    cotangents, directions : how many of each are drawn
    max_entries : up to this size, every entry of an argument is compared
    rtol : relative to Σ_k |u_k| |J_k|, the sum without cancellation, with which rounding grows in a reduction. Default
        by the lowest precision among the argument and the outputs: float64 1e-7, float32 1e-4, float16 2e-2,
        bfloat16 1e-1; wider where f cannot compute in float64 (the report notes it)
    atol : a further absolute tolerance, for functions that are noisier than their dtype
    max_unresolved : the largest share of undecided comparisons
    name : for the report; by default f's

    Returns
    -------
    GradientReport
        verdict, and for each argument counts and the worst entry

    Raises
    ------
    OptionError
        nothing to check, an index in `wrt` that is no floating array, or an option outside its domain

    Examples
    --------
    >>> import numpy as np
    >>> check_vjp(np.tanh, [np.array([0.1, 2.0])], vjp=lambda x, dy: dy * (1 - np.tanh(x) ** 2)).verdict
    'pass'
    >>> check_vjp(np.tanh, [np.array([0.1, 2.0])], vjp=lambda x, dy: dy * (1 - np.tanh(x))).verdict
    'fail'
    """
    if vjp is not None and adapter is not None:
        raise OptionError("check_vjp: got both vjp and adapter; expected vjp (a NumPy pair) or adapter (an engine)")
    for option, value, low in (("cotangents", cotangents, 1), ("directions", directions, 0), ("seed", seed, 0)):
        if value < low:
            raise OptionError(f"check_vjp: {option} is {value}, expected at least {low}")
    name = str(name or getattr(f, "__name__", type(f).__name__))
    subject: Subject
    if vjp is not None:
        subject = NumpyPair(f, vjp, name)
    else:
        subject = EngineFunction(f, adapter or tinynet_adapter, name)
    args = tuple(np.asarray(a) if isinstance(a, np.generic) else a for a in args)
    rng = np.random.default_rng(seed)

    try:
        outputs = forward_checked(subject, args)
        us = [draw_cotangents(outputs, rng) for _ in range(cotangents)]
        indices = _checked_arguments(args, wrt)
        gradients, skipped = gradients_of(subject, args, us, indices, given=wrt is not None)
        problems, warnings = check_properties(subject, args, outputs, us, gradients, rng, rtol)
    except Problem as problem:
        return GradientReport(name, "fail", problems=(str(problem),), seed=seed)

    side = NumericalSide(subject, args)
    notes = [f"argument {i} is not checked: vjp gives None for it" for i in skipped]
    notes += [side.note] if side.note else []
    comparer = Comparer(side, us, rtol=rtol, atol=atol)
    reports = tuple(
        _check_argument(comparer, i, [g[i] for g in gradients], rng, directions, max_entries)
        for i in indices
        if i not in skipped
    )
    again, _ = gradients_of(subject, args, us[:1], indices, given=wrt is not None)
    if any(not same_bits(again[0][i], g) for i, g in gradients[0].items()):
        problems.append("the gradient changed after other calls of the function: it depends on hidden state")

    verdicts = [report.verdict(max_unresolved) for report in reports]
    verdict: Verdict = "pass"
    if problems or "fail" in verdicts:
        verdict = "fail"
    elif "unresolved" in verdicts or not reports:
        verdict = "unresolved"
    return GradientReport(name, verdict, reports, tuple(problems), tuple(warnings), tuple(notes), seed)


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


def check_second_order(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    adapter: Adapter | None = None,
    wrt: int | Sequence[int] | None = None,
    seed: int = 0,
    name: str | None = None,
    **options: Any,
) -> GradientReport:
    """Check the gradient of the gradient: `check_vjp` of (x, u) -> vjp(f)(x; u), with the engine's `create_graph`.

    Parameters
    ----------
    f, args, adapter, wrt, seed, name : as in `check_vjp`; f is a function of the engine's tensors
    options : further options of `check_vjp`

    Returns
    -------
    GradientReport
        of the gradient function: its arguments are f's, then one cotangent per floating output
    """
    engine = adapter or tinynet_adapter
    args = tuple(np.asarray(a) if isinstance(a, np.generic) else a for a in args)
    indices = _checked_arguments(args, wrt)
    outputs = EngineFunction(f, engine, "").forward(args)
    us = draw_cotangents(outputs, np.random.default_rng([seed, 2]))
    floating = [k for k, u in enumerate(us) if u is not None]
    n = len(args)

    def gradient(*tensors: Any) -> tuple[Any, ...]:
        cotangents: list[Any] = [None] * len(outputs)
        for k, u in zip(floating, tensors[n:], strict=True):
            cotangents[k] = u
        grads = engine.vjp(f, tensors[:n], cotangents, indices, create_graph=True)
        return tuple(g for g in outputs_of(grads) if g is not None)

    gradient.__name__ = f"the gradient of {name or getattr(f, '__name__', type(f).__name__)}"
    return check_vjp(
        gradient,
        [*args, *(us[k] for k in floating)],
        adapter=engine,
        wrt=[*indices, *range(n, n + len(floating))],
        seed=seed,
        **options,
    )


def _checked_arguments(args: Sequence[Any], wrt: int | Sequence[int] | None) -> list[int]:
    floating = [i for i, a in enumerate(args) if isinstance(a, np.ndarray) and is_float(a.dtype)]
    if wrt is None:
        if not floating:
            raise OptionError(
                "check_vjp: no argument is a NumPy array of floating dtype: there is no gradient to check"
            )
        return floating
    wanted = [wrt] if isinstance(wrt, int) else list(wrt)
    for i in wanted:
        if i not in floating:
            raise OptionError(f"check_vjp: wrt holds {i}, expected positions of floating arrays: {floating}")
    return wanted


def _check_argument(
    comparer: Comparer,
    i: int,
    gradients: list[NDArray[Any]],
    rng: np.random.Generator,
    directions: int,
    max_entries: int,
    max_failures: int = 5,
) -> ArgumentReport:
    """Single entries first, then dense directions; those leave out entries at kinks where they meet one."""
    x = comparer.side.args[i]
    report = ArgumentReport(i, x.shape, str(gradients[0].dtype), exhaustive=x.size <= max_entries)
    entries = np.arange(x.size) if report.exhaustive else rng.choice(x.size, max(1, max_entries // 4), replace=False)
    undecided = np.zeros(x.shape, bool)
    for flat in entries:
        index = tuple(int(k) for k in np.unravel_index(flat, x.shape))
        for comparison in comparer.entry(i, index, gradients):
            report.add(comparison)
            undecided[index] |= comparison.verdict == "unresolved"
        if report.failed >= max_failures * len(gradients):
            report.stopped = True
            break
    if undecided.any():  # equal steps keep ties tied: max is smooth along them, and sees who got how much
        for comparison in comparer.direction(i, undecided.astype(np.float64), gradients):
            if comparison.verdict != "unresolved":
                report.add(comparison)
    for _ in range(directions if x.size else 0):
        v = rng.choice([-1.0, 1.0], x.shape) * rng.uniform(0.5, 1.5, x.shape)
        found = comparer.direction(i, v, gradients)
        if undecided.any() and any(c.verdict == "unresolved" for c in found):
            smooth = comparer.direction(i, np.where(undecided, 0.0, v), gradients)
            found = [s if c.verdict == "unresolved" else c for c, s in zip(found, smooth, strict=True)]
        for comparison in found:
            report.add(comparison)
    return report
