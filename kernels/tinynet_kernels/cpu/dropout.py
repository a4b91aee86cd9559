"""Dropout by a given mask."""

from __future__ import annotations

from numba import prange

from .arrays import Array, contiguous
from .jit import inner, kernel
from .memory import empty

_CHUNK = 16384


def dropout_forward(x: Array, keep: Array, *, p: float) -> Array:
    """``y = x · keep / (1 − p)`` (zero for p = 1).

    x of any shape, keep bool of that shape → y. A product, not a choice: inf or NaN that is dropped gives NaN, as in
    PyTorch. Parallel over chunks of 16384 elements. Floor: x, keep and y once, 2 FLOPs an element.
    """
    y = empty(x.shape, x.dtype)
    scale = 0.0 if p == 1 else 1.0 / (1.0 - p)
    _apply(x.size, contiguous(x).reshape(-1), contiguous(keep).reshape(-1), scale, y.reshape(-1))
    return y


def dropout_backward(dy: Array, keep: Array, *, p: float) -> Array:
    """``dx = dy · keep / (1 − p)``: `dropout_forward` of dy."""
    return dropout_forward(dy, keep, p=p)


@kernel
def _apply(x, keep, scale, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _apply_chunk(x[lo:hi], keep[lo:hi], y.dtype.type(scale), y[lo:hi])


@inner
def _apply_chunk(x, keep, scale, y):  # type: ignore[no-untyped-def]
    zero = scale * 0
    for i in range(x.size):
        y[i] = x[i] * (scale if keep[i] else zero)
