"""Optimizer steps, in place: one pass over a parameter and its state.

The constants of a step are computed in float64, as PyTorch's Python does; the elements in the parameter's dtype.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .arrays import Array, contiguous
from .jit import inner, kernel

_CHUNK = 16384


def sgd_step_(
    p: Array,
    g: Array,
    buf: Array | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """``g ← ±g + weight_decay · p``, ``buf ← momentum · buf + (1 − dampening) · g``, ``p ← p − lr · d``.

    d is buf, g + momentum · buf (`nesterov`), or g (`buf` None); on the `first` step buf becomes g itself. p, g, buf
    of one shape and dtype; p and buf contiguous, changed in place; g is only read. Parallel over chunks of 16384
    elements. Floor: p and buf read and written once, g read once, 6 FLOPs an element.
    """
    state = np.empty(0, p.dtype) if buf is None else _flat(buf)
    _sgd(
        p.size * 3, _flat(p), contiguous(g).reshape(-1), state, float(lr), float(momentum), 1.0 - float(dampening),
        float(weight_decay), nesterov, maximize, first,
    )  # fmt: skip


def adam_step_(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    vmax: Array | None,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    amsgrad: bool,
    maximize: bool,
    step: int,
) -> None:
    """``m ← m + (1 − β₁)(g − m)``, ``v ← β₂ v + (1 − β₂) g²``, ``p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + eps)``.

    Weight decay is added to g (Adam), or shrinks p by 1 − lr · weight_decay beforehand (`decoupled`: AdamW). With
    `amsgrad`, vmax ← max(vmax, v) stands for v in the quotient; else vmax may be None. `step` t counts from 1. All
    arrays of one shape and dtype; p, m, v, vmax contiguous, changed in place; g is only read. Parallel over chunks of
    16384 elements. Floor: p, m, v (vmax) read and written once, g read once, about 12 FLOPs an element.
    """
    if amsgrad and vmax is None:
        raise ValueError("amsgrad needs vmax")
    state = _flat(vmax) if amsgrad and vmax is not None else np.empty(0, p.dtype)
    rate = lr / (1.0 - beta1**step)
    root = math.sqrt(1.0 - beta2**step)
    shrink = 1.0 - lr * weight_decay if decoupled else 1.0
    decay = 0.0 if decoupled else float(weight_decay)
    _adam(
        p.size * 8, _flat(p), contiguous(g).reshape(-1), _flat(m), _flat(v), state, float(rate), 1.0 - beta1,
        float(beta2), 1.0 - beta2, root, float(eps), shrink, decay, maximize,
    )  # fmt: skip


def _flat(x: Array) -> Array:
    if not x.flags.carray:
        raise ValueError("an array that is updated in place must be C-contiguous, aligned and writeable")
    return x.reshape(-1)


@kernel
def _sgd(p, g, buf, lr, momentum, keep, decay, nesterov, maximize, first):  # type: ignore[no-untyped-def]
    for chunk in prange((p.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _sgd_chunk(p[lo:hi], g[lo:hi], buf[lo:hi], lr, momentum, keep, decay, nesterov, maximize, first)


@inner
def _sgd_chunk(p, g, buf, lr, momentum, keep, decay, nesterov, maximize, first):  # type: ignore[no-untyped-def]
    real = p.dtype.type
    rate, mix, part, shrink = real(lr), real(momentum), real(keep), real(decay)
    sign = real(-1) if maximize else real(1)
    if buf.size == 0:
        for i in range(p.size):
            p[i] -= rate * (sign * g[i] + shrink * p[i])
        return
    if first:
        for i in range(p.size):
            buf[i] = sign * g[i] + shrink * p[i]
    else:
        for i in range(p.size):
            buf[i] = mix * buf[i] + part * (sign * g[i] + shrink * p[i])
    if nesterov:
        for i in range(p.size):
            p[i] -= rate * (sign * g[i] + shrink * p[i] + mix * buf[i])
    else:
        for i in range(p.size):
            p[i] -= rate * buf[i]


@kernel
def _adam(p, g, m, v, vmax, rate, part1, beta2, part2, root, eps, shrink, decay, maximize):  # type: ignore[no-untyped-def]
    for chunk in prange((p.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _adam_chunk(
            p[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi], vmax[lo:hi], rate, part1, beta2, part2, root, eps, shrink, decay,
            maximize,
        )  # fmt: skip


@inner
def _adam_chunk(p, g, m, v, vmax, rate, part1, beta2, part2, root, eps, shrink, decay, maximize):  # type: ignore[no-untyped-def]
    real = p.dtype.type
    rate_, part1_, beta2_, part2_ = real(rate), real(part1), real(beta2), real(part2)
    root_, eps_, shrink_, decay_ = real(root), real(eps), real(shrink), real(decay)
    sign = real(-1) if maximize else real(1)
    if vmax.size == 0:
        for i in range(p.size):
            old = p[i] * shrink_
            grad = sign * g[i] + decay_ * p[i]
            m[i] += part1_ * (grad - m[i])
            v[i] = beta2_ * v[i] + part2_ * grad * grad
            p[i] = old - rate_ * (m[i] / (np.sqrt(v[i]) / root_ + eps_))
        return
    for i in range(p.size):
        old = p[i] * shrink_
        grad = sign * g[i] + decay_ * p[i]
        m[i] += part1_ * (grad - m[i])
        v[i] = beta2_ * v[i] + part2_ * grad * grad
        if v[i] > vmax[i] or v[i] != v[i]:
            vmax[i] = v[i]
        p[i] = old - rate_ * (m[i] / (np.sqrt(vmax[i]) / root_ + eps_))
