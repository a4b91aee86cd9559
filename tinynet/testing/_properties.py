"""What a reverse rule must obey whatever its values: shape, dtype, linearity, determinism, leaving its inputs alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import DtypeError, OptionError
from tinynet.testing._numerical import Tolerance, flatten
from tinynet.testing.derivative import dense, epsilon, is_float
from tinynet.testing.subject import BadGradient, EngineFunction, Subject

Gradients = dict[int, NDArray[Any]]
"""Argument position -> gradient."""


class Problem(Exception):
    """A failure after which comparing values has no meaning."""


def draw_cotangents(outputs: Sequence[NDArray[Any]], rng: np.random.Generator) -> tuple[NDArray[Any] | None, ...]:
    """A dense random cotangent of each floating output (no |u| below 1/2, random signs), None for the others."""
    for k, y in enumerate(outputs):
        if np.issubdtype(y.dtype, np.complexfloating):
            raise DtypeError(f"check_vjp: output {k} has dtype {y.dtype}, expected real numbers")
    return tuple((dense(rng, y.shape)).astype(y.dtype) if is_float(y.dtype) else None for y in outputs)


def levelled(outputs: Sequence[NDArray[Any]], us: Sequence[NDArray[Any] | None]) -> tuple[NDArray[Any] | None, ...]:
    """Cotangents smaller for larger outputs, by up to 2^-20, so that each contributes alike: |u_k| ~ min |f| / |f_k|.

    Under dense cotangents of one size, an output of 1e-3 hides behind one of 1e3. Not for halves, which would underflow.
    """
    floating = [np.abs(y[np.isfinite(y)]) for y, u in zip(outputs, us, strict=True) if u is not None]
    sizes = np.concatenate([np.zeros(0), *(y.ravel() for y in floating)])
    if not sizes.any() or any(u is not None and u.dtype.itemsize < 4 for u in us):
        return tuple(us)
    low = max(float(sizes.min()), float(sizes.max()) * 2.0**-20)
    result = []
    for y, u in zip(outputs, us, strict=True):
        if u is not None:
            excess = np.clip(np.abs(np.where(np.isfinite(y), y, low)) / low, 1.0, 2.0**20)
            u = np.asarray(u * np.exp2(-np.round(np.log2(excess))), u.dtype)
        result.append(u)
    return tuple(result)


def gradients_of(
    subject: Subject,
    args: Sequence[Any],
    cotangents: Sequence[tuple[NDArray[Any] | None, ...]],
    indices: Sequence[int],
    *,
    given: bool,
) -> tuple[list[Gradients], list[int]]:
    """Copies of the gradients for each cotangent, and the arguments for which the rule declares none.

    Raises
    ------
    Problem
        another number of gradients than arguments, a wrong shape, or a changed argument or cotangent
    """
    result: list[Gradients] = []
    skipped: list[int] = []
    for us in cotangents:
        try:
            raw, kept = subject.gradients(args, us, indices)
        except BadGradient as error:
            raise Problem(str(error)) from None
        for what, before, after in kept:
            if not same_bits(before, after):
                if after.flags.writeable:
                    np.copyto(after, before)  # the caller's array
                raise Problem(f"{what} was changed in place by the gradient")
        gradients: Gradients = {}
        for i, g in zip(indices, raw, strict=True):
            if g is None:
                if not given and not subject.unused_is_zero:
                    skipped.append(i)
                g = np.zeros_like(args[i])
            g = np.array(g)
            if g.shape != args[i].shape:
                raise Problem(
                    f"the gradient of argument {i} has shape {g.shape}, expected the argument's {args[i].shape}"
                )
            gradients[i] = g
        result.append(gradients)
    return result, sorted(set(skipped))


def check_properties(
    subject: Subject,
    args: Sequence[Any],
    outputs: Sequence[NDArray[Any]],
    cotangents: Sequence[tuple[NDArray[Any] | None, ...]],
    gradients: Sequence[Gradients],
    rng: np.random.Generator,
    tolerance: Tolerance,
) -> tuple[list[str], list[str]]:
    """Problems and warnings of everything but the gradient's values."""
    indices = list(gradients[0])
    problems: list[str] = []
    for k, (a, b) in enumerate(zip(outputs, forward_checked(subject, args), strict=True)):
        if not same_bits(a, b):
            _refuse_randomness(subject.name, k, a, b, tolerance)
            problems.append("two calls of the function with the same arguments differ")
    for i, g in gradients[0].items():
        if g.dtype != args[i].dtype:
            problems.append(
                f"the gradient of argument {i} has dtype {g.dtype}, expected the argument's {args[i].dtype}"
            )
    again, _ = gradients_of(subject, args, cotangents[:1], indices, given=True)
    for i in indices:
        if not same_bits(gradients[0][i], again[0][i]):
            problems.append(f"two calls give different gradients of argument {i} for the same arguments and cotangent")
    problems += _linearity(subject, args, outputs, cotangents[0], gradients[0], rng, tolerance)
    if isinstance(subject, EngineFunction) and indices:
        problems += _accumulation(subject, args, cotangents[0], gradients[0], tolerance)
    return problems, _shared_memory(subject, args, outputs, cotangents[0], indices)


def _refuse_randomness(name: str, k: int, a: NDArray[Any], b: NDArray[Any], tolerance: Tolerance) -> None:
    """A function that draws anew in each call has no derivative to compare with; another order of a sum has."""
    same = a.shape == b.shape and a.dtype == b.dtype
    if same and is_float(a.dtype):
        size = np.max(np.abs(a), where=np.isfinite(a), initial=0.0)
        near = tolerance.of(np.abs(b.astype(np.float64)) + size, [a.dtype])
        same = bool(np.isclose(a.astype(np.float64), b.astype(np.float64), 0, near, equal_nan=True).all())
    if not same:
        raise OptionError(
            f"check_vjp: {name}: two calls with the same arguments give different values of output {k}: expected a "
            f"deterministic function (set the seed, or pass the random numbers as an argument)"
        )


def _accumulation(
    subject: EngineFunction,
    args: Sequence[Any],
    us: tuple[NDArray[Any] | None, ...],
    gradients: Gradients,
    tolerance: Tolerance,
) -> list[str]:
    """Arguments used twice get the sum of both gradients; an argument that is not used gets none, or 0."""
    indices = list(gradients)
    *twice, unused = subject.with_unused(args, [us, us], indices)
    problems = []
    if unused is not None and np.any(unused != 0):
        problems.append("the gradient of an argument that the function does not use is not 0")
    for i, g in zip(indices, twice, strict=True):
        got = np.zeros_like(args[i]) if g is None else g
        if not _agree(got, 2 * gradients[i].astype(np.float64), tolerance, args[i].dtype):
            problems.append(f"the gradient of argument {i} does not add up where the function is called twice with it")
    for i in indices[:4] if len(indices) > 1 else ():
        (alone,), _ = subject.gradients(args, us, [i])
        got = np.zeros_like(args[i]) if alone is None else alone
        if not _agree(got, gradients[i].astype(np.float64), tolerance, args[i].dtype):
            problems.append(f"the gradient of argument {i} is another one where no other argument requires a gradient")
    pairs = [
        (i, j)
        for i in indices
        for j in indices
        if i < j and args[i].shape == args[j].shape and args[i].dtype == args[j].dtype
    ]
    for i, j in pairs[:1] if getattr(subject.f, "takes_shared", True) else ():
        equal = [*args[:j], args[i], *args[j + 1 :]]
        try:
            shared = subject.shared(equal, us, i, j)
            (first, second), _ = subject.gradients(equal, us, [i, j])
        except (ValueError, ArithmeticError, IndexError, RuntimeError):
            continue  # arguments j equal to argument i may be outside of the function's domain
        zero = np.zeros(args[i].shape)
        total = sum((zero if g is None else g.astype(np.float64) for g in (first, second)), zero)
        scale = sum((zero if g is None else np.abs(g.astype(np.float64)) for g in (first, second)), zero)
        if not _agree(zero if shared is None else shared, total, tolerance, args[i].dtype, scale):
            problems.append(f"the gradient of one tensor passed as arguments {i} and {j} is not the sum of the two")
    return problems


def _agree(
    got: NDArray[Any],
    expected: NDArray[Any],
    tolerance: Tolerance,
    dtype: np.dtype[Any],
    scale: NDArray[Any] | None = None,
) -> bool:
    with np.errstate(all="ignore"):
        size = np.abs(expected) if scale is None else scale
        size = size + np.max(size, where=np.isfinite(size), initial=0.0)
        close = (
            np.abs(got.astype(np.float64) - expected) <= tolerance.of(size, [dtype]) + 3 * tolerance.atol
        )  # of up to four calls
        return bool((close | ~np.isfinite(expected)).all())


def same_bits(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Equal in shape, dtype and every bit, NaN included."""
    if a.dtype.kind == "f" and a.dtype.itemsize > 8:  # an extended double has padding, of any content
        both = (
            (np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b)))
            if a.shape == b.shape
            else np.False_
        )
        return a.dtype == b.dtype and bool(np.all(both))
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def forward_checked(subject: Subject, args: Sequence[Any]) -> tuple[NDArray[Any], ...]:
    """The outputs; raises Problem, and restores the argument, where the function changes one."""
    before = [np.array(a) if isinstance(a, np.ndarray) else None for a in args]
    outputs = subject.forward(args)
    for i, (b, a) in enumerate(zip(before, args, strict=True)):
        if b is not None and not same_bits(b, a):
            np.copyto(a, b)
            raise Problem(f"argument {i} was changed in place by the function")
    return outputs


def _linearity(
    subject: Subject,
    args: Sequence[Any],
    outputs: Sequence[NDArray[Any]],
    u1: tuple[NDArray[Any] | None, ...],
    g1: Gradients,
    rng: np.random.Generator,
    tolerance: Tolerance,
) -> list[str]:
    """vjp(a u1 + b u2) = a vjp(u1) + b vjp(u2), and vjp(0) = 0; a is large, so that clipping shows."""
    a, b = -24.0, 0.75
    indices = list(g1)
    u2 = draw_cotangents([np.zeros(0, bool) if u is None else u for u in u1], rng)
    sums = tuple(
        None if p is None or q is None else np.asarray(a * p + b * q, p.dtype) for p, q in zip(u1, u2, strict=True)
    )
    zeros = tuple(None if u is None else np.zeros_like(u) for u in u1)
    (g2, g, g0), _ = gradients_of(subject, args, [u2, sums, zeros], indices, given=True)
    dtypes = [y.dtype for y in outputs if is_float(y.dtype)]
    f0 = flatten(outputs)  # a gradient far smaller than <u, f> is what rounding left of it: a saturated softmax's
    noise = 512 * np.abs(flatten(u1)) @ np.where(np.isfinite(f0), np.abs(f0), 0.0)
    problems = []
    for i in indices:
        first, second, mixed = (np.asarray(x[i], np.float64) for x in (g1, g2, g))
        finite = np.isfinite(first) & np.isfinite(second) & np.isfinite(mixed)
        if not finite.any():
            continue
        scale = abs(a) * np.abs(first[finite]).max() + abs(b) * np.abs(second[finite]).max()
        apart = np.where(finite, np.abs(mixed - a * first - b * second), 0.0)
        limit = tolerance.of(scale, [args[i].dtype, *dtypes]) + (abs(a) + abs(b)) * tolerance.atol
        if apart.max() > limit + noise * epsilon(args[i].dtype):
            index = tuple(int(k) for k in np.unravel_index(int(apart.argmax()), apart.shape))
            problems.append(
                f"the gradient of argument {i} is not linear in the cotangent: at index {index}, vjp(a u1 + b u2) is "
                f"{mixed[index]:.10g}, a vjp(u1) + b vjp(u2) is {(a * first + b * second)[index]:.10g}"
            )
        if (g0[i][finite] != 0).any():
            problems.append(f"the gradient of argument {i} for the cotangent 0 is not 0")
    return problems


def _shared_memory(
    subject: Subject,
    args: Sequence[Any],
    outputs: Sequence[NDArray[Any]],
    us: tuple[NDArray[Any] | None, ...],
    indices: Sequence[int],
) -> list[str]:
    """A plain rule's results that share memory: right as values, wrong once someone adds into one of them."""
    if not subject.plain:
        return []
    raw, _ = subject.gradients(args, us, indices)
    named = [
        (f"the gradient of argument {i}", np.asarray(g)) for i, g in zip(indices, raw, strict=True) if g is not None
    ]
    others = [(f"argument {i}", a) for i, a in enumerate(args) if isinstance(a, np.ndarray)]
    others += [(f"cotangent {k}", u) for k, u in enumerate(us) if u is not None]
    warnings = []
    for position, (what, g) in enumerate(named):
        for other, a in named[position + 1 :] + others:
            if np.may_share_memory(g, a):
                warnings.append(f"{what} shares memory with {other}")
    named = [(f"output {k}", y) for k, y in enumerate(outputs)]
    for position, (what, y) in enumerate(named):
        for other, a in named[position + 1 :] + others:
            if np.may_share_memory(y, a):
                warnings.append(f"{what} shares memory with {other}")
    return warnings
