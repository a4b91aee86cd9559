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

_ROWS = 128  # of a chunk
_TOGETHER = 4  # rows whose dw and db are added to the sums at once


def layer_norm_forward(
    x: Array, w: Array | None, b: Array | None, *, eps: float, axes: int = 1, centred: bool = True
) -> tuple[Array, Array, Array]:
    """``y = (x − mean) · rstd · w + b`` for each row, ``rstd = 1 / √(var + eps)``, var biased.

    x (*rows, *row), a row being the last `axes` axes, w, b (*row) or None → y of x's shape, mean, rstd (R,) float64. Not
    `centred` (RMS norm): mean is 0, and var the mean of x². Parallel over rows; statistics as in moments.py. Floor: x
    once, y once, 8 FLOPs an element.
    """
    y = empty(x.shape, x.dtype)
    rows, columns = _matrix(x, axes)
    mean, rstd = empty((rows,), np.float64), empty((rows,), np.float64)
    gain = np.ones(columns, x.dtype) if w is None else contiguous(w).reshape(columns)
    shift = np.zeros(columns, x.dtype) if b is None else contiguous(b).reshape(columns)
    if x.size:
        _rows_forward(
            x.size * 4, contiguous(x).reshape(1, rows, columns), gain, shift, float(eps), centred,
            y.reshape(rows, columns), mean, rstd,
        )  # fmt: skip
    return y, mean, rstd


def layer_norm_backward(
    dy: Array, x: Array, w: Array | None, mean: Array, rstd: Array, *, axes: int = 1, centred: bool = True
) -> tuple[Array, Array, Array]:
    """``dx = rstd · (g − Σg / K − x̂ · Σ(g · x̂) / K)``, ``dw = Σ dy · x̂``, ``db = Σ dy``; g = dy · w, x̂ = (x − mean) · rstd.

    dy, x (*rows, *row), a row of K elements being the last `axes` axes, w (*row) or None, mean, rstd (R,) from the
    forward → dx of x's shape, dw, db (*row), sums over the rows. Not `centred`: without Σg / K. Parallel over chunks of
    128 rows; dw and db accumulate in the dtype of `x` within a chunk, in float64 across them, in order. Floor: dy, x, dx
    once, 16 FLOPs an element.
    """
    rows, columns = _matrix(x, axes)
    dx = empty(x.shape, x.dtype)
    sums = zeros((-(-rows // _ROWS), 2, columns), x.dtype)
    gain = np.ones(columns, x.dtype) if w is None else contiguous(w).reshape(columns)
    if x.size:
        shape = (rows, columns)
        _rows_backward(
            x.size * 6, contiguous(dy).reshape(shape), contiguous(x).reshape(shape), gain, mean, rstd, centred,
            dx.reshape(shape), sums,
        )  # fmt: skip
    if centred and columns == 1:
        _cancel(dx)
    dw, db = sums.sum(axis=0, dtype=np.float64).astype(x.dtype).reshape(2, *x.shape[x.ndim - axes :])
    return dx, dw, db


def _cancel(dx: Array) -> None:
    """A row of one element is its own mean, so its gradient is 0 without a rounding; where it is not finite, NaN."""
    with np.errstate(invalid="ignore"):
        np.subtract(dx, dx, out=dx)


def _matrix(x: Array, axes: int) -> tuple[int, int]:
    """Rows, and elements of a row."""
    return product(x.shape[: x.ndim - axes]), product(x.shape[x.ndim - axes :])


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
        shape = (rows, x.shape[1] // groups, product(x.shape[2:]))
        _groups_forward(
            x.size * 4, contiguous(x).reshape(shape), optional(w, x), optional(b, x), float(eps), groups,
            y.reshape(shape), mean, rstd,
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
        if x.size == rows:
            _cancel(dx)
    dw, db = sums.sum(axis=1).astype(x.dtype)
    return dx, dw, db


@kernel
def _rows_forward(x, w, b, eps, centred, y, mean, rstd):  # type: ignore[no-untyped-def]
    for r in prange(x.shape[1]):
        if centred:
            middle, var = statistics(x, r)
        else:
            middle, var = 0.0, mean_square(x, r)
        scale = 1.0 / np.sqrt(var + eps)
        mean[r], rstd[r] = middle, scale
        centre = x.dtype.type(middle)
        _scale_row(x, r, w, b, centre, x.dtype.type(scale), x.dtype.type((np.float64(centre) - middle) * scale), y)


@inner
def _scale_row(x, r, w, b, centre, scale, rest, y):  # type: ignore[no-untyped-def]
    for i in range(x.shape[2]):
        y[r, i] = ((x[0, r, i] - centre) * scale + rest) * w[i] + b[i]


@kernel
def _rows_backward(dy, x, w, mean, rstd, centred, dx, sums):  # type: ignore[no-untyped-def]
    for chunk in prange(sums.shape[0]):
        _chunk_backward(dy, x, w, mean, rstd, centred, dx, chunk, sums[chunk, 0], sums[chunk, 1])


@inner
def _chunk_backward(dy, x, w, mean, rstd, centred, dx, chunk, dw, db):  # type: ignore[no-untyped-def]
    """dx of the rows of a chunk, and what they add to dw and db."""
    end = min((chunk + 1) * _ROWS, x.shape[0])
    for first in range(chunk * _ROWS, end, _TOGETHER):
        for r in range(first, min(first + _TOGETHER, end)):
            centre, scale, rest = _row_numbers(x, mean, rstd, r)
            total, product = _row_products(dy, x, r, w, centre, scale, rest)
            slope = scale * x.dtype.type(product / x.shape[1])
            shift = scale * x.dtype.type(total / x.shape[1]) if centred else x.dtype.type(0)
            _row_gradient(dy, x, r, w, centre, scale, rest, slope, shift, dx)
        if first + _TOGETHER <= end:  # the rows are still in the cache
            top = np.uintp(first)
            _add_products(
                dy, x, top, _row_numbers(x, mean, rstd, top), _row_numbers(x, mean, rstd, top + np.uintp(1)),
                _row_numbers(x, mean, rstd, top + np.uintp(2)), _row_numbers(x, mean, rstd, top + np.uintp(3)), dw,
            )  # fmt: skip
            _add_rows(dy, top, db)
        else:
            for r in range(first, end):
                _add_row(dy, x, r, _row_numbers(x, mean, rstd, r), dw, db)


@inner
def _row_numbers(x, mean, rstd, r):  # type: ignore[no-untyped-def]
    """The numbers in x̂ = (x − centre) · scale + rest."""
    centre = x.dtype.type(mean[r])
    return centre, x.dtype.type(rstd[r]), x.dtype.type((np.float64(centre) - mean[r]) * rstd[r])


@inner(fastmath=SUMS, inline=True)
def _row_products(dy, x, r, w, centre, scale, rest):  # type: ignore[no-untyped-def]
    """Σg and Σ(g · x̂) of a row."""
    total, product = x.dtype.type(0), x.dtype.type(0)
    for i in range(x.shape[1]):
        g = dy[r, i] * w[i]
        total += g
        product += g * ((x[r, i] - centre) * scale + rest)
    return total, product


@inner
def _row_gradient(dy, x, r, w, centre, scale, rest, slope, shift, dx):  # type: ignore[no-untyped-def]
    for i in range(x.shape[1]):
        dx[r, i] = dy[r, i] * w[i] * scale - (((x[r, i] - centre) * scale + rest) * slope + shift)


@inner
def _add_products(dy, x, r, first, second, third, fourth, dw):  # type: ignore[no-untyped-def]
    """Adds dy · x̂ of the rows r … r + 3, of which the numbers are given."""
    for i in range(dw.size):  # each sum fuses with one product: the compiler has no choice
        total = dw[i] + dy[r, i] * ((x[r, i] - first[0]) * first[1] + first[2])
        total += dy[r + 1, i] * ((x[r + 1, i] - second[0]) * second[1] + second[2])
        total += dy[r + 2, i] * ((x[r + 2, i] - third[0]) * third[1] + third[2])
        dw[i] = total + dy[r + 3, i] * ((x[r + 3, i] - fourth[0]) * fourth[1] + fourth[2])


@inner
def _add_rows(dy, r, db):  # type: ignore[no-untyped-def]
    for i in range(db.size):
        db[i] += (dy[r, i] + dy[r + 1, i]) + (dy[r + 2, i] + dy[r + 3, i])


@inner
def _add_row(dy, x, r, numbers, dw, db):  # type: ignore[no-untyped-def]
    """Adds dy · x̂ and dy of a row."""
    for i in range(dw.size):
        dw[i] += dy[r, i] * ((x[r, i] - numbers[0]) * numbers[1] + numbers[2])
        db[i] += dy[r, i]


@kernel
def _groups_forward(x, w, b, eps, groups, y, mean, rstd):  # type: ignore[no-untyped-def]
    for r in prange(x.shape[0]):
        middle, var = statistics(x.reshape(1, x.shape[0], x.shape[1] * x.shape[2]), r)
        scale = 1.0 / np.sqrt(var + eps)
        mean[r], rstd[r] = middle, scale
        centre = x.dtype.type(middle)
        for d in range(x.shape[1]):
            c = r % groups * x.shape[1] + d
            slope = scale * w[c] if w.size > 0 else scale
            shift = (np.float64(centre) - middle) * slope
            if b.size > 0:
                shift += b[c]
            _scale_plane(x, r, d, centre, x.dtype.type(slope), x.dtype.type(shift), y)


@inner
def _scale_plane(x, r, d, centre, slope, shift, y):  # type: ignore[no-untyped-def]
    for i in range(x.shape[2]):
        y[r, d, i] = (x[r, d, i] - centre) * slope + shift


@kernel
def _groups_backward(dy, x, w, mean, rstd, groups, dx, sums):  # type: ignore[no-untyped-def]
    for r in prange(x.shape[0]):
        _group_backward(dy, x, w, mean[r], rstd[r], r, r % groups * x.shape[1], dx, sums)


@inner
def _group_backward(dy, x, w, mean, rstd, r, first, dx, sums):  # type: ignore[no-untyped-def]
    """Row r, one group of one image; its channels begin at `first`."""
    centre = x.dtype.type(mean)
    rest = np.float64(centre) - mean
    total, products = 0.0, 0.0
    for d in range(x.shape[1]):
        one, two = line_products(dy, x, r, d, centre)
        sums[0, r, d], sums[1, r, d] = (two + rest * one) * rstd, one
        gain = np.float64(w[first + d]) if w.size > 0 else 1.0
        total += gain * sums[1, r, d]
        products += gain * sums[0, r, d]
    count = x.shape[1] * x.shape[2]
    slope = rstd * rstd * products / count
    shift = rstd * total / count + slope * rest
    for d in range(x.shape[1]):
        factor = rstd * w[first + d] if w.size > 0 else rstd
        input_gradient(dy, x, r, d, factor, slope, shift, centre, dx)
