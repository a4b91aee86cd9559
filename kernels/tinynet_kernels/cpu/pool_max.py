"""Maximum pooling over 1, 2 or 3 spatial axes: which tap of its window each maximum is, and what follows from it.

All kernels run over (image, channel) planes: a plane's windows may overlap, planes never do. A tap is a byte where the
windows have up to 255, else four bytes; the largest number of the type stands for a window that holds nothing (a dilated
one may step over the whole input). Lines are pooled first, then the pooled lines among each other: the first maximum of
a window is so the first of the first such line, and NaN wins over numbers (of several, the last). Where a line's windows
have steps that do not vectorise, the lines are taken among each other first, and taps decide between equals.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from . import simd
from .arrays import Array, contiguous, product
from .jit import inner, kernel
from .memory import empty
from .windows import Ints, Windows, adaptive_windows, planes, windows, work


def max_pool_forward(
    x: Array, *, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints, output_size: Ints
) -> tuple[Array, Array]:
    """``y[p] = max_t x[p · stride − padding + t · dilation]`` over the taps inside x, and which tap it is.

    x (N, C, *size) → y, taps (N, C, *output_size). Parallel over planes. Floor: x and y once, taps once, as many
    comparisons an output as the window has lines and a line taps.
    """
    return _forward(x, output_size, windows(x.shape[2:], output_size, kernel_size, stride, padding, dilation))


def max_pool_backward(
    dy: Array, taps: Array, *, input_size: Ints, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Array:
    """``dx[p · stride − padding + taps[p] · dilation] += dy[p]`` in each plane.

    dy, taps (N, C, *out) → dx (N, C, *input_size). Parallel over planes; accumulates in the dtype of `dy`, in the
    order of p. Floor: dy, taps and dx once, one addition an output.
    """
    return _backward(dy, taps, input_size, windows(input_size, dy.shape[2:], kernel_size, stride, padding, dilation))


def max_pool_indices(
    taps: Array, *, input_size: Ints, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Array:
    """Where the maxima stand: flat positions in the plane, int64, −1 for none. taps (N, C, *out), as is the result."""
    return _indices(taps, windows(input_size, taps.shape[2:], kernel_size, stride, padding, dilation))


def adaptive_max_pool_forward(x: Array, *, output_size: Ints) -> tuple[Array, Array]:
    """``y[p] =`` maximum of x over ``⌊p·in/out⌋ … ⌈(p + 1)·in/out⌉ − 1`` on each axis, and which tap; as `max_pool_forward`."""
    return _forward(x, output_size, adaptive_windows(x.shape[2:], output_size))


def adaptive_max_pool_backward(dy: Array, taps: Array, *, input_size: Ints) -> Array:
    """`max_pool_backward` for the windows of `adaptive_max_pool_forward`."""
    return _backward(dy, taps, input_size, adaptive_windows(input_size, dy.shape[2:]))


def adaptive_max_pool_indices(taps: Array, *, input_size: Ints) -> Array:
    """`max_pool_indices` for the windows of `adaptive_max_pool_forward`."""
    return _indices(taps, adaptive_windows(input_size, taps.shape[2:]))


def _forward(x: Array, output_size: Ints, where: Windows) -> tuple[Array, Array]:
    y = empty((*x.shape[:2], *output_size), x.dtype)
    count, rows = product(where.taps), where.taps[0] * where.taps[1]
    taps = empty(y.shape, np.dtype(np.uint8 if count <= 255 else np.int32))
    if y.size and where.pairs:
        _max_pairs(2 * y.size, planes(contiguous(x)), planes(y), planes(taps))
    elif y.size:
        _max_planes(
            work(y, where), planes(contiguous(x)), planes(y), planes(taps), *where.axes, where.taps, where.dilation,
            where.regular, where.joined(), where.regular[1] == where.regular[2] or (where.regular[0] > 2 and rows > 1),
        )  # fmt: skip
        nothing = where.empty
        if nothing is not None:
            planes(taps)[:, nothing] = np.iinfo(taps.dtype).max
    return y, taps


def _backward(dy: Array, taps: Array, input_size: Ints, where: Windows) -> Array:
    dx = empty((*dy.shape[:2], *input_size), dy.dtype)
    nothing = np.iinfo(taps.dtype).max
    if dx.size and where.pairs:
        _scatter_pairs(dy.size + dx.size, planes(contiguous(dy)), planes(contiguous(taps)), planes(dx))
    elif dx.size:
        _scatter_planes(
            dy.size + dx.size, planes(contiguous(dy)), planes(contiguous(taps)), *(a[0] for a in where.axes),
            where.offsets,
            nothing, planes(dx),
        )  # fmt: skip
    return dx


def _indices(taps: Array, where: Windows) -> Array:
    (d, h, w), (_, height, width) = (a[0] for a in where.axes), where.size
    begin = ((d[:, None, None] * height + h[:, None]) * width + w).reshape(1, 1, *taps.shape[2:])
    none = taps == np.iinfo(taps.dtype).max
    return np.where(none, -1, begin + where.offsets[np.where(none, 0, taps)])


@kernel
def _max_pairs(x, y, taps):  # type: ignore[no-untyped-def]
    """Squares of 2 × 2, side by side: lines of explicit vectors."""
    lines, width = y.shape[1] * y.shape[2], x.shape[3]
    flat, out, places = x.reshape(-1), y.reshape(-1), taps.reshape(-1)
    for plane in prange(y.shape[0]):
        for d in range(y.shape[1]):
            for h in range(y.shape[2]):
                xo = ((plane * x.shape[1] + d) * x.shape[2] + 2 * h) * width
                to = (plane * lines + d * y.shape[2] + h) * y.shape[3]
                simd.pair_max(flat, xo, width, y.shape[3], out, places, to)


@kernel
def _scatter_pairs(dy, taps, dx):  # type: ignore[no-untyped-def]
    lines, width, odd = dy.shape[1] * dy.shape[2], dx.shape[3], dx.shape[3] % 2
    flat, grad, places = dx.reshape(-1), dy.reshape(-1), taps.reshape(-1)
    for plane in prange(dx.shape[0]):
        for d in range(dy.shape[1]):
            for h in range(dy.shape[2]):
                xo = ((plane * dx.shape[1] + d) * dx.shape[2] + 2 * h) * width
                to = (plane * lines + d * dy.shape[2] + h) * dy.shape[3]
                simd.pair_scatter(grad, places, to, dy.shape[3], flat, xo, width)
            if 2 * dy.shape[2] < dx.shape[2] or odd:
                dx[plane, d, 2 * dy.shape[2] :] = 0
                dx[plane, d, :, 2 * dy.shape[3] :] = 0


@kernel
def _max_planes(x, y, taps, ds, hs, ws, count, dilation, regular, joined, irregular):  # type: ignore[no-untyped-def]
    for plane in prange(y.shape[0]):
        if irregular:
            _columns_max(x[plane], ds, hs, ws, count, dilation, y[plane], taps[plane])
            continue
        lines = np.empty((x.shape[1], x.shape[2], y.shape[3]), x.dtype)
        places = np.empty(lines.shape, taps.dtype)
        if joined:
            _line_max(x[plane].reshape(-1), 0, regular[0], 1, count[2], lines.reshape(-1), places.reshape(-1))
        else:
            rows = (x.shape[1] * x.shape[2], x.shape[3])
            out = (rows[0], y.shape[3])
            _pool_lines(
                x[plane].reshape(rows), ws, count[2], dilation[2], regular, lines.reshape(out), places.reshape(out)
            )
        _lines_max(lines, places, ds, hs, count, dilation, y[plane], taps[plane])


@inner
def _columns_max(x, ds, hs, ws, count, dilation, y, taps):  # type: ignore[no-untyped-def]
    """The maxima among the lines of each window, column by column, and of these along the line."""
    lines = np.empty((y.shape[0], y.shape[1], x.shape[2]), x.dtype)
    places = np.empty(lines.shape, taps.dtype)
    _lines_max(x, np.zeros(x.shape, taps.dtype), ds, hs, count, dilation, lines, places)
    for od in range(y.shape[0]):
        for oh in range(y.shape[1]):
            _pool_columns(lines[od, oh], places[od, oh], ws, dilation[2], y[od, oh], taps[od, oh])


@inner
def _pool_columns(line, places, ws, dilation, y, taps):  # type: ignore[no-untyped-def]
    for p in range(y.size):
        value, place, tap = line.dtype.type(-np.inf), np.int64(1) << 62, ws[3, p]
        for i in range(ws[1, p], ws[2, p], dilation):
            other, at = line[i], places[i] + tap
            sooner = (other == value) & (at < place)
            better = (other > value) | sooner | ((other != other) & ((value == value) | (at > place)))
            value = other if better else value
            place = at if better else place
            tap += 1
        y[p], taps[p] = value, place


@inner
def _pool_lines(x, ws, count, dilation, regular, best, where):  # type: ignore[no-untyped-def]
    """The maxima of the windows of each line, and their taps."""
    step, first, last = regular
    begin, lo, many = np.uintp(ws[0, first]), np.uintp(first), np.uintp(last - first)
    for r in range(x.shape[0]):
        if step == 2:
            _inside_second(x, r, begin, dilation, count, lo, many, best, where)
        else:
            _inside(x, r, begin, np.uintp(step), dilation, count, lo, many, best, where)
        for p in range(first):
            _border(x, r, ws, p, dilation, best, where)
        for p in range(last, best.shape[1]):
            _border(x, r, ws, p, dilation, best, where)


@inner
def _inside(x, r, begin, step, dilation, count, lo, many, best, where):  # type: ignore[no-untyped-def]
    """Windows that lie inside, any step; a step of 1 vectorises."""
    if step != 1:
        for i in range(many):
            value, place = x[r, begin + i * step], 0
            for t in range(1, count):
                other = x[r, begin + i * step + np.uintp(t * dilation)]
                if other > value or other != other:
                    value, place = other, t
            best[r, lo + i], where[r, lo + i] = value, place
        return
    for i in range(many):
        best[r, lo + i], where[r, lo + i] = x[r, begin + i], 0
    for t in range(1, count):
        tap, at = where.dtype.type(t), begin + np.uintp(t * dilation)
        for i in range(many):
            value, old = x[r, at + i], best[r, lo + i]
            better = (value > old) | (value != value)
            best[r, lo + i] = value if better else old
            where[r, lo + i] = tap if better else where[r, lo + i]


@inner
def _inside_second(x, r, begin, dilation, count, lo, many, best, where):  # type: ignore[no-untyped-def]
    """Windows that lie inside, step 2: all taps of an output at once, without branches."""
    for i in range(many):
        value, place = x[r, begin + i * np.uintp(2)], where.dtype.type(0)
        for t in range(1, count):
            other = x[r, begin + i * np.uintp(2) + np.uintp(t * dilation)]
            better = (other > value) | (other != other)
            value = other if better else value
            place = where.dtype.type(t) if better else place
        best[r, lo + i], where[r, lo + i] = value, place


@inner
def _border(x, r, ws, p, dilation, best, where):  # type: ignore[no-untyped-def]
    """The maximum of a window that lies inside in part."""
    value, place = x.dtype.type(-np.inf), ws[3, p]
    tap = place
    for i in range(ws[1, p], ws[2, p], dilation):
        better = (x[r, i] > value) | (x[r, i] != x[r, i])
        value = x[r, i] if better else value
        place = tap if better else place
        tap += 1
    best[r, p], where[r, p] = value, place


@inner
def _line_max(line, begin, step, dilation, count, best, where):  # type: ignore[no-untyped-def]
    """The maxima of windows that lie inside; steps of 1 and 2 are written out, so that they vectorise."""
    if step == 2 and count == 2 and dilation == 1:
        _take_pairs(line[begin : begin + 2 * best.size], best, where)
        return
    picked = np.empty(best.size if step > 2 else 0, best.dtype)
    for t in range(count):
        taps = line[begin + t * dilation :]
        if t == 0:
            where.fill(0)
            for i in range(best.size):
                best[i] = taps[i * step]
        elif step == 1:
            _take_each(taps, where.dtype.type(t), best, where)
        elif step == 2:
            _take_second(taps, where.dtype.type(t), best, where)
        else:
            for i in range(best.size):
                picked[i] = taps[i * step]
            _take_each(picked, where.dtype.type(t), best, where)


@inner
def _take_pairs(line, best, where):  # type: ignore[no-untyped-def]
    for i in range(best.size):
        first, second = line[2 * i], line[2 * i + 1]
        better = (second > first) | (second != second)
        best[i] = second if better else first
        where[i] = better


@inner
def _take_each(taps, tap, best, where):  # type: ignore[no-untyped-def]
    for i in range(best.size):
        better = (taps[i] > best[i]) | (taps[i] != taps[i])
        best[i] = taps[i] if better else best[i]
        where[i] = tap if better else where[i]


@inner
def _take_second(taps, tap, best, where):  # type: ignore[no-untyped-def]
    for i in range(best.size):
        value = taps[2 * i]
        better = (value > best[i]) | (value != value)
        best[i] = value if better else best[i]
        where[i] = tap if better else where[i]


@inner
def _lines_max(lines, places, ds, hs, count, dilation, y, taps):  # type: ignore[no-untyped-def]
    """The maxima among pooled lines."""
    for od in range(y.shape[0]):
        for oh in range(y.shape[1]):
            started, layer = False, ds[3, od] * count[1]
            for d in range(ds[1, od], ds[2, od], dilation[0]):
                row = layer + hs[3, oh]
                for h in range(hs[1, oh], hs[2, oh], dilation[1]):
                    _take_line(lines, places, d, h, taps.dtype.type(row * count[2]), started, y, taps, od, oh)
                    started = True
                    row += 1
                layer += count[1]
            if not started:
                y[od, oh, :] = -np.inf
                taps[od, oh, :] = 0


@inner
def _take_line(lines, places, d, h, base, started, y, taps, od, oh):  # type: ignore[no-untyped-def]
    if started:
        for p in range(y.shape[2]):
            value, old = lines[d, h, p], y[od, oh, p]
            better = (value > old) | (value != value)
            y[od, oh, p] = value if better else old
            taps[od, oh, p] = base + places[d, h, p] if better else taps[od, oh, p]
    else:
        for p in range(y.shape[2]):
            y[od, oh, p], taps[od, oh, p] = lines[d, h, p], base + places[d, h, p]


@kernel
def _scatter_planes(dy, taps, ds, hs, ws, offsets, nothing, dx):  # type: ignore[no-untyped-def]
    for plane in prange(dx.shape[0]):
        target = dx[plane].reshape(-1)
        target.fill(0)
        for od in range(dy.shape[1]):
            for oh in range(dy.shape[2]):
                begin = (ds[od] * dx.shape[2] + hs[oh]) * dx.shape[3]
                _scatter_line(dy[plane, od, oh], taps[plane, od, oh], begin, ws, offsets, nothing, target)


@inner
def _scatter_line(grad, taps, begin, ws, offsets, nothing, target):  # type: ignore[no-untyped-def]
    for p in range(grad.size):
        if taps[p] != nothing:
            target[begin + ws[p] + offsets[taps[p]]] += grad[p]
