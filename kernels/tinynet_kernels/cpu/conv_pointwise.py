"""Convolution with one tap and no padding: a product of matrices for each image, in place.

With images x[n] (C, P) of P pixels, y[n] = W x[n] + b, dx[n] = Wᵀ dy[n] and dW = Σ_n dy[n] x[n]ᵀ; BLAS takes each from
where it lies. A stride picks pixels first: it costs one copy.
"""

from __future__ import annotations

from numba import prange

from .arrays import Array, contiguous, optional, product
from .blas import gemm, gemm_address
from .conv_columns import add_sums
from .conv_plan import Ints
from .jit import kernel
from .memory import empty

_FEW_PIXELS = 8  # from this number on, a product for each image beats tiles
_FEW_CHANNELS = 8
_PARTS = 16  # blocks of pixels, at the least, where there are that many
_PIXELS = 64  # below which a block of pixels is not cut
_PIECES = 8  # of the gradient of the weight: blocks of rows, and chunks of images with their own sums
_ROWS = 128  # below which a block of rows is not cut


def serves(kernel_size: Ints, padding: Ints, out: Ints, channels: int, groups: int) -> bool:
    """Whether the convolution is one product an image, and large enough for it."""
    enough = product(out) >= _FEW_PIXELS and (groups == 1 or channels >= _FEW_CHANNELS)
    return enough and product(kernel_size) == 1 and not any(padding)


def forward(work: int, x: Array, w: Array, b: Array | None, y: Array, *, stride: Ints, groups: int) -> None:
    """y (N, O, *out) = w · (every stride-th pixel of x) + b."""
    _multiply(work, False, _picked(x, y.shape[2:], stride), w, b, y, groups, w.shape[0] // groups, w.shape[1])


def grad_input(work: int, dy: Array, w: Array, dx: Array, *, stride: Ints, groups: int) -> None:
    """dx (N, C, *size) = wᵀ · dy at every stride-th pixel, zero between."""
    out = dy.shape[2:]
    part = dx if dx.shape[2:] == out else empty((*dx.shape[:2], *out), dx.dtype)
    _multiply(work, True, contiguous(dy), w, None, part, groups, w.shape[1], w.shape[0] // groups)
    if part is not dx:
        dx[...] = 0
        dx[_every(out, stride)] = part


def grad_weight(work: int, dy: Array, x: Array, dw: Array, *, stride: Ints, groups: int) -> None:
    """dw (O, C/groups, 1…) = Σ_n dy[n] · (every stride-th pixel of x[n])ᵀ."""
    images, rows, channels = dy.shape[0], dw.shape[0] // groups, dw.shape[1]
    blocks = max(1, min(_PIECES, rows // _ROWS))
    chunks = max(1, min(_PIECES // blocks, images))
    sums = dw.reshape(1, -1) if chunks == 1 else empty((chunks, dw.size), dw.dtype)
    _weights(
        work, gemm_address(dw.dtype), contiguous(dy).reshape(-1), _picked(x, dy.shape[2:], stride).reshape(-1), sums,
        images, groups, rows, channels, product(dy.shape[2:]), blocks,
    )  # fmt: skip
    if chunks > 1:
        add_sums(sums.size, sums, dw.reshape(-1))


def _every(out: Ints, stride: Ints) -> tuple[slice, ...]:
    return (slice(None), slice(None), *(slice(0, (n - 1) * s + 1, s) for n, s in zip(out, stride, strict=True)))


def _picked(x: Array, out: Ints, stride: Ints) -> Array:
    return contiguous(x if x.shape[2:] == tuple(out) else x[_every(out, stride)])


def _multiply(
    work: int, turned: bool, x: Array, w: Array, b: Array | None, y: Array, groups: int, rows: int, inner: int
) -> None:
    planes, pixels = y.shape[0] * groups, product(y.shape[2:])
    cuts = max(1, min(-(-_PARTS // planes), pixels // _PIXELS))
    _products(
        work, gemm_address(y.dtype), turned, x.reshape(-1), contiguous(w).reshape(-1), optional(b, y), y.reshape(-1),
        planes, groups, rows, inner, pixels, -(-pixels // cuts),
    )  # fmt: skip


@kernel
def _products(address, turned, x, w, bias, y, planes, groups, rows, inner, pixels, step):  # type: ignore[no-untyped-def]
    blocks = (pixels + step - 1) // step
    for item in prange(planes * blocks):
        which, lo = item // blocks, item % blocks * step
        g, some = which % groups, min(step, pixels - lo)
        to = which * rows * pixels + lo
        for r in range(rows if bias.size > 0 else 0):
            y[to + r * pixels : to + r * pixels + some] = bias[g * rows + r]
        gemm(
            address, turned, False, rows, some, inner, w, g * rows * inner, rows if turned else inner, x,
            which * inner * pixels + lo, pixels, 1.0 if bias.size > 0 else 0.0, y, to, pixels,
        )  # fmt: skip


@kernel
def _weights(address, dy, x, sums, images, groups, rows, channels, pixels, blocks):  # type: ignore[no-untyped-def]
    chunks = sums.shape[0]
    for job in prange(chunks * groups * blocks):
        chunk, g, block = job // (groups * blocks), job // blocks % groups, job % blocks
        lo, hi = block * rows // blocks, (block + 1) * rows // blocks
        begin = chunk * images // chunks
        for n in range(begin, (chunk + 1) * images // chunks):
            which = n * groups + g
            gemm(
                address, False, True, hi - lo, channels, pixels, dy, (which * rows + lo) * pixels, pixels, x,
                which * channels * pixels, pixels, 0.0 if n == begin else 1.0, sums[chunk], (g * rows + lo) * channels,
                channels,
            )  # fmt: skip
