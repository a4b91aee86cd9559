"""The linear layer: y = x Wᵀ + b over the last axis."""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, contiguous, product
from .jit import inner, kernel
from .matmul import product_into
from .memory import empty


def linear_forward(x: Array, w: Array, b: Array | None) -> Array:
    """``y = x @ w.T + b``.

    x (..., in), w (out, in), b (out,) or None → y (..., out). Parallel over fixed blocks of rows or columns;
    accumulates in the dtype of `x`. Floor for M rows: M(in + out) + in·out elements, 2·M·in·out FLOPs.
    """
    rows, features = product(x.shape[:-1]), w.shape[0]
    y = empty((*x.shape[:-1], features), x.dtype)
    if b is not None and features == 0:
        b = None
    product_into(y, contiguous(x), False, contiguous(w), True, b, 1, rows, features, w.shape[1])
    return y


def linear_grad_input(dy: Array, w: Array) -> Array:
    """``dx = dy @ w``.

    dy (..., out), w (out, in) → dx (..., in). Parallel axis, accumulation and floor as in `linear_forward`.
    """
    dx = empty((*dy.shape[:-1], w.shape[1]), dy.dtype)
    rows = product(dy.shape[:-1])
    product_into(dx, contiguous(dy), False, contiguous(w), False, None, 1, rows, w.shape[1], w.shape[0])
    return dx


def linear_grad_weight(dy: Array, x: Array) -> Array:
    """``dw = dy.T @ x``, summed over all leading axes.

    dy (..., out), x (..., in) → dw (out, in). Parallel axis, accumulation and floor as in `linear_forward`.
    """
    dw = empty((dy.shape[-1], x.shape[-1]), dy.dtype)
    rows = product(dy.shape[:-1])
    product_into(dw, contiguous(dy), True, contiguous(x), False, None, 1, dy.shape[-1], x.shape[-1], rows)
    return dw


def linear_grad_bias(dy: Array) -> Array:
    """``db = dy`` summed over all leading axes.

    dy (..., out) → db (out,). Parallel over blocks of 64 columns; accumulates in float64, rows in order. Floor for M
    rows: M·out elements, M·out FLOPs.
    """
    columns = dy.shape[-1]
    db = empty((columns,), dy.dtype)
    _column_sums(dy.size, contiguous(dy).reshape(product(dy.shape[:-1]), columns), db)
    return db


@kernel
def _column_sums(dy, db):  # type: ignore[no-untyped-def]
    for block in prange((db.size + 63) // 64):
        _sum_block(dy, db, block * 64)


@inner
def _sum_block(dy, db, lo):  # type: ignore[no-untyped-def]
    width = min(64, db.size - lo)
    total = np.zeros(64, np.float64)
    for i in range(dy.shape[0]):
        line = dy[i, lo : lo + width]
        for j in range(line.size):
            total[j] += line[j]
    for j in range(width):
        db[lo + j] = total[j]
