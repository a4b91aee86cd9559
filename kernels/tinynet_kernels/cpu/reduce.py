"""Sums, means and variances over the last axes."""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, contiguous, product
from .jit import inner, kernel
from .memory import empty
from .moments import line_sum, statistics

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


def moments_last(x: Array, *, axes: int) -> tuple[Array, Array]:
    """Mean and biased variance over the last `axes` axes.

    x (*kept, *reduced), not empty → mean, var (*kept), float64. Parallel over chunks of 16384 elements of a row, each as
    in moments.py; then mean = Σ nᵢ · meanᵢ / n and var = Σ nᵢ · (varᵢ + (meanᵢ − mean)²) / n over the chunks, in order.
    Floor: x once, 4 FLOPs an element.
    """
    kept = x.shape[: x.ndim - axes]
    rows, columns = product(kept), product(x.shape[x.ndim - axes :])
    chunks = -(-columns // _CHUNK)
    mean, var = empty((rows, chunks), np.float64), empty((rows, chunks), np.float64)
    _moments(x.size * 3, contiguous(x).reshape(rows, columns), mean, var)
    if chunks == 1:
        return mean.reshape(kept), var.reshape(kept)
    share = np.full(chunks, _CHUNK / columns)
    share[-1] = (columns - (chunks - 1) * _CHUNK) / columns
    middle = (mean * share).sum(axis=1)
    var = ((var + np.square(mean - middle[:, None])) * share).sum(axis=1)
    return middle.reshape(kept), var.reshape(kept)


def deviations_last(x: Array, mean: Array, scale: Array, *, axes: int) -> Array:
    """``y = (x − mean) · scale``; mean and scale (*kept), float64, for each row.

    x (*kept, *reduced) → y of x's shape and dtype. Parallel over chunks of 16384 elements of a row. Floor: x and y once, 2
    FLOPs an element.
    """
    y = empty(x.shape, x.dtype)
    rows, columns = product(x.shape[: x.ndim - axes]), product(x.shape[x.ndim - axes :])
    shape = (rows, columns)
    _deviations(
        x.size, contiguous(x).reshape(shape), contiguous(mean).reshape(rows), contiguous(scale).reshape(rows),
        max(-(-columns // _CHUNK), 1), y.reshape(shape),
    )  # fmt: skip
    return y


@kernel
def _moments(x, mean, var):  # type: ignore[no-untyped-def]
    chunks = mean.shape[1]
    for i in prange(mean.size):
        r, begin = i // chunks, i % chunks * _CHUNK
        part = x[r, begin : min(begin + _CHUNK, x.shape[1])]
        mean[r, i % chunks], var[r, i % chunks] = statistics(part.reshape(1, 1, part.size), 0)


@kernel
def _deviations(x, mean, scale, chunks, y):  # type: ignore[no-untyped-def]
    for i in prange(chunks * mean.size):
        r, begin = i // chunks, i % chunks * _CHUNK
        end = min(begin + _CHUNK, x.shape[1])
        centre = x.dtype.type(mean[r])
        rest = (np.float64(centre) - mean[r]) * scale[r]
        _scaled(x[r, begin:end], centre, x.dtype.type(scale[r]), x.dtype.type(rest), y[r, begin:end])


@inner
def _scaled(x, centre, scale, rest, y):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        y[i] = (x[i] - centre) * scale + rest
