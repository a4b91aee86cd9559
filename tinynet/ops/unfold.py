"""Windows of images as columns, and back."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..errors import ShapeError
from . import primitives as P
from .checks import floating, ints
from .pool import Ints, pooled_size


def _taps(size: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> tuple[list[Any], Ints]:
    """For each place in the window the slices of the padded image that it meets; and the number of windows."""
    out = pooled_size(size, kernel, stride, padding, dilation, False)
    taps = []
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            starts = (u * dilation[0], v * dilation[1])
            parts = (slice(a, a + s * (m - 1) + 1, s) for a, m, s in zip(starts, out, stride, strict=True))
            taps.append((slice(None), slice(None), *parts))
    return taps, out


def _geometry(where: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[Ints]:
    return [
        ints(where, "kernel_size", kernel_size, 2, 1),
        ints(where, "dilation", dilation, 2, 1),
        ints(where, "padding", padding, 2),
        ints(where, "stride", stride, 2, 1),
    ]


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """(N, C, H, W) or (C, H, W) → (N, C·kh·kw, L) or without N: the windows of a convolution as columns."""
    x = floating("unfold", "input", input)
    geometry = _geometry("unfold", kernel_size, dilation, padding, stride)
    if x.ndim not in (3, 4) or 0 in x.array.shape[-3:]:
        raise ShapeError(f"unfold: input must be (N, C, H, W) or (C, H, W), got shape {tuple(x.array.shape)}")
    single = x.ndim == 3
    x = P.reshape(x, shape=(1, *x.array.shape)) if single else x
    n, c, *size = x.array.shape
    taps, out = _taps(tuple(size), *geometry)
    if any(m < 1 for m in out):
        raise ShapeError(
            f"unfold: input of shape {tuple(input.array.shape)} is too small for kernel_size {geometry[0]}"
        )
    p = geometry[2]
    x = P.pad_constant(x, widths=((0, 0), (0, 0), (p[0], p[0]), (p[1], p[1])), value=0)
    columns = [P.reshape(P.index(x, index=tap), shape=(n, c, 1, out[0] * out[1])) for tap in taps]
    y = P.reshape(P.cat(*columns, axis=2, sizes=(1,) * len(taps)), shape=(n, c * len(taps), out[0] * out[1]))
    return P.reshape(y, shape=y.array.shape[1:]) if single else y


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """(N, C·kh·kw, L) → (N, C, *output_size): the columns of `unfold` back at their places, summed where they meet."""
    x = floating("fold", "input", input)
    size = ints("fold", "output_size", output_size, 2, 1)
    geometry = _geometry("fold", kernel_size, dilation, padding, stride)
    taps, out = _taps(size, *geometry)
    rows, single = len(taps), x.ndim == 2
    if (
        x.ndim not in (2, 3)
        or x.array.shape[-2] % rows
        or x.array.shape[-1] != out[0] * out[1]
        or any(m < 1 for m in out)
    ):
        raise ShapeError(
            f"fold: input must be (N, C·{rows}, {out[0] * out[1]}) for output_size {size}, got shape {tuple(x.array.shape)}"
        )
    n, c, p = 1 if single else x.array.shape[0], x.array.shape[-2] // rows, geometry[2]
    x = P.reshape(x, shape=(n, c, rows, *out))
    whole = (n, c, size[0] + 2 * p[0], size[1] + 2 * p[1])
    parts = [
        P.unindex(P.index(x, index=(slice(None), slice(None), k)), index=tap, source=whole)
        for k, tap in enumerate(taps)
    ]
    y = parts[0]
    for part in parts[1:]:
        y = P.add(y, part)
    y = P.index(y, index=(slice(None), slice(None), slice(p[0], p[0] + size[0]), slice(p[1], p[1] + size[1])))
    return P.reshape(y, shape=y.array.shape[1:]) if single else y
