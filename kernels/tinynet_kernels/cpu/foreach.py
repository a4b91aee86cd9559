"""Passes over all arrays of a table at once: their norm, and their scaling."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .jit import inner, kernel
from .memory import empty
from .table import CHUNK, Table, part


def table_norm(table: Table, *, order: float) -> float:
    """The norm of all elements of the table's first row together, as one vector; `order` is 1, 2 or infinity.

    Parallel over chunks of 16384 elements, whose sums in float64 are added in order. NaN gives NaN. Floor: each element
    read once, 2 FLOPs.
    """
    if order not in (1.0, 2.0, math.inf):
        raise ValueError(f"the norm's order must be 1, 2 or inf, got {order}")
    parts = empty((len(table.chunks),), np.float64)
    _norm(table.elements, table.addresses, table.sizes, table.chunks, table.like, parts, float(order))
    if order == math.inf:
        return float(parts.max(initial=0.0))
    total = float(parts.sum())
    return math.sqrt(total) if order == 2 else total


def table_scale_(table: Table, *, factor: float) -> None:
    """``x ← factor · x`` for each x of the table's first row, the factor in their dtype.

    Parallel over chunks of 16384 elements. Floor: each element read and written once.
    """
    _scale(table.elements, table.addresses, table.sizes, table.chunks, table.like, float(factor))


@kernel
def _norm(addresses, sizes, chunks, like, parts, order):  # type: ignore[no-untyped-def]
    for chunk in prange(chunks.shape[0]):
        i, lo = chunks[chunk, 0], chunks[chunk, 1]
        x = part(addresses[1, i], lo, min(CHUNK, sizes[i] - lo), like)
        if order == 2:
            parts[chunk] = _squares(x)
        elif order == 1:
            parts[chunk] = _magnitudes(x)
        else:
            parts[chunk] = _largest(x)


@inner(fastmath={"contract", "reassoc", "nsz"})
def _squares(x):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(x.size):
        v = np.float64(x[i])
        total += v * v
    return total


@inner(fastmath={"contract", "reassoc", "nsz"})
def _magnitudes(x):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(x.size):
        total += np.abs(np.float64(x[i]))
    return total


@inner
def _largest(x):  # type: ignore[no-untyped-def]
    top = np.float64(0)
    for i in range(x.size):
        v = np.abs(np.float64(x[i]))
        if v > top or v != v:  # a NaN comes in, and nothing is larger than it
            top = v
    return top


@kernel
def _scale(addresses, sizes, chunks, like, factor):  # type: ignore[no-untyped-def]
    for chunk in prange(chunks.shape[0]):
        i, lo = chunks[chunk, 0], chunks[chunk, 1]
        _scale_chunk(part(addresses[1, i], lo, min(CHUNK, sizes[i] - lo), like), factor)


@inner
def _scale_chunk(x, factor):  # type: ignore[no-untyped-def]
    by = x.dtype.type(factor)
    for i in range(x.size):
        x[i] *= by
