"""Sums over the last axes."""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, product
from .jit import kernel
from .memory import empty
from .moments import line_sum

_CHUNK = 16384


def sum_last(x: Array, *, axes: int) -> Array:
    """``z[r] = Σ_k x[r, k]`` over the last `axes` axes.

    x (*kept, *reduced), C-contiguous → z (*kept), float64. Parallel over chunks of 16384 elements of a row; accumulates
    in the dtype of `x` within 4096 elements (in vectors), in float64 across these, in order. Floor: x once.
    """
    kept = x.shape[: x.ndim - axes]
    rows, columns = product(kept), product(x.shape[x.ndim - axes :])
    chunks = max(-(-columns // _CHUNK), 1)
    parts = empty((rows, chunks), np.float64)
    _sums(x.size, x.reshape(rows, columns), parts)
    if chunks == 1:
        return parts.reshape(kept)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.add.reduce(parts, axis=1)).reshape(kept)


@kernel
def _sums(x, parts):  # type: ignore[no-untyped-def]
    chunks = parts.shape[1]
    for i in prange(parts.size):
        r, begin = i // chunks, i % chunks * _CHUNK
        parts[r, i % chunks] = line_sum(x, r, begin, min(begin + _CHUNK, x.shape[1]))
