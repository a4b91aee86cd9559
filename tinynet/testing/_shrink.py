"""The smallest arguments that fail in the same way: shorter axes first, then simpler numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinynet.testing.derivative import is_float

Args = tuple[Any, ...]


def shrunk(args: Sequence[Any], fails: Callable[[Args], bool], attempts: int = 120, seconds: float = 5.0) -> Args:
    """Greedy: take the first smaller candidate that fails, until none does, or after so many attempts, or so long.

    Axes of equal size, over all arguments, are cut together first (the inner sizes of a matrix product must agree),
    then each alone. A candidate that the function refuses does not fail.
    """
    best, end = tuple(args), time.monotonic() + seconds
    for candidates in (_shorter, _simpler):
        again = True
        while again:
            again = False
            for candidate in candidates(best):
                if attempts <= 0 or time.monotonic() > end:
                    return best
                attempts -= 1
                if fails(candidate):
                    best, again = candidate, True
                    break
    return best


def _shorter(args: Args) -> Iterator[Args]:
    axes = [(i, k, s) for i, a in enumerate(args) if isinstance(a, np.ndarray) for k, s in enumerate(a.shape) if s > 1]
    sizes = sorted({s for _, _, s in axes}, reverse=True)
    groups = [[(i, k) for i, k, s in axes if s == size] for size in sizes]
    groups += [[(i, k)] for group in groups for i, k in group if len(group) > 1]
    for group in groups:
        size = args[group[0][0]].shape[group[0][1]]
        for part in _parts(size):
            yield _cut(args, group, part)


def _parts(size: int) -> list[slice]:
    """One, either half, or all but one: from the front and from the back."""
    half = size // 2
    parts = [slice(0, 1), slice(size - 1, size)]
    if half > 1:
        parts += [slice(0, half), slice(half, size)]
    if size > 2:
        parts += [slice(0, size - 1), slice(1, size)]
    return parts


def _cut(args: Args, group: Sequence[tuple[int, int]], part: slice) -> Args:
    result = list(args)
    for i, k in group:
        result[i] = np.array(result[i][(slice(None),) * k + (part,)])
    return tuple(result)


def _simpler(args: Args) -> Iterator[Args]:
    """Whole arrays rounded, then entry by entry where there are few. Each step is simpler, so this ends."""
    for i, a in enumerate(args):
        if not isinstance(a, np.ndarray) or not is_float(a.dtype) or not np.isfinite(a).all():
            continue
        for digits in (0, 1, 2):
            rounded = np.round(a.astype(np.float64), digits).astype(a.dtype)
            if not np.array_equal(rounded, a) and (digits > 0 or rounded.all() or a.size == 1):
                yield (*args[:i], rounded, *args[i + 1 :])
        if a.size > 16:
            continue
        for index in np.ndindex(a.shape):
            for number in (1.0, 0.5):
                if _cost(a[index]) > _cost(number):
                    y = a.copy()
                    y[index] = number
                    yield (*args[:i], y, *args[i + 1 :])


def _cost(number: Any) -> tuple[int, float]:
    """How long a number is to read, then how large."""
    return len(repr(float(number)).rstrip("0")), abs(float(number))
