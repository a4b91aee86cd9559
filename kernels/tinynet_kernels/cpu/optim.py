"""Optimizer steps, in place: one launch over all parameters of a table, one pass over each and its state.

The constants of a step are computed in float64, as PyTorch's Python does; the elements in the parameter's dtype.
To add an optimizer: an `@inner` function that updates one chunk, a kernel like `_adam` that hands it the chunks of a
table, and a launcher.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import prange

from .arrays import Array
from .jit import inner, kernel
from .memory import empty
from .table import CHUNK, Table, part

_COUNT = np.empty(0, np.float32)  # of step counters' dtype


def sgd_step_(
    table: Table,
    grads: Sequence[Array],
    first: Array,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """``g ← ±g + weight_decay · p``, ``buf ← momentum · buf + (1 − dampening) · g``, ``p ← p − lr · d``.

    The table's rows are p, or p and buf; d is buf, g + momentum · buf (`nesterov`), or g (no buf). Where `first` (bool,
    one a parameter) holds, buf becomes g itself. The gradients are only read. Parallel over chunks of 16384 elements.
    Floor: p and buf read and written once, g read once, 6 FLOPs an element.
    """
    held = table.point_at(grads)
    _sgd(
        table.elements * 3, table.addresses, table.sizes, table.chunks, table.like, first, float(lr), float(momentum),
        1.0 - float(dampening), float(weight_decay), nesterov, maximize,
    )  # fmt: skip
    del held


def adam_step_(
    table: Table,
    grads: Sequence[Array],
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """``m ← m + (1 − β₁)(g − m)``, ``v ← β₂ v + (1 − β₂) g²``, ``p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + eps)``.

    The table's rows are p, m, v, and for amsgrad vmax: vmax ← max(vmax, v) stands for v in the quotient. Each parameter's
    step counter t is advanced first. Weight decay is added to g (Adam), or shrinks p by 1 − lr · weight_decay beforehand
    (`decoupled`: AdamW). The gradients are only read. Parallel over chunks of 16384 elements. Floor: p, m, v (vmax) read
    and written once, g read once, about 12 FLOPs an element, of them a root and a division.
    """
    held = table.point_at(grads)
    shrink = 1.0 - lr * weight_decay if decoupled else 1.0
    decay = 0.0 if decoupled else float(weight_decay)
    constants = empty((2, len(held)), np.float64)
    _adam(
        table.elements * 8, table.addresses, table.sizes, table.chunks, table.like, table.counters, _COUNT, constants,
        float(lr), float(beta1), float(beta2), float(eps), shrink, decay, maximize,
    )  # fmt: skip


@kernel
def _sgd(addresses, sizes, chunks, like, first, lr, momentum, keep, decay, nesterov, maximize):  # type: ignore[no-untyped-def]
    for chunk in prange(chunks.shape[0]):
        i, lo = chunks[chunk, 0], chunks[chunk, 1]
        n = min(CHUNK, sizes[i] - lo)
        g, p = part(addresses[0, i], lo, n, like), part(addresses[1, i], lo, n, like)
        if addresses.shape[0] == 2:
            _sgd_plain(p, g, lr, decay, maximize)
        else:
            _sgd_momentum(
                p, g, part(addresses[2, i], lo, n, like), first[i], lr, momentum, keep, decay, nesterov, maximize
            )


@inner
def _sgd_plain(p, g, lr, decay, maximize):  # type: ignore[no-untyped-def]
    real = p.dtype.type
    rate, shrink, sign, decays = real(lr), real(decay), real(-1) if maximize else real(1), decay != 0
    for i in range(p.size):
        d = sign * g[i]
        p[i] -= rate * (d + shrink * p[i] if decays else d)  # without decay an infinite p must not make 0 · ∞


@inner
def _sgd_momentum(p, g, buf, first, lr, momentum, keep, decay, nesterov, maximize):  # type: ignore[no-untyped-def]
    real = p.dtype.type
    rate, shrink, sign, decays = real(lr), real(decay), real(-1) if maximize else real(1), decay != 0
    mix, weight = real(momentum), real(1) if first else real(keep)
    if first:
        for i in range(p.size):
            buf[i] = 0
    for i in range(p.size):
        d = sign * g[i]
        d = d + shrink * p[i] if decays else d
        b = mix * buf[i] + weight * d
        buf[i] = b
        p[i] -= rate * (d + mix * b if nesterov else b)


@kernel
def _adam(addresses, sizes, chunks, like, counters, count, constants, lr, beta1, beta2, eps, shrink, decay, maximize):  # type: ignore[no-untyped-def]
    for i in range(sizes.size):
        counter = part(counters[i], 0, 1, count)
        counter[0] += np.float32(1)
        t = np.float64(counter[0])
        constants[0, i] = lr / (1.0 - beta1**t)
        constants[1, i] = 1.0 / np.sqrt(1.0 - beta2**t)
    for chunk in prange(chunks.shape[0]):
        i, lo = chunks[chunk, 0], chunks[chunk, 1]
        n = min(CHUNK, sizes[i] - lo)
        g, p = part(addresses[0, i], lo, n, like), part(addresses[1, i], lo, n, like)
        m, v = part(addresses[2, i], lo, n, like), part(addresses[3, i], lo, n, like)
        rate, root = constants[0, i], constants[1, i]
        if addresses.shape[0] == 4:
            _adam_chunk(p, g, m, v, rate, root, beta1, beta2, eps, shrink, decay, maximize)
        else:
            vmax = part(addresses[4, i], lo, n, like)
            _amsgrad_chunk(p, g, m, v, vmax, rate, root, beta1, beta2, eps, shrink, decay, maximize)


@inner
def _adam_chunk(p, g, m, v, rate, root, beta1, beta2, eps, shrink, decay, maximize):  # type: ignore[no-untyped-def]
    real = p.dtype.type
    rate_, root_, eps_, shrink_, decay_ = real(rate), real(root), real(eps), real(shrink), real(decay)
    part1, part2, keep = real(1.0 - beta1), real(1.0 - beta2), real(beta2)
    sign, decays = real(-1) if maximize else real(1), decay != 0
    for i in range(p.size):
        old = p[i]
        grad = sign * g[i]
        grad = grad + decay_ * old if decays else grad
        first = m[i] + part1 * (grad - m[i])
        second = keep * v[i] + part2 * grad * grad
        m[i] = first
        v[i] = second
        p[i] = old * shrink_ - rate_ * (first / (np.sqrt(second) * root_ + eps_))


@inner
def _amsgrad_chunk(p, g, m, v, vmax, rate, root, beta1, beta2, eps, shrink, decay, maximize):  # type: ignore[no-untyped-def]
    real = p.dtype.type
    rate_, root_, eps_, shrink_, decay_ = real(rate), real(root), real(eps), real(shrink), real(decay)
    part1, part2, keep = real(1.0 - beta1), real(1.0 - beta2), real(beta2)
    sign, decays = real(-1) if maximize else real(1), decay != 0
    for i in range(
        p.size
    ):  # two loops: with five arrays in one, the compiler gives up proving that they do not overlap
        grad = sign * g[i]
        grad = grad + decay_ * p[i] if decays else grad
        m[i] += part1 * (grad - m[i])
        v[i] = keep * v[i] + part2 * grad * grad
    for i in range(p.size):
        top = v[i] if v[i] > vmax[i] or v[i] != v[i] else vmax[i]
        vmax[i] = top
        p[i] = p[i] * shrink_ - rate_ * (m[i] / (np.sqrt(top) * root_ + eps_))
