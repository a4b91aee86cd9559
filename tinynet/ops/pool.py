"""Pooling (E11 in its correct form): the largest element or the mean over a window."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, new_tensor
from ..autograd.fused import Fused
from ..errors import OptionError, ShapeError
from . import primitives as P
from .checks import floating, ints

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]


def pooled_size(size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool) -> Ints:
    """⌊(n + 2·padding − dilation·(k − 1) − 1)/stride⌋ + 1; rounded up with ceil_mode, without windows that start
    in the padding behind."""
    out = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        m = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (m - 1) * s >= n + p:
            m -= 1
        out.append(m)
    return tuple(out)


# max pooling


def window_places(
    size: Ints, *, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints, output_size: Ints
) -> Array:
    """For each tap and output the flat place in the plane, −1 in the padding: (taps, *out)."""
    axes = [
        np.arange(m)[:, None] * s - p + np.arange(k) * d
        for m, k, s, p, d in zip(output_size, kernel_size, stride, padding, dilation, strict=True)
    ]
    rows = []
    for tap in itertools.product(*map(range, kernel_size)):
        grid = np.meshgrid(*(a[:, u] for a, u in zip(axes, tap, strict=True)), indexing="ij")
        inside = np.logical_and.reduce([(g >= 0) & (g < n) for g, n in zip(grid, size, strict=True)])
        flat = np.ravel_multi_index([np.clip(g, 0, n - 1) for g, n in zip(grid, size, strict=True)], size)
        rows.append(np.where(inside, flat, -1))
    return np.stack(rows)


def pick_max(x: Tensor, places: Array) -> tuple[Tensor, Array]:
    """The largest of the elements at `places` (taps, *out), −1 left out; the first of ties; NaN wins; −∞ of none, at −1."""
    n, c = x.array.shape[:2]
    flat = P.reshape(x, shape=(n, c, math.prod(x.array.shape[2:])))
    seen = flat.array[:, :, np.maximum(places, 0)]
    seen = np.where(places >= 0, seen, -np.inf)
    valid = np.where(places >= 0, 0, 1)  # among equals a place inside wins over the padding, then the first
    best = np.argmax(seen, axis=2)
    tied = (seen == np.take_along_axis(seen, best[:, :, None], 2)) & (valid == 0)
    best = np.where(np.isnan(np.take_along_axis(seen, best[:, :, None], 2)[:, :, 0]), best, np.argmax(tied, axis=2))
    k = np.take_along_axis(np.broadcast_to(places, seen.shape), best[:, :, None], 2)[:, :, 0]
    shape = k.shape
    y = P.take_along(flat, np.maximum(k, 0).reshape(n, c, math.prod(shape[2:])), axis=2)
    y = P.reshape(y, shape=shape)
    return (P.where(k < 0, x.array.dtype.type(-np.inf), y) if (k < 0).any() else y), k


def max_pool_definition(x: Tensor, **geometry: Ints) -> Tensor:
    """y[n,c,p,q] = max_{u,v} x[n, c, p·s + u·d − pad, q·s + v·d − pad], the padding being −inf (E11)."""
    return pick_max(x, window_places(x.array.shape[2:], **geometry))[0]


def _max_forward(x: Array, **options: Any) -> tuple[Array, Array]:
    return kernels_for(x).max_pool_forward(x, **options)


def _max_backward(
    dy: Array, inputs: list[Any], cache: Array, needs: list[bool], *, output_size: Ints, **geometry: Any
) -> list[Array]:
    return [kernels_for(dy).max_pool_backward(dy, cache, input_size=inputs[0].shape[2:], **geometry)]


_max_pool = Fused("max_pool", max_pool_definition, _max_forward, _max_backward)


def _spatial(where: str, x: Tensor, n: int) -> tuple[Tensor, bool]:
    floating(where, "input", x)
    if x.ndim == n + 1:
        return P.reshape(x, shape=(1, *x.array.shape)), True
    if x.ndim != n + 2:
        raise ShapeError(f"{where}: input must have {n + 2} or {n + 1} dimensions, got shape {tuple(x.array.shape)}")
    return x, False


def _geometry(
    where: str, x: Tensor, n: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> dict[str, Any]:
    kernel = ints(where, "kernel_size", kernel_size, n, 1)
    steps = kernel if stride is None or stride in ([], ()) else ints(where, "stride", stride, n, 1)
    pads, gaps = ints(where, "padding", padding, n), ints(where, "dilation", dilation, n, 1)
    if any(p > k // 2 for p, k in zip(pads, kernel, strict=True)):
        raise OptionError(f"{where}: padding must be at most half of kernel_size {kernel}, got {pads}")
    out = pooled_size(x.array.shape[2:], kernel, steps, pads, gaps, ceil_mode)
    if any(m < 1 for m in out) or 0 in x.array.shape[1:]:
        raise ShapeError(f"{where}: input of shape {tuple(x.array.shape)} is too small for kernel_size {kernel}")
    return {"kernel_size": kernel, "stride": steps, "padding": pads, "dilation": gaps, "output_size": out}


def max_pool_nd(
    n: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    """Max pooling over `n` spatial dimensions; see max_pool2d."""
    where = f"max_pool{n}d"
    x, single = _spatial(where, input, n)
    options = _geometry(where, x, n, kernel_size, stride, padding, dilation, ceil_mode)
    y, k = _max_pool.run(x, **options)
    if return_indices and k is None:
        k = pick_max(x.detach(), window_places(x.array.shape[2:], **options))[1]
    elif return_indices:
        del options["output_size"]
        k = kernels_for(k).max_pool_indices(k, input_size=x.array.shape[2:], **options)
    y = P.reshape(y, shape=y.array.shape[1:]) if single else y
    return (y, new_tensor(k[0] if single else k)) if return_indices else y


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Max pooling over one dimension of (N, C, L) or (C, L); see max_pool2d."""
    return max_pool_nd(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[n,c,p,q] = max_{u,v} x[n, c, p·s + u·d − pad, q·s + v·d − pad] (E11), the padding counting as −inf.

    input           (N, C, H, W) or (C, H, W)
    stride          kernel_size by default
    padding         at most half of kernel_size
    ceil_mode       round the output size up
    return_indices  also return the flat place of each maximum in its plane

    The gradient goes to the first of equal elements. NaN wins.
    """
    return max_pool_nd(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Max pooling over three dimensions of (N, C, D, H, W) or (C, D, H, W); see max_pool2d."""
    return max_pool_nd(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool1d` and its indices, whatever return_indices says."""
    floating("max_pool1d_with_indices", "input", input)
    y, k = max_pool_nd(1, input, kernel_size, stride, padding, dilation, ceil_mode, True)
    return y, k


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool2d` and its indices, whatever return_indices says."""
    floating("max_pool2d_with_indices", "input", input)
    y, k = max_pool_nd(2, input, kernel_size, stride, padding, dilation, ceil_mode, True)
    return y, k


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool3d` and its indices, whatever return_indices says."""
    floating("max_pool3d_with_indices", "input", input)
    y, k = max_pool_nd(3, input, kernel_size, stride, padding, dilation, ceil_mode, True)
    return y, k


# average pooling


def _averages(n: int, m: int, k: int, s: int, p: int) -> tuple[Array, Array, Array]:
    """One dimension: the matrix (m, n) of which inputs each window holds, its size within the input, and its size
    within the padded input."""
    start = np.arange(m) * s - p
    end = np.minimum(start + k, n + p)
    padded = end - start
    lo, hi = np.maximum(start, 0), np.minimum(end, n)
    i = np.arange(n)
    return ((i >= lo[:, None]) & (i < hi[:, None])).astype(np.float64), np.maximum(hi - lo, 0), padded


def avg_pool_definition(
    x: Tensor,
    *,
    kernel_size: Ints,
    stride: Ints,
    padding: Ints,
    output_size: Ints,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """y[n,c,p,q] = Σ_{u,v} x[n, c, p·s + u − pad, q·s + v − pad] / divisor (E11): a product with a matrix of zeros
    and ones for each dimension, divided by the size of the window."""
    y, divisor = x, np.ones(())
    for axis, geometry in enumerate(zip(x.array.shape[2:], output_size, kernel_size, stride, padding, strict=True)):
        matrix, inside, padded = _averages(*geometry)
        y = along(y, matrix, axis + 2)
        divisor = np.multiply.outer(divisor, padded if count_include_pad else inside)
    if divisor_override is not None:
        divisor = np.full(output_size, divisor_override)
    return P.div(y, divisor.astype(x.array.dtype))


def along(x: Tensor, matrix: Array, axis: int) -> Tensor:
    """Apply a matrix (m, n) along one axis."""
    last = x.ndim - 1
    order = tuple(last if i == axis else axis if i == last else i for i in range(x.ndim))
    y = P.matmul(P.permute(x, axes=order), np.ascontiguousarray(matrix.T.astype(x.array.dtype)))
    return P.permute(y, axes=order)


def _avg_forward(x: Array, **options: Any) -> tuple[Array, None]:
    return kernels_for(x).avg_pool_forward(x, **options), None


def _avg_backward(
    dy: Array, inputs: list[Any], cache: None, needs: list[bool], *, output_size: Ints, **options: Any
) -> list[Array]:
    return [kernels_for(dy).avg_pool_backward(dy, input_size=inputs[0].shape[2:], **options)]


_avg_pool = Fused("avg_pool", avg_pool_definition, _avg_forward, _avg_backward)


def avg_pool_nd(
    n: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """Average pooling over `n` spatial dimensions; see avg_pool2d."""
    where = f"avg_pool{n}d"
    x, single = _spatial(where, input, n)
    options = _geometry(where, x, n, kernel_size, stride, padding, 1, ceil_mode)
    del options["dilation"]
    if divisor_override == 0:
        raise OptionError(f"{where}: divisor_override must not be 0")
    y = _avg_pool(x, **options, count_include_pad=bool(count_include_pad), divisor_override=divisor_override)
    return P.reshape(y, shape=y.array.shape[1:]) if single else y


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Average pooling over one dimension of (N, C, L) or (C, L); see avg_pool2d."""
    return avg_pool_nd(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """y[n,c,p,q] = mean_{u,v} x[n, c, p·s + u − pad, q·s + v − pad] (E11), the padding counting as 0.

    input              (N, C, H, W) or (C, H, W)
    count_include_pad  whether the padding counts in the divisor
    divisor_override   a divisor of one's own
    """
    return avg_pool_nd(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average pooling over three dimensions of (N, C, D, H, W) or (C, D, H, W); see avg_pool2d."""
    return avg_pool_nd(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
