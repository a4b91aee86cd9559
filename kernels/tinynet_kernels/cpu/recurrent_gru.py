"""Gated recurrent units: one layer, one direction, all steps. See recurrent.py."""

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
    affine,
    block_of,
    copy_of,
    multiply,
    packed,
    row_offsets,
    spans,
    weight_gradients,
)
from .vmath import tanh


def gru_forward(
    x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None,
    *, sizes: Sequence[int], reverse: bool,
) -> tuple[tuple[Array, Array], Any]:  # fmt: skip
    """``r, z = σ(a + v); n = tanh(a_n + r·v_n); h = n + z·(h − n)``, a = w_ih x + b_ih, v = w_hh h + b_hh, at each step.

    x (N, I), the rows of all steps, of which step t has sizes[t], never more than the one before; h0 (B, H), B =
    sizes[0], w_ih (3H, I), w_hh (3H, H), b_ih, b_hh (3H,) or None → (y (N, H), h after the last step (B, H)), cache.
    `reverse`: from the last step to the first. Parallel over blocks of sequences; accumulates in the dtype of `x`.
    Floor: 6·N·H·(I + H) FLOPs.
    """
    n, (batch, hidden) = len(x), h0.shape
    gates = affine(x, w_ih, True, b_ih)
    bias = np.zeros(3 * hidden, x.dtype) if b_hh is None else copy_of(b_hh, b_hh.shape, x.dtype)
    h = copy_of(h0, h0.shape, x.dtype)
    y, before, inside = (empty((n, hidden), x.dtype) for _ in range(3))
    starts, counts = spans(sizes, reverse)
    _gru_steps(
        n * hidden * (hidden + 16) // 2, gates.reshape(-1), packed(w_hh, True), bias, starts, counts, h.reshape(-1),
        y.reshape(-1), before.reshape(-1), inside.reshape(-1), hidden, block_of(batch), batch,
    )  # fmt: skip
    return (y, h), (gates, before, inside)


def gru_backward(
    dy: Array | None, dh: Array | None, x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None,
    b_hh: Array | None, cache: Any, *, needs: Sequence[bool], sizes: Sequence[int], reverse: bool,
) -> Gradients:  # fmt: skip
    """The gradients of x, h0, w_ih, w_hh, b_ih, b_hh, from the last step back to the first.

    With dh of all that follows: ``dn = dh·(1 − z)``, ``dz = dh·(h₋ − n)``, ``dr = dn′·v_n``, each times the slope of its
    own function (dn′ is dn with it); da = (dr, dz, dn), dv = (dr, dz, r·dn), and dh ← z·dh + w_hhᵀ dv.

    dy (N, H), dh (B, H) or None for zeros. Parallel axis and accumulation as in `gru_forward`; the sums over all steps
    are products. Floor: 6·N·H·(2·I + 2·H) FLOPs.
    """
    gates, before, inside = cache
    n, (batch, hidden) = len(x), h0.shape
    dh0, dhs = copy_of(dh, h0.shape, x.dtype), copy_of(dy, (n, hidden), x.dtype)
    da, dv = empty(gates.shape, x.dtype), empty(gates.shape, x.dtype)
    starts, counts = spans(sizes, not reverse)
    _gru_steps_back(
        n * hidden * (hidden + 16) // 2, da.reshape(-1), dv.reshape(-1), dhs.reshape(-1), gates.reshape(-1),
        before.reshape(-1), inside.reshape(-1), packed(w_hh, False), starts, counts, dh0.reshape(-1), hidden,
        block_of(batch), batch,
    )  # fmt: skip
    dx = affine(da, w_ih, False) if needs[0] else None
    dw_ih, db_ih = weight_gradients(da, x) if needs[2] or needs[4] else [None] * 2
    dw_hh, db_hh = weight_gradients(dv, before) if needs[3] or needs[5] else [None] * 2
    return [dx, dh0, dw_ih, dw_hh, db_ih, db_hh]


@kernel
def _gru_steps(  # type: ignore[no-untyped-def]
    gates, w, bias, starts, counts, h, y, before, inside, hidden, block, batch
):
    for k in prange((batch + block - 1) // block):
        _gru_block(gates, w, bias, starts, counts, h, y, before, inside, hidden, k * block, min(batch, (k + 1) * block))


@inner
def _gru_block(gates, w, bias, starts, counts, h, y, before, inside, hidden, lo, hi):  # type: ignore[no-untyped-def]
    wide = w.shape[0] * w.shape[2]
    v, offsets = np.empty((hi - lo) * wide, h.dtype), row_offsets(hidden)
    for s in range(starts.size):
        rows = min(counts[s], hi) - lo
        if rows <= 0:
            continue
        at, first, size = (starts[s] + lo) * hidden, lo * hidden, rows * hidden
        before[at : at + size] = h[first : first + size]
        multiply(rows, hidden, h, first, hidden, offsets, w, 3 * hidden, v)
        for r in range(rows):
            g, k, line = 3 * (at + r * hidden), at + r * hidden, v[r * wide : r * wide + 3 * hidden]
            _add(line, bias)
            add_sigmoid(gates[g : g + 2 * hidden], line[: 2 * hidden])
            inside[k : k + hidden] = line[2 * hidden :]
            _candidate(gates[g + 2 * hidden : g + 3 * hidden], gates[g : g + hidden], line[2 * hidden :])
            _state(h[first + r * hidden : first + (r + 1) * hidden], gates[g + hidden : g + 2 * hidden],
                   gates[g + 2 * hidden : g + 3 * hidden])  # fmt: skip
        y[at : at + size] = h[first : first + size]


@inner
def _add(y, x):  # type: ignore[no-untyped-def]
    for j in range(y.size):
        y[j] += x[j]


@inner
def _candidate(n, r, v):  # type: ignore[no-untyped-def]
    for j in range(n.size):
        n[j] = tanh(n[j] + r[j] * v[j])


@inner
def _state(h, z, n):  # type: ignore[no-untyped-def]
    for j in range(h.size):
        h[j] = n[j] + z[j] * (h[j] - n[j])


@kernel
def _gru_steps_back(  # type: ignore[no-untyped-def]
    da, dv, dhs, gates, before, inside, w, starts, counts, dh, hidden, block, batch
):
    for k in prange((batch + block - 1) // block):
        _gru_block_back(
            da, dv, dhs, gates, before, inside, w, starts, counts, dh, hidden, k * block, min(batch, (k + 1) * block)
        )


@inner
def _gru_block_back(  # type: ignore[no-untyped-def]
    da, dv, dhs, gates, before, inside, w, starts, counts, dh, hidden, lo, hi
):
    wide = w.shape[0] * w.shape[2]
    t, offsets = np.empty((hi - lo) * wide, da.dtype), row_offsets(3 * hidden)
    for s in range(starts.size):
        rows = min(counts[s], hi) - lo
        if rows <= 0:
            continue
        at, first, size = (starts[s] + lo) * hidden, lo * hidden, rows * hidden
        _add(dhs[at : at + size], dh[first : first + size])
        for i in range(rows):
            a, k = 3 * (at + i * hidden), at + i * hidden
            d, b, u = dhs[k : k + hidden], before[k : k + hidden], inside[k : k + hidden]
            r, z, n = gates[a : a + hidden], gates[a + hidden : a + 2 * hidden], gates[a + 2 * hidden : a + 3 * hidden]
            dn = da[a + 2 * hidden : a + 3 * hidden]
            _candidate_back(dn, d, z, n)
            _update_back(da[a + hidden : a + 2 * hidden], d, z, n, b)
            _reset_back(da[a : a + hidden], dn, r, u)
            dv[a : a + 2 * hidden] = da[a : a + 2 * hidden]
            _times(dv[a + 2 * hidden : a + 3 * hidden], dn, r)
        multiply(rows, 3 * hidden, dv, 3 * at, 3 * hidden, offsets, w, hidden, t)
        for i in range(rows):
            a, k = 3 * (at + i * hidden) + hidden, at + i * hidden
            line = dh[first + i * hidden : first + (i + 1) * hidden]
            _times(line, dhs[k : k + hidden], gates[a : a + hidden])
            _add(line, t[i * wide : i * wide + hidden])


@inner
def _times(z, x, y):  # type: ignore[no-untyped-def]
    for j in range(z.size):
        z[j] = x[j] * y[j]


@inner
def _candidate_back(dn, d, z, n):  # type: ignore[no-untyped-def]
    one = d.dtype.type(1)
    for j in range(dn.size):
        dn[j] = d[j] * (one - z[j]) * (one - n[j] * n[j])


@inner
def _update_back(dz, d, z, n, h):  # type: ignore[no-untyped-def]
    one = d.dtype.type(1)
    for j in range(dz.size):
        dz[j] = d[j] * (h[j] - n[j]) * (z[j] * (one - z[j]))


@inner
def _reset_back(dr, dn, r, v):  # type: ignore[no-untyped-def]
    one = r.dtype.type(1)
    for j in range(dr.size):
        dr[j] = dn[j] * v[j] * (r[j] * (one - r[j]))
