"""Losses of every element: squared error, binary cross-entropy of logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .arrays import Array, contiguous
from .jit import inner, kernel
from .memory import empty
from .vmath import exp_negative, sigmoid, softplus

_CHUNK = 4096  # elements of a chunk of elementwise work, and of a partial sum
_EXP = 8  # the work of an element with an exponential, in additions


def mse_forward(x: Array, y: Array, *, reduction: str) -> Array:
    """``loss = (x − y)²``, its mean or its sum.

    x, y of one shape → loss of that shape for 'none', else 0-d. Parallel over chunks of 4096 elements, whose sums are
    added in order; accumulates in float64. Floor: x and y once, 3 FLOPs an element.
    """
    if reduction == "none":
        with np.errstate(over="ignore", invalid="ignore"):
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
    """``loss = w · ((1 − y) · x + (1 + (q − 1) · y) · log(1 + e⁻ˣ))``, q the weight of positives.

    x, y, and w, q where they are not None, of one shape → loss of that shape for 'none', else 0-d. Parallel over chunks
    of 4096 elements, whose sums are added in order; accumulates in float64. Floor: the inputs once, an exponential and
    a logarithm an element.
    """
    loss = empty(x.shape if reduction == "none" else (0,), x.dtype)
    sums = empty((-(-x.size // _CHUNK),), np.float64)
    flat = contiguous(x).reshape(-1), contiguous(y).reshape(-1)
    if weight is None and pos_weight is None and reduction != "none":
        _bce(x.size * _EXP, *flat, sums)
    else:
        _bce_weighted(x.size * _EXP, *flat, _factor(weight, x), _factor(pos_weight, x), loss.reshape(-1), sums)
    return loss if reduction == "none" else _total(sums, x.size, reduction, x.dtype)


def bce_with_logits_backward(
    dloss: Array, x: Array, y: Array, weight: Array | None, pos_weight: Array | None, *, reduction: str
) -> Array:
    """``dx = g · w · ((1 − y) · σ(x) − q · y · σ(−x))``.

    Arguments as in `bce_with_logits_forward`, dloss of x's shape for 'none', else 0-d; g is dloss, for 'mean' over the
    number of elements → dx of x's shape. Parallel over chunks. Floor: the inputs and dx once, an exponential an element.
    """
    dx, g = empty(x.shape, x.dtype), _gradients(dloss, x.size, reduction, x.dtype)
    flat = contiguous(x).reshape(-1), contiguous(y).reshape(-1)
    if weight is None and pos_weight is None and reduction != "none":
        _bce_grad(x.size * _EXP, g, *flat, dx.reshape(-1))
    else:
        _bce_weighted_grad(x.size * _EXP, g * _factor(weight, x), *flat, _factor(pos_weight, x), dx.reshape(-1))
    return dx


def bce_with_logits_grad_target(
    dloss: Array, x: Array, weight: Array | None, pos_weight: Array | None, *, reduction: str
) -> Array:
    """``dy = g · w · (q · log(1 + e⁻ˣ) − log(1 + eˣ))``, −x for q = 1; arguments as in `bce_with_logits_backward`."""
    dy, g = empty(x.shape, x.dtype), _gradients(dloss, x.size, reduction, x.dtype)
    scale = g * _factor(weight, x)
    if pos_weight is None:
        np.multiply(scale.reshape(x.shape), -x, out=dy)
    else:
        flat = contiguous(x).reshape(-1), _factor(pos_weight, x)
        _bce_grad_target(x.size * _EXP, scale, *flat, dy.reshape(-1))
    return dy


def _factor(v: Array | None, like: Array) -> Array:
    """`v` made flat; ones for None."""
    return np.ones(like.size, like.dtype) if v is None else contiguous(v).reshape(-1)


def _total(sums: Array, count: int, reduction: str, dtype: np.dtype[Any]) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        total = sums.sum()
        if reduction == "mean":
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
def _bce(x, y, sums):  # type: ignore[no-untyped-def]
    for chunk in prange(sums.size):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        sums[chunk] = _bce_sum(x[lo:hi], y[lo:hi])


@inner(fastmath=("contract", "reassoc", "nsz"))
def _bce_sum(x, y):  # type: ignore[no-untyped-def]
    one, total = x.dtype.type(1), 0.0
    for i in range(x.size):
        total += (one - y[i]) * x[i] + softplus(-x[i])
    return total


@kernel
def _bce_weighted(x, y, weight, positive, loss, sums):  # type: ignore[no-untyped-def]
    for chunk in prange(sums.size):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        if loss.size > 0:
            _bce_each(x[lo:hi], y[lo:hi], weight[lo:hi], positive[lo:hi], loss[lo:hi])
        else:
            sums[chunk] = _bce_weighted_sum(x[lo:hi], y[lo:hi], weight[lo:hi], positive[lo:hi])


@inner
def _bce_each(x, y, weight, positive, loss):  # type: ignore[no-untyped-def]
    one = x.dtype.type(1)
    for i in range(x.size):
        factor = one + (positive[i] - one) * y[i]
        loss[i] = weight[i] * ((one - y[i]) * x[i] + factor * softplus(-x[i]))


@inner(fastmath=("contract", "reassoc", "nsz"))
def _bce_weighted_sum(x, y, weight, positive):  # type: ignore[no-untyped-def]
    one, total = x.dtype.type(1), 0.0
    for i in range(x.size):
        factor = one + (positive[i] - one) * y[i]
        total += weight[i] * ((one - y[i]) * x[i] + factor * softplus(-x[i]))
    return total


@kernel
def _bce_grad(g, x, y, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _bce_grad_chunk(g[0], x[lo:hi], y[lo:hi], dx[lo:hi])


@inner
def _bce_grad_chunk(g, x, y, dx):  # type: ignore[no-untyped-def]
    one, zero = x.dtype.type(1), x.dtype.type(0)
    for i in range(x.size):
        e = exp_negative(-abs(x[i]))
        large = one / (one + e)  # σ(|x|), and σ(−|x|) is e times that: neither cancels
        up, down = (e * large, large) if x[i] < zero else (large, e * large)
        dx[i] = g * ((one - y[i]) * up - y[i] * down)


@kernel
def _bce_weighted_grad(scale, x, y, positive, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _bce_weighted_grad_chunk(scale[lo:hi], x[lo:hi], y[lo:hi], positive[lo:hi], dx[lo:hi])


@inner
def _bce_weighted_grad_chunk(scale, x, y, positive, dx):  # type: ignore[no-untyped-def]
    one = x.dtype.type(1)
    for i in range(x.size):
        dx[i] = scale[i] * ((one - y[i]) * sigmoid(x[i]) - positive[i] * y[i] * sigmoid(-x[i]))


@kernel
def _bce_grad_target(scale, x, positive, dy):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _bce_grad_target_chunk(scale[lo:hi], x[lo:hi], positive[lo:hi], dy[lo:hi])


@inner
def _bce_grad_target_chunk(scale, x, positive, dy):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        dy[i] = scale[i] * (positive[i] * softplus(-x[i]) - softplus(x[i]))
