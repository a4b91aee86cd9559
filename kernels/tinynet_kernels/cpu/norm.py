"""Batch normalisation, and what applies given statistics.

Two layouts: channels of long lines (N, C, S) are taken one by one, line after line; where lines are short, as in (N, C),
rows are read in blocks of columns. Statistics are float64 (see moments.py).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, contiguous, optional, product
from .jit import inner, kernel
from .memory import empty, zeros
from .moments import column_products, column_statistics, line_products, part_sum, scaled_line_products, statistics

_SHORT = 64  # elements of a line: below, blocks of columns
_COLUMNS = 256  # of a block


def batch_norm_forward(x: Array, w: Array | None, b: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """``y = (x − mean) · rstd · w + b`` for each channel, ``rstd = 1 / √(var + eps)``, var biased.

    x (N, C) or (N, C, *spatial), w, b (C,) or None → y of x's shape, mean, rstd (C,) float64. Parallel over channels;
    statistics as in moments.py. Floor: x three times (once from memory, where a channel fits into the cache), y once,
    6 FLOPs an element.
    """
    mean, var = channel_statistics(x)
    rstd = 1.0 / np.sqrt(var + eps)
    return batch_norm_apply(x, w, b, mean, rstd), mean, rstd


def channel_statistics(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance (C,), float64, of the channels of x (N, C, *spatial). As `batch_norm_forward`."""
    channels, size = x.shape[1], product(x.shape[2:])
    mean, var = empty((channels,), np.float64), empty((channels,), np.float64)
    if not x.size:
        mean.fill(np.nan)
        var.fill(np.nan)
    elif size < _SHORT:
        lines = contiguous(x).reshape(*x.shape[:2], size)
        _column_statistics(x.size * 3, lines, _per_block(size), mean, var)
    else:
        _channel_statistics(x.size * 3, contiguous(x).reshape(*x.shape[:2], size), mean, var)
    return mean, var


def batch_norm_apply(x: Array, w: Array | None, b: Array | None, mean: Array, rstd: Array) -> Array:
    """``y = (x − mean) · rstd · w + b`` with given statistics.

    x (N, C, *spatial), the others (C,), w and b may be None → y of x's shape and dtype. Parallel over images. Floor: x
    and y once, 3 FLOPs an element.
    """
    y = empty(x.shape, x.dtype)
    channels, size = x.shape[1], product(x.shape[2:])
    repeats = size if size < _SHORT else 1
    centre, slope, shift = empty((3, channels * repeats), x.dtype)
    _affine(channels, optional(w, x), optional(b, x), mean, rstd, repeats, centre, slope, shift)
    if size < _SHORT:
        rows = (x.shape[0], channels * size)
        _apply_rows(x.size * 3, contiguous(x).reshape(rows), centre, slope, shift, y.reshape(rows))
    else:
        lines = (*x.shape[:2], size)
        _apply_lines(x.size * 3, contiguous(x).reshape(lines), centre, slope, shift, y.reshape(lines))
    return y


def batch_norm_backward(
    dy: Array, x: Array, w: Array | None, mean: Array, rstd: Array, *, training: bool = True
) -> tuple[Array, Array, Array]:
    """``dx = w · rstd · (dy − (db + x̂ · dw) / M)``, ``dw = Σ dy · x̂``, ``db = Σ dy``; x̂ = (x − mean) · rstd.

    dy, x (N, C, *spatial), w (C,) or None, mean, rstd (C,) float64 from the forward → dx, dw (C,), db (C,); M elements a
    channel. Of given statistics (not `training`) they are constants: dx = w · rstd · dy. Parallel over channels; sums
    as in moments.py. Floor: x and dy twice (once, of given statistics), dx once, 9 FLOPs an element.
    """
    channels, size = x.shape[1], product(x.shape[2:])
    dx = empty(x.shape, x.dtype)
    dw, db = empty((channels,), x.dtype), empty((channels,), x.dtype)
    gain = optional(w, x)
    if not x.size:
        return dx, zeros((channels,), x.dtype), zeros((channels,), x.dtype)
    if size < _SHORT:
        rows = (x.shape[0], channels * size)
        _backward_columns(
            x.size * 5, contiguous(dy).reshape(rows), contiguous(x).reshape(rows), gain, mean, rstd, training, size,
            _per_block(size), dx.reshape(rows), dw, db,
        )  # fmt: skip
    else:
        lines = (*x.shape[:2], size)
        _backward_lines(
            x.size * 5, contiguous(dy).reshape(lines), contiguous(x).reshape(lines), gain, mean, rstd, training,
            dx.reshape(lines), dw, db,
        )  # fmt: skip
    return dx, dw, db


def _per_block(size: int) -> int:
    """Channels of a block of columns."""
    return max(_COLUMNS // max(size, 1), 1)


@kernel
def _channel_statistics(x, mean, var):  # type: ignore[no-untyped-def]
    for c in prange(x.shape[1]):
        mean[c], var[c] = statistics(x, c)


@kernel
def _column_statistics(x, per_block, mean, var):  # type: ignore[no-untyped-def]
    for block in prange((mean.size + per_block - 1) // per_block):
        column_statistics(x, block * per_block, min((block + 1) * per_block, mean.size), x.shape[2], mean, var)


@kernel
def _affine(w, b, mean, rstd, repeats, centre, slope, shift):  # type: ignore[no-untyped-def]
    """The numbers in y = (x − centre) · slope + shift of each channel, `repeats` times."""
    for c in prange(mean.size):
        middle = centre.dtype.type(mean[c])
        factor = _factor(w, rstd, c)
        rest = (np.float64(middle) - mean[c]) * factor  # what rounding the mean leaves
        if b.size > 0:
            rest += b[c]
        for i in range(c * repeats, (c + 1) * repeats):
            centre[i], slope[i], shift[i] = middle, factor, rest


@inner
def _factor(w, rstd, c):  # type: ignore[no-untyped-def]
    """w · rstd of a channel."""
    return rstd[c] * w[c] if w.size > 0 else rstd[c]


@kernel
def _apply_lines(x, centre, slope, shift, y):  # type: ignore[no-untyped-def]
    for n in prange(x.shape[0]):
        for c in range(x.shape[1]):
            _apply_line(x, n, c, centre[c], slope[c], shift[c], y)


@inner
def _apply_line(x, n, c, centre, slope, shift, y):  # type: ignore[no-untyped-def]
    for i in range(x.shape[2]):
        y[n, c, i] = (x[n, c, i] - centre) * slope + shift


@kernel
def _apply_rows(x, centre, slope, shift, y):  # type: ignore[no-untyped-def]
    for n in prange(x.shape[0]):
        _apply_row(x, n, centre, slope, shift, y)


@inner
def _apply_row(x, n, centre, slope, shift, y):  # type: ignore[no-untyped-def]
    for j in range(centre.size):
        y[n, j] = (x[n, j] - centre[j]) * slope[j] + shift[j]


@kernel
def _backward_lines(dy, x, w, mean, rstd, training, dx, dw, db):  # type: ignore[no-untyped-def]
    for c in prange(x.shape[1]):
        centre, given = x.dtype.type(mean[c]), x.dtype.type(_factor(w, rstd, c))
        total, products = 0.0, 0.0
        for n in range(x.shape[0]):
            if training:
                first, second = line_products(dy, x, n, c, centre)
            else:
                first, second = scaled_line_products(dy, x, n, c, centre, given, dx)
            total, products = total + first, products + second
        factor, slope, shift = _coefficients(total, products, x.shape[0] * x.shape[2], w, mean, rstd, centre, c, dw, db)
        if training:
            for n in range(x.shape[0]):
                input_gradient(dy, x, n, c, factor, slope, shift, centre, dx)


@inner
def _coefficients(total, products, count, w, mean, rstd, centre, c, dw, db):  # type: ignore[no-untyped-def]
    """dw, db and the numbers in dx = factor · dy − (x − centre) · slope − shift, from Σ dy and Σ dy · (x − centre)."""
    rest = np.float64(centre) - mean[c]
    gradient = (products + rest * total) * rstd[c]
    dw[c], db[c] = gradient, total
    factor = _factor(w, rstd, c)
    slope = factor * gradient * rstd[c] / count
    return factor, slope, factor * total / count + slope * rest


@inner
def input_gradient(dy, x, n, c, factor, slope, shift, centre, dx):  # type: ignore[no-untyped-def]
    """``dx = factor · dy − (x − centre) · slope − shift`` of the lines [n, c, :]."""
    f, s, t = x.dtype.type(factor), x.dtype.type(slope), x.dtype.type(shift)
    for i in range(dx.shape[2]):
        dx[n, c, i] = f * dy[n, c, i] - ((x[n, c, i] - centre) * s + t)


@kernel
def _backward_columns(dy, x, w, mean, rstd, training, size, per_block, dx, dw, db):  # type: ignore[no-untyped-def]
    for block in prange((mean.size + per_block - 1) // per_block):
        lo, hi = block * per_block, min((block + 1) * per_block, mean.size)
        _backward_block(dy, x, w, mean, rstd, training, size, lo, hi, dx, dw, db)


@inner
def _backward_block(dy, x, w, mean, rstd, training, size, lo, hi, dx, dw, db):  # type: ignore[no-untyped-def]
    width = (hi - lo) * size
    centre, factor = np.empty(width, x.dtype), np.empty(width, x.dtype)
    slope, shift = np.empty(width, x.dtype), np.empty(width, x.dtype)
    for k in range(hi - lo):
        centre[k * size : (k + 1) * size] = mean[lo + k]
    totals, products = column_products(dy, x, lo * size, centre)
    for k in range(hi - lo):
        total, product = part_sum(totals, k, size), part_sum(products, k, size)
        middle = x.dtype.type(mean[lo + k])
        f, s, t = _coefficients(total, product, x.shape[0] * size, w, mean, rstd, middle, lo + k, dw, db)
        for i in range(k * size, (k + 1) * size):
            factor[i], slope[i], shift[i] = f, s, t
    for n in range(x.shape[0]):
        if training:
            _row_gradient(dy, x, n, np.uintp(lo * size), factor, slope, shift, centre, dx)
        else:
            _scale_row(dy, n, np.uintp(lo * size), factor, dx)


@inner
def _row_gradient(dy, x, n, lo, factor, slope, shift, centre, dx):  # type: ignore[no-untyped-def]
    for j in range(np.uintp(centre.size)):
        dx[n, lo + j] = factor[j] * dy[n, lo + j] - ((x[n, lo + j] - centre[j]) * slope[j] + shift[j])


@inner
def _scale_row(dy, n, lo, factor, dx):  # type: ignore[no-untyped-def]
    for j in range(np.uintp(factor.size)):
        dx[n, lo + j] = factor[j] * dy[n, lo + j]
