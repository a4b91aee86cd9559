"""Gradients of small convolutions by columns: for each image a matrix of the input under each tap, and one product.

    col[(c, t), p] = x[c, p · stride − padding + t · dilation]     dw = Σ_n dy[n] col[n]ᵀ
    dcol = wᵀ dy[n]     dx[c, i] = Σ_{t, p : p − padding + t · dilation = i} dcol[(c, t), p], for stride 1

It serves where tiles (conv.py) would spend most of their work on zeros or on empty lanes: on the gradient of an input
much larger than the output, and on the gradient of few filters of few taps.
"""

from __future__ import annotations

from numba import prange

from . import simd, threads
from .arrays import Array, contiguous, product, triple
from .blas import gemm, gemm_address
from .conv_plan import Ints
from .conv_source import inside
from .jit import inner, kernel
from .memory import empty, zeros

_NUMBERS = 1 << 16  # in the columns of an image: half of a usual L2 cache
_ROW = 3  # what it costs to add a row of pixels, in operations on vectors
_BLAS = 1.25  # time of a product by BLAS over that of tiles that waste nothing
_TAPS, _PIXELS = 64, 256  # few, and many
_PIECES = 8  # chunks of images of the weight's gradient, each with its own sum


def serves_input(size: Ints, stride: Ints, out: Ints, filters: int, per_group: int, lanes: int) -> bool:
    """Whether the gradient of an input is so much larger than the output that its zeros cost more than columns."""
    pixels, rows = product(out), product(out[:-1])
    tiles, columns = product(size) * filters, pixels * filters * _BLAS + rows * lanes * _ROW
    return len(size) < 3 and max(stride) == 1 and columns < 0.8 * tiles and pixels * per_group <= _NUMBERS


def serves_weight(out: Ints, filters: int, per_group: int, lanes: int) -> bool:
    """Whether so few filters and taps that most lanes of a tile would be empty meet so many pixels that BLAS is quick."""
    pixels = product(out)
    return filters <= lanes and per_group <= _TAPS and pixels >= _PIXELS and pixels * per_group <= _NUMBERS


def grad_input(work: int, dy: Array, w: Array, dx: Array, geometry: tuple[Ints, ...], groups: int) -> None:
    """dx (N, C, *size), in place; `geometry` is kernel, stride, padding, dilation over three axes."""
    per_group = w.size // w.shape[0]
    planes, pixels = dy.shape[0] * groups, product(dy.shape[2:])
    kernel_size, _, padding, dilation = geometry
    scratch = empty((min(threads.get_num_threads(), planes), per_group * pixels), dy.dtype)
    _grad_input(
        work, gemm_address(dy.dtype), contiguous(dy).reshape(-1), contiguous(w).reshape(-1), dx.reshape(-1), scratch,
        planes, groups, w.shape[1], w.shape[0] // groups, triple(dx.shape[2:], 1), triple(dy.shape[2:], 1), kernel_size,
        padding, dilation,
    )  # fmt: skip


def grad_weight(work: int, dy: Array, x: Array, dw: Array, geometry: tuple[Ints, ...], groups: int) -> None:
    """dw (O, C/groups, *kernel), in place; `geometry` is kernel, stride, padding, dilation over three axes."""
    per_group, images = dw.size // dw.shape[0], dy.shape[0]
    chunks = max(1, min(_PIECES // groups, images))
    sums = empty((chunks, dw.size), dw.dtype)
    workers = min(threads.get_num_threads(), chunks * groups)
    scratch = zeros((workers, per_group * product(dy.shape[2:])), dw.dtype)
    _grad_weight(
        work, gemm_address(dw.dtype), contiguous(dy).reshape(-1), contiguous(x).reshape(-1), sums, scratch, images,
        groups, dw.shape[1], dw.shape[0] // groups, triple(x.shape[2:], 1), triple(dy.shape[2:], 1), *geometry,
    )  # fmt: skip
    add_sums(sums.size, sums, dw.reshape(-1))


@kernel
def _grad_input(  # type: ignore[no-untyped-def]
    address, dy, w, dx, scratch, planes, groups, channels, rows, size, out, kernel_size, padding, dilation
):
    workers, pixels = scratch.shape[0], out[0] * out[1] * out[2]
    depth = channels * kernel_size[0] * kernel_size[1] * kernel_size[2]
    for worker in prange(workers):
        for which in range(worker * planes // workers, (worker + 1) * planes // workers):
            gemm(
                address, True, False, depth, pixels, rows, w, which % groups * rows * depth, depth, dy,
                which * rows * pixels, pixels, 0.0, scratch[worker], 0, pixels,
            )  # fmt: skip
            _sum_back(
                scratch[worker], dx, which * channels * size[0] * size[1] * size[2], channels, size, out, kernel_size,
                padding, dilation,
            )  # fmt: skip


@inner
def _sum_back(col, dx, to, channels, size, out, kernel_size, padding, dilation):  # type: ignore[no-untyped-def]
    """Each row of dx is the sum of the rows of `col` that lie over it; stride 1, two axes."""
    pixels, step = out[1] * out[2], dilation[1]
    line = kernel_size[2] * pixels - step * out[2]
    for c in range(channels):
        for h in range(size[1]):
            last = h + padding[1]  # the output that tap 0 takes the row to
            lo = max(0, (last - out[1] + step) // step)
            hi = min(kernel_size[1], last // step + 1)
            at = (c * kernel_size[1] + lo) * kernel_size[2] * pixels + (last - lo * step) * out[2]
            simd.sum_taps(
                col, at, hi - lo, line, kernel_size[2], pixels, padding[2], dilation[2], out[2], dx,
                to + (c * size[1] + h) * size[2], size[2],
            )  # fmt: skip


@kernel
def _grad_weight(  # type: ignore[no-untyped-def]
    address, dy, x, sums, scratch, images, groups, channels, rows, size, out, kernel_size, stride, padding, dilation
):
    workers, chunks, pixels = scratch.shape[0], sums.shape[0], out[0] * out[1] * out[2]
    depth = channels * kernel_size[0] * kernel_size[1] * kernel_size[2]
    for worker in prange(workers):
        for job in range(worker * chunks * groups // workers, (worker + 1) * chunks * groups // workers):
            chunk, g = job // groups, job % groups
            begin = chunk * images // chunks
            for n in range(begin, (chunk + 1) * images // chunks):
                which = n * groups + g
                _move(
                    x, which * channels * size[0] * size[1] * size[2], scratch[worker], channels, size, out,
                    kernel_size, stride, padding, dilation,
                )  # fmt: skip
                gemm(
                    address, False, True, rows, depth, pixels, dy, which * rows * pixels, pixels, scratch[worker], 0,
                    pixels, 0.0 if n == begin else 1.0, sums[chunk], g * rows * depth, depth,
                )  # fmt: skip


@inner
def _move(x, xo, col, channels, size, out, kernel_size, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """Copy what lies under each tap to its row of `col`; what lies outside is left alone."""
    taps = kernel_size[0] * kernel_size[1] * kernel_size[2]
    for c in range(channels):
        for t in range(taps):
            d0 = t // (kernel_size[1] * kernel_size[2]) * dilation[0] - padding[0]
            h0 = t // kernel_size[2] % kernel_size[1] * dilation[1] - padding[1]
            w0 = t % kernel_size[2] * dilation[2] - padding[2]
            h_lo, h_hi = inside(0, out[1], h0, stride[1], size[1])
            lo, hi = inside(0, out[2], w0, stride[2], size[2])
            for i in range(out[0]):
                d = d0 + i * stride[0]
                if d < 0 or d >= size[0]:
                    continue
                at = ((c * taps + t) * out[0] + i) * out[1] * out[2] + h_lo * out[2] + lo
                line = xo + ((c * size[0] + d) * size[1] + h0 + h_lo * stride[1]) * size[2] + w0 + lo * stride[2]
                for _ in range(h_lo, h_hi):
                    if stride[2] == 1:
                        simd.move(x, line, col, at, hi - lo)
                    else:
                        for j in range(hi - lo):
                            col[at + j] = x[line + j * stride[2]]
                    at += out[2]
                    line += stride[1] * size[2]


@kernel
def add_sums(sums, total):  # type: ignore[no-untyped-def]
    """total = Σ_chunk sums[chunk], in that order."""
    for i in prange(total.size):
        value = sums[0, i]
        for chunk in range(1, sums.shape[0]):
            value += sums[chunk, i]
        total[i] = value
