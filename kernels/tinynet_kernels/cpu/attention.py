"""Scaled dot-product attention that never holds the L × S array of weights.

Blocks of queries meet blocks of keys: scores, their exponentials and both products stay in the caches. The softmax is
made as the keys come, with the largest score so far, and what was summed is scaled down whenever that grows. The
forward keeps the logarithm of each row's sum, from which the backward makes the weights again, block by block.

Sources: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao, Fu, Ermon, Rudra, Ré,
"FlashAttention", NeurIPS 2022.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, product
from .attention_tiles import (
    FREE,
    KEYS,
    QUERIES,
    Rows,
    add_mask,
    add_over_keys,
    add_over_queries,
    dropout_table,
    fill_masked,
    keep,
    like,
    mask_rows,
    scores,
    table,
    turned,
    whole,
)
from .attention_vectors import LOG2E, exponentials, weights
from .jit import inner, kernel
from .memory import empty
from .simd import lanes
from .vmath import log

_AHEAD = 8  # units of work that a backward is cut into, where there are fewer matrices

Dropout = tuple[int, int, int, float]


def attention_forward(
    q: Array, k: Array, v: Array, mask: Array | None, *, scale: float, causal: bool, dropout: Dropout | None = None
) -> tuple[Array, Array]:
    """``y = softmax(scale · q kᵀ + mask) v``, the softmax over the keys; and the logarithms of its sums.

    q (*, L, E), k (*, S, E), v (*, S, F), leading axes broadcast to B; mask broadcastable to (B, L, S), or None → y
    (B, L, F), lse (items, L), +∞ for rows without a key that counts, which are 0. Causal: keys up to the query's
    number. dropout: key and counter of the generator, least word that is kept, p. Parallel over matrices and blocks of
    64 queries; accumulates in the dtype of q. Floor: the arrays once, 2LS(E + F) FLOPs a matrix, half if causal.
    """
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    (length, size), (s, width) = q.shape[-2:], v.shape[-2:]
    items = product(batch)
    lse = empty((items, length), q.dtype)
    wide = whole(width, q.dtype)
    y = like(q, (*batch, length, wide)) if wide == width else empty((*batch, length, wide), q.dtype)
    depth = whole(size, q.dtype)
    if y.size and s:
        qs, ks, vs, ys = Rows(q, batch, depth), Rows(k, batch, depth), Rows(v, batch, wide), Rows(y, batch, wide)
        masks, mask_flat, along_q, along_k = mask_rows(mask, batch, qs)
        keys, least, kept = dropout_table(dropout)
        places = table(items, qs, ks, vs, ys, masks)
        _forward(
            items * length * s * (depth + wide) // 8, qs.flat, ks.flat, vs.flat, mask_flat, places,
            (qs.step, ks.step, vs.step, ys.step, along_q, along_k), (length, s, depth, wide, lanes(q.dtype)),
            float(scale), causal, keys, least, kept, ys.flat, lse,
        )  # fmt: skip
    else:
        y.fill(0)
        lse.fill(np.inf)
    return (y if wide == width else y[..., :width]), lse


@kernel
def _forward(q, k, v, mask, places, steps, sizes, scale, causal, keys, least, kept, y, lse):  # type: ignore[no-untyped-def]
    blocks = (sizes[0] + QUERIES - 1) // QUERIES
    for unit in prange(places.shape[0] * blocks):
        _forward_block(
            q, k, v, mask, places[unit // blocks], steps, sizes, scale, causal, keys, least, kept, y, lse,
            unit // blocks, unit % blocks * QUERIES,
        )  # fmt: skip


@inner
def _forward_block(q, k, v, mask, places, steps, sizes, scale, causal, keys, least, kept, y, lse, item, q0):  # type: ignore[no-untyped-def]
    ldq, ldk, ldv, ldy, along_q, along_k = steps
    length, total, depth, wide, lane = sizes
    rows = min(QUERIES, length - q0)
    columns = (rows + lane - 1) // lane
    qt = np.empty(depth * QUERIES, q.dtype)
    turned(q, places[0] + q0 * ldq, ldq, rows, depth, scale * LOG2E, qt, lane)
    s = np.empty(KEYS * QUERIES, q.dtype)
    o = np.zeros(QUERIES * wide, q.dtype)
    top, sums, shrink = np.full(QUERIES, -np.inf, q.dtype), np.zeros(QUERIES, q.dtype), np.empty(QUERIES, q.dtype)
    f = np.empty(KEYS * QUERIES if keys.size else 0, q.dtype)
    words = np.empty((KEYS // 4 if keys.size else 0, 4), np.uint32)
    end = min(total, q0 + rows) if causal else total
    for k0 in range(0, end, KEYS):
        n, skew = min(KEYS, end - k0), k0 - q0 if causal else FREE
        scores(n, columns, depth, k, places[1] + k0 * ldk, ldk, qt, 0, s, lane, skew)
        if causal:
            fill_masked(s, n, skew, -np.inf)
        if mask.size:
            add_mask(s, n, rows, mask, places[4] + q0 * along_q + k0 * along_k, along_q, along_k)
        exponentials(s, n, columns, top, sums, shrink)
        if k0:
            for i in range(rows):
                if shrink[i] != 1:
                    _scale(o[i * wide : (i + 1) * wide], shrink[i])
        if keys.size:
            across = (total + 3) // 4
            keep(keys, (item * length + q0) * across + k0 // 4, across, rows, n, least, q.dtype.type(kept), words, f)
            _multiply(s[: n * QUERIES], f[: n * QUERIES])
        add_over_keys(rows, wide // lane, n, s, v, places[2] + k0 * ldv, ldv, o, wide, lane, skew)
    for i in range(rows):
        dead = sums[i] == 0
        at = places[3] + (q0 + i) * ldy
        _scaled(o[i * wide : (i + 1) * wide], y.dtype.type(0) if dead else 1 / sums[i], y[at : at + wide])
        lse[item, q0 + i] = np.inf if dead else top[i] / LOG2E + log(sums[i])


@inner
def _scale(x, factor):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        x[i] *= factor


@inner
def _scaled(x, factor, y):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        y[i] = x[i] * factor


@inner
def _multiply(x, y):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        x[i] *= y[i]


def attention_backward(
    dy: Array,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    y: Array,
    lse: Array,
    *,
    scale: float,
    causal: bool,
    dropout: Dropout | None = None,
    grad_mask: bool = False,
) -> tuple[Array, Array, Array, Array | None]:
    """Gradients of q, k, v, and of the mask if asked for, all with the leading axes B: the caller undoes broadcasting.

    ``a = exp(scale · q kᵀ + mask − lse)``, ``dv = aᵀ dy``, ``ds = a ⊙ (dy vᵀ − Σ dy ⊙ y)``, ``dq = scale · ds k``,
    ``dk = scale · dsᵀ q``, ``dmask = ds``.

    dy, y (B, L, F), lse from the forward, the rest as there. Parallel over matrices (where there are fewer than 8, and
    runs of blocks of queries, whose dk and dv are then summed in order); accumulates in the dtype of q. Floor: the
    arrays once, LS(6E + 4F) FLOPs a matrix, half if causal. The mask's gradient takes an array (B, L, S).
    """
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    (length, size), (s, width) = q.shape[-2:], v.shape[-2:]
    items, dtype = product(batch), q.dtype
    depth, wide = whole(size, dtype), whole(width, dtype)
    dmask = empty((*batch, s, length) if grad_mask else (0,), dtype)
    runs = _runs(items, -(-length // QUERIES))
    if runs == 1 and depth == size and wide == width:
        dq, dk, dv = like(q, (*batch, length, size)), like(k, (*batch, s, size)), like(v, (*batch, s, width))
    else:
        dq, dk, dv = (empty((*batch, n, w), dtype) for n, w in ((length, depth), (s, depth), (s, wide)))
    parts = (dk, dv) if runs == 1 else tuple(empty((runs, *x.shape), dtype) for x in (dk, dv))
    if dq.size and dv.size:
        arrays = ((q, depth), (k, depth), (v, wide), (dy, wide), (y, wide), (dq, depth))
        qs, ks, vs, dys, ys, dqs = (Rows(x, batch, n) for x, n in arrays)
        dks, dvs = (Rows(x if runs == 1 else x[0], batch, x.shape[-1]) for x in parts)
        masks, mask_flat, along_q, along_k = mask_rows(mask, batch, qs)
        keys, least, kept = dropout_table(dropout)
        places = table(items, qs, ks, vs, dys, ys, dqs, dks, dvs, masks)
        steps = (qs.step, ks.step, vs.step, dys.step, ys.step, dqs.step, dks.step, dvs.step, along_q, along_k)
        _backward(
            items * length * s * (depth + wide) // 4, qs.flat, ks.flat, vs.flat, dys.flat, ys.flat, lse, mask_flat,
            places, steps, (length, s, depth, wide, lanes(dtype), runs),
            float(scale), causal, keys, least, kept,
            dqs.flat, parts[0].reshape(-1) if runs > 1 else dks.flat, parts[1].reshape(-1) if runs > 1 else dvs.flat,
            dmask.reshape(-1),
        )  # fmt: skip
        if runs > 1:
            for x, part in zip((dk, dv), parts, strict=True):
                np.sum(part, axis=0, out=x)
    else:
        for x in (dq, dk, dv, dmask):
            x.fill(0)
    if depth != size:
        dq, dk = dq[..., :size], dk[..., :size]
    if wide != width:
        dv = dv[..., :width]
    return dq, dk, dv, dmask.swapaxes(-1, -2) if grad_mask else None


def _runs(items: int, blocks: int) -> int:
    """How many units of work a matrix is."""
    return 1 if items >= _AHEAD or not items else max(1, min(blocks, _AHEAD // items))


@kernel
def _backward(q, k, v, dy, y, lse, mask, places, steps, sizes, scale, causal, keys, least, kept, dq, dk, dv, dmask):  # type: ignore[no-untyped-def]
    runs = sizes[5]
    for unit in prange(places.shape[0] * runs):
        _backward_run(
            q, k, v, dy, y, lse, mask, places[unit // runs], steps, sizes, scale, causal, keys, least, kept,
            dq, dk, dv, dmask, unit // runs, unit % runs, places.shape[0],
        )  # fmt: skip


@inner
def _backward_run(  # type: ignore[no-untyped-def]
    q, k, v, dy, y, lse, mask, places, steps, sizes, scale, causal, keys, least, kept, dq, dk, dv, dmask, item, run,
    items
):  # fmt: skip
    ldq, ldk, ldv, lddy, ldy, lddq, lddk, lddv, along_q, along_k = steps
    length, total, depth, wide, lane, runs = sizes
    qt, dyt = np.empty(depth * QUERIES, q.dtype), np.empty(wide * QUERIES, q.dtype)
    a, ds = np.empty(KEYS * QUERIES, q.dtype), np.empty(KEYS * QUERIES, q.dtype)
    dqs = np.empty(QUERIES * depth, q.dtype)
    log_sum, mean = np.zeros(QUERIES, q.dtype), np.zeros(QUERIES, q.dtype)
    f = np.empty(KEYS * QUERIES if keys.size else 0, q.dtype)
    words = np.empty((KEYS // 4 if keys.size else 0, 4), np.uint32)
    dk0 = places[6] + run * items * total * depth
    dv0 = places[7] + run * items * total * wide
    for i in range(total):
        dk[dk0 + i * lddk : dk0 + i * lddk + depth] = 0
        dv[dv0 + i * lddv : dv0 + i * lddv + wide] = 0
    blocks = (length + QUERIES - 1) // QUERIES
    for block in range(run * blocks // runs, (run + 1) * blocks // runs):
        q0 = block * QUERIES
        rows = min(QUERIES, length - q0)
        columns = (rows + lane - 1) // lane
        turned(q, places[0] + q0 * ldq, ldq, rows, depth, scale * LOG2E, qt, lane)
        turned(dy, places[3] + q0 * lddy, lddy, rows, wide, 1.0, dyt, lane)
        for i in range(rows):
            at, other = places[3] + (q0 + i) * lddy, places[4] + (q0 + i) * ldy
            mean[i] = _dot(dy[at : at + wide], y[other : other + wide])
            log_sum[i] = lse[item, q0 + i] * LOG2E
        dqs[:] = 0
        end = min(total, q0 + rows) if causal else total
        for k0 in range(0, end, KEYS):
            n, skew = min(KEYS, end - k0), k0 - q0 if causal else FREE
            scores(n, columns, depth, k, places[1] + k0 * ldk, ldk, qt, 0, a, lane, skew)
            scores(n, columns, wide, v, places[2] + k0 * ldv, ldv, dyt, 0, ds, lane, skew)
            if causal:
                fill_masked(a, n, skew, -np.inf)
                fill_masked(ds, n, skew, 0.0)
            if mask.size:
                add_mask(a, n, rows, mask, places[8] + q0 * along_q + k0 * along_k, along_q, along_k)
            if keys.size:
                across = (total + 3) // 4
                keep(
                    keys, (item * length + q0) * across + k0 // 4, across, rows, n, least, q.dtype.type(kept), words, f
                )
                _multiply(ds[: n * QUERIES], f[: n * QUERIES])
            weights(a, ds, n, columns, log_sum, mean)
            if dmask.size:
                for i in range(n):
                    at = (item * total + k0 + i) * length + q0
                    dmask[at : at + rows] = ds[i * QUERIES : i * QUERIES + rows]
            if keys.size:
                _multiply(a[: n * QUERIES], f[: n * QUERIES])
            at, other = dv0 + k0 * lddv, dk0 + k0 * lddk
            add_over_queries(n, wide // lane, rows, a, dy, places[3] + q0 * lddy, lddy, dv, at, lddv, lane, skew)
            add_over_queries(n, depth // lane, rows, ds, q, places[0] + q0 * ldq, ldq, dk, other, lddk, lane, skew)
            add_over_keys(rows, depth // lane, n, ds, k, places[1] + k0 * ldk, ldk, dqs, depth, lane, skew)
        for i in range(rows):
            at = places[5] + (q0 + i) * lddq
            _scaled(dqs[i * depth : (i + 1) * depth], q.dtype.type(scale), dq[at : at + depth])
    for i in range(total):
        _scale(dk[dk0 + i * lddk : dk0 + i * lddk + depth], q.dtype.type(scale))


@inner(fastmath=("contract", "reassoc", "nsz"))
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = a.dtype.type(0)
    for i in range(a.size):
        total += a[i] * b[i]
    return total
