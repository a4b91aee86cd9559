"""Matrix products."""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, contiguous
from .blas import gemm, gemm_address
from .jit import inner, kernel
from .memory import empty
from .product import product_by_tiles, serves


def matmul(a: Array, b: Array) -> Array:
    """``c = a @ b``, one matrix product or a batch of them.

    a (m, k), b (k, n) → c (m, n); or a (B, m, k), b (B, k, n) → c (B, m, n). A transposed view of a contiguous array
    is read in place. Parallel over the batch and fixed blocks of rows or columns; accumulates in the dtype of `a`.
    Floor: B(mk + kn + mn) elements, 2Bmkn FLOPs.
    """
    batch = 1 if a.ndim == 2 else a.shape[0]
    (m, k), n = a.shape[-2:], b.shape[-1]
    a, ta = _stored(a)
    b, tb = _stored(b)
    c = empty((m, n) if a.ndim == 2 else (batch, m, n), a.dtype)
    product_into(c, a, ta, b, tb, None, batch, m, n, k)
    return c


def _stored(x: Array) -> tuple[Array, bool]:
    """The contiguous array that holds `x`, and whether it holds it transposed."""
    if not x.flags.c_contiguous:
        turned = x.swapaxes(-1, -2)
        if turned.flags.c_contiguous:
            return contiguous(turned), True
    return contiguous(x), False


def product_into(
    c: Array, a: Array, ta: bool, b: Array, tb: bool, bias: Array | None, batch: int, m: int, n: int, k: int
) -> None:
    """c (batch, m, n) = op(a) op(b) + bias; the one compiled product that matmul and linear share."""
    flat_bias = np.empty(0, c.dtype) if bias is None else contiguous(bias)
    if batch and serves(m, n, k, c.dtype.itemsize):
        product_by_tiles(c.reshape(-1), a.reshape(-1), ta, b.reshape(-1), tb, flat_bias, batch, m, n, k)
        return
    by_rows, step = m >= n, max(m, n)
    if batch < 16:  # the cut depends on shapes alone; BLAS packs the other operand anew for each block
        step = -(-step // max(2 if step >= 128 else 1, min(8, step // 256)))
    _product(
        batch * m * n * (k + 1) // 8, gemm_address(c.dtype), ta, tb, batch, m, n, k,
        a.reshape(-1), b.reshape(-1), flat_bias, c.reshape(-1), by_rows, step,
    )  # fmt: skip


@kernel
def _product(address, ta, tb, batch, m, n, k, a, b, bias, c, by_rows, step):  # type: ignore[no-untyped-def]
    blocks = ((m if by_rows else n) + step - 1) // max(step, 1)
    for item in prange(batch * blocks):
        _block(address, ta, tb, m, n, k, a, b, bias, c, by_rows, step, item // blocks, item % blocks)


@inner
def _block(address, ta, tb, m, n, k, a, b, bias, c, by_rows, step, i, block):  # type: ignore[no-untyped-def]
    lo = block * step
    ao, bo, co = i * m * k, i * k * n, i * m * n
    lda, ldb = (m if ta else k), (k if tb else n)
    if by_rows:
        rows, columns, first = min(step, m - lo), n, 0
        ao += lo if ta else lo * k
        co += lo * n
    else:
        rows, columns, first = m, min(step, n - lo), lo
        bo += lo * k if tb else lo
        co += lo
    if bias.size > 0:
        for r in range(rows):
            line = c[co + r * n : co + r * n + columns]
            for j in range(line.size):
                line[j] = bias[first + j]
    gemm(address, ta, tb, rows, columns, k, a, ao, lda, b, bo, ldb, 1.0 if bias.size > 0 else 0.0, c, co, n)
