"""Rows of a table, looked up by number."""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, contiguous
from .jit import inner, kernel
from .memory import empty, zeros

_ROWS = 64  # look-ups of a chunk
_COLUMNS = 64  # columns of a block of the gradient


def embedding_forward(w: Array, idx: Array) -> Array:
    """``y[i] = w[idx[i]]``.

    w (V, E), idx int64 of any shape, within 0 … V − 1 → y (*idx.shape, E). Parallel over chunks of look-ups. Floor:
    idx once, the rows once, y once; no FLOPs.
    """
    y = empty((*idx.shape, w.shape[1]), w.dtype)
    _forward(y.size, contiguous(w), contiguous(idx).reshape(-1), y.reshape(idx.size, w.shape[1]))
    return y


def embedding_backward(
    dy: Array, idx: Array, *, num_embeddings: int, padding_idx: int | None, scale_grad_by_freq: bool
) -> Array:
    """``dw[v] = Σ_{i : idx[i] = v} dy[i]``, divided by the number of such i where `scale_grad_by_freq`.

    dy (*idx.shape, E), idx int64 → dw (num_embeddings, E); row `padding_idx` stays zero. Parallel over blocks of 64
    columns; accumulates in the dtype of `dy`, in the order of i. Floor: dy and dw once, one addition an element.
    """
    columns = dy.shape[-1]
    dw = zeros((num_embeddings, columns), dy.dtype)
    flat = contiguous(idx).reshape(-1)
    frequency = np.bincount(flat, minlength=num_embeddings) if scale_grad_by_freq else np.empty(0, np.int64)
    padding = -1 if padding_idx is None else padding_idx
    _backward(dy.size, contiguous(dy).reshape(idx.size, columns), flat, padding, frequency, dw)
    return dw


@kernel
def _forward(w, idx, y):  # type: ignore[no-untyped-def]
    for chunk in prange((idx.size + _ROWS - 1) // _ROWS):
        for i in range(chunk * _ROWS, min((chunk + 1) * _ROWS, idx.size)):
            _copy(w[idx[i]], y[i])


@inner
def _copy(source, target):  # type: ignore[no-untyped-def]
    for j in range(source.size):
        target[j] = source[j]


@kernel
def _backward(dy, idx, padding, frequency, dw):  # type: ignore[no-untyped-def]
    columns = dw.shape[1]
    for block in prange((columns + _COLUMNS - 1) // _COLUMNS):
        lo, hi = block * _COLUMNS, min((block + 1) * _COLUMNS, columns)
        for i in range(idx.size):
            v = idx[i]
            if v != padding:
                if frequency.size > 0:
                    _add(dy[i, lo:hi], dw[v, lo:hi], dw.dtype.type(1.0 / frequency[v]))
                else:
                    _add(dy[i, lo:hi], dw[v, lo:hi], dw.dtype.type(1))


@inner
def _add(source, target, scale):  # type: ignore[no-untyped-def]
    for j in range(source.size):
        target[j] += source[j] * scale
