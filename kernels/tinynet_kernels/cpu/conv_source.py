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
    step = source[1, 2]
    d_start = start if axis == 0 else 0
    h_start = start if axis == 1 else 0
    w_start = start if axis == 2 else 0
    at = 0
    for c in range(channels):
        for pd in range(source[3, 0]):
            for ph in range(source[3, 1]):
                for pw in range(source[3, 2]):
                    first = source[4 + pw, 2] + step * w_start - source[2, 2]
                    lo = min(width, max(0, (step - 1 - first) // step))
                    hi = max(lo, min(width, (size[2] - first + step - 1) // step))
                    for i in range(depth):
                        d = source[1, 0] * (d_start + i) + source[4 + pd, 0] - source[2, 0]
                        for j in range(height):
                            h = source[1, 1] * (h_start + j) + source[4 + ph, 1] - source[2, 1]
                            if d < 0 or d >= size[0] or h < 0 or h >= size[1]:
                                if not clean:
                                    _zero(buffer, at, width)
                                at += width
                                continue
                            line = xo + ((c * size[0] + d) * size[1] + h) * size[2] + first
                            if step == 1:
                                simd.move(x, line + lo, buffer, at + lo, hi - lo)
                            elif step == 2:
                                simd.move_even(x, line + 2 * lo, buffer, at + lo, hi - lo)
                            else:
                                for k in range(hi - lo):
                                    buffer[at + lo + k] = x[line + step * (lo + k)]
                            if not clean:
                                _zero(buffer, at, lo)
                                _zero(buffer, at + hi, width - hi)
                            at += width


@inner
def _zero(buffer, at, count):  # type: ignore[no-untyped-def]
    for i in range(count):
        buffer[at + i] = 0
