"""The source of a convolution: a zero-padded copy of a band of an image, its strides taken out (see conv_plan.py)."""

from __future__ import annotations

from . import simd
from .jit import inner


@inner
def fill(x, xo, channels, size, buffer, source, axis, start, clean):  # type: ignore[no-untyped-def]
    """Copy the image at `xo` into the source of the band that begins at output `start` of `axis`; zero outside it.

    `clean` says that the source holds zeros, or the same part of another image: what lies outside is then left alone.
    """
    depth, height, width = source[0, 0], source[0, 1], source[0, 2]
    step, plane = source[1, 2], depth * height * width
    d_start = start if axis == 0 else 0
    h_start = start if axis == 1 else 0
    w_start = start if axis == 2 else 0
    phases = source[3, 0] * source[3, 1] * source[3, 2]
    for phase in range(phases):
        pd, ph, pw = phase // (source[3, 1] * source[3, 2]), phase // source[3, 2] % source[3, 1], phase % source[3, 2]
        d_first = source[1, 0] * d_start + source[4 + pd, 0] - source[2, 0]
        h_first = source[1, 1] * h_start + source[4 + ph, 1] - source[2, 1]
        w_first = step * w_start + source[4 + pw, 2] - source[2, 2]
        d_lo, d_hi = inside(0, depth, d_first, source[1, 0], size[0])
        h_lo, h_hi = inside(0, height, h_first, source[1, 1], size[1])
        lo, hi = inside(0, width, w_first, step, size[2])
        down = source[1, 1] * size[2]
        for c in range(channels):
            at = (c * phases + phase) * plane
            if not clean:
                _zero_around(buffer, at, depth, height, width, d_lo, d_hi, h_lo, h_hi, lo, hi)
            for i in range(d_lo, d_hi):
                image = (c * size[0] + d_first + source[1, 0] * i) * size[1]
                line = xo + (image + h_first + source[1, 1] * h_lo) * size[2] + w_first + step * lo
                to = at + (i * height + h_lo) * width + lo
                if step == 1:
                    for _ in range(h_lo, h_hi):
                        simd.move(x, line, buffer, to, hi - lo)
                        line += down
                        to += width
                elif step == 2:
                    for _ in range(h_lo, h_hi):
                        simd.move_even(x, line, buffer, to, hi - lo)
                        line += down
                        to += width
                else:
                    for _ in range(h_lo, h_hi):
                        for k in range(hi - lo):
                            buffer[to + k] = x[line + step * k]
                        line += down
                        to += width


@inner
def inside(ow, run, first, stride, width):  # type: ignore[no-untyped-def]
    """Of the output positions ow … ow + run − 1, the range [lo, hi) whose input `first + ow·stride` lies inside."""
    lo, hi = ow, ow + run
    if first < 0:
        lo = min(max(lo, (stride - 1 - first) // stride), hi)
    last = width - 1 - first
    hi = max(min(hi, last // stride + 1), lo) if last >= 0 else lo
    return lo, hi


@inner
def _zero_around(buffer, at, depth, height, width, d_lo, d_hi, h_lo, h_hi, lo, hi):  # type: ignore[no-untyped-def]
    for i in range(depth):
        for j in range(height):
            row = at + (i * height + j) * width
            if d_lo <= i < d_hi and h_lo <= j < h_hi:
                _zero(buffer, row, lo)
                _zero(buffer, row + hi, width - hi)
            else:
                _zero(buffer, row, width)


@inner
def _zero(buffer, at, count):  # type: ignore[no-untyped-def]
    for i in range(count):
        buffer[at + i] = 0
