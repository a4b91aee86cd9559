"""Convolution with one input channel a group (depthwise), as direct sums over rows.

The columns of such a convolution serve one filter or a few: to build them costs more than to use them. The kernels
take flat arrays and the three-axis geometry of conv.py; filter o reads channel o // multiplier.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import inner, kernel


@inner
def inside(ow, run, first, stride, width):  # type: ignore[no-untyped-def]
    """Of the output positions ow … ow + run − 1, the range [lo, hi) whose input `first + ow·stride` lies inside."""
    lo, hi = ow, ow + run
    if first < 0:
        lo = min(max(lo, (stride - 1 - first) // stride), hi)
    last = width - 1 - first
    hi = max(min(hi, last // stride + 1), lo) if last >= 0 else lo
    return lo, hi


@kernel
def forward(  # type: ignore[no-untyped-def]
    x, w, b, y, images, filters, multiplier, size, kernel_size, stride, padding, dilation, out
):
    """y, in place: parallel over the planes of the output."""
    for plane in prange(images * filters):
        _forward_plane(x, w, b, y, plane, filters, multiplier, size, kernel_size, stride, padding, dilation, out)


@kernel
def grad_input(  # type: ignore[no-untyped-def]
    dy, w, dx, images, channels, multiplier, size, kernel_size, stride, padding, dilation, out
):
    """dx, in place: parallel over the planes of the input."""
    for plane in prange(images * channels):
        _grad_input_plane(dy, w, dx, plane, channels, multiplier, size, kernel_size, stride, padding, dilation, out)


@kernel
def grad_weight(  # type: ignore[no-untyped-def]
    dy, x, dw, images, filters, multiplier, size, kernel_size, stride, padding, dilation, out
):
    """dw, in place: parallel over the filters."""
    for o in prange(filters):
        _grad_filter(dy, x, dw, o, images, filters, multiplier, size, kernel_size, stride, padding, dilation, out)


@inner
def _forward_plane(  # type: ignore[no-untyped-def]
    x, w, b, y, plane, filters, multiplier, size, kernel_size, stride, padding, dilation, out
):
    n, o = plane // filters, plane % filters
    volume, pixels = size[0] * size[1] * size[2], out[0] * out[1] * out[2]
    xo, yo = (n * (filters // multiplier) + o // multiplier) * volume, plane * pixels
    tap = o * kernel_size[0] * kernel_size[1] * kernel_size[2]
    y[yo : yo + pixels] = b[o] if b.size > 0 else 0
    for kd in range(kernel_size[0]):
        dlo, dhi = inside(0, out[0], kd * dilation[0] - padding[0], stride[0], size[0])
        for kh in range(kernel_size[1]):
            hlo, hhi = inside(0, out[1], kh * dilation[1] - padding[1], stride[1], size[1])
            for kw in range(kernel_size[2]):
                first = kw * dilation[2] - padding[2]
                lo, hi = inside(0, out[2], first, stride[2], size[2])
                factor = w[tap]
                tap += 1
                for od in range(dlo, dhi):
                    d = od * stride[0] - padding[0] + kd * dilation[0]
                    for oh in range(hlo, hhi):
                        h = oh * stride[1] - padding[1] + kh * dilation[1]
                        line, start = yo + (od * out[1] + oh) * out[2], xo + (d * size[1] + h) * size[2] + first
                        target = y[line + lo : line + hi]
                        if stride[2] == 1:
                            source = x[start + lo : start + hi]
                            for i in range(target.size):
                                target[i] += factor * source[i]
                        else:
                            for i in range(target.size):
                                target[i] += factor * x[start + (lo + i) * stride[2]]


@inner
def _grad_input_plane(  # type: ignore[no-untyped-def]
    dy, w, dx, plane, channels, multiplier, size, kernel_size, stride, padding, dilation, out
):
    c = plane % channels
    volume, pixels = size[0] * size[1] * size[2], out[0] * out[1] * out[2]
    xo, tap = plane * volume, c * multiplier * kernel_size[0] * kernel_size[1] * kernel_size[2]
    for m in range(multiplier):
        yo = (plane * multiplier + m) * pixels
        for kd in range(kernel_size[0]):
            dlo, dhi = inside(0, out[0], kd * dilation[0] - padding[0], stride[0], size[0])
            for kh in range(kernel_size[1]):
                hlo, hhi = inside(0, out[1], kh * dilation[1] - padding[1], stride[1], size[1])
                for kw in range(kernel_size[2]):
                    first = kw * dilation[2] - padding[2]
                    lo, hi = inside(0, out[2], first, stride[2], size[2])
                    factor = w[tap]
                    tap += 1
                    for od in range(dlo, dhi):
                        d = od * stride[0] - padding[0] + kd * dilation[0]
                        for oh in range(hlo, hhi):
                            h = oh * stride[1] - padding[1] + kh * dilation[1]
                            line, start = yo + (od * out[1] + oh) * out[2], xo + (d * size[1] + h) * size[2] + first
                            source = dy[line + lo : line + hi]
                            if stride[2] == 1:
                                target = dx[start + lo : start + hi]
                                for i in range(source.size):
                                    target[i] += factor * source[i]
                            else:
                                for i in range(source.size):
                                    dx[start + (lo + i) * stride[2]] += factor * source[i]


@inner
def _grad_filter(  # type: ignore[no-untyped-def]
    dy, x, dw, o, images, filters, multiplier, size, kernel_size, stride, padding, dilation, out
):
    volume, pixels = size[0] * size[1] * size[2], out[0] * out[1] * out[2]
    taps = kernel_size[0] * kernel_size[1] * kernel_size[2]
    total = np.zeros(taps, np.float64)
    for n in range(images):  # the images outside: each plane is read once, and its rows stay in the cache
        xo, yo = (n * (filters // multiplier) + o // multiplier) * volume, (n * filters + o) * pixels
        tap = 0
        for kd in range(kernel_size[0]):
            dlo, dhi = inside(0, out[0], kd * dilation[0] - padding[0], stride[0], size[0])
            for kh in range(kernel_size[1]):
                hlo, hhi = inside(0, out[1], kh * dilation[1] - padding[1], stride[1], size[1])
                for kw in range(kernel_size[2]):
                    first = kw * dilation[2] - padding[2]
                    lo, hi = inside(0, out[2], first, stride[2], size[2])
                    for od in range(dlo, dhi):
                        d = od * stride[0] - padding[0] + kd * dilation[0]
                        for oh in range(hlo, hhi):
                            h = oh * stride[1] - padding[1] + kh * dilation[1]
                            line, start = yo + (od * out[1] + oh) * out[2], xo + (d * size[1] + h) * size[2] + first
                            total[tap] += _dot(dy, line + lo, x, start + lo * stride[2], stride[2], hi - lo)
                    tap += 1
    for t in range(taps):
        dw[o * taps + t] = total[t]


@inner(fastmath=("contract", "reassoc", "nsz"))
def _dot(a, ao, b, bo, stride, n):  # type: ignore[no-untyped-def]
    total = a.dtype.type(0)
    if stride == 1:
        left, right = a[ao : ao + n], b[bo : bo + n]
        for i in range(n):
            total += left[i] * right[i]
    else:
        for i in range(n):
            total += a[ao + i] * b[bo + i * stride]
    return total
