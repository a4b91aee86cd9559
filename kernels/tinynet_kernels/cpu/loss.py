"""Losses: cross-entropy of logits, negative log-likelihood, squared error, binary cross-entropy of logits.

Class losses take x (N, C, M), M the product of the axes after the classes. Every element's loss is made in float64
and, for 'mean' and 'sum', added in the order of the elements. Targets are class numbers below C or `ignore_index`;
the caller has checked them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from .arrays import Array, contiguous, optional
from .jit import inner, kernel
from .memory import empty, zeros

_CHUNK = 4096  # elements of a chunk of elementwise work, and of a partial sum


def cross_entropy_forward(
    x: Array, target: Array, weight: Array | None, *, ignore_index: int, label_smoothing: float, reduction: str
) -> tuple[Array, Array]:
    """``loss = (1 − s) · w[t] · (lse − x[t]) + s / C · Σ_c w[c] · (lse − x[c])``, ``lse = log Σ_c exp x[c]``.

    x (N, C, M) logits, target (N, M) int64, weight w (C,) or None, s the label smoothing → loss (N, M) for 'none',
    0-d for 'mean' (divided by the sum of w[t]) and 'sum'; lse (N, M), for the backward. Rows whose target is
    `ignore_index` count as zero. Parallel over rows; accumulates in float64. Floor: x twice, C exponentials a row.
    """
    lse = empty(target.shape, x.dtype)
    rows, weights = empty(target.shape, np.float64), empty(target.shape, np.float64)
    _cross_entropy(
        x.size * 8, contiguous(x), contiguous(target), optional(weight, x), ignore_index, float(label_smoothing), lse,
        rows, weights,
    )  # fmt: skip
    return _reduced(rows, weights, reduction, x.dtype), lse


def cross_entropy_backward(
    dloss: Array,
    x: Array,
    lse: Array,
    target: Array,
    weight: Array | None,
    *,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """``dx[c] = g · ((1 − s) · w[t] · (p[c] − [c = t]) + s / C · (p[c] · Σw − w[c]))``, ``p = exp(x − lse)``.

    dloss (N, M) for 'none', else 0-d; g is dloss, for 'mean' over the sum of w[t]. Other arguments and axes as in
    `cross_entropy_forward` → dx (N, C, M). Parallel over rows. Floor: x and dx once, C exponentials a row.
    """
    dx = empty(x.shape, x.dtype)
    target, weight = contiguous(target), optional(weight, x)
    _cross_entropy_grad(
        x.size * 8, _row_gradients(dloss, target, weight, ignore_index, reduction), contiguous(x), contiguous(lse),
        target, weight, ignore_index, float(label_smoothing), dx,
    )  # fmt: skip
    return dx


def nll_forward(logp: Array, target: Array, weight: Array | None, *, ignore_index: int, reduction: str) -> Array:
    """``loss = −w[t] · logp[t]``.

    logp (N, C, M), target (N, M) int64, weight w (C,) or None → loss (N, M) for 'none', 0-d for 'mean' (divided by
    the sum of w[t]) and 'sum'. Rows whose target is `ignore_index` count as zero. Parallel over rows; accumulates in
    float64. Floor: one element of logp a row.
    """
    rows, weights = empty(target.shape, np.float64), empty(target.shape, np.float64)
    _nll(target.size * 4, contiguous(logp), contiguous(target), optional(weight, logp), ignore_index, rows, weights)
    return _reduced(rows, weights, reduction, logp.dtype)


def nll_backward(
    dloss: Array, target: Array, weight: Array | None, *, num_classes: int, ignore_index: int, reduction: str
) -> Array:
    """``dlogp[t] = −g · w[t]``, zero elsewhere; g is dloss, for 'mean' over the sum of w[t].

    dloss (N, M) for 'none', else 0-d; target (N, M) → dlogp (N, num_classes, M). Parallel over rows. Floor: dlogp once.
    """
    dlogp = zeros((target.shape[0], num_classes, target.shape[1]), dloss.dtype)
    target, weight = contiguous(target), optional(weight, dloss)
    gradients = _row_gradients(dloss, target, weight, ignore_index, reduction)
    _nll_grad(target.size * 4, gradients, target, weight, ignore_index, dlogp)
    return dlogp


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


def _reduced(rows: Array, weights: Array, reduction: str, dtype: np.dtype[Any]) -> Array:
    if reduction == "none":
        return rows.astype(dtype)
    total = rows.sum()
    if reduction == "mean":
        with np.errstate(invalid="ignore", divide="ignore"):  # every row ignored: NaN, as in PyTorch
            total = total / weights.sum()
    return np.asarray(total, dtype)


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


def _row_gradients(dloss: Array, target: Array, weight: Array, ignore_index: int, reduction: str) -> Array:
    """The gradient of each row's loss, (N, M) in float64, without the row's class weight."""
    if reduction == "none":
        return dloss.astype(np.float64)
    g = np.float64(dloss)
    if reduction == "mean":
        kept = target[target != ignore_index]
        total = weight[kept].sum(dtype=np.float64) if weight.size else np.float64(kept.size)
        with np.errstate(invalid="ignore", divide="ignore"):
            g = g / total
    return np.full(target.shape, g)


@kernel
def _cross_entropy(x, target, weight, ignore_index, smoothing, lse, rows, weights):  # type: ignore[no-untyped-def]
    for row in prange(target.size):
        n, m = row // target.shape[1], row % target.shape[1]
        _row_loss(x[n, :, m], target[n, m], weight, ignore_index, smoothing, lse, rows, weights, n, m)


@inner
def _row_loss(x, t, weight, ignore_index, smoothing, lse, rows, weights, n, m):  # type: ignore[no-untyped-def]
    largest = x.dtype.type(-np.inf)
    for c in range(x.size):
        if x[c] > largest or x[c] != x[c]:
            largest = x[c]
    total = 0.0
    for c in range(x.size):
        total += math.exp(x[c] - largest)
    log_sum = np.float64(largest) + math.log(total)
    lse[n, m] = log_sum
    rows[n, m], weights[n, m] = 0.0, 0.0
    if t == ignore_index:
        return
    w = np.float64(weight[t]) if weight.size > 0 else 1.0
    loss = (1.0 - smoothing) * w * (log_sum - x[t])
    if smoothing > 0.0:  # without it the other logits take no part, were they −inf
        spread = 0.0
        for c in range(x.size):
            spread += (log_sum - x[c]) * (np.float64(weight[c]) if weight.size > 0 else 1.0)
        loss += smoothing / x.size * spread
    rows[n, m], weights[n, m] = loss, w


@kernel
def _cross_entropy_grad(g, x, lse, target, weight, ignore_index, smoothing, dx):  # type: ignore[no-untyped-def]
    all_weights = 0.0
    for c in range(weight.size):
        all_weights += weight[c]
    if weight.size == 0:
        all_weights = np.float64(x.shape[1])
    for row in prange(target.size):
        n, m = row // target.shape[1], row % target.shape[1]
        _row_grad(
            g[n, m], x[n, :, m], lse[n, m], target[n, m], weight, ignore_index, smoothing, all_weights, dx[n, :, m]
        )


@inner
def _row_grad(g, x, lse, t, weight, ignore_index, smoothing, all_weights, dx):  # type: ignore[no-untyped-def]
    if t == ignore_index:
        for c in range(x.size):  # zero, but a NaN row stays visible
            dx[c] = 0 * math.exp(x[c] - lse)
        return
    w = np.float64(weight[t]) if weight.size > 0 else 1.0
    hard, soft = g * (1.0 - smoothing) * w, g * smoothing / x.size
    scale = x.dtype.type(hard + soft * all_weights)
    for c in range(x.size):
        dx[c] = scale * math.exp(x[c] - lse)
    if smoothing > 0.0:
        for c in range(x.size):
            dx[c] -= soft * (np.float64(weight[c]) if weight.size > 0 else 1.0)
    dx[t] -= hard


@kernel
def _nll(logp, target, weight, ignore_index, rows, weights):  # type: ignore[no-untyped-def]
    for n in prange(target.shape[0]):
        for m in range(target.shape[1]):
            t = target[n, m]
            rows[n, m], weights[n, m] = 0.0, 0.0
            if t != ignore_index:
                w = np.float64(weight[t]) if weight.size > 0 else 1.0
                rows[n, m], weights[n, m] = -w * logp[n, t, m], w


@kernel
def _nll_grad(g, target, weight, ignore_index, dlogp):  # type: ignore[no-untyped-def]
    for n in prange(target.shape[0]):
        for m in range(target.shape[1]):
            t = target[n, m]
            if t != ignore_index:
                dlogp[n, t, m] = -g[n, m] * (np.float64(weight[t]) if weight.size > 0 else 1.0)


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
