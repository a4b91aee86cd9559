"""What launchers do to their arguments before a kernel sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .memory import empty

Array = NDArray[Any]


def contiguous(x: Array) -> Array:
    """`x` as a C-contiguous, aligned, writeable array; a copy only where it is not one (Numba would recompile)."""
    if x.flags.carray:
        return x
    copy = empty(x.shape, x.dtype)
    copy[...] = x
    return copy


def optional(x: Array | None, like: Array) -> Array:
    """`x`, or the empty 1-D array of `like`'s dtype that stands for None in kernels."""
    return np.empty(0, like.dtype) if x is None else contiguous(x)


def triple(values: tuple[int, ...], fill: int) -> tuple[int, int, int]:
    """A tuple over 1, 2 or 3 spatial axes as one over three: `fill` stands on the leading ones."""
    full = (fill,) * (3 - len(values)) + tuple(int(v) for v in values)
    return full[0], full[1], full[2]


def product(values: tuple[int, ...]) -> int:
    """The product of the sizes, as an int (1 for none)."""
    result = 1
    for v in values:
        result *= int(v)
    return result
