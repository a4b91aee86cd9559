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
    y = linear_forward(x, w_ih, total(b_ih, b_hh))
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
    db = linear_grad_bias(da) if needs[4] or needs[5] else None
    return [
        linear_grad_input(da, w_ih) if needs[0] else None,
        dh0,
        linear_grad_weight(da, x) if needs[2] else None,
        linear_grad_weight(da, before) if needs[3] else None,
        db if needs[4] else None,
        db.copy() if needs[5] and db is not None else None,
    ]


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
        multiply(rows, hidden, h, first, hidden, offsets, w, v)
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
        multiply(rows, hidden, da, at, hidden, offsets, w, v)
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
    panels = zeros((-(-n // columns), k, columns), w.dtype)
    if w.size:
        _pack.serial(contiguous(w), transposed, panels)
    return panels


@kernel
def _pack(w, transposed, panels):  # type: ignore[no-untyped-def]
    columns = panels.shape[2]
    for i in range(w.shape[0]):
        line = w[i]
        if transposed:
            panel = panels[i // columns]
            for p in range(line.size):
                panel[p, i % columns] = line[p]
        else:
            for lo in range(0, line.size, columns):
                part = line[lo : lo + columns]
                panels[lo // columns, i, : part.size] = part


# and inside kernels


@inner
def row_offsets(ld):  # type: ignore[no-untyped-def]
    """Where the rows of a tile begin."""
    offsets = np.empty(ROWS[0], np.int64)
    for i in range(ROWS[0]):
        offsets[i] = i * ld
    return offsets


@inner
def multiply(rows, size, x, xo, ldx, offsets, panels, t):  # type: ignore[no-untyped-def]
    """t (rows, every column of the panels) = x (rows, size), from `xo` on in rows of `ldx`, times the packed matrix."""
    columns = panels.shape[2]
    wide, step = panels.shape[0] * columns, size * columns
    w = panels.reshape(-1)
    t[: rows * wide] = 0
    for p in range(panels.shape[0]):
        i = 0
        while i < rows:
            height = ROWS[0]
            while height > rows - i:
                height //= 2
            outer_rows(
                height, VECTORS, x, xo + i * ldx, offsets, 0, 1, size, 0, w, p * step, columns,
                t, i * wide + p * columns, wide,
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
