"""Long short-term memory: one layer, one direction, all steps. See recurrent.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import prange

from .arrays import Array
from .jit import inner, kernel
from .memory import empty
from .recurrent import (
    Gradients,
    add_sigmoid,
    add_tanh,
    affine,
    block_of,
    copy_of,
    multiply,
    packed,
    row_offsets,
    spans,
    total,
    unpad,
    weight_gradients,
)
from .vmath import tanh


def lstm_forward(
    x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None,
    w_hr: Array | None, *, sizes: Sequence[int], reverse: bool,
) -> tuple[tuple[Array, Array, Array], Any]:  # fmt: skip
    """``i, f, g, o = w_ih x + b_ih + w_hh h + b_hh; c = σ(f)·c + σ(i)·tanh(g); h = w_hr (σ(o)·tanh(c))`` at each step.

    x (N, I), the rows of all steps, of which step t has sizes[t], never more than the one before; h0 (B, P), c0 (B, H),
    B = sizes[0], w_ih (4H, I), w_hh (4H, P), b_ih, b_hh (4H,) or None, w_hr (P, H), or None and P = H → (y (N, P), h
    (B, P) and c (B, H) after the last step), cache. `reverse`: from the last step to the first. Parallel over blocks of
    sequences; accumulates in the dtype of `x`. Floor: 8·N·H·(I + P) FLOPs.
    """
    (n, _), (batch, out), hidden = x.shape, h0.shape, c0.shape[1]
    gates = affine(x, w_ih, True, total(b_ih, b_hh))
    h, c = copy_of(h0, h0.shape, x.dtype), copy_of(c0, c0.shape, x.dtype)
    y, before = empty((n, out), x.dtype), empty((n, out), x.dtype)
    cells, squashed = empty((n, hidden), x.dtype), empty((n, hidden), x.dtype)
    inside = empty((n if w_hr is not None else 0, hidden), x.dtype)
    starts, counts = spans(sizes, reverse)
    _lstm_steps(
        n * hidden * (out + 16) // 2, gates.reshape(-1), packed(w_hh, True), _projection(w_hr, True, x), starts, counts,
        h.reshape(-1), c.reshape(-1), y.reshape(-1), before.reshape(-1), cells.reshape(-1), squashed.reshape(-1),
        inside.reshape(-1), hidden, out, block_of(batch), batch,
    )  # fmt: skip
    return (y, h, c), (gates, before, cells, squashed, inside)


def lstm_backward(
    dy: Array | None, dh: Array | None, dc: Array | None, x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array,
    b_ih: Array | None, b_hh: Array | None, w_hr: Array | None, cache: Any, *, needs: Sequence[bool],
    sizes: Sequence[int], reverse: bool,
) -> Gradients:  # fmt: skip
    """The gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, from the last step back to the first.

    With dh and dc of all that follows: ``do = dh·tanh(c)``, dc ← dc + dh·o·(1 − tanh(c)²), ``di = dc·g``, ``df = dc·c₋``,
    ``dg = dc·i``, each times the slope of its own function; then dc ← dc·f and dh ← w_hhᵀ (di, df, dg, do).

    dy (N, P), dh (B, P), dc (B, H) or None for zeros. Parallel axis and accumulation as in `lstm_forward`; the sums over
    all steps are products. Floor: 8·N·H·(2·I + 2·P) FLOPs.
    """
    gates, before, cells, squashed, inside = cache
    (n, _), (batch, out), hidden = x.shape, h0.shape, c0.shape[1]
    dh0, dc0 = copy_of(dh, h0.shape, x.dtype), copy_of(dc, c0.shape, x.dtype)
    da, dhs = empty(gates.shape, x.dtype), copy_of(dy, (n, out), x.dtype)
    starts, counts = spans(sizes, not reverse)
    _lstm_steps_back(
        n * hidden * (out + 16) // 2, da.reshape(-1), dhs.reshape(-1), gates.reshape(-1), cells.reshape(-1),
        squashed.reshape(-1), packed(w_hh, False), _projection(w_hr, False, x), starts, counts, dh0.reshape(-1),
        dc0.reshape(-1), hidden, out, block_of(batch), batch,
    )  # fmt: skip
    dx = affine(da, w_ih, False) if needs[0] else None
    dw_ih, dw_hh, db = weight_gradients(da, x, before) if any(needs[3:7]) else [None] * 3
    dw_hr = weight_gradients(dhs, inside)[0] if needs[7] else None
    return [dx, dh0, dc0, dw_ih, dw_hh, db, None if db is None else db.copy(), dw_hr]


def _projection(w: Array | None, transposed: bool, like: Array) -> Array:
    return np.empty((0, 0, 0), like.dtype) if w is None else packed(w, transposed)


@kernel
def _lstm_steps(  # type: ignore[no-untyped-def]
    gates, w_hh, w_hr, starts, counts, h, c, y, before, cells, squashed, inside, hidden, out, block, batch
):
    for k in prange((batch + block - 1) // block):
        _lstm_block(
            gates, w_hh, w_hr, starts, counts, h, c, y, before, cells, squashed, inside, hidden, out,
            k * block, min(batch, (k + 1) * block),
        )  # fmt: skip


@inner
def _lstm_block(  # type: ignore[no-untyped-def]
    gates, w_hh, w_hr, starts, counts, h, c, y, before, cells, squashed, inside, hidden, out, lo, hi
):
    wide, narrow = w_hh.shape[0] * w_hh.shape[2], w_hr.shape[0] * w_hr.shape[2]
    v, of_states, of_inside = np.empty((hi - lo) * max(wide, narrow), h.dtype), row_offsets(out), row_offsets(hidden)
    for s in range(starts.size):
        rows = min(counts[s], hi) - lo
        if rows <= 0:
            continue
        at, first, size = (starts[s] + lo) * hidden, lo * hidden, rows * hidden
        there, begin, length = (starts[s] + lo) * out, lo * out, rows * out
        before[there : there + length] = h[begin : begin + length]
        cells[at : at + size] = c[first : first + size]
        multiply(rows, out, h, begin, out, of_states, w_hh, 4 * hidden, v)
        for r in range(rows):
            g, w, k = 4 * (at + r * hidden), r * wide, first + r * hidden
            add_sigmoid(gates[g : g + 2 * hidden], v[w : w + 2 * hidden])
            add_tanh(gates[g + 2 * hidden : g + 3 * hidden], v[w + 2 * hidden : w + 3 * hidden])
            add_sigmoid(gates[g + 3 * hidden : g + 4 * hidden], v[w + 3 * hidden : w + 4 * hidden])
            _cell(c[k : k + hidden], gates[g : g + hidden], gates[g + hidden : g + 2 * hidden],
                  gates[g + 2 * hidden : g + 3 * hidden])  # fmt: skip
        _tanh(squashed[at : at + size], c[first : first + size])
        for r in range(rows):
            g, k = 4 * (at + r * hidden) + 3 * hidden, at + r * hidden
            if narrow:
                _times(inside[k : k + hidden], gates[g : g + hidden], squashed[k : k + hidden])
            else:
                _times(h[first + r * hidden :], gates[g : g + hidden], squashed[k : k + hidden])
        if narrow:
            multiply(rows, hidden, inside, at, hidden, of_inside, w_hr, out, v)
            unpad(rows, out, v, narrow, h, begin)
        y[there : there + length] = h[begin : begin + length]


@inner
def _cell(c, i, f, g):  # type: ignore[no-untyped-def]
    for j in range(i.size):
        c[j] = f[j] * c[j] + i[j] * g[j]


@inner
def _tanh(y, x):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        y[j] = tanh(x[j])


@inner
def _times(z, x, y):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        z[j] = x[j] * y[j]


@kernel
def _lstm_steps_back(  # type: ignore[no-untyped-def]
    da, dhs, gates, cells, squashed, w_hh, w_hr, starts, counts, dh, dc, hidden, out, block, batch
):
    for k in prange((batch + block - 1) // block):
        _lstm_block_back(
            da, dhs, gates, cells, squashed, w_hh, w_hr, starts, counts, dh, dc, hidden, out,
            k * block, min(batch, (k + 1) * block),
        )  # fmt: skip


@inner
def _lstm_block_back(  # type: ignore[no-untyped-def]
    da, dhs, gates, cells, squashed, w_hh, w_hr, starts, counts, dh, dc, hidden, out, lo, hi
):
    wide, broad = w_hh.shape[0] * w_hh.shape[2], w_hr.shape[0] * w_hr.shape[2]
    v, of_gates, of_states = np.empty((hi - lo) * max(wide, broad), da.dtype), row_offsets(4 * hidden), row_offsets(out)
    for s in range(starts.size):
        rows = min(counts[s], hi) - lo
        if rows <= 0:
            continue
        at, there, begin, length = (starts[s] + lo) * hidden, (starts[s] + lo) * out, lo * out, rows * out
        _add(dhs[there : there + length], dh[begin : begin + length])
        if broad:  # of what is projected
            multiply(rows, out, dhs, there, out, of_states, w_hr, hidden, v)
        for r in range(rows):
            a, k, line = 4 * (at + r * hidden), at + r * hidden, v[r * broad : r * broad + hidden]
            d = dc[(lo + r) * hidden : (lo + r + 1) * hidden]
            i, f = gates[a : a + hidden], gates[a + hidden : a + 2 * hidden]
            g, o = gates[a + 2 * hidden : a + 3 * hidden], gates[a + 3 * hidden : a + 4 * hidden]
            t = squashed[k : k + hidden]
            if not broad:
                line = dhs[k : k + hidden]
            _cell_back(d, line, o, t)
            _sigmoid_back(da[a + 3 * hidden : a + 4 * hidden], line, t, o)
            _sigmoid_back(da[a : a + hidden], d, g, i)
            _sigmoid_back(da[a + hidden : a + 2 * hidden], d, cells[k : k + hidden], f)
            _tanh_back(da[a + 2 * hidden : a + 3 * hidden], d, i, g)
            _scale(d, f)
        multiply(rows, 4 * hidden, da, 4 * at, 4 * hidden, of_gates, w_hh, out, v)
        unpad(rows, out, v, wide, dh, begin)


@inner
def _add(y, x):  # type: ignore[no-untyped-def]
    for j in range(y.size):
        y[j] += x[j]


@inner
def _scale(y, x):  # type: ignore[no-untyped-def]
    for j in range(y.size):
        y[j] *= x[j]


@inner
def _cell_back(dc, dh, o, t):  # type: ignore[no-untyped-def]
    one = dc.dtype.type(1)
    for j in range(dc.size):
        dc[j] += dh[j] * o[j] * (one - t[j] * t[j])


@inner
def _sigmoid_back(da, d, other, y):  # type: ignore[no-untyped-def]
    """da = d · other · σ′, by y = σ."""
    one = da.dtype.type(1)
    for j in range(da.size):
        da[j] = d[j] * other[j] * (y[j] * (one - y[j]))


@inner
def _tanh_back(da, d, other, y):  # type: ignore[no-untyped-def]
    """da = d · other · tanh′, by y = tanh."""
    one = da.dtype.type(1)
    for j in range(da.size):
        da[j] = d[j] * other[j] * (one - y[j] * y[j])
