"""Adaptive pooling: output m of n_out covers ⌊m·n/n_out⌋ … ⌈(m + 1)·n/n_out⌉."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, new_tensor
from ..autograd.fused import Fused
from ..errors import DtypeError, OptionError, ShapeError
from . import primitives as P
from .checks import floating
from .pool import Ints, _spatial, along, pick_max

Array = np.ndarray[Any, Any]


def _bounds(n: int, m: int) -> tuple[Array, Array]:
    i = np.arange(m)
    return i * n // m, -(-(i + 1) * n // m)


def adaptive_avg_definition(x: Tensor, *, output_size: Ints) -> Tensor:
    """The mean of each window: a product with an averaging matrix for each dimension."""
    y = x
    for axis, (n, m) in enumerate(zip(x.array.shape[2:], output_size, strict=True)):
        lo, hi = _bounds(n, m)
        i = np.arange(n)
        y = along(y, ((i >= lo[:, None]) & (i < hi[:, None])) / (hi - lo)[:, None], axis + 2)
    return y


def adaptive_places(size: Ints, out: Ints) -> Array:
    """For each place in the largest window and each output the flat place in the plane, −1 past its end."""
    bounds = [_bounds(n, m) for n, m in zip(size, out, strict=True)]
    rows = []
    for tap in itertools.product(*(range(int((hi - lo).max(initial=0))) for lo, hi in bounds)):
        grid = np.meshgrid(*(lo + u for (lo, _), u in zip(bounds, tap, strict=True)), indexing="ij")
        ends = np.meshgrid(*(hi for _, hi in bounds), indexing="ij")
        inside = np.logical_and.reduce([g < e for g, e in zip(grid, ends, strict=True)])
        flat = np.ravel_multi_index([np.minimum(g, n - 1) for g, n in zip(grid, size, strict=True)], size)
        rows.append(np.where(inside, flat, -1))
    return np.stack(rows)


def adaptive_max_definition(x: Tensor, *, output_size: Ints) -> Tensor:
    """The largest element of each window; the first of ties."""
    return pick_max(x, adaptive_places(x.array.shape[2:], output_size))[0]


def _avg_forward(x: Array, *, output_size: Ints) -> tuple[Array, None]:
    return kernels_for(x).adaptive_avg_pool_forward(x, output_size=output_size), None


def _avg_backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool], *, output_size: Ints) -> list[Array]:
    return [kernels_for(dy).adaptive_avg_pool_backward(dy, input_size=inputs[0].shape[2:])]


def _max_forward(x: Array, *, output_size: Ints) -> tuple[Array, Array]:
    return kernels_for(x).adaptive_max_pool_forward(x, output_size=output_size)


def _max_backward(dy: Array, inputs: list[Any], cache: Array, needs: list[bool], *, output_size: Ints) -> list[Array]:
    return [kernels_for(dy).adaptive_max_pool_backward(dy, cache, input_size=inputs[0].shape[2:])]


_adaptive_avg = Fused("adaptive_avg_pool", adaptive_avg_definition, _avg_forward, _avg_backward)
_adaptive_max = Fused("adaptive_max_pool", adaptive_max_definition, _max_forward, _max_backward)


def _output(where: str, x: Tensor, output_size: Any, n: int) -> Ints:
    """The output size; None keeps the input's."""
    items = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * n
    if len(items) != n:
        raise ShapeError(f"{where}: output_size must be a number or {n} numbers, got {output_size!r}")
    out = []
    for m, size in zip(items, x.array.shape[2:], strict=True):
        if m is not None and not hasattr(m, "__index__"):
            raise DtypeError(f"{where}: output_size must be integers or None, got {output_size!r}")
        out.append(size if m is None else int(m))
    if any(m < 0 for m in out):
        raise OptionError(f"{where}: output_size must be ≥ 0, got {output_size!r}")
    if 0 in x.array.shape[1:]:
        raise ShapeError(f"{where}: input of shape {tuple(x.array.shape)} has an empty dimension")
    return tuple(out)


def _adaptive_avg_nd(n: int, input: Tensor, output_size: Any) -> Tensor:
    where = f"adaptive_avg_pool{n}d"
    x, single = _spatial(where, input, n)
    y = _adaptive_avg(x, output_size=_output(where, x, output_size, n))
    return P.reshape(y, shape=y.array.shape[1:]) if single else y


def _adaptive_max_nd(n: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    where = f"adaptive_max_pool{n}d"
    x, single = _spatial(where, input, n)
    out = _output(where, x, output_size, n)
    y, k = _adaptive_max.run(x, output_size=out)
    if return_indices and k is None:
        k = pick_max(x.detach(), adaptive_places(x.array.shape[2:], out))[1]
    elif return_indices:
        k = kernels_for(k).adaptive_max_pool_indices(k, input_size=x.array.shape[2:])
    y = P.reshape(y, shape=y.array.shape[1:]) if single else y
    return (y, new_tensor(k[0] if single else k)) if return_indices else y


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The mean over windows that divide (N, C, L) or (C, L) into `output_size` parts."""
    return _adaptive_avg_nd(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The mean over windows that divide (N, C, H, W) or (C, H, W) into `output_size` parts; None keeps a size."""
    return _adaptive_avg_nd(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The mean over windows that divide (N, C, D, H, W) or (C, D, H, W) into `output_size` parts."""
    return _adaptive_avg_nd(3, input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest element of windows that divide (N, C, L) or (C, L) into `output_size` parts."""
    return _adaptive_max_nd(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest element of windows that divide (N, C, H, W) or (C, H, W) into `output_size` parts."""
    return _adaptive_max_nd(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest element of windows that divide (N, C, D, H, W) or (C, D, H, W) into `output_size` parts."""
    return _adaptive_max_nd(3, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool1d` and its indices, whatever return_indices says."""
    floating("adaptive_max_pool1d_with_indices", "input", input)
    y, k = _adaptive_max_nd(1, input, output_size, True)
    return y, k


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d` and its indices, whatever return_indices says."""
    floating("adaptive_max_pool2d_with_indices", "input", input)
    y, k = _adaptive_max_nd(2, input, output_size, True)
    return y, k


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool3d` and its indices, whatever return_indices says."""
    floating("adaptive_max_pool3d_with_indices", "input", input)
    y, k = _adaptive_max_nd(3, input, output_size, True)
    return y, k
