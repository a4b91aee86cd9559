"""A guess at what is wrong with a gradient, from the numbers alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tinynet.testing.derivative import Floats
from tinynet.testing.report import ArgumentReport

_CLOSE = 1e-4


def cause_of(reports: Sequence[ArgumentReport], sizes: Sequence[int]) -> str:
    """What the failed gradients look like: the first guess that explains every entry for every cotangent.

    `sizes` are the sizes of axes of all arguments and outputs, which a forgotten mean or sum is off by.
    """
    guesses = []
    for report in reports:
        if not (report.failed or report.directions_failed):
            continue
        known = np.isfinite(report.got) & np.isfinite(report.expected)
        if known.sum() < 2 and report.got.size > 1:
            continue
        guess = next(_guesses(report.got, report.expected, known, sizes), "")
        if guess:
            guesses.append(f"{guess} (argument {report.argument})")
    return "; ".join(guesses)


def _guesses(got: Floats, expected: Floats, known: NDArray[np.bool_], sizes: Sequence[int]) -> Iterator[str]:
    if np.isnan(got[np.isfinite(expected)]).any():
        yield "the gradient is NaN where the function is smooth"
    g, e = got[known], expected[known]
    if not g.any():
        yield "the gradient is missing: it is 0 everywhere"
    if _same(g, -e):
        yield "the sign is wrong"
    if len(got) > 1 and _same(got, np.broadcast_to(got[:1], got.shape)):
        yield "the cotangent dy is not used"
    if (factor := _factor(g, e)) is not None:
        yield _named(factor, sizes)
    if known.all() and got.shape[1:]:
        yield from _moved(got, expected)
        yield from _partly(got, expected)
    if _same(np.abs(g), np.abs(e)):
        yield "some signs are wrong: of |x|, of |dy|, or of one term"
    if known.all() and got.shape[1:]:
        yield from _missing_terms(got, expected)


def _same(a: Floats, b: Floats) -> bool:
    scale = np.abs(b) + 1e-9 * np.max(np.abs(b), initial=0.0)
    return bool((np.abs(a - b) <= _CLOSE * scale).all())


def _factor(g: Floats, e: Floats) -> float | None:
    """The one factor between the two, if there is one."""
    largest = int(np.abs(e).argmax())
    if e[largest] == 0:
        return None
    factor = float(g[largest] / e[largest])
    return factor if factor and abs(factor - 1) > 2 * _CLOSE and _same(g, factor * e) else None


def _named(factor: float, sizes: Sequence[int]) -> str:
    for n in sorted({s for s in sizes if s > 1}):
        if abs(factor - n) < _CLOSE * n:
            return f"a factor {n} too much: an axis has that size, so a sum may stand for a mean"
        if abs(factor * n - 1) < _CLOSE:
            return f"a factor 1/{n} too much: an axis has that size, so a mean may stand for a sum"
    products = {a * b for a, b in itertools.combinations([s for s in sizes if s > 1], 2)}
    for n in sorted(products):
        if abs(factor - n) < _CLOSE * n or abs(factor * n - 1) < _CLOSE:
            return (
                f"a factor {factor:.6g} too much: {n} is the size of two axes together, summed for averaged or the like"
            )
    return f"a constant factor {factor:.6g} is too much"


def _moved(got: Floats, expected: Floats) -> Iterator[str]:
    """The right numbers in the wrong places."""
    rank = expected.ndim - 1
    for axes in itertools.permutations(range(rank)) if 1 < rank < 5 else ():
        moved = expected.transpose(0, *(1 + k for k in axes))
        if list(axes) != list(range(rank)) and moved.shape == got.shape and _same(got, moved):
            yield f"a transpose is missing or too much: it is the right gradient with its axes in the order {axes}"
    for axis in range(1, rank + 1):
        if expected.shape[axis] > 1:
            if _same(got, np.flip(expected, axis)):
                yield f"the gradient is reversed along axis {axis - 1}"
            for shift in (1, -1):
                if _same(got, np.roll(expected, shift, axis)) or _shifted(got, expected, axis, shift):
                    yield f"the gradient is shifted by {shift} along axis {axis - 1}: an index or a window is off by one"
            mean = np.broadcast_to(expected.mean(axis, keepdims=True), got.shape)
            if _same(got, mean):
                yield f"the gradient is averaged over axis {axis - 1}"
            if _same(got, mean * expected.shape[axis]):
                yield f"the gradient is summed over axis {axis - 1}"


def _shifted(got: Floats, expected: Floats, axis: int, shift: int) -> bool:
    n = got.shape[axis]
    if n < 3:
        return False
    inner = np.take(got, range(1, n) if shift > 0 else range(n - 1), axis)
    return _same(inner, np.take(expected, range(n - 1) if shift > 0 else range(1, n), axis))


def _partly(got: Floats, expected: Floats) -> Iterator[str]:
    """Right but in some entries."""
    scale = np.abs(expected) + 1e-9 * np.abs(expected).max()
    wrong = (np.abs(got - expected) > _CLOSE * scale).any(axis=0)
    count, size = int(wrong.sum()), wrong.size
    if not 0 < count <= size // 2:
        return
    first = tuple(int(k) for k in np.argwhere(wrong)[0])
    zero = not got[:, wrong].any()
    what = "0" if zero else "wrong"
    for axis in range(wrong.ndim):
        rows = np.flatnonzero(wrong.any(axis=tuple(k for k in range(wrong.ndim) if k != axis)))
        if len(rows) == 1 and wrong.take(rows[0], axis).all() and wrong.shape[axis] > 2:
            yield f"the gradient is {what} at index {int(rows[0])} of axis {axis} alone: an end or a mask is not treated"
    yield f"the gradient is {what} in {count} of {size} entries alone, the first at {first}, and right in the others"


def _missing_terms(got: Floats, expected: Floats) -> Iterator[str]:
    difference = got - expected
    for axis in range(1, got.ndim):
        if got.shape[axis] > 1:
            first = np.take(difference, [0], axis)
            if _same(np.broadcast_to(first, difference.shape), difference):
                yield f"a term is missing that is constant along axis {axis - 1}: a mean or a sum over it"
    with np.errstate(all="ignore"):
        ratio = got / expected
    if len(ratio) > 1 and np.isfinite(ratio).all() and _same(ratio, np.broadcast_to(ratio[:1], ratio.shape)):
        yield "the local derivative is wrong: the gradient is off by a factor that depends on x but not on dy"
