"""Convolution over 1, 2 or 3 spatial axes: columns of the image (im2col) times the weights, in BLAS.

Inside, every convolution is one over three axes, the missing ones of size 1. The columns exist for one tile of output
pixels at a time (they stay in the cache), in a buffer that belongs to one chunk of the work. Convolutions with one
input channel a group go to conv_depthwise.py.
"""

from __future__ import annotations

from numba import prange

from . import conv_depthwise as depthwise
from .arrays import Array, contiguous, optional, product, triple
from .blas import gemm, gemm_address
from .conv_depthwise import inside
from .jit import inner, kernel
from .memory import empty, zeros

Ints = tuple[int, ...]
_COLUMNS = 1 << 17  # elements of a tile of columns: half a megabyte of float32, within L2
_CHUNKS = 16  # chunks of independent work
_PARTIAL_SUMS = 8  # chunks of the weight gradient, each with a sum as large as the weights


def _output_size(size: Ints, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    axes = zip(size, kernel_size, stride, padding, dilation, strict=True)
    return tuple(max(0, (i + 2 * p - d * (k - 1) - 1) // s + 1) for i, k, s, p, d in axes)


def conv_forward(
    x: Array, w: Array, b: Array | None, *, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Array:
    """``y[n, o, p] = b[o] + Σ_{c, t} w[o, c, t] · x[n, c, p · stride − padding + t · dilation]``, x zero outside.

    x (N, C, *size), w (O, C/groups, *kernel), b (O,) or None → y (N, O, *out), with
    out = ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1. Parallel over (image, group, tile of pixels);
    accumulates in the dtype of `x`. Floor: x, w and y once, 2·N·O·P·(C/groups)·K FLOPs (P output pixels, K taps).
    """
    size, kernel_size = x.shape[2:], w.shape[2:]
    out = _output_size(size, kernel_size, stride, padding, dilation)
    y = empty((x.shape[0], w.shape[0], *out), x.dtype)
    if y.size == 0:
        return y
    geometry = _geometry(size, kernel_size, stride, padding, dilation, out)
    images, channels, filters = x.shape[0], w.shape[1], w.shape[0]
    work = y.size * (channels * product(kernel_size) + 1) // 8
    flat = (contiguous(x).reshape(-1), contiguous(w).reshape(-1), optional(b, x), y.reshape(-1))
    if channels == 1 and groups > 1:
        depthwise.forward(work, *flat, images, filters, filters // groups, *geometry)
        return y
    pixels, taps = product(out), channels * product(kernel_size)
    direct = _is_matrix_product(size, out, kernel_size, stride, padding)
    tile = _tile(pixels, taps, images * groups)
    chunks = min(_CHUNKS, images * groups * -(-pixels // tile))
    columns = empty((chunks, 0 if direct else taps * tile), x.dtype)
    _forward(
        work,
        gemm_address(x.dtype),
        *flat,
        columns,
        images,
        groups,
        channels,
        filters // groups,
        tile,
        direct,
        *geometry,
    )
    return y


def conv_grad_input(
    dy: Array, w: Array, *, input_size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Array:
    """``dx[n, c, i] = Σ_{o, p, t : p·stride − padding + t·dilation = i} w[o, c, t] · dy[n, o, p]``.

    The transpose of `conv_forward` in `x`, and so the forward of the transposed convolution. dy (N, O, *out),
    w (O, C/groups, *kernel) → dx (N, C, *input_size). Parallel over (image, group, block of channels); accumulates in
    the dtype of `dy`. Floor: dy, w and dx once, as many FLOPs as the forward.
    """
    size, kernel_size, out = tuple(input_size), w.shape[2:], dy.shape[2:]
    images, filters, channels = dy.shape[0], w.shape[0], w.shape[1]
    dx = zeros((images, channels * groups, *size), dy.dtype)
    if dx.size == 0 or dy.size == 0:
        return dx
    geometry = _geometry(size, kernel_size, stride, padding, dilation, out)
    work = dy.size * channels * product(kernel_size) // 8
    flat = (contiguous(dy).reshape(-1), contiguous(w).reshape(-1), dx.reshape(-1))
    if channels == 1 and groups > 1:
        depthwise.grad_input(work, *flat, images, groups, filters // groups, *geometry)
        return dx
    direct = _is_matrix_product(size, out, kernel_size, stride, padding)
    blocks = min(channels, max(1, -(-_CHUNKS // (images * groups))))
    step = -(-channels // blocks)
    blocks = -(-channels // step)
    pixels, taps = product(out), step * product(kernel_size)
    tile = pixels if direct else _tile(pixels, taps, _CHUNKS)
    chunks = min(_CHUNKS, images * groups * blocks)
    columns = empty((chunks, 0 if direct else taps * tile), dy.dtype)
    _grad_input(
        work, gemm_address(dy.dtype), *flat, columns, images, groups, channels, filters // groups, blocks, step, tile,
        direct, *geometry,
    )  # fmt: skip
    return dx


def conv_grad_weight(
    dy: Array, x: Array, *, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Array:
    """``dw[o, c, t] = Σ_{n, p} dy[n, o, p] · x[n, c, p · stride − padding + t · dilation]``, x zero outside.

    dy (N, O, *out), x (N, C, *size) → dw (O, C/groups, *kernel_size). Parallel over a fixed number of chunks of
    (image, tile of pixels), whose sums are added in order; accumulates in the dtype of `dy`. Floor: dy, x and dw once,
    as many FLOPs as the forward.
    """
    size, out = x.shape[2:], dy.shape[2:]
    images, filters, channels = x.shape[0], dy.shape[1], x.shape[1] // groups
    shape = (filters, channels, *kernel_size)
    if dy.size == 0 or x.size == 0 or product(shape) == 0:
        return zeros(shape, dy.dtype)
    geometry = _geometry(size, kernel_size, stride, padding, dilation, out)
    pixels, taps = product(out), channels * product(kernel_size)
    work = dy.size * taps // 8
    flat = (contiguous(dy).reshape(-1), contiguous(x).reshape(-1))
    if channels == 1 and groups > 1:
        dw = empty(shape, dy.dtype)
        depthwise.grad_weight(work, *flat, dw.reshape(-1), images, filters, filters // groups, *geometry)
        return dw
    direct = _is_matrix_product(size, out, kernel_size, stride, padding)
    tile = _tile(pixels, taps, images)
    chunks = min(_PARTIAL_SUMS, images * -(-pixels // tile))
    columns = empty((chunks, 0 if direct else taps * tile), dy.dtype)
    sums = zeros((chunks, *shape), dy.dtype)
    _grad_weight(
        work, gemm_address(dy.dtype), *flat, sums.reshape(chunks, -1), columns, images, groups, channels,
        filters // groups, tile, direct, *geometry,
    )  # fmt: skip
    dw = sums[0]
    for part in sums[1:]:
        dw += part
    return dw


def conv_grad_bias(dy: Array) -> Array:
    """``db[o] = Σ_{n, p} dy[n, o, p]``.

    dy (N, O, *out) → db (O,). Parallel over channels; accumulates in float64. Floor: dy once, as many FLOPs.
    """
    db = zeros((dy.shape[1],), dy.dtype)
    if dy.size:
        _channel_sums(dy.size, contiguous(dy).reshape(dy.shape[0], dy.shape[1], -1), db)
    return db


def _geometry(
    size: Ints, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> tuple[Ints, ...]:
    """The six tuples that kernels take, each over three axes."""
    return (
        triple(size, 1), triple(kernel_size, 1), triple(stride, 1), triple(padding, 0), triple(dilation, 1),
        triple(out, 1),
    )  # fmt: skip


def _is_matrix_product(size: Ints, out: Ints, kernel_size: Ints, stride: Ints, padding: Ints) -> bool:
    """Pixel by pixel; `out` is smaller than `size` where a transposed convolution has an output padding."""
    same = tuple(size) == tuple(out)
    return same and set(kernel_size) == {1} and set(stride) == {1} and set(padding) == {0}


def _tile(pixels: int, taps: int, items: int) -> int:
    """Pixels of a tile: what fits in the cache, and enough tiles for 16 chunks where there are few images."""
    fits = max(64, _COLUMNS // max(taps, 1))
    spread = max(64, -(-pixels // max(1, _CHUNKS // max(items, 1))))
    return max(1, min(pixels, fits, spread))


@kernel
def _forward(  # type: ignore[no-untyped-def]
    address, x, w, b, y, columns, images, groups, channels, filters, tile, direct,
    size, kernel_size, stride, padding, dilation, out,
):  # fmt: skip
    pixels = out[0] * out[1] * out[2]
    tiles = (pixels + tile - 1) // tile
    items, chunks = images * groups * tiles, columns.shape[0]
    for chunk in prange(chunks):
        for item in range(chunk * items // chunks, (chunk + 1) * items // chunks):
            _forward_tile(
                address, x, w, b, y, columns[chunk], item // tiles, (item % tiles) * tile, groups, channels, filters,
                tile, direct, size, kernel_size, stride, padding, dilation, out,
            )  # fmt: skip


@inner
def _forward_tile(  # type: ignore[no-untyped-def]
    address, x, w, b, y, columns, which, p0, groups, channels, filters, tile, direct,
    size, kernel_size, stride, padding, dilation, out,
):  # fmt: skip
    # `which` counts (image, group) pairs: in memory, their planes follow each other in that order.
    volume, pixels = size[0] * size[1] * size[2], out[0] * out[1] * out[2]
    taps = channels * kernel_size[0] * kernel_size[1] * kernel_size[2]
    g, p1 = which % groups, min(pixels, p0 + tile)
    width, xo, wo, yo = p1 - p0, which * channels * volume, g * filters * taps, which * filters * pixels + p0
    beta = 0.0
    if b.size > 0:
        beta = 1.0
        for o in range(filters):
            y[yo + o * pixels : yo + o * pixels + width] = b[g * filters + o]
    if direct:
        gemm(address, False, False, filters, width, taps, w, wo, taps, x, xo + p0, pixels, beta, y, yo, pixels)
    else:
        _im2col(x, xo, channels, columns, p0, p1, size, kernel_size, stride, padding, dilation, out)
        gemm(address, False, False, filters, width, taps, w, wo, taps, columns, 0, width, beta, y, yo, pixels)


@kernel
def _grad_input(  # type: ignore[no-untyped-def]
    address, dy, w, dx, columns, images, groups, channels, filters, blocks, step, tile, direct,
    size, kernel_size, stride, padding, dilation, out,
):  # fmt: skip
    items, chunks = images * groups * blocks, columns.shape[0]
    for chunk in prange(chunks):
        for item in range(chunk * items // chunks, (chunk + 1) * items // chunks):
            _grad_input_block(
                address, dy, w, dx, columns[chunk], item // blocks, (item % blocks) * step, groups, channels, filters,
                step, tile, direct, size, kernel_size, stride, padding, dilation, out,
            )  # fmt: skip


@inner
def _grad_input_block(  # type: ignore[no-untyped-def]
    address, dy, w, dx, columns, which, c0, groups, channels, filters, step, tile, direct,
    size, kernel_size, stride, padding, dilation, out,
):  # fmt: skip
    volume, pixels = size[0] * size[1] * size[2], out[0] * out[1] * out[2]
    plane_taps = kernel_size[0] * kernel_size[1] * kernel_size[2]
    some, taps = min(step, channels - c0), channels * plane_taps
    wo, yo = (which % groups) * filters * taps + c0 * plane_taps, which * filters * pixels
    xo, rows = (which * channels + c0) * volume, some * plane_taps
    for p0 in range(0, pixels, tile):
        width = min(tile, pixels - p0)
        if direct:
            gemm(address, True, False, rows, width, filters, w, wo, taps, dy, yo + p0, pixels, 0.0, dx, xo + p0, pixels)
        else:
            gemm(address, True, False, rows, width, filters, w, wo, taps, dy, yo + p0, pixels, 0.0, columns, 0, width)
            _col2im(dx, xo, some, columns, p0, p0 + width, size, kernel_size, stride, padding, dilation, out)


@kernel
def _grad_weight(  # type: ignore[no-untyped-def]
    address, dy, x, sums, columns, images, groups, channels, filters, tile, direct,
    size, kernel_size, stride, padding, dilation, out,
):  # fmt: skip
    pixels = out[0] * out[1] * out[2]
    tiles = (pixels + tile - 1) // tile
    items, chunks = images * tiles, columns.shape[0]
    for chunk in prange(chunks):
        for item in range(chunk * items // chunks, (chunk + 1) * items // chunks):
            _grad_weight_tile(
                address, dy, x, sums[chunk], columns[chunk], item // tiles, (item % tiles) * tile, groups, channels,
                filters, tile, direct, size, kernel_size, stride, padding, dilation, out,
            )  # fmt: skip


@inner
def _grad_weight_tile(  # type: ignore[no-untyped-def]
    address, dy, x, dw, columns, image, p0, groups, channels, filters, tile, direct,
    size, kernel_size, stride, padding, dilation, out,
):  # fmt: skip
    volume, pixels = size[0] * size[1] * size[2], out[0] * out[1] * out[2]
    taps, p1 = channels * kernel_size[0] * kernel_size[1] * kernel_size[2], min(pixels, p0 + tile)
    width = p1 - p0
    for g in range(groups):
        which = image * groups + g
        xo, yo, wo = which * channels * volume, which * filters * pixels + p0, g * filters * taps
        if direct:
            gemm(address, False, True, filters, taps, width, dy, yo, pixels, x, xo + p0, pixels, 1.0, dw, wo, taps)
        else:
            _im2col(x, xo, channels, columns, p0, p1, size, kernel_size, stride, padding, dilation, out)
            gemm(address, False, True, filters, taps, width, dy, yo, pixels, columns, 0, width, 1.0, dw, wo, taps)


@inner
def _im2col(  # type: ignore[no-untyped-def]
    x, xo, channels, columns, p0, p1, size, kernel_size, stride, padding, dilation, out
):
    """columns[(c, t), p] = x[c, p · stride − padding + t · dilation] for the output pixels p0 … p1 − 1."""
    q = 0
    for c in range(channels):
        for kd in range(kernel_size[0]):
            for kh in range(kernel_size[1]):
                for kw in range(kernel_size[2]):
                    first = kw * dilation[2] - padding[2]
                    p = p0
                    while p < p1:
                        ow, line = p % out[2], p // out[2]
                        run = min(out[2] - ow, p1 - p)
                        d = (line // out[1]) * stride[0] - padding[0] + kd * dilation[0]
                        h = (line % out[1]) * stride[1] - padding[1] + kh * dilation[1]
                        target = columns[q : q + run]
                        if d < 0 or d >= size[0] or h < 0 or h >= size[1]:
                            for i in range(run):
                                target[i] = 0
                        else:
                            lo, hi = inside(ow, run, first, stride[2], size[2])
                            start = xo + ((c * size[0] + d) * size[1] + h) * size[2] + first
                            for i in range(lo - ow):
                                target[i] = 0
                            middle = target[lo - ow : hi - ow]
                            if stride[2] == 1:
                                source = x[start + lo : start + hi]
                                for i in range(middle.size):
                                    middle[i] = source[i]
                            else:
                                for i in range(middle.size):
                                    middle[i] = x[start + (lo + i) * stride[2]]
                            for i in range(hi - ow, run):
                                target[i] = 0
                        p += run
                        q += run


@inner
def _col2im(  # type: ignore[no-untyped-def]
    dx, xo, channels, columns, p0, p1, size, kernel_size, stride, padding, dilation, out
):
    """The transpose of `_im2col`: adds each column element to the input element that it was read from."""
    q = 0
    for c in range(channels):
        for kd in range(kernel_size[0]):
            for kh in range(kernel_size[1]):
                for kw in range(kernel_size[2]):
                    first = kw * dilation[2] - padding[2]
                    p = p0
                    while p < p1:
                        ow, line = p % out[2], p // out[2]
                        run = min(out[2] - ow, p1 - p)
                        d = (line // out[1]) * stride[0] - padding[0] + kd * dilation[0]
                        h = (line % out[1]) * stride[1] - padding[1] + kh * dilation[1]
                        if d >= 0 and d < size[0] and h >= 0 and h < size[1]:
                            lo, hi = inside(ow, run, first, stride[2], size[2])
                            start = xo + ((c * size[0] + d) * size[1] + h) * size[2] + first
                            middle = columns[q + lo - ow : q + hi - ow]
                            if stride[2] == 1:
                                target = dx[start + lo : start + hi]
                                for i in range(middle.size):
                                    target[i] += middle[i]
                            else:
                                for i in range(middle.size):
                                    dx[start + (lo + i) * stride[2]] += middle[i]
                        p += run
                        q += run


@kernel
def _channel_sums(dy, db):  # type: ignore[no-untyped-def]
    for channel in prange(db.size):
        db[channel] = _channel_sum(dy, channel)


@inner(fastmath=("contract", "reassoc", "nsz"))
def _channel_sum(dy, channel):  # type: ignore[no-untyped-def]
    total = 0.0
    for n in range(dy.shape[0]):
        line = dy[n, channel]
        for p in range(line.size):
            total += line[p]
    return total
