"""Softmax and its logarithm along one axis, and what cross-entropy shares with them.

Arrays are seen as (outer, n, inner), n the axis. For inner = 1 a row lies together and is one unit of work; else a
block of columns is, of which each step along the axis is a short contiguous run. The largest element is found by
comparing bits as integers, which vectorises and lets NaN through. Sums of exponentials are made in the arrays' dtype
over at most 2048 terms, and beyond that in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from .arrays import Array, contiguous
from .jit import inner, kernel
from .memory import empty
from .vmath import exp_negative, log, ordered, unordered

BLOCK = 128  # columns that are worked on together
_RUN = 2048  # terms of a sum in the arrays' own dtype
_EXP = 8  # the work of an element with an exponential, in additions


def softmax_forward(x: Array, *, axis: int) -> Array:
    """``y[i] = exp(x[i] − m) / Σⱼ exp(x[j] − m)``, m the largest along the axis.

    x of any shape → y. A row with NaN, with +∞, or of −∞ alone is NaN. Parallel over rows, or blocks of columns.
    Floor: x and y once, an exponential an element.
    """
    x, y = contiguous(x), empty(x.shape, x.dtype)
    rows, out = _layout(x, axis), _layout(y, axis)
    if rows.ndim == 2:
        _softmax_rows(x.size * _EXP, rows, out)
    else:
        _softmax_columns(x.size * _EXP, rows, _scratch(rows, x.dtype), _scratch(rows), out)
    return y


def softmax_backward(dy: Array, y: Array, *, axis: int) -> Array:
    """``dx = y · (dy − Σ y · dy)`` along the axis; dy and y of one shape → dx. Floor: three arrays once."""
    dy, y, dx = contiguous(dy), contiguous(y), empty(y.shape, y.dtype)
    rows, grads, out = _layout(y, axis), _layout(dy, axis), _layout(dx, axis)
    if rows.ndim == 2:
        _softmax_rows_grad(y.size * 2, grads, rows, out)
    else:
        _softmax_columns_grad(y.size * 2, grads, rows, _scratch(rows), out)
    return dx


def log_softmax_forward(x: Array, *, axis: int) -> Array:
    """``y[i] = x[i] − m − log Σⱼ exp(x[j] − m)``, as `softmax_forward`."""
    x, y = contiguous(x), empty(x.shape, x.dtype)
    rows, out = _layout(x, axis), _layout(y, axis)
    if rows.ndim == 2:
        _log_softmax_rows(x.size * _EXP, rows, out)
    else:
        _log_softmax_columns(x.size * _EXP, rows, _scratch(rows, x.dtype), _scratch(rows), out)
    return y


def log_softmax_backward(dy: Array, y: Array, *, axis: int) -> Array:
    """``dx = dy − e^y · Σ dy`` along the axis; dy and y of one shape → dx. Floor: three arrays once."""
    dy, y, dx = contiguous(dy), contiguous(y), empty(y.shape, y.dtype)
    rows, grads, out = _layout(y, axis), _layout(dy, axis), _layout(dx, axis)
    if rows.ndim == 2:
        _log_softmax_rows_grad(y.size * _EXP, grads, rows, out)
    else:
        _log_softmax_columns_grad(y.size * _EXP, grads, rows, _scratch(rows), out)
    return dx


def _layout(x: Array, axis: int) -> Array:
    """x as (outer, n, inner), or (outer, n) where inner is 1."""
    outer, width = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    return x.reshape((outer, x.shape[axis]) if width == 1 else (outer, x.shape[axis], width))


def _scratch(x: Array, dtype: Any = np.float64) -> Array:
    """A number for each column of x (outer, n, inner)."""
    return empty((x.shape[0], x.shape[2]), dtype)


# what cross-entropy shares: x is a row, or a plane (n, inner), of which the columns from lo on have a number each


@inner
def largest(x):  # type: ignore[no-untyped-def]
    """The largest of a row. NaN is found, or (with its sign bit set) shows in the exponentials."""
    best = ordered(x.dtype.type(-np.inf))
    for i in range(x.size):
        candidate = ordered(x[i])
        best = candidate if candidate > best else best
    return unordered(best)


@inner
def sum_of_exponentials(x, top):  # type: ignore[no-untyped-def]
    """Σ exp(x − top) of a row."""
    total = 0.0
    for lo in range(0, x.size, _RUN):
        total += _sum_of_run(x[lo : lo + _RUN], top)
    return total


@inner(fastmath=("contract", "reassoc", "nsz"))
def _sum_of_run(x, top):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for i in range(x.size):
        total += exp_negative(x[i] - top)
    return total


@inner
def columns_largest(x, lo, top):  # type: ignore[no-untyped-def]
    """The largest of each column."""
    for j in range(top.size):
        top[j] = -np.inf
    for i in range(x.shape[0]):
        _raise(x[i][lo : lo + top.size], top)


@inner
def _raise(x, top):  # type: ignore[no-untyped-def]
    for j in range(x.size):  # NaN shows in the exponentials
        top[j] = x[j] if x[j] > top[j] else top[j]


@inner
def columns_sum_of_exponentials(x, lo, top, total):  # type: ignore[no-untyped-def]
    """Σ exp(x − top) of each column; total float64."""
    for j in range(total.size):
        total[j] = 0.0
    for i in range(x.shape[0]):
        _add_exponentials(x[i][lo : lo + top.size], top, total)


@inner
def _add_exponentials(x, top, total):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        total[j] += exp_negative(x[j] - top[j])


# rows


@kernel
def _softmax_rows(x, y):  # type: ignore[no-untyped-def]
    for row in prange(x.shape[0]):
        _softmax_row(x[row], y[row])


@inner
def _softmax_row(x, y):  # type: ignore[no-untyped-def]
    top, total = largest(x), 0.0
    for lo in range(0, x.size, _RUN):
        total += _exponentials(x[lo : lo + _RUN], top, y[lo : lo + _RUN])
    scale = x.dtype.type(1.0 / total)
    for i in range(y.size):
        y[i] *= scale


@inner(fastmath=("contract", "reassoc", "nsz"))
def _exponentials(x, top, y):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for i in range(x.size):
        e = exp_negative(x[i] - top)
        y[i] = e
        total += e
    return total


@kernel
def _softmax_rows_grad(dy, y, dx):  # type: ignore[no-untyped-def]
    for row in prange(y.shape[0]):
        _softmax_row_grad(dy[row], y[row], dx[row])


@inner
def _softmax_row_grad(dy, y, dx):  # type: ignore[no-untyped-def]
    total = 0.0
    for lo in range(0, y.size, _RUN):
        total += _dot(dy[lo : lo + _RUN], y[lo : lo + _RUN])
    mean = y.dtype.type(total)
    for i in range(y.size):
        dx[i] = y[i] * (dy[i] - mean)


@inner(fastmath=("contract", "reassoc", "nsz"))
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = a.dtype.type(0)
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@kernel
def _log_softmax_rows(x, y):  # type: ignore[no-untyped-def]
    for row in prange(x.shape[0]):
        _log_softmax_row(x[row], y[row])


@inner
def _log_softmax_row(x, y):  # type: ignore[no-untyped-def]
    top = largest(x)
    shift = x.dtype.type(log(sum_of_exponentials(x, top)))
    for i in range(x.size):
        y[i] = (x[i] - top) - shift


@kernel
def _log_softmax_rows_grad(dy, y, dx):  # type: ignore[no-untyped-def]
    for row in prange(y.shape[0]):
        _log_softmax_row_grad(dy[row], y[row], dx[row])


@inner
def _log_softmax_row_grad(dy, y, dx):  # type: ignore[no-untyped-def]
    total = 0.0
    for lo in range(0, y.size, _RUN):
        total += _sum(dy[lo : lo + _RUN])
    scale = y.dtype.type(total)
    for i in range(y.size):
        dx[i] = dy[i] - exp_negative(y[i]) * scale


@inner(fastmath=("contract", "reassoc", "nsz"))
def _sum(x):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total


# columns: unit of work number k is block k % blocks of the outer index k // blocks


@kernel
def _softmax_columns(x, tops, totals, y):  # type: ignore[no-untyped-def]
    blocks = (x.shape[2] + BLOCK - 1) // BLOCK
    for k in prange(x.shape[0] * blocks):
        o, lo, hi = k // blocks, k % blocks * BLOCK, min((k % blocks + 1) * BLOCK, x.shape[2])
        _softmax_block(x[o], lo, tops[o][lo:hi], totals[o][lo:hi], y[o])


@inner
def _softmax_block(x, lo, top, total, y):  # type: ignore[no-untyped-def]
    hi = lo + top.size
    columns_largest(x, lo, top)
    for j in range(total.size):
        total[j] = 0.0
    for i in range(x.shape[0]):
        _columns_exponentials(x[i][lo:hi], top, total, y[i][lo:hi])
    for j in range(total.size):
        total[j] = 1.0 / total[j]
    for i in range(x.shape[0]):
        _scale(y[i][lo:hi], total)


@inner
def _columns_exponentials(x, top, total, y):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        e = exp_negative(x[j] - top[j])
        y[j] = e
        total[j] += e


@inner
def _scale(y, factor):  # type: ignore[no-untyped-def]
    for j in range(y.size):
        y[j] *= y.dtype.type(factor[j])


@kernel
def _softmax_columns_grad(dy, y, totals, dx):  # type: ignore[no-untyped-def]
    blocks = (y.shape[2] + BLOCK - 1) // BLOCK
    for k in prange(y.shape[0] * blocks):
        o, lo, hi = k // blocks, k % blocks * BLOCK, min((k % blocks + 1) * BLOCK, y.shape[2])
        _softmax_block_grad(dy[o], y[o], lo, totals[o][lo:hi], dx[o])


@inner
def _softmax_block_grad(dy, y, lo, total, dx):  # type: ignore[no-untyped-def]
    hi = lo + total.size
    for j in range(total.size):
        total[j] = 0.0
    for i in range(y.shape[0]):
        _add_products(dy[i][lo:hi], y[i][lo:hi], total)
    for i in range(y.shape[0]):
        _softmax_line_grad(dy[i][lo:hi], y[i][lo:hi], total, dx[i][lo:hi])


@inner
def _add_products(a, b, total):  # type: ignore[no-untyped-def]
    for j in range(a.size):
        total[j] += a[j] * b[j]


@inner
def _softmax_line_grad(dy, y, total, dx):  # type: ignore[no-untyped-def]
    for j in range(y.size):
        dx[j] = y[j] * (dy[j] - y.dtype.type(total[j]))


@kernel
def _log_softmax_columns(x, tops, totals, y):  # type: ignore[no-untyped-def]
    blocks = (x.shape[2] + BLOCK - 1) // BLOCK
    for k in prange(x.shape[0] * blocks):
        o, lo, hi = k // blocks, k % blocks * BLOCK, min((k % blocks + 1) * BLOCK, x.shape[2])
        _log_softmax_block(x[o], lo, tops[o][lo:hi], totals[o][lo:hi], y[o])


@inner
def _log_softmax_block(x, lo, top, total, y):  # type: ignore[no-untyped-def]
    hi = lo + top.size
    columns_largest(x, lo, top)
    columns_sum_of_exponentials(x, lo, top, total)
    for j in range(total.size):
        total[j] = log(total[j])
    for i in range(x.shape[0]):
        _log_softmax_line(x[i][lo:hi], top, total, y[i][lo:hi])


@inner
def _log_softmax_line(x, top, shift, y):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        y[j] = (x[j] - top[j]) - x.dtype.type(shift[j])


@kernel
def _log_softmax_columns_grad(dy, y, totals, dx):  # type: ignore[no-untyped-def]
    blocks = (y.shape[2] + BLOCK - 1) // BLOCK
    for k in prange(y.shape[0] * blocks):
        o, lo, hi = k // blocks, k % blocks * BLOCK, min((k % blocks + 1) * BLOCK, y.shape[2])
        _log_softmax_block_grad(dy[o], y[o], lo, totals[o][lo:hi], dx[o])


@inner
def _log_softmax_block_grad(dy, y, lo, total, dx):  # type: ignore[no-untyped-def]
    hi = lo + total.size
    for j in range(total.size):
        total[j] = 0.0
    for i in range(y.shape[0]):
        _add(dy[i][lo:hi], total)
    for i in range(y.shape[0]):
        _log_softmax_line_grad(dy[i][lo:hi], y[i][lo:hi], total, dx[i][lo:hi])


@inner
def _add(x, total):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        total[j] += x[j]


@inner
def _log_softmax_line_grad(dy, y, total, dx):  # type: ignore[no-untyped-def]
    for j in range(y.size):
        dx[j] = dy[j] - exp_negative(y[j]) * y.dtype.type(total[j])
