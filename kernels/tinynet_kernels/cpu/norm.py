"""Batch normalisation with the statistics of the batch."""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, contiguous, optional
from .jit import inner, kernel
from .memory import empty


def batch_norm_forward(x: Array, w: Array | None, b: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """``y = (x − mean) · rstd · w + b`` for each channel, ``rstd = 1 / √(var + eps)``, var biased.

    x (N, C) or (N, C, *spatial), w, b (C,) or None → y of x's shape, mean (C,), rstd (C,). Parallel over channels; the
    statistics accumulate in float64, in two passes (so a large mean costs no digits). Floor: x three times, y once,
    7 FLOPs an element.
    """
    y = empty(x.shape, x.dtype)
    mean, rstd = empty((x.shape[1],), x.dtype), empty((x.shape[1],), x.dtype)
    _forward(x.size * 4, _planes(x), optional(w, x), optional(b, x), float(eps), _planes(y), mean, rstd)
    return y, mean, rstd


def batch_norm_backward(dy: Array, x: Array, w: Array | None, mean: Array, rstd: Array) -> tuple[Array, Array, Array]:
    """``dx = w · rstd · (dy − (db + x̂ · dw) / M)``, ``dw = Σ dy · x̂``, ``db = Σ dy``; x̂ = (x − mean) · rstd.

    dy, x (N, C, *spatial), w (C,) or None, mean, rstd (C,) from the forward → dx, dw (C,), db (C,); M elements a
    channel. Parallel over channels; dw and db accumulate in float64. Floor: x and dy twice, dx once, 9 FLOPs an
    element.
    """
    dx = empty(x.shape, x.dtype)
    dw, db = empty((x.shape[1],), x.dtype), empty((x.shape[1],), x.dtype)
    _backward(
        x.size * 5, _planes(dy), _planes(x), optional(w, x), contiguous(mean), contiguous(rstd), _planes(dx), dw, db
    )
    return dx, dw, db


def _planes(x: Array) -> Array:
    """x (N, C, *spatial) as (N, C, S)."""
    return contiguous(x).reshape(*x.shape[:2], int(np.prod(x.shape[2:], dtype=np.int64)))


@kernel
def _forward(x, w, b, eps, y, mean, rstd):  # type: ignore[no-untyped-def]
    for c in prange(x.shape[1]):
        _channel_forward(x, w, b, eps, y, mean, rstd, c)


@inner
def _channel_forward(x, w, b, eps, y, mean, rstd, c):  # type: ignore[no-untyped-def]
    count = x.shape[0] * x.shape[2]
    total = 0.0
    for n in range(x.shape[0]):
        total += _sum(x[n, c])
    middle = total / count
    total = 0.0
    for n in range(x.shape[0]):
        total += _sum_of_squares(x[n, c], middle)
    mean[c] = middle
    rstd[c] = 1.0 / np.sqrt(total / count + eps)
    centre, scale = mean[c], rstd[c]
    if w.size > 0:
        scale *= w[c]
    shift = b[c] if b.size > 0 else x.dtype.type(0)
    for n in range(x.shape[0]):
        source, target = x[n, c], y[n, c]
        for i in range(source.size):
            target[i] = (source[i] - centre) * scale + shift


@kernel
def _backward(dy, x, w, mean, rstd, dx, dw, db):  # type: ignore[no-untyped-def]
    for c in prange(x.shape[1]):
        _channel_backward(dy, x, w, mean, rstd, dx, dw, db, c)


@inner
def _channel_backward(dy, x, w, mean, rstd, dx, dw, db, c):  # type: ignore[no-untyped-def]
    count = x.shape[0] * x.shape[2]
    total, product = 0.0, 0.0
    for n in range(x.shape[0]):
        total += _sum(dy[n, c])
        product += _sum_of_products(dy[n, c], x[n, c], mean[c])
    product *= rstd[c]
    db[c] = total
    dw[c] = product
    # dx = factor · (dy − a − (x − mean) · slope), the constants made in float64
    factor = x.dtype.type((w[c] if w.size > 0 else 1.0) * rstd[c])
    a, slope, centre = x.dtype.type(total / count), x.dtype.type(product * rstd[c] / count), mean[c]
    for n in range(x.shape[0]):
        grad, source, target = dy[n, c], x[n, c], dx[n, c]
        for i in range(source.size):
            target[i] = factor * (grad[i] - a - (source[i] - centre) * slope)


@inner(fastmath=("contract", "reassoc", "nsz"))
def _sum(line):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(line.size):
        total += line[i]
    return total


@inner(fastmath=("contract", "reassoc", "nsz"))
def _sum_of_squares(line, centre):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(line.size):
        difference = line[i] - centre
        total += difference * difference
    return total


@inner(fastmath=("contract", "reassoc", "nsz"))
def _sum_of_products(grad, line, centre):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(line.size):
        total += np.float64(grad[i]) * (line[i] - centre)
    return total
