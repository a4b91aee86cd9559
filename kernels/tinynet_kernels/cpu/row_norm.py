"""Layer and root-mean-square normalisation of rows, and group normalisation (of which instance normalisation is one).

Statistics are float64 and come from moments.py.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, contiguous, optional, product
from .jit import inner, kernel
from .memory import empty, zeros
from .moments import SUMS, line_products, mean_square, statistics
from .norm import input_gradient

_ROWS = 64  # of a chunk


def layer_norm_forward(
    x: Array, w: Array | None, b: Array | None, *, eps: float, centred: bool = True
) -> tuple[Array, Array, Array]:
    """``y = (x − mean) · rstd · w + b`` for each row, ``rstd = 1 / √(var + eps)``, var biased.

    x (R, K), w, b (K,) or None → y (R, K), mean, rstd (R,) float64. Not `centred` (RMS norm): mean is 0, and var the
    mean of x². Parallel over rows; statistics as in moments.py. Floor: x once, y once, 8 FLOPs an element.
    """
    y = empty(x.shape, x.dtype)
    mean, rstd = empty((x.shape[0],), np.float64), empty((x.shape[0],), np.float64)
    gain = np.ones(x.shape[1], x.dtype) if w is None else contiguous(w)
    shift = np.zeros(x.shape[1], x.dtype) if b is None else contiguous(b)
    if x.size:
        _rows_forward(x.size * 4, contiguous(x).reshape(1, *x.shape), gain, shift, float(eps), centred, y, mean, rstd)
    return y, mean, rstd


def layer_norm_backward(
    dy: Array, x: Array, w: Array | None, mean: Array, rstd: Array, *, centred: bool = True
) -> tuple[Array, Array, Array]:
    """``dx = rstd · (g − Σg / K − x̂ · Σ(g · x̂) / K)``, ``dw = Σ dy · x̂``, ``db = Σ dy``; g = dy · w, x̂ = (x − mean) · rstd.

    dy, x (R, K), w (K,) or None, mean, rstd (R,) from the forward → dx (R, K), dw, db (K,), sums over the rows. Not
    `centred`: without Σg / K. Parallel over chunks of 64 rows; dw and db accumulate in the dtype of `x` within a chunk,
    in float64 across them, in order. Floor: dy, x, dx once, 16 FLOPs an element.
    """
    rows, columns = x.shape
    dx = empty(x.shape, x.dtype)
    sums = zeros((-(-rows // _ROWS), 2, columns), x.dtype)
    gain = np.ones(columns, x.dtype) if w is None else contiguous(w)
    if x.size:
        _rows_backward(x.size * 6, contiguous(dy), contiguous(x), gain, mean, rstd, centred, dx, sums)
    dw, db = sums.sum(axis=0, dtype=np.float64).astype(x.dtype)
    return dx, dw, db


def group_norm_forward(
    x: Array, w: Array | None, b: Array | None, *, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """``y = (x − mean) · rstd · w + b``, the statistics over a group of channels of one image.

    x (N, C, *spatial), C a multiple of `groups`, w, b (C,) or None → y of x's shape, mean, rstd (N · groups,) float64.
    Parallel over (image, group); statistics as in moments.py. Floor: x once, y once, 8 FLOPs an element.
    """
    y = empty(x.shape, x.dtype)
    rows = x.shape[0] * groups
    mean, rstd = empty((rows,), np.float64), empty((rows,), np.float64)
    if x.size:
        shape = (1, rows, x.size // rows)
        _groups_forward(
            x.size * 4, contiguous(x).reshape(shape), optional(w, x), optional(b, x), float(eps), groups,
            product(x.shape[2:]), y.reshape(shape), mean, rstd,
        )  # fmt: skip
    else:
        mean.fill(0.0)
        rstd.fill(np.nan)
    return y, mean, rstd


def group_norm_backward(
    dy: Array, x: Array, w: Array | None, mean: Array, rstd: Array, *, groups: int
) -> tuple[Array, Array, Array]:
    """``dx = rstd · (g − Σg / K − x̂ · Σ(g · x̂) / K)``, ``dw = Σ dy · x̂``, ``db = Σ dy``; g = dy · w, x̂ = (x − mean) · rstd.

    dy, x (N, C, *spatial), w (C,) or None, mean, rstd (N · groups,) from the forward → dx of x's shape, dw, db (C,); K
    elements a group. Parallel over (image, group); sums as in moments.py, those over images in float64, in order.
    Floor: dy and x twice, dx once, 9 FLOPs an element.
    """
    dx = empty(x.shape, x.dtype)
    channels = x.shape[1]
    sums = zeros((2, x.shape[0], channels), np.float64)
    if x.size:
        rows = x.shape[0] * groups
        shape = (rows, channels // groups, product(x.shape[2:]))
        _groups_backward(
            x.size * 5, contiguous(dy).reshape(shape), contiguous(x).reshape(shape), optional(w, x), mean, rstd, groups,
            dx.reshape(shape), sums.reshape(2, *shape[:2]),
        )  # fmt: skip
    dw, db = sums.sum(axis=1).astype(x.dtype)
    return dx, dw, db


@kernel
def _rows_forward(x, w, b, eps, centred, y, mean, rstd):  # type: ignore[no-untyped-def]
    for r in prange(x.shape[1]):
        if centred:
            middle, var = statistics(x, r)
        else:
            middle, var = 0.0, mean_square(x[0, r])
        scale = 1.0 / np.sqrt(var + eps)
        mean[r], rstd[r] = middle, scale
        centre = x.dtype.type(middle)
        rest = x.dtype.type((np.float64(centre) - middle) * scale)
        _scale_row(x[0, r], w, b, centre, x.dtype.type(scale), rest, y[r])


@inner
def _scale_row(row, w, b, centre, scale, rest, out):  # type: ignore[no-untyped-def]
    for i in range(row.size):
        out[i] = ((row[i] - centre) * scale + rest) * w[i] + b[i]


@kernel
def _rows_backward(dy, x, w, mean, rstd, centred, dx, sums):  # type: ignore[no-untyped-def]
    for chunk in prange(sums.shape[0]):
        for r in range(chunk * _ROWS, min((chunk + 1) * _ROWS, x.shape[0])):
            centre, scale = x.dtype.type(mean[r]), x.dtype.type(rstd[r])
            rest = x.dtype.type((np.float64(centre) - mean[r]) * rstd[r])
            total, product = _row_products(dy[r], x[r], w, centre, scale, rest)
            _add_row(dy[r], x[r], centre, scale, rest, sums[chunk, 0], sums[chunk, 1])
            slope = scale * x.dtype.type(product / x.shape[1])
            shift = scale * x.dtype.type(total / x.shape[1]) if centred else x.dtype.type(0)
            _row_gradient(dy[r], x[r], w, centre, scale, rest, slope, shift, dx[r])


@inner(fastmath=SUMS)
def _row_products(dy, x, w, centre, scale, rest):  # type: ignore[no-untyped-def]
    total, product = x.dtype.type(0), x.dtype.type(0)
    for i in range(x.size):
        g = dy[i] * w[i]
        total += g
        product += g * ((x[i] - centre) * scale + rest)
    return total, product


@inner
def _add_row(dy, x, centre, scale, rest, dw, db):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        dw[i] += dy[i] * ((x[i] - centre) * scale + rest)
        db[i] += dy[i]


@inner
def _row_gradient(dy, x, w, centre, scale, rest, slope, shift, dx):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        dx[i] = dy[i] * w[i] * scale - (((x[i] - centre) * scale + rest) * slope + shift)


@kernel
def _groups_forward(x, w, b, eps, groups, size, y, mean, rstd):  # type: ignore[no-untyped-def]
    for r in prange(x.shape[1]):
        middle, var = statistics(x, r)
        scale = 1.0 / np.sqrt(var + eps)
        mean[r], rstd[r] = middle, scale
        centre = x.dtype.type(middle)
        channels = x.shape[2] // size
        for d in range(channels):
            c = r % groups * channels + d
            slope = scale * w[c] if w.size > 0 else scale
            shift = (np.float64(centre) - middle) * slope
            if b.size > 0:
                shift += b[c]
            plane = slice(d * size, (d + 1) * size)
            _scale_plane(x[0, r, plane], centre, x.dtype.type(slope), x.dtype.type(shift), y[0, r, plane])


@inner
def _scale_plane(line, centre, slope, shift, out):  # type: ignore[no-untyped-def]
    for i in range(line.size):
        out[i] = (line[i] - centre) * slope + shift


@kernel
def _groups_backward(dy, x, w, mean, rstd, groups, dx, sums):  # type: ignore[no-untyped-def]
    for r in prange(x.shape[0]):
        _group_backward(dy[r], x[r], w, mean[r], rstd[r], r % groups * x.shape[1], dx[r], sums[0, r], sums[1, r])


@inner
def _group_backward(dy, x, w, mean, rstd, first, dx, dw, db):  # type: ignore[no-untyped-def]
    """One group of one image, (D, S); its channels begin at `first`."""
    centre = x.dtype.type(mean)
    rest = np.float64(centre) - mean
    total, products = 0.0, 0.0
    for d in range(x.shape[0]):
        one, two = line_products(dy[d], x[d], centre)
        dw[d], db[d] = (two + rest * one) * rstd, one
        gain = np.float64(w[first + d]) if w.size > 0 else 1.0
        total += gain * db[d]
        products += gain * dw[d]
    slope = rstd * rstd * products / x.size
    shift = rstd * total / x.size + slope * rest
    for d in range(x.shape[0]):
        factor = rstd * w[first + d] if w.size > 0 else rstd
        input_gradient(
            dy[d], x[d], x.dtype.type(factor), x.dtype.type(slope), x.dtype.type(shift), centre, dx[d]
        )
