"""Losses of classes: cross-entropy of logits, negative log-likelihood.

They take x (N, C, M), M the product of the axes after the classes, or any shape with that many elements whose classes
are axis 1 (axis 0 of a vector), and target (N, M) of class numbers below C or `ignore_index`; the caller has checked
them. Every element's loss is made in float64 and, for 'mean' and 'sum', added in a fixed order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from .arrays import Array, contiguous, optional
from .jit import inner, kernel
from .memory import empty, zeros
from .softmax import BLOCK, columns_largest, columns_sum_of_exponentials, largest, sum_of_exponentials
from .vmath import exp_negative, log

Cache = tuple[Array, Array, float]
_EXP = 8  # the work of an element with an exponential, in additions


def cross_entropy_forward(
    x: Array, target: Array, weight: Array | None, *, ignore_index: int, label_smoothing: float, reduction: str
) -> tuple[Array, Cache]:
    """``loss = (1 − s) · w[t] · (lse − x[t]) + s / C · Σ_c w[c] · (lse − x[c])``, ``lse = log Σ_c exp x[c]``.

    x logits, target (N, M) int64, weight w (C,) or None, s the label smoothing → loss (N, M) for 'none', 0-d for
    'mean' (divided by the sum of w[t]) and 'sum'; for the backward the largest logit and Σ exp(x − largest) of each
    (N, M), and the sum of w[t]. Rows whose target is `ignore_index` count as zero. Parallel over rows (M = 1) or blocks
    of 128 columns; a sum of exponentials is made in x's dtype over at most 2048 terms, the rest in float64. Floor: x
    once (rows that do not stay in the cache: twice), an exponential an element.
    """
    tops, totals = empty(target.shape, x.dtype), empty(target.shape, np.float64)
    rows, sums = empty((2, *target.shape), np.float64), np.empty(2)  # rows: each one's loss, and its weight
    planes = _planes(contiguous(x), target.shape)
    run = _rows if planes.ndim == 2 else _columns
    run(
        x.size * _EXP, planes, contiguous(target), optional(weight, x), ignore_index, label_smoothing, tops, totals,
        rows, sums,
    )  # fmt: skip
    return _reduced(rows, sums, reduction, x.dtype), (tops, totals, float(sums[1]))


def cross_entropy_backward(
    dloss: Array,
    x: Array,
    cache: Cache,
    target: Array,
    weight: Array | None,
    *,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """``dx[c] = g · ((1 − s) · w[t] · (p[c] − [c = t]) + s / C · (p[c] · Σw − w[c]))``, ``p = softmax x``.

    dloss (N, M) for 'none', else 0-d; g is dloss, for 'mean' over the sum of w[t]. Other arguments and axes as in
    `cross_entropy_forward` → dx of x's shape. Floor: x and dx once, an exponential an element.
    """
    tops, totals, total_weight = cache
    dx, g = empty(x.shape, x.dtype), _gradients(dloss, total_weight, reduction)
    planes, out = _planes(contiguous(x), target.shape), _planes(dx, target.shape)
    target, weight = contiguous(target), optional(weight, x)
    work, options = x.size * _EXP, (ignore_index, label_smoothing)
    if planes.ndim == 2:
        _rows_grad(work, g, planes, tops, totals, target, weight, *options, out)
    else:
        scales, softs = empty(target.shape, x.dtype), empty(target.shape, x.dtype)
        _columns_grad(work, g, planes, tops, totals, target, weight, *options, scales, softs, out)
    return dx


def nll_forward(
    logp: Array, target: Array, weight: Array | None, *, ignore_index: int, reduction: str
) -> tuple[Array, float]:
    """``loss = −w[t] · logp[t]``.

    logp of log-probabilities, target (N, M) int64, weight w (C,) or None → loss (N, M) for 'none', 0-d for 'mean'
    (divided by the sum of w[t]) and 'sum'; the sum of w[t]. Rows whose target is `ignore_index` count as zero. Parallel
    over rows; accumulates in float64. Floor: one element of logp a row.
    """
    rows, sums = empty((2, *target.shape), np.float64), np.empty(2)
    planes = contiguous(logp).reshape(target.shape[0], _classes(logp), target.shape[1])
    _nll(target.size * 4, planes, contiguous(target), optional(weight, logp), ignore_index, rows, sums)
    return _reduced(rows, sums, reduction, logp.dtype), float(sums[1])


def nll_backward(
    dloss: Array,
    total_weight: float,
    target: Array,
    weight: Array | None,
    *,
    shape: tuple[int, ...],
    ignore_index: int,
    reduction: str,
) -> Array:
    """``dlogp[t] = −g · w[t]``, zero elsewhere; g is dloss, for 'mean' over the sum of w[t].

    dloss (N, M) for 'none', else 0-d; target (N, M) → dlogp of the given shape. Parallel over rows. Floor: dlogp once.
    """
    dlogp = zeros(shape, dloss.dtype)
    g, weight = _gradients(dloss, total_weight, reduction), optional(weight, dloss)
    planes = dlogp.reshape(target.shape[0], _classes(dlogp), target.shape[1])
    _nll_grad(target.size * 4, g, contiguous(target), weight, ignore_index, planes)
    return dlogp


def _classes(x: Array) -> int:
    return x.shape[0] if x.ndim == 1 else x.shape[1]


def _planes(x: Array, shape: tuple[int, ...]) -> Array:
    """x as (N, C) for M = 1, else as (N, C, M); `shape` is (N, M)."""
    return x.reshape((shape[0], _classes(x)) if shape[1] == 1 else (shape[0], _classes(x), shape[1]))


def _reduced(rows: Array, sums: Array, reduction: str, dtype: np.dtype[Any]) -> Array:
    if reduction == "none":
        return rows[0].astype(dtype)
    total = float(sums[0])
    if reduction == "mean":
        total = _divided(total, float(sums[1]))  # every row ignored: NaN, as in PyTorch
    return np.asarray(total, dtype)


def _gradients(dloss: Array, total_weight: float, reduction: str) -> Array:
    """The gradient of each row's loss in float64, flat, without the row's class weight; one where it is one for all."""
    if reduction == "none":
        return np.ascontiguousarray(dloss, np.float64).reshape(-1)
    g = float(dloss)
    if reduction == "mean":
        g = _divided(g, total_weight)
    return np.array([g])


def _divided(a: float, b: float) -> float:
    """a/b, where 0/0 is NaN and a/0 infinite, as for arrays."""
    return a / b if b else a * math.inf


@inner(fastmath=("contract", "reassoc", "nsz"))
def _sum(x):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total


@inner
def _class_weight(weight, c):  # type: ignore[no-untyped-def]
    return np.float64(weight[c]) if weight.size > 0 else 1.0


# rows: x (N, C)


@kernel
def _rows(x, target, weight, ignore_index, smoothing, tops, totals, rows, sums):  # type: ignore[no-untyped-def]
    for n in prange(x.shape[0]):
        top = largest(x[n])
        total = sum_of_exponentials(x[n], top)
        tops[n, 0], totals[n, 0] = top, total
        t = target[n, 0]
        rows[0, n, 0], rows[1, n, 0] = 0.0, 0.0
        if t != ignore_index:
            log_total = log(total)
            w = _class_weight(weight, t)
            loss = (1.0 - smoothing) * w * (log_total - (x[n, t] - top))
            if smoothing > 0.0:  # without it the other logits take no part, were they −inf
                loss += smoothing / x.shape[1] * _spread(x[n], top, log_total, weight)
            rows[0, n, 0], rows[1, n, 0] = loss, w
    sums[0], sums[1] = _sum(rows[0].reshape(-1)), _sum(rows[1].reshape(-1))


@inner(fastmath=("contract", "reassoc", "nsz"))
def _spread(x, top, log_total, weight):  # type: ignore[no-untyped-def]
    """Σ_c w[c] · (lse − x[c])."""
    total = 0.0
    if weight.size > 0:
        for c in range(x.size):
            total += (log_total - (x[c] - top)) * weight[c]
    else:
        for c in range(x.size):
            total += log_total - (x[c] - top)
    return total


@kernel
def _rows_grad(g, x, tops, totals, target, weight, ignore_index, smoothing, dx):  # type: ignore[no-untyped-def]
    step = 0 if g.size == 1 else 1  # one gradient for all, or each its own
    all_weights = _sum(weight) if weight.size > 0 else np.float64(x.shape[1])
    for n in prange(x.shape[0]):
        t = target[n, 0]
        hard, soft = _factors(g[n * step], t, weight, ignore_index, smoothing, x.shape[1])
        scale = (hard + soft * all_weights) / totals[n, 0]
        _row_grad(x[n], tops[n, 0], x.dtype.type(scale), dx[n])
        if soft != 0.0:
            _subtract(dx[n], x.dtype.type(soft), weight)
        if t != ignore_index:
            dx[n, t] -= hard


@inner
def _factors(g, t, weight, ignore_index, smoothing, classes):  # type: ignore[no-untyped-def]
    """What the target's own part and each class's smoothed part of the gradient are multiplied with."""
    if t == ignore_index:  # the gradient is 0, but a NaN row stays visible
        return 0.0, 0.0
    return g * (1.0 - smoothing) * _class_weight(weight, t), g * smoothing / classes


@inner
def _row_grad(x, top, scale, dx):  # type: ignore[no-untyped-def]
    for c in range(x.size):
        dx[c] = scale * exp_negative(x[c] - top)


@inner
def _subtract(dx, soft, weight):  # type: ignore[no-untyped-def]
    if weight.size > 0:
        for c in range(dx.size):
            dx[c] -= soft * weight[c]
    else:
        for c in range(dx.size):
            dx[c] -= soft


# columns: x (N, C, M); unit of work number k is block k % blocks of plane k // blocks


@kernel
def _columns(x, target, weight, ignore_index, smoothing, tops, totals, rows, sums):  # type: ignore[no-untyped-def]
    blocks = (x.shape[2] + BLOCK - 1) // BLOCK
    for k in prange(x.shape[0] * blocks):
        n, lo, hi = k // blocks, k % blocks * BLOCK, min((k % blocks + 1) * BLOCK, x.shape[2])
        _block(
            x[n], lo, target[n][lo:hi], weight, ignore_index, smoothing, tops[n][lo:hi], totals[n][lo:hi],
            rows[0, n][lo:hi], rows[1, n][lo:hi],
        )  # fmt: skip
    sums[0], sums[1] = _sum(rows[0].reshape(-1)), _sum(rows[1].reshape(-1))


@inner
def _block(x, lo, target, weight, ignore_index, smoothing, tops, totals, rows, weights):  # type: ignore[no-untyped-def]
    columns_largest(x, lo, tops)
    columns_sum_of_exponentials(x, lo, tops, totals)
    for j in range(rows.size):
        rows[j] = 0.0
        weights[j] = log(totals[j])
    if smoothing > 0.0:
        for c in range(x.shape[0]):
            _add_spread(x[c][lo : lo + tops.size], tops, weights, _class_weight(weight, c), rows)
    for j in range(rows.size):
        t, log_total = target[j], weights[j]
        if t == ignore_index:
            rows[j], weights[j] = 0.0, 0.0
        else:
            w = _class_weight(weight, t)
            loss = (1.0 - smoothing) * w * (log_total - (x[t, lo + j] - tops[j]))
            rows[j] = loss + smoothing / x.shape[0] * rows[j] if smoothing > 0.0 else loss
            weights[j] = w


@inner
def _add_spread(x, tops, log_totals, w, rows):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        rows[j] += w * (log_totals[j] - (x[j] - tops[j]))


@kernel
def _columns_grad(g, x, tops, totals, target, weight, ignore_index, smoothing, scales, softs, dx):  # type: ignore[no-untyped-def]
    step = 0 if g.size == 1 else 1  # one gradient for all, or each its own
    all_weights = _sum(weight) if weight.size > 0 else np.float64(x.shape[1])
    blocks = (x.shape[2] + BLOCK - 1) // BLOCK
    for k in prange(x.shape[0] * blocks):
        n, lo, hi = k // blocks, k % blocks * BLOCK, min((k % blocks + 1) * BLOCK, x.shape[2])
        for j in range(lo, hi):
            hard, soft = _factors(
                g[(n * x.shape[2] + j) * step], target[n, j], weight, ignore_index, smoothing, x.shape[1]
            )
            scales[n, j], softs[n, j] = (hard + soft * all_weights) / totals[n, j], soft
        for c in range(x.shape[1]):
            _line_grad(x[n, c][lo:hi], tops[n][lo:hi], scales[n][lo:hi], dx[n, c][lo:hi])
            if smoothing > 0.0:
                _subtract_line(dx[n, c][lo:hi], softs[n][lo:hi], x.dtype.type(_class_weight(weight, c)))
        for j in range(lo, hi):
            t = target[n, j]
            if t != ignore_index:
                dx[n, t, j] -= g[(n * x.shape[2] + j) * step] * (1.0 - smoothing) * _class_weight(weight, t)


@inner
def _line_grad(x, tops, scales, dx):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        dx[j] = scales[j] * exp_negative(x[j] - tops[j])


@inner
def _subtract_line(dx, softs, w):  # type: ignore[no-untyped-def]
    for j in range(dx.size):
        dx[j] -= softs[j] * w


# negative log-likelihood: logp (N, C, M)


@kernel
def _nll(logp, target, weight, ignore_index, rows, sums):  # type: ignore[no-untyped-def]
    for n in prange(target.shape[0]):
        for m in range(target.shape[1]):
            t = target[n, m]
            rows[0, n, m], rows[1, n, m] = 0.0, 0.0
            if t != ignore_index:
                w = _class_weight(weight, t)
                rows[0, n, m], rows[1, n, m] = -w * logp[n, t, m], w
    sums[0], sums[1] = _sum(rows[0].reshape(-1)), _sum(rows[1].reshape(-1))


@kernel
def _nll_grad(g, target, weight, ignore_index, dlogp):  # type: ignore[no-untyped-def]
    step = 0 if g.size == 1 else 1  # one gradient for all, or each its own
    for n in prange(target.shape[0]):
        for m in range(target.shape[1]):
            t = target[n, m]
            if t != ignore_index:
                dlogp[n, t, m] = -g[(n * target.shape[1] + m) * step] * _class_weight(weight, t)
