"""Losses of every element: squared error, binary cross-entropy of logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from .arrays import Array, contiguous, optional
from .jit import inner, kernel
from .memory import empty

_CHUNK = 4096  # elements of a chunk of elementwise work, and of a partial sum


def mse_forward(x: Array, y: Array, *, reduction: str) -> Array:
    """``loss = (x − y)²``, its mean or its sum.

    x, y of one shape → loss of that shape for 'none', else 0-d. Parallel over chunks of 4096 elements, whose sums are
    added in order; accumulates in float64. Floor: x and y once, 3 FLOPs an element.
    """
    if reduction == "none":
        difference = x - y
        difference *= difference
        return np.asarray(difference)
    sums = empty((-(-x.size // _CHUNK),), np.float64)
    _mse(x.size, contiguous(x).reshape(-1), contiguous(y).reshape(-1), sums)
    return _total(sums, x.size, reduction, x.dtype)


def mse_backward(dloss: Array, x: Array, y: Array, *, reduction: str) -> Array:
    """``dx = 2 · g · (x − y)``; dy is −dx; g is dloss, for 'mean' over the number of elements.

    dloss of x's shape for 'none', else 0-d → dx of x's shape. Parallel over chunks. Floor: x, y and dx once.
    """
    dx = empty(x.shape, x.dtype)
    gradients = _gradients(dloss, x.size, reduction, x.dtype)
    _mse_grad(x.size, gradients, contiguous(x).reshape(-1), contiguous(y).reshape(-1), dx.reshape(-1))
    return dx


def bce_with_logits_forward(
    x: Array, y: Array, weight: Array | None, pos_weight: Array | None, *, reduction: str
) -> Array:
    """``loss = w · ((1 − y) · x + (1 + (q − 1) · y) · log(1 + exp(−x)))``, q the weight of positives.

    The logarithm is ``log1p(exp(−|x|)) + max(−x, 0)``: no overflow. x, y, and w, q where they are not None, of one
    shape → loss of that shape for 'none', else 0-d. Parallel over chunks of 4096 elements, whose sums are added in
    order; accumulates in float64. Floor: the inputs once, an exponential and a logarithm an element.
    """
    loss = empty(x.shape if reduction == "none" else (0,), x.dtype)
    sums = empty((-(-x.size // _CHUNK),), np.float64)
    _bce(
        x.size * 8, contiguous(x).reshape(-1), contiguous(y).reshape(-1), optional(weight, x).reshape(-1),
        optional(pos_weight, x).reshape(-1), loss.reshape(-1), sums,
    )  # fmt: skip
    return loss if reduction == "none" else _total(sums, x.size, reduction, x.dtype)


def bce_with_logits_backward(
    dloss: Array, x: Array, y: Array, weight: Array | None, pos_weight: Array | None, *, reduction: str
) -> tuple[Array, Array]:
    """``dx = g · w · (1 − y − (1 + (q − 1) y) · σ(−x))``, ``dy = g · w · (q · log(1 + exp(−x)) − log(1 + exp(x)))``.

    Arguments as in `bce_with_logits_forward`, dloss of x's shape for 'none', else 0-d; g is dloss, for 'mean' over the
    number of elements → dx, dy of x's shape. Parallel over chunks. Floor: the inputs, dx and dy once.
    """
    dx, dy = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
    _bce_grad(
        x.size * 8, _gradients(dloss, x.size, reduction, x.dtype), contiguous(x).reshape(-1), contiguous(y).reshape(-1),
        optional(weight, x).reshape(-1), optional(pos_weight, x).reshape(-1), dx.reshape(-1), dy.reshape(-1),
    )  # fmt: skip
    return dx, dy


def _total(sums: Array, count: int, reduction: str, dtype: np.dtype[Any]) -> Array:
    total = sums.sum()
    if reduction == "mean":
        with np.errstate(invalid="ignore"):
            total = total / np.float64(count)
    return np.asarray(total, dtype)


def _gradients(dloss: Array, count: int, reduction: str, dtype: np.dtype[Any]) -> Array:
    """The gradient of each element's loss, flat; one element where it is the same for all."""
    if reduction == "none":
        return contiguous(dloss).reshape(-1)
    scale = 1.0 / max(count, 1) if reduction == "mean" else 1.0
    return np.full(1, float(dloss) * scale, dtype)


@kernel
def _mse(x, y, sums):  # type: ignore[no-untyped-def]
    for chunk in prange(sums.size):
        sums[chunk] = _squares(x[chunk * _CHUNK : (chunk + 1) * _CHUNK], y[chunk * _CHUNK : (chunk + 1) * _CHUNK])


@inner(fastmath=("contract", "reassoc", "nsz"))
def _squares(x, y):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(x.size):
        difference = np.float64(x[i] - y[i])
        total += difference * difference
    return total


@kernel
def _mse_grad(g, x, y, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _mse_grad_chunk(g if g.size == 1 else g[lo:hi], x[lo:hi], y[lo:hi], dx[lo:hi])


@inner
def _mse_grad_chunk(g, x, y, dx):  # type: ignore[no-untyped-def]
    if g.size == 1:
        scale = 2 * g[0]
        for i in range(x.size):
            dx[i] = scale * (x[i] - y[i])
    else:
        for i in range(x.size):
            dx[i] = 2 * g[i] * (x[i] - y[i])


@kernel
def _bce(x, y, weight, positive, loss, sums):  # type: ignore[no-untyped-def]
    for chunk in prange(sums.size):
        sums[chunk] = _bce_chunk(x, y, weight, positive, loss, chunk * _CHUNK)


@inner
def _bce_chunk(x, y, weight, positive, loss, lo):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(lo, min(lo + _CHUNK, x.size)):
        value = (1 - y[i]) * x[i] + _positive_factor(y, positive, i) * _log1p_exp_neg(x[i])
        if weight.size > 0:
            value *= weight[i]
        total += value
        if loss.size > 0:
            loss[i] = value
    return total


@inner
def _positive_factor(y, positive, i):  # type: ignore[no-untyped-def]
    one = y.dtype.type(1)
    return one + (positive[i] - one) * y[i] if positive.size > 0 else one


@inner
def _log1p_exp_neg(x):  # type: ignore[no-untyped-def]
    """log(1 + exp(−x))."""
    tail = math.log1p(math.exp(-abs(x)))  # NaN for NaN
    return tail - x if x < 0 else tail


@kernel
def _bce_grad(g, x, y, weight, positive, dx, dy):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        _bce_grad_chunk(g, x, y, weight, positive, dx, dy, chunk * _CHUNK)


@inner
def _bce_grad_chunk(g, x, y, weight, positive, dx, dy, lo):  # type: ignore[no-untyped-def]
    one = x.dtype.type(1)
    for i in range(lo, min(lo + _CHUNK, x.size)):
        scale = g[0] if g.size == 1 else g[i]
        if weight.size > 0:
            scale *= weight[i]
        decay = math.exp(-abs(x[i]))
        opposite = decay / (one + decay) if x[i] >= 0 else one / (one + decay)  # σ(−x)
        dx[i] = scale * (one - y[i] - _positive_factor(y, positive, i) * opposite)
        slope = positive[i] * _log1p_exp_neg(x[i]) - _log1p_exp_neg(-x[i]) if positive.size > 0 else -x[i]
        dy[i] = scale * slope
