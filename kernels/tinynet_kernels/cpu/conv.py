"""Convolution over 1, 2 or 3 spatial axes, directly: register tiles of outputs over a padded copy of the image.

For each band of an image (see conv_plan.py): one copy into a private, zero-padded source that stays in the cache; then
tiles of 8 output channels by 3 vectors of pixels accumulate over (channel, tap). The gradient of the input is the same
kernel with turned weights; the gradient of the weight takes tiles of 8 (channel, tap) by up to 3 vectors of output
channels, over all pixels. Where another way is quicker, the launchers take that: conv_depthwise.py, conv_pointwise.py,
conv_winograd.py, conv_columns.py.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from . import conv_columns as by_columns
from . import conv_depthwise as depthwise
from . import conv_plan, gemm, simd, threads
from . import conv_pointwise as pointwise
from . import conv_winograd as winograd
from .arrays import Array, contiguous, product, triple
from .conv_plan import Ints, Plan
from .conv_source import fill
from .gemm import dot_tile, outer_tile, outer_vectors
from .jit import inner, kernel
from .memory import empty, zeros

_PARTIAL_SUMS = 8  # pieces of work of the weight gradient: chunks of images, each with its own sum, and of channels
_SUM_BYTES = 1 << 19  # of the weight gradient of one piece
_SLACK = 64  # numbers behind a source that vectors may read


def _output_size(size: Ints, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    axes = zip(size, kernel_size, stride, padding, dilation, strict=True)
    return tuple(max(0, (i + 2 * p - d * (k - 1) - 1) // s + 1) for i, k, s, p, d in axes)


def conv_forward(
    x: Array, w: Array, b: Array | None, *, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Array:
    """``y[n, o, p] = b[o] + Σ_{c, t} w[o, c, t] · x[n, c, p · stride − padding + t · dilation]``, x zero outside.

    x (N, C, *size), w (O, C/groups, *kernel), b (O,) or None → y (N, O, *out), with
    out = ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1. Parallel over (image, group, band of outputs);
    accumulates in the dtype of `x`. Floor: x, w and y once, 2·N·O·P·(C/groups)·K FLOPs (P output pixels, K taps).
    """
    size, kernel_size = x.shape[2:], w.shape[2:]
    out = _output_size(size, kernel_size, stride, padding, dilation)
    y = empty((x.shape[0], w.shape[0], *out), x.dtype)
    if y.size == 0:
        return y
    images, channels, filters = x.shape[0], w.shape[1], w.shape[0]
    taps = product(kernel_size)
    work = y.size * (channels * taps + 1) // 8
    if pointwise.serves(kernel_size, padding, out, channels, groups):
        pointwise.forward(work, x, w, b, y, stride=stride, groups=groups)
        return y
    if winograd.serves(kernel_size, stride, dilation, channels, filters // groups, x.dtype.itemsize):
        winograd.correlate(work, x, w, b, y, padding=padding, groups=groups, turned=False)
        return y
    plan = conv_plan.forward_plan(
        size, kernel_size, stride, padding, dilation, out, channels, filters // groups, images * groups,
        x.dtype.itemsize,
    )  # fmt: skip
    packed = _packed(w, plan, groups, channels, channels * taps, taps)
    _run(work, plan, x, packed, b, y, images * groups, groups, channels, size)
    return y


def conv_grad_input(
    dy: Array, w: Array, *, input_size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Array:
    """``dx[n, c, i] = Σ_{o, p, t : p·stride − padding + t·dilation = i} w[o, c, t] · dy[n, o, p]``.

    The transpose of `conv_forward` in `x`, and so the forward of the transposed convolution. dy (N, O, *out),
    w (O, C/groups, *kernel) → dx (N, C, *input_size). Parallel over (image, group, band of inputs); accumulates in
    the dtype of `dy`. Floor: dy, w and dx once, as many FLOPs as the forward.
    """
    size, kernel_size, out = tuple(input_size), w.shape[2:], dy.shape[2:]
    images, filters, channels = dy.shape[0], w.shape[0], w.shape[1]
    shape = (images, channels * groups, *size)
    if dy.size == 0 or product(shape) == 0:
        return zeros(shape, dy.dtype)
    taps = product(kernel_size)
    work = dy.size * channels * taps // 8
    dx = empty(shape, dy.dtype)
    if pointwise.serves(kernel_size, padding, out, channels, groups):
        pointwise.grad_input(work, dy, w, dx, stride=stride, groups=groups)
        return dx
    if winograd.serves(kernel_size, stride, dilation, filters // groups, channels, dy.dtype.itemsize):
        rest = tuple(2 - p for p in padding)
        if min(rest) >= 0 and size == tuple(n + 2 * r - 2 for n, r in zip(out, rest, strict=True)):
            winograd.correlate(work, dy, w, None, dx, padding=rest, groups=groups, turned=True)
            return dx
    if by_columns.serves_input(size, stride, out, filters // groups, channels * taps, simd.lanes(dy.dtype)):
        by_columns.grad_input(work, dy, w, dx, _taken(kernel_size, stride, padding, dilation), groups)
        return dx
    plan = conv_plan.input_plan(
        size, kernel_size, stride, padding, dilation, out, channels, filters // groups, images * groups,
        dy.dtype.itemsize,
    )  # fmt: skip
    packed = _packed(w, plan, groups, filters // groups, taps, channels * taps)
    _run(work, plan, dy, packed, None, dx, images * groups, groups, filters // groups, out)
    return dx


def conv_grad_weight(
    dy: Array, x: Array, *, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Array:
    """``dw[o, c, t] = Σ_{n, p} dy[n, o, p] · x[n, c, p · stride − padding + t · dilation]``, x zero outside.

    dy (N, O, *out), x (N, C, *size) → dw (O, C/groups, *kernel_size). Parallel over a fixed number of chunks of
    (image, band of outputs), whose sums are added in order; accumulates in the dtype of `dy`. Floor: dy, x and dw once,
    as many FLOPs as the forward.
    """
    size, out = x.shape[2:], dy.shape[2:]
    images, filters, channels = x.shape[0], dy.shape[1], x.shape[1] // groups
    shape = (filters, channels, *kernel_size)
    if dy.size == 0 or x.size == 0 or product(shape) == 0:
        return zeros(shape, dy.dtype)
    taps = channels * product(kernel_size)
    work = dy.size * taps // 8
    dw = empty(shape, dy.dtype)
    if pointwise.serves(tuple(kernel_size), padding, out, channels, groups):
        pointwise.grad_weight(work, dy, x, dw, stride=stride, groups=groups)
        return dw
    rows, lanes = filters // groups, simd.lanes(dy.dtype)
    if winograd.serves(tuple(kernel_size), stride, dilation, channels, rows, dy.dtype.itemsize):
        winograd.grad_weight(work, dy, x, dw, padding=padding, groups=groups)
        return dw
    lone = channels == 1 and groups > 1
    if not lone and by_columns.serves_weight(out, rows, taps, lanes):
        by_columns.grad_weight(work, dy, x, dw, _taken(tuple(kernel_size), stride, padding, dilation), groups)
        return dw
    plan = conv_plan.forward_plan(
        size, kernel_size, stride, padding, dilation, out, channels, 0, images * groups, dy.dtype.itemsize
    )
    if lone:
        depthwise.grad_weight(work, dy, x, dw, plan, _SLACK)
        return dw
    columns = -(-rows // lanes) * lanes
    per_channel = product(kernel_size)
    part = max(1, min(channels, _SUM_BYTES // (per_channel * columns * dy.dtype.itemsize)))
    parts = -(-channels // part)
    part = -(-channels // parts)
    offsets = np.zeros(-(-part * per_channel // gemm.ROWS[0]) * gemm.ROWS[0], np.int64)
    offsets[: part * per_channel] = plan.offsets[: part * per_channel]
    chunks = max(1, min(_PARTIAL_SUMS // (parts * groups), images * plan.bands))
    sums = zeros((chunks, groups * parts, offsets.size * columns), dy.dtype)
    out3 = triple(out, 1)
    pixels = plan.band * product(tuple(n for a, n in enumerate(out3) if a != plan.axis))
    buffer = plan.buffer // channels * part + _SLACK
    scratch = empty((min(threads.get_num_threads(), chunks * groups * parts), buffer + pixels * columns), dy.dtype)
    _grad_weight(
        work, contiguous(dy).reshape(-1), contiguous(x).reshape(-1), sums, scratch, buffer, images, groups, channels,
        part, rows, triple(size, 1), out3, plan.axis, plan.band, plan.bands, plan.source, offsets, columns, lanes,
        gemm.ROWS[0],
    )  # fmt: skip
    _add_sums(
        dw.size * chunks,
        sums.reshape(chunks, groups, parts, -1),
        dw.reshape(groups, rows, taps),
        columns,
        part * per_channel,
    )
    return dw


def conv_grad_bias(dy: Array) -> Array:
    """``db[o] = Σ_{n, p} dy[n, o, p]``.

    dy (N, O, *out) → db (O,). Parallel over channels; accumulates in float64. Floor: dy once, as many FLOPs.
    """
    db = zeros((dy.shape[1],), dy.dtype)
    if dy.size:
        _channel_sums(dy.size, contiguous(dy).reshape(dy.shape[0], dy.shape[1], -1), db)
    return db


def _taken(kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints) -> tuple[Ints, ...]:
    return triple(kernel_size, 1), triple(stride, 1), triple(padding, 0), triple(dilation, 1)


def _packed(w: Array, plan: Plan, groups: int, inputs: int, row_step: int, input_step: int) -> Array:
    """The weights in the order in which tiles read them: for each group, pass and block, [input, tap][row]."""
    size = sum(taps.size for taps in plan.taps) * inputs * plan.rows
    packed = empty((groups * size,), w.dtype)
    flat, at = contiguous(w).reshape(-1), 0
    for taps in plan.taps:
        _pack(
            taps.size * inputs * plan.rows * groups, flat, packed, at, size, plan.blocks, taps, groups, inputs,
            w.size // groups, row_step, input_step,
        )  # fmt: skip
        at += taps.size * inputs * plan.rows
    return packed


def _bias(b: Array | None, y: Array) -> Array:
    return zeros((y.shape[1],), y.dtype) if b is None else contiguous(b)


def _run(
    work: int, plan: Plan, x: Array, packed: Array, b: Array | None, y: Array, planes: int, groups: int, inputs: int,
    size: Ints,
) -> None:  # fmt: skip
    lanes = simd.lanes(x.dtype)
    workers = min(threads.get_num_threads(), planes * plan.bands)
    tile = (gemm.ROWS[0] * gemm.VECTORS + 1) * lanes
    scratch = empty((workers, tile + plan.buffer + _SLACK), x.dtype)
    _correlate(
        work, contiguous(x).reshape(-1), packed, _bias(b, y), y.reshape(-1), scratch, tile, planes, groups, inputs,
        triple(size, 1), product(y.shape[2:]), plan.axis, plan.band, plan.bands, plan.count, plan.source, plan.passes,
        plan.offsets, plan.bases, plan.starts, plan.pieces, plan.out_step, plan.band_step, plan.blocks, plan.rows,
        lanes,
    )  # fmt: skip


@kernel
def _pack(w, packed, at, group_size, blocks, taps, groups, inputs, group_step, row_step, input_step):  # type: ignore[no-untyped-def]
    for g in prange(groups):
        target, first = at + g * group_size, 0
        for block in range(blocks.size):
            rows = blocks[block]
            for c in range(inputs):
                for t in range(taps.size):
                    start = g * group_step + c * input_step + taps[t] + first * row_step
                    for i in range(rows):
                        packed[target] = w[start + i * row_step]
                        target += 1
            first += rows


@kernel
def _correlate(  # type: ignore[no-untyped-def]
    x, w, bias, y, scratch, tile, planes, groups, inputs, size, volume, axis, band, bands, count, source, passes,
    offsets, bases, starts, pieces, step, band_step, blocks, rows, lanes,
):  # fmt: skip
    workers, items = scratch.shape[0], planes * bands
    for worker in prange(workers):
        t, buffer = scratch[worker, :tile], scratch[worker, tile:]
        buffer[:] = 0
        for item in range(worker * items // workers, (worker + 1) * items // workers):
            which, start = item // bands, min((item % bands) * band, count - band)
            is_last = 1 if item % bands == bands - 1 else 0
            fill(x, which * inputs * size[0] * size[1] * size[2], inputs, size, buffer, source, axis, start, bands == 1)
            for p in range(passes.shape[0]):
                _tiles(
                    t, buffer, w, bias, y, which, groups, volume, start * band_step, passes[p, is_last], offsets,
                    bases, starts, pieces, step, blocks, rows, w.size // groups, lanes,
                )  # fmt: skip


@inner
def _tiles(  # type: ignore[no-untyped-def]
    t, buffer, w, bias, y, which, groups, volume, shift, entry, offsets, bases, starts, pieces, step, blocks, rows,
    group_size, lanes,
):  # fmt: skip
    first, taps, begin, end = entry[0], entry[1], entry[3], entry[3] + entry[4]
    g, v = which % groups, begin
    while v < end:
        vectors = min(3, end - v)
        b0, b1, b2 = bases[v], bases[min(v + 1, end - 1)], bases[min(v + 2, end - 1)]
        place = pieces[starts[v], 2]
        whole = vectors == 3 and step == 1 and _are_whole(starts, pieces, v, lanes)
        wo, row = g * group_size + entry[2], 0
        for block in range(blocks.size):
            height = blocks[block]
            if whole:
                yo = (which * rows + row) * volume + shift + place
                dot_tile(
                    height, 3, w, wo, offsets, first, taps, buffer, b0, b1, b2, bias, g * rows + row, y, yo, volume
                )
            else:
                ldt = 3 * lanes
                dot_tile(
                    height, vectors, w, wo, offsets, first, taps, buffer, b0, b1, b2, bias, g * rows + row, t, 0, ldt
                )
                for i in range(height):
                    yo = (which * rows + row + i) * volume + shift
                    _store(t, i * ldt, y, yo, v, vectors, starts, pieces, step, lanes)
            wo += height * taps
            row += height
        v += vectors


@inner
def _are_whole(starts, pieces, v, lanes):  # type: ignore[no-untyped-def]
    """Whether three vectors go to neighbouring places of the output, every lane of them."""
    p = starts[v]
    whole = starts[v + 3] - p == 3
    for i in range(3):
        whole = whole and pieces[p + i, 1] == lanes and pieces[p + i, 2] == pieces[p, 2] + i * lanes
    return whole


@inner
def _store(t, to, y, yo, v, vectors, starts, pieces, step, lanes):  # type: ignore[no-untyped-def]
    for j in range(vectors):
        for piece in range(starts[v + j], starts[v + j + 1]):
            source, place = to + j * lanes + pieces[piece, 0], yo + pieces[piece, 2]
            if step == 1:
                simd.move(t, source, y, place, pieces[piece, 1])
            elif step == 2:
                simd.move_apart(t, source, y, place, pieces[piece, 1])
            else:
                for lane in range(pieces[piece, 1]):
                    y[place + lane * step] = t[source + lane]


@kernel
def _grad_weight(  # type: ignore[no-untyped-def]
    dy, x, sums, scratch, buffer_size, images, groups, channels, part, rows, size, out, axis, band, bands, source,
    offsets, columns, lanes, height,
):  # fmt: skip
    workers, chunks, parts, items = scratch.shape[0], sums.shape[0], sums.shape[1] // groups, images * bands
    for worker in prange(workers):
        buffer, turned = scratch[worker, :buffer_size], scratch[worker, buffer_size:]
        buffer[:] = 0
        for job in range(
            worker * chunks * groups * parts // workers, (worker + 1) * chunks * groups * parts // workers
        ):
            chunk, g, first = job // (groups * parts), job // parts % groups, job % parts * part
            some = min(part, channels - first)
            for item in range(chunk * items // chunks, (chunk + 1) * items // chunks):
                which, start = (item // bands) * groups + g, (item % bands) * band
                plane = (which * channels + first) * size[0] * size[1] * size[2]
                fill(x, plane, some, size, buffer, source, axis, start, bands == 1)
                depth = min(band, out[0] - start) if axis == 0 else out[0]
                lines = min(band, out[1] - start) if axis == 1 else out[1]
                width = min(band, out[2] - start) if axis == 2 else out[2]
                corner = start * (out[1] * out[2] if axis == 0 else out[2] if axis == 1 else 1)
                volume = out[0] * out[1] * out[2]
                for d in range(depth):
                    _turn(
                        dy, which * rows * volume + corner + d * out[1] * out[2], volume, rows, lines * width, turned,
                        d * lines * width * columns, columns, lanes,
                    )  # fmt: skip
                for d in range(depth):
                    _outer(
                        sums[chunk, g * parts + job % parts], buffer, turned, d * lines * width * columns,
                        d * source[0, 1] * source[0, 2], lines, width, source[0, 2], offsets, columns, lanes, height,
                    )  # fmt: skip


@inner
def _turn(dy, yo, volume, rows, pixels, turned, to, columns, lanes):  # type: ignore[no-untyped-def]
    """turned[pixel, row] = dy[row, pixel], with zeros up to `columns`."""
    for row in range(0, rows, lanes):
        for p in range(0, pixels, lanes):
            simd.transpose(
                dy, yo + row * volume + p, volume, min(lanes, rows - row), min(lanes, pixels - p), turned,
                to + p * columns + row, columns,
            )  # fmt: skip


@inner
def _outer(sums, buffer, turned, begin, base, lines, width, line, offsets, columns, lanes, height):  # type: ignore[no-untyped-def]
    for first in range(0, offsets.size, height):
        v = 0
        while v < columns // lanes:
            vectors = outer_vectors(columns // lanes - v)
            outer_tile(
                vectors, buffer, base, offsets, first, lines, width, line, turned, begin + v * lanes, columns, sums,
                first * columns + v * lanes, columns,
            )  # fmt: skip
            v += vectors


@kernel
def _add_sums(sums, dw, columns, part):  # type: ignore[no-untyped-def]
    for o in prange(dw.shape[1]):
        for g in range(dw.shape[0]):
            for k in range(dw.shape[2]):
                total = sums[0, g, k // part, k % part * columns + o]
                for chunk in range(1, sums.shape[0]):
                    total += sums[chunk, g, k // part, k % part * columns + o]
                dw[g, o, k] = total


@kernel
def _channel_sums(dy, db):  # type: ignore[no-untyped-def]
    for o in prange(db.size):
        total = 0.0
        for n in range(dy.shape[0]):
            total += _sum(dy[n, o])
        db[o] = total


@inner(fastmath=("contract", "reassoc", "nsz"))
def _sum(line):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(line.size):
        total += line[i]
    return total
