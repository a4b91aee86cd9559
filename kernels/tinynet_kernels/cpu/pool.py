"""Maximum and average pooling over 1, 2 or 3 spatial axes; inside always over three, the missing ones of size 1.

All kernels run over (image, channel) planes: a plane's windows may overlap, planes never do.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array, contiguous, product, triple
from .conv_depthwise import inside
from .jit import inner, kernel
from .memory import empty, zeros

Ints = tuple[int, ...]


def max_pool_forward(
    x: Array, *, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints, output_size: Ints
) -> tuple[Array, Array]:
    """``y[p] = max_t x[p · stride − padding + t · dilation]`` over the taps inside x, and where it stands.

    x (N, C, *size) → y, indices (N, C, *output_size); indices (int64) are flat positions in the plane. The first
    maximum wins; NaN wins over numbers (of several, the last). Parallel over planes. Floor: x, y and indices once,
    one comparison a tap.
    """
    y = empty((*x.shape[:2], *output_size), x.dtype)
    indices = empty(y.shape, np.int64)
    if y.size:
        _max_pool(
            y.size * product(kernel_size), _planes(x), _planes(y), _planes(indices), triple(kernel_size, 1),
            triple(stride, 1), triple(padding, 0), triple(dilation, 1),
        )  # fmt: skip
    return y, indices


def max_pool_backward(dy: Array, indices: Array, *, input_size: Ints) -> Array:
    """``dx[indices[p]] += dy[p]`` in each plane.

    dy, indices (N, C, *out) → dx (N, C, *input_size). Parallel over planes; accumulates in the dtype of `dy`, in the
    order of p. Floor: dy, indices and dx once, one addition an output.
    """
    dx = zeros((*dy.shape[:2], *input_size), dy.dtype)
    if dy.size and dx.size:
        planes = dy.shape[0] * dy.shape[1]
        _scatter(
            dy.size + dx.size, contiguous(dy).reshape(planes, -1), contiguous(indices).reshape(planes, -1),
            dx.reshape(planes, -1),
        )  # fmt: skip
    return dx


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
    the dtype of `x`. Floor: x and y once, one addition a tap.
    """
    y = empty((*x.shape[:2], *output_size), x.dtype)
    if y.size:
        _avg_pool(
            y.size * product(kernel_size), _planes(x), _planes(y), triple(kernel_size, 1), triple(stride, 1),
            triple(padding, 0), count_include_pad, divisor_override or 0, False,
        )  # fmt: skip
    return y


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
    Floor: dy and dx once, one addition a tap.
    """
    dx = zeros((*dy.shape[:2], *input_size), dy.dtype)
    if dy.size and dx.size:
        _avg_pool(
            dy.size * product(kernel_size), _planes(dx), _planes(dy), triple(kernel_size, 1), triple(stride, 1),
            triple(padding, 0), count_include_pad, divisor_override or 0, True,
        )  # fmt: skip
    return dx


def adaptive_avg_pool_forward(x: Array, *, output_size: Ints) -> Array:
    """``y[p] =`` mean of x over the window ``⌊p·in/out⌋ … ⌈(p + 1)·in/out⌉ − 1`` on each axis.

    x (N, C, *size) → y (N, C, *output_size). Parallel over planes; accumulates in the dtype of `x`. Floor: x and y
    once, one addition an element of a window.
    """
    y = empty((*x.shape[:2], *output_size), x.dtype)
    if y.size:
        _adaptive_avg(max(x.size, y.size), _planes(x), _planes(y), False)
    return y


def adaptive_avg_pool_backward(dy: Array, *, input_size: Ints) -> Array:
    """``dx[i] += dy[p] / |window p|`` for i in the window of p, the transpose of `adaptive_avg_pool_forward`.

    dy (N, C, *out) → dx (N, C, *input_size). Parallel over planes; accumulates in the dtype of `dy`, windows in order.
    Floor: dy and dx once, one addition an element of a window.
    """
    dx = zeros((*dy.shape[:2], *input_size), dy.dtype)
    if dy.size and dx.size:
        _adaptive_avg(max(dx.size, dy.size), _planes(dx), _planes(dy), True)
    return dx


def adaptive_max_pool_forward(x: Array, *, output_size: Ints) -> tuple[Array, Array]:
    """``y[p] =`` maximum of x over the windows of `adaptive_avg_pool_forward`, and where it stands.

    x (N, C, *size) → y, indices (N, C, *output_size), as `max_pool_forward` gives them. Parallel over planes. Floor:
    x, y and indices once, one comparison an element of a window.
    """
    y = empty((*x.shape[:2], *output_size), x.dtype)
    indices = empty(y.shape, np.int64)
    if y.size:
        _adaptive_max(max(x.size, y.size), _planes(x), _planes(y), _planes(indices))
    return y, indices


def adaptive_max_pool_backward(dy: Array, indices: Array, *, input_size: Ints) -> Array:
    """``dx[indices[p]] += dy[p]`` in each plane: `max_pool_backward`."""
    return max_pool_backward(dy, indices, input_size=input_size)


def _planes(x: Array) -> Array:
    """x (N, C, *spatial) as (N·C, D, H, W)."""
    return contiguous(x).reshape(x.shape[0] * x.shape[1], *triple(x.shape[2:], 1))


@kernel
def _max_pool(x, y, indices, kernel_size, stride, padding, dilation):  # type: ignore[no-untyped-def]
    for plane in prange(y.shape[0]):
        _max_plane(x[plane], y[plane], indices[plane], kernel_size, stride, padding, dilation)


@inner
def _max_plane(x, y, indices, kernel_size, stride, padding, dilation):  # type: ignore[no-untyped-def]
    # A row of outputs at a time, tap after tap: without branches, so that it vectorises.
    for od in range(y.shape[0]):
        d0 = _first_tap(od * stride[0] - padding[0], dilation[0])
        for oh in range(y.shape[1]):
            h0 = _first_tap(oh * stride[1] - padding[1], dilation[1])
            best, where = y[od, oh], indices[od, oh]
            for ow in range(best.size):
                w0 = _first_tap(ow * stride[2] - padding[2], dilation[2])
                empty = (d0 >= x.shape[0]) | (h0 >= x.shape[1]) | (w0 >= x.shape[2])  # dilated past the input
                best[ow], where[ow] = -np.inf, -1 if empty else (d0 * x.shape[1] + h0) * x.shape[2] + w0
            for d in range(d0, _end(od, kernel_size[0], stride[0], padding[0], dilation[0], x.shape[0]), dilation[0]):
                for h in range(
                    h0, _end(oh, kernel_size[1], stride[1], padding[1], dilation[1], x.shape[1]), dilation[1]
                ):
                    base = (d * x.shape[1] + h) * x.shape[2]
                    for kw in range(kernel_size[2]):
                        first = kw * dilation[2] - padding[2]
                        lo, hi = inside(0, best.size, first, stride[2], x.shape[2])
                        _row_max(x[d, h], first + lo * stride[2], stride[2], base, best[lo:hi], where[lo:hi])


@inner
def _row_max(line, start, stride, base, best, where):  # type: ignore[no-untyped-def]
    for i in range(best.size):
        position = start + i * stride
        value = line[position]
        better = (value > best[i]) | (value != value)
        best[i] = value if better else best[i]
        where[i] = base + position if better else where[i]


@inner
def _first_tap(start, dilation):  # type: ignore[no-untyped-def]
    """The first input position inside, of a window that begins at `start`."""
    return start if start >= 0 else start + (dilation - 1 - start) // dilation * dilation


@inner
def _end(p, taps, stride, padding, dilation, size):  # type: ignore[no-untyped-def]
    return min(p * stride - padding + (taps - 1) * dilation + 1, size)


@inner
def _window_max(x, y, indices, od, oh, ow, d0, d1, h0, h1, w0, w1):  # type: ignore[no-untyped-def]
    best = x.dtype.type(-np.inf)
    where = (d0 * x.shape[1] + h0) * x.shape[2] + w0
    for d in range(d0, d1):
        for h in range(h0, h1):
            base = (d * x.shape[1] + h) * x.shape[2]
            for w in range(w0, w1):
                value = x[d, h, w]
                if value > best or value != value:
                    best, where = value, base + w
    y[od, oh, ow] = best
    indices[od, oh, ow] = where


@kernel
def _scatter(dy, indices, dx):  # type: ignore[no-untyped-def]
    for plane in prange(dy.shape[0]):
        _scatter_plane(dy[plane], indices[plane], dx[plane])


@inner
def _scatter_plane(dy, indices, dx):  # type: ignore[no-untyped-def]
    for p in range(dy.size):
        if indices[p] >= 0:  # a dilated window may step over the whole input
            dx[indices[p]] += dy[p]


@kernel
def _avg_pool(x, y, kernel_size, stride, padding, include, divisor, transposed):  # type: ignore[no-untyped-def]
    for plane in prange(y.shape[0]):
        _avg_plane(x[plane], y[plane], kernel_size, stride, padding, include, divisor, transposed)


@inner
def _avg_plane(x, y, kernel_size, stride, padding, include, divisor, transposed):  # type: ignore[no-untyped-def]
    """x → y, or with `transposed` y → x: the same windows and divisors serve both directions."""
    for od in range(y.shape[0]):
        d0, d1, depth = _window(od * stride[0] - padding[0], kernel_size[0], padding[0], x.shape[0])
        for oh in range(y.shape[1]):
            h0, h1, height = _window(oh * stride[1] - padding[1], kernel_size[1], padding[1], x.shape[1])
            row = y[od, oh]
            if not transposed:
                row[:] = 0
                for d in range(d0, d1):
                    for h in range(h0, h1):
                        for kw in range(kernel_size[2]):
                            first = kw - padding[2]
                            lo, hi = inside(0, row.size, first, stride[2], x.shape[2])
                            _row_add(x[d, h], first + lo * stride[2], stride[2], row[lo:hi])
            for ow in range(row.size):
                w0, w1, width = _window(ow * stride[2] - padding[2], kernel_size[2], padding[2], x.shape[2])
                count = divisor
                if divisor == 0:
                    count = depth * height * width if include else (d1 - d0) * (h1 - h0) * (w1 - w0)
                if transposed:
                    _window_add(x, d0, d1, h0, h1, w0, w1, row[ow] / x.dtype.type(count))
                elif d0 < d1 and h0 < h1 and w0 < w1:  # else the window lies in the padding: zero, not 0 / 0
                    row[ow] /= x.dtype.type(count)


@inner
def _row_add(line, start, stride, total):  # type: ignore[no-untyped-def]
    for i in range(total.size):
        total[i] += line[start + i * stride]


@inner
def _window(start, n, padding, size):  # type: ignore[no-untyped-def]
    """Begin and end of a window within the input, and its length within the padded input."""
    end = min(start + n, size + padding)
    return max(start, 0), min(end, size), end - start


@inner
def _window_sum(x, d0, d1, h0, h1, w0, w1):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for d in range(d0, d1):
        for h in range(h0, h1):
            for w in range(w0, w1):
                total += x[d, h, w]
    return total


@inner
def _window_add(x, d0, d1, h0, h1, w0, w1, value):  # type: ignore[no-untyped-def]
    for d in range(d0, d1):
        for h in range(h0, h1):
            for w in range(w0, w1):
                x[d, h, w] += value


@inner
def _adaptive(p, size, out):  # type: ignore[no-untyped-def]
    return p * size // out, ((p + 1) * size + out - 1) // out


@kernel
def _adaptive_avg(x, y, transposed):  # type: ignore[no-untyped-def]
    for plane in prange(y.shape[0]):
        _adaptive_avg_plane(x[plane], y[plane], transposed)


@inner
def _adaptive_avg_plane(x, y, transposed):  # type: ignore[no-untyped-def]
    for od in range(y.shape[0]):
        d0, d1 = _adaptive(od, x.shape[0], y.shape[0])
        for oh in range(y.shape[1]):
            h0, h1 = _adaptive(oh, x.shape[1], y.shape[1])
            for ow in range(y.shape[2]):
                w0, w1 = _adaptive(ow, x.shape[2], y.shape[2])
                count = x.dtype.type((d1 - d0) * (h1 - h0) * (w1 - w0))
                if transposed:
                    _window_add(x, d0, d1, h0, h1, w0, w1, y[od, oh, ow] / count)
                else:
                    y[od, oh, ow] = _window_sum(x, d0, d1, h0, h1, w0, w1) / count


@kernel
def _adaptive_max(x, y, indices):  # type: ignore[no-untyped-def]
    for plane in prange(y.shape[0]):
        _adaptive_max_plane(x[plane], y[plane], indices[plane])


@inner
def _adaptive_max_plane(x, y, indices):  # type: ignore[no-untyped-def]
    for od in range(y.shape[0]):
        d0, d1 = _adaptive(od, x.shape[0], y.shape[0])
        for oh in range(y.shape[1]):
            h0, h1 = _adaptive(oh, x.shape[1], y.shape[1])
            for ow in range(y.shape[2]):
                w0, w1 = _adaptive(ow, x.shape[2], y.shape[2])
                _window_max(x, y, indices, od, oh, ow, d0, d1, h0, h1, w0, w1)
