"""Recurrent layers: what LSTM, GRU and Elman's network share, and Elman's network.

The products of all inputs with W_ih are one product before the steps, and so are the gradients of W_ih, W_hh and x
after them. What is left in a step is the product of the states with W_hh, which is packed once a sequence into panels
of columns as the tiles of gemm.py read them, and the arithmetic of the gates on its result while that is in the cache.

Sequences are independent, so kernels are parallel over fixed blocks of them, each through all of its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import prange

from . import simd
from .arrays import Array, contiguous
from .gemm import ROWS, VECTORS, outer_rows
from .jit import inner, kernel
from .linear import linear_forward, linear_grad_bias, linear_grad_input, linear_grad_weight
from .memory import empty, zeros
from .vmath import sigmoid, tanh

_ROWS = 64  # of a block of a product: a multiple of every tile's height
_PACKED = 64  # rows of a product from which it is worth while to pack a matrix for it
_FEW = 16  # rows of a product that stay in the first cache until they are written
_CHUNK = 128  # of a sum: 128 rows of a panel are 24 KiB, and stay in the first cache
Gradients = list[Array | None]


def rnn_forward(
    x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None,
    *, sizes: Sequence[int], reverse: bool, relu: bool,
) -> tuple[tuple[Array, Array], Any]:  # fmt: skip
    """``h = f(w_ih x + b_ih + w_hh h + b_hh)`` at each step, f tanh or max(·, 0).

    x (N, I), the rows of all steps, of which step t has sizes[t], never more than the one before; h0 (B, H), B =
    sizes[0], w_ih (H, I), w_hh (H, H), b_ih, b_hh (H,) or None → (y (N, H), h after the last step (B, H)), cache.
    `reverse`: from the last step to the first. Parallel over blocks of sequences; accumulates in the dtype of `x`.
    Floor: 2·N·H·(I + H) FLOPs.
    """
    hidden = h0.shape[1]
    y = affine(x, w_ih, True, total(b_ih, b_hh))
    h, before = copy_of(h0, h0.shape, x.dtype), empty((len(x), hidden), x.dtype)
    starts, counts = spans(sizes, reverse)
    _rnn_steps(
        x.shape[0] * hidden * (hidden + 16) // 8, y.reshape(-1), packed(w_hh, True), starts, counts,
        h.reshape(-1), before.reshape(-1), hidden, relu, block_of(h0.shape[0]), h0.shape[0],
    )  # fmt: skip
    return (y, h), (y.copy(), before)


def rnn_backward(
    dy: Array | None, dh: Array | None, x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None,
    b_hh: Array | None, cache: Any, *, needs: Sequence[bool], sizes: Sequence[int], reverse: bool, relu: bool,
) -> Gradients:  # fmt: skip
    """The gradients of x, h0, w_ih, w_hh, b_ih, b_hh: with dh of all that follows, ``da = dh · f′``, dh ← w_hhᵀ da.

    dy (N, H), dh (B, H) or None for zeros. Parallel axis and accumulation as in `rnn_forward`; the sums over all steps
    are products. Floor: 2·N·H·(2·I + 2·H) FLOPs.
    """
    y, before = cache
    hidden = h0.shape[1]
    dh0 = copy_of(dh, h0.shape, x.dtype)
    da = copy_of(dy, y.shape, x.dtype)
    starts, counts = spans(sizes, not reverse)
    _rnn_steps_back(
        x.shape[0] * hidden * (hidden + 16) // 8, da.reshape(-1), y.reshape(-1), packed(w_hh, False), starts, counts,
        dh0.reshape(-1), hidden, relu, block_of(h0.shape[0]), h0.shape[0],
    )  # fmt: skip
    dx = affine(da, w_ih, False) if needs[0] else None
    dw_ih, dw_hh, db = weight_gradients(da, x, before) if any(needs[2:]) else [None] * 3
    return [dx, dh0, dw_ih, dw_hh, db, None if db is None else db.copy()]


@kernel
def _rnn_steps(a, w, starts, counts, h, before, hidden, relu, block, batch):  # type: ignore[no-untyped-def]
    for k in prange((batch + block - 1) // block):
        _rnn_block(a, w, starts, counts, h, before, hidden, relu, k * block, min(batch, (k + 1) * block))


@inner
def _rnn_block(a, w, starts, counts, h, before, hidden, relu, lo, hi):  # type: ignore[no-untyped-def]
    wide = w.shape[0] * w.shape[2]
    v, offsets = np.empty((hi - lo) * wide, a.dtype), row_offsets(hidden)
    for s in range(starts.size):
        rows = min(counts[s], hi) - lo
        if rows <= 0:
            continue
        at, first, size = (starts[s] + lo) * hidden, lo * hidden, rows * hidden
        before[at : at + size] = h[first : first + size]
        multiply(rows, hidden, h, first, hidden, offsets, w, hidden, v)
        for r in range(rows):
            line = a[at + r * hidden : at + (r + 1) * hidden]
            if relu:
                add_relu(line, v[r * wide : r * wide + hidden])
            else:
                add_tanh(line, v[r * wide : r * wide + hidden])
        h[first : first + size] = a[at : at + size]


@kernel
def _rnn_steps_back(da, y, w, starts, counts, dh, hidden, relu, block, batch):  # type: ignore[no-untyped-def]
    for k in prange((batch + block - 1) // block):
        _rnn_block_back(da, y, w, starts, counts, dh, hidden, relu, k * block, min(batch, (k + 1) * block))


@inner
def _rnn_block_back(da, y, w, starts, counts, dh, hidden, relu, lo, hi):  # type: ignore[no-untyped-def]
    wide = w.shape[0] * w.shape[2]
    v, offsets = np.empty((hi - lo) * wide, da.dtype), row_offsets(hidden)
    for s in range(starts.size):
        rows = min(counts[s], hi) - lo
        if rows <= 0:
            continue
        at, first, size = (starts[s] + lo) * hidden, lo * hidden, rows * hidden
        if relu:
            _relu_back(da[at : at + size], dh[first : first + size], y[at : at + size])
        else:
            _tanh_back(da[at : at + size], dh[first : first + size], y[at : at + size])
        multiply(rows, hidden, da, at, hidden, offsets, w, hidden, v)
        unpad(rows, hidden, v, wide, dh, first)


@inner
def _relu_back(da, dh, y):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for j in range(da.size):
        d = da[j] + dh[j]
        da[j] = zero if y[j] <= zero else d


@inner
def _tanh_back(da, dh, y):  # type: ignore[no-untyped-def]
    one = y.dtype.type(1)
    for j in range(da.size):
        da[j] = (da[j] + dh[j]) * (one - y[j] * y[j])


# what the families share: launchers


def spans(sizes: Sequence[int], reverse: bool) -> tuple[Array, Array]:
    """The first row of each step, and how many it has, in the order in which the steps are taken."""
    counts = np.array(sizes, np.int64)
    starts = np.cumsum(counts) - counts
    return (starts[::-1].copy(), counts[::-1].copy()) if reverse else (starts, counts)


def block_of(batch: int) -> int:
    """How many sequences are taken together: it depends on their number alone, so that results do too."""
    return 16 if batch <= 32 else 32


def total(a: Array | None, b: Array | None) -> Array | None:
    """a + b, either of which may be None."""
    return b if a is None else a if b is None else a + b


def copy_of(x: Array | None, shape: tuple[int, ...], dtype: Any) -> Array:
    """A new array with the numbers of `x`; zeros for None."""
    if x is None:
        return zeros(shape, dtype)
    copy = empty(shape, dtype)
    copy[...] = x
    return copy


def packed(w: Array, transposed: bool) -> Array:
    """op(w) (k, n) as panels (⌈n/48⌉, k, 48) of columns, 48 standing for 3 vectors; zeros behind the last column."""
    k, n = w.shape[::-1] if transposed else w.shape
    columns = VECTORS * simd.lanes(w.dtype)
    panels = empty((-(-n // columns), k, columns), w.dtype)
    if w.size:
        _pack(w.size, contiguous(w).reshape(-1), *w.shape, transposed, panels.reshape(-1), len(panels), columns)
    return panels


@kernel
def _pack(w, rows, width, transposed, panels, count, columns):  # type: ignore[no-untyped-def]
    for p in prange(count):
        if transposed:
            _pack_transposed(w, rows, width, p * columns, panels, p * columns * width, columns)
        else:
            _pack_rows(w, rows, width, p * columns, panels, p * columns * rows, columns)


@inner
def _pack_rows(w, rows, width, lo, panels, at, columns):  # type: ignore[no-untyped-def]
    lanes, filled = columns // VECTORS, min(columns, width - lo)
    for i in range(rows):
        for v in range(0, filled, lanes):
            simd.move(w, i * width + lo + v, panels, at + i * columns + v, min(lanes, filled - v))
        panels[at + i * columns + filled : at + (i + 1) * columns] = 0


@inner
def _pack_transposed(w, rows, width, lo, panels, at, columns):  # type: ignore[no-untyped-def]
    lanes = columns // VECTORS
    for v in range(0, columns, lanes):
        height = max(min(lanes, rows - lo - v), 0)
        for k in range(0, width, lanes):
            count, there = min(lanes, width - k), at + k * columns + v
            if height:
                simd.transpose(w, (lo + v) * width + k, width, height, count, panels, there, columns)
            else:
                for j in range(count):
                    panels[there + j * columns : there + j * columns + lanes] = 0


def affine(x: Array, w: Array, transposed: bool, b: Array | None = None) -> Array:
    """x (M, k) · op(w) (k, n) + b: parallel over blocks of 64 rows; by BLAS where there are too few to pack w for."""
    if len(x) < _PACKED:
        return linear_forward(x, w, b) if transposed else linear_grad_input(x, w)
    k, n = w.shape[::-1] if transposed else w.shape
    y = empty((len(x), n), x.dtype)
    bias = np.zeros(n, x.dtype) if b is None else contiguous(b)
    if y.size:
        _affine(y.size * (k + 1) // 8, contiguous(x).reshape(-1), len(x), k, packed(w, transposed), bias, y.reshape(-1))
    return y


@kernel
def _affine(x, rows, size, w, bias, y):  # type: ignore[no-untyped-def]
    for block in prange((rows + _ROWS - 1) // _ROWS):
        _affine_block(x, size, w, bias, y, block * _ROWS, min(rows, (block + 1) * _ROWS))


@inner
def _affine_block(x, size, w, bias, y, lo, hi):  # type: ignore[no-untyped-def]
    wide, columns, offsets = w.shape[0] * w.shape[2], bias.size, row_offsets(size)
    t = np.empty(_FEW * wide, y.dtype)
    for first in range(lo, hi, _FEW):
        rows = min(_FEW, hi - first)
        multiply(rows, size, x, first * size, size, offsets, w, columns, t)
        for r in range(rows):
            at = (first + r) * columns
            _sum(y[at : at + columns], t[r * wide : r * wide + columns], bias)


@inner
def _sum(z, x, y):  # type: ignore[no-untyped-def]
    for j in range(z.size):
        z[j] = x[j] + y[j]


def weight_gradients(da: Array, *xs: Array) -> list[Array]:
    """daᵀ (M, N) · x (N, n) for one or two x, and the sums of da's columns (M,).

    Parallel over blocks of 64 rows of the results; N is summed in chunks of 128 rows, in order, the sums of columns in
    float64. BLAS computes the products where there are few rows.
    """
    if len(da) < _PACKED:
        return [*(linear_grad_weight(da, x) for x in xs), linear_grad_bias(da)]
    dws = [zeros((da.shape[1], x.shape[1]), x.dtype) for x in xs]
    db = zeros((da.shape[1],), da.dtype)
    if da.size:
        panels, flat = [packed(x, False) for x in xs], [dw.reshape(-1) for dw in dws]
        if len(xs) == 1:
            panels, flat = [*panels, empty((0, 0, 1), da.dtype)], [*flat, empty((0,), da.dtype)]
        work = sum(dw.size for dw in dws) * (len(da) + 1) // 8
        _weight_gradients(work, contiguous(da).reshape(-1), *da.shape, *panels, *flat, db)
    return [*dws, db]


@kernel
def _weight_gradients(da, rows, height, x, z, dw, du, db):  # type: ignore[no-untyped-def]
    for block in prange((height + _ROWS - 1) // _ROWS):
        _weight_block(da, rows, height, x, z, dw, du, db, block * _ROWS, min(height, (block + 1) * _ROWS))


@inner
def _weight_block(da, rows, height, x, z, dw, du, db, lo, hi):  # type: ignore[no-untyped-def]
    wide, broad, lanes = x.shape[0] * x.shape[2], z.shape[0] * z.shape[2], x.shape[2] // VECTORS
    turned, offsets, sums = np.empty(_ROWS * _CHUNK, da.dtype), row_offsets(_CHUNK), np.zeros(_ROWS, np.float64)
    t, u = np.zeros((hi - lo) * wide, da.dtype), np.zeros((hi - lo) * broad, da.dtype)
    for k in range(0, rows, _CHUNK):
        size = min(_CHUNK, rows - k)
        for j in range(lo, hi, lanes):
            for i in range(0, size, lanes):
                simd.transpose(
                    da, (k + i) * height + j, height, min(lanes, size - i), min(lanes, hi - j),
                    turned, (j - lo) * _CHUNK + i, _CHUNK,
                )  # fmt: skip
        for j in range(hi - lo):
            sums[j] += _line_sum(turned[j * _CHUNK : j * _CHUNK + size])
        add_product(hi - lo, size, turned, 0, _CHUNK, offsets, x, k, dw.size // height, t)
        add_product(hi - lo, size, turned, 0, _CHUNK, offsets, z, k, du.size // height, u)
    unpad(hi - lo, dw.size // height, t, wide, dw, lo * (dw.size // height))
    unpad(hi - lo, du.size // height, u, broad, du, lo * (du.size // height))
    for j in range(hi - lo):
        db[lo + j] = sums[j]


@inner(fastmath=("contract", "reassoc"))
def _line_sum(x):  # type: ignore[no-untyped-def]
    total = np.float64(0)
    for j in range(x.size):
        total += np.float64(x[j])
    return total


# and inside kernels


@inner
def row_offsets(ld):  # type: ignore[no-untyped-def]
    """Where the rows of a tile begin."""
    offsets = np.empty(ROWS[0], np.int64)
    for i in range(ROWS[0]):
        offsets[i] = i * ld
    return offsets


@inner
def multiply(rows, size, x, xo, ldx, offsets, panels, columns, t):  # type: ignore[no-untyped-def]
    """t (rows, every column of the panels) = x (rows, size), from `xo` on in rows of `ldx`, times the packed matrix.

    Only the first `columns` of the product are needed.
    """
    t[: rows * panels.shape[0] * panels.shape[2]] = 0
    for k in range(0, size, _CHUNK):  # a panel's part that stays in the first cache
        add_product(rows, min(_CHUNK, size - k), x, xo + k, ldx, offsets, panels, k, columns, t)


@inner
def add_product(rows, size, x, xo, ldx, offsets, panels, first, columns, t):  # type: ignore[no-untyped-def]
    """t += x times the rows of the packed matrix from `first` on."""
    panel = panels.shape[2]
    wide, step, lanes, w = panels.shape[0] * panel, panels.shape[1] * panel, panel // VECTORS, panels.reshape(-1)
    for p in range(panels.shape[0]):
        vectors, i = min(VECTORS, (columns - p * panel + lanes - 1) // lanes), 0
        while i < rows:
            height = ROWS[0]
            while height > rows - i:
                height //= 2
            outer_rows(
                height, vectors, x, xo + i * ldx, offsets, 0, 1, size, 0, w, p * step + first * panel, panel,
                t, i * wide + p * panel, wide,
            )  # fmt: skip
            i += height


@inner
def unpad(rows, columns, t, wide, y, yo):  # type: ignore[no-untyped-def]
    """y (rows, columns) from `yo` on = the first columns of t (rows, wide)."""
    for r in range(rows):
        y[yo + r * columns : yo + (r + 1) * columns] = t[r * wide : r * wide + columns]


@inner
def add_tanh(a, v):  # type: ignore[no-untyped-def]
    """a ← tanh(a + v)."""
    for j in range(a.size):
        a[j] = tanh(a[j] + v[j])


@inner
def add_sigmoid(a, v):  # type: ignore[no-untyped-def]
    """a ← σ(a + v)."""
    for j in range(a.size):
        a[j] = sigmoid(a[j] + v[j])


@inner
def add_relu(a, v):  # type: ignore[no-untyped-def]
    """a ← max(a + v, 0)."""
    zero = a.dtype.type(0)
    for j in range(a.size):
        a[j] = max(a[j] + v[j], zero)
