"""Average pooling over 1, 2 or 3 spatial axes.

All kernels run over (image, channel) planes: a plane's windows may overlap, planes never do. The lines of a window are
added first, which vectorises whatever the step; then the elements of the sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .arrays import Array, contiguous
from .jit import inner, kernel
from .memory import empty
from .moments import SUMS
from .windows import Ints, Windows, adaptive_windows, planes, sizes, windows, work


def avg_pool_forward(
    x: Array,
    *,
    kernel_size: Ints,
    stride: Ints,
    padding: Ints,
    output_size: Ints,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """``y[p] = Σ_t x[p · stride − padding + t] / divisor``, x zero outside.

    x (N, C, *size) → y (N, C, *output_size). The divisor is `divisor_override`, else the number of the window's
    elements within the padded input (`count_include_pad`) or within the input. Parallel over planes; accumulates in
    the dtype of `x`. Floor: x and y once, as many additions an output as the window has lines and a line taps.
    """
    where = windows(x.shape[2:], output_size, kernel_size, stride, padding, (1,) * len(padding))
    return _forward(x, output_size, where, sizes(where, count_include_pad, padding, divisor_override))


def avg_pool_backward(
    dy: Array,
    *,
    input_size: Ints,
    kernel_size: Ints,
    stride: Ints,
    padding: Ints,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """``dx[p · stride − padding + t] += dy[p] / divisor``, the transpose of `avg_pool_forward`.

    dy (N, C, *out) → dx (N, C, *input_size). Parallel over planes; accumulates in the dtype of `dy`, windows in order.
    Floor: dy and dx once, additions as in the forward.
    """
    where = windows(input_size, dy.shape[2:], kernel_size, stride, padding, (1,) * len(padding))
    return _backward(dy, input_size, where, sizes(where, count_include_pad, padding, divisor_override))


def adaptive_avg_pool_forward(x: Array, *, output_size: Ints) -> Array:
    """``y[p] =`` mean of x over the window ``⌊p·in/out⌋ … ⌈(p + 1)·in/out⌉ − 1`` on each axis.

    x (N, C, *size) → y (N, C, *output_size). Parallel over planes; accumulates in the dtype of `x`. Floor: x and y
    once, additions as in `avg_pool_forward`.
    """
    where = adaptive_windows(x.shape[2:], output_size)
    return _forward(x, output_size, where, sizes(where, False, (0, 0, 0), None))


def adaptive_avg_pool_backward(dy: Array, *, input_size: Ints) -> Array:
    """``dx[i] += dy[p] / |window p|`` for i in the window of p, the transpose of `adaptive_avg_pool_forward`.

    dy (N, C, *out) → dx (N, C, *input_size). Parallel over planes; accumulates in the dtype of `dy`, windows in order.
    Floor: dy and dx once, additions as in the forward.
    """
    where = adaptive_windows(input_size, dy.shape[2:])
    return _backward(dy, input_size, where, sizes(where, False, (0, 0, 0), None))


def _forward(x: Array, output_size: Ints, where: Windows, lengths: list[Array]) -> Array:
    y = empty((*x.shape[:2], *output_size), x.dtype)
    if y.size and where.whole:
        _means(x.size, contiguous(x).reshape(y.size, -1), y.reshape(-1), _divisor(lengths, x))
    elif y.size:
        _mean_planes(
            work(y, where), planes(contiguous(x)), planes(y), *where.axes, where.taps[2], where.regular,
            where.joined(), *lengths[:2], lengths[2].astype(x.dtype),
        )  # fmt: skip
    return y


def _backward(dy: Array, input_size: Ints, where: Windows, lengths: list[Array]) -> Array:
    dx = empty((*dy.shape[:2], *input_size), dy.dtype)
    if dx.size and where.whole:
        _spread(dx.size, contiguous(dy).reshape(-1), dx.reshape(dy.size, -1), _divisor(lengths, dy))
    elif dx.size:
        _spread_planes(
            max(work(dy, where), dx.size), planes(contiguous(dy)), planes(dx), *where.axes, where.taps[2],
            where.regular, *lengths[:2], lengths[2].astype(dy.dtype),
        )  # fmt: skip
    return dx


def _divisor(lengths: list[Array], like: Array) -> np.floating[Any]:
    return like.dtype.type(lengths[0][0] * lengths[1][0] * lengths[2][0])


@kernel
def _means(x, y, divisor):  # type: ignore[no-untyped-def]
    for plane in prange(y.size):
        y[plane] = _sum(x[plane]) / divisor


@kernel
def _spread(dy, dx, divisor):  # type: ignore[no-untyped-def]
    for plane in prange(dy.size):
        dx[plane] = dy[plane] / divisor


@kernel
def _mean_planes(x, y, ds, hs, ws, count, regular, joined, depths, heights, widths):  # type: ignore[no-untyped-def]
    for plane in prange(y.shape[0]):
        _mean_plane(x[plane], y[plane], ds, hs, ws, count, regular, joined, depths, heights, widths)


@inner(fastmath=SUMS, inline=True)
def _sum(line):  # type: ignore[no-untyped-def]
    total = line.dtype.type(0)
    for i in range(line.size):
        total += line[i]
    return total


@inner
def _mean_plane(x, y, ds, hs, ws, count, regular, joined, depths, heights, widths):  # type: ignore[no-untyped-def]
    sums = np.empty((y.shape[1], x.shape[2]), x.dtype)
    for od in range(y.shape[0]):
        sums.fill(0)
        for oh in range(y.shape[1]):
            for d in range(ds[1, od], ds[2, od]):
                for h in range(hs[1, oh], hs[2, oh]):
                    for i in range(sums.shape[1]):
                        sums[oh, i] += x[d, h, i]
        if joined:
            _add_taps(sums.reshape(-1), 0, regular[0], count, y[od].reshape(-1))
        else:
            for oh in range(y.shape[1]):
                _add_windows(sums[oh], ws, count, regular, y[od, oh])
        for oh in range(y.shape[1]):
            _divide(y, od, oh, y.dtype.type(depths[od] * heights[oh]), widths, y[od, oh])


@inner
def _divide(y, od, oh, count, widths, target):  # type: ignore[no-untyped-def]
    for p in range(target.size):
        target[p] = y[od, oh, p] / (count * widths[p])


@inner
def _add_windows(line, ws, count, regular, out):  # type: ignore[no-untyped-def]
    step, first, last = regular
    if first < last:
        _add_taps(line, ws[0, first], step, count, out[first:last])
    for p in range(first):
        out[p] = _taps(line, ws, p)
    for p in range(last, out.size):
        out[p] = _taps(line, ws, p)


@inner
def _taps(line, ws, p):  # type: ignore[no-untyped-def]
    total = line.dtype.type(0)
    for i in range(ws[1, p], ws[2, p]):
        total += line[i]
    return total


@inner
def _add_taps(line, begin, step, count, out):  # type: ignore[no-untyped-def]
    """The sums of windows that lie inside; pairs and steps of 1 are written out, so that they vectorise."""
    if step == 2 and count == 2:
        pairs = line[begin:]
        for p in range(out.size):
            out[p] = pairs[2 * p] + pairs[2 * p + 1]
        return
    if step == 1 and out.size >= count:  # the longer loop inside
        out.fill(0)
        for t in range(count):
            taps = line[begin + t :]
            for p in range(out.size):
                out[p] += taps[p]
        return
    for p in range(out.size):
        total = line.dtype.type(0)
        for t in range(count):
            total += line[begin + p * step + t]
        out[p] = total


@kernel
def _spread_planes(dy, dx, ds, hs, ws, count, regular, depths, heights, widths):  # type: ignore[no-untyped-def]
    for plane in prange(dx.shape[0]):
        _spread_plane(dy[plane], dx[plane], ds, hs, ws, count, regular, depths, heights, widths)


@inner
def _spread_plane(dy, dx, ds, hs, ws, count, regular, depths, heights, widths):  # type: ignore[no-untyped-def]
    dx.fill(0)
    share, line = np.empty(dy.shape[2], dx.dtype), np.empty(dx.shape[2], dx.dtype)
    for od in range(dy.shape[0]):
        for oh in range(dy.shape[1]):
            _divide(dy, od, oh, dx.dtype.type(depths[od] * heights[oh]), widths, share)
            line.fill(0)
            _spread_windows(share, ws, count, regular, line)
            for d in range(ds[1, od], ds[2, od]):
                for h in range(hs[1, oh], hs[2, oh]):
                    for i in range(line.size):
                        dx[d, h, i] += line[i]


@inner
def _spread_windows(share, ws, count, regular, line):  # type: ignore[no-untyped-def]
    """The transpose of `_add_windows`."""
    step, first, last = regular
    if step == 2 and count == 2 and first < last:
        pairs = line[ws[0, first] :]
        for p in range(last - first):
            pairs[2 * p] = share[first + p]
            pairs[2 * p + 1] = share[first + p]
    elif step == 1 and last - first >= count:  # the longer loop inside
        for t in range(count):
            taps = line[ws[0, first] + t :]
            for p in range(last - first):
                taps[p] += share[first + p]
    else:
        for p in range(first, last):
            for t in range(count):
                line[ws[0, p] + t] += share[p]
    for p in range(first):
        _spread_taps(share[p], ws, p, line)
    for p in range(last, share.size):
        _spread_taps(share[p], ws, p, line)


@inner
def _spread_taps(value, ws, p, line):  # type: ignore[no-untyped-def]
    for i in range(ws[1, p], ws[2, p]):
        line[i] += value
