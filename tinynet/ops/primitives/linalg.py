"""Matrix products: closed under differentiation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet_kernels import available, kernels_for

from ...autograd.primitive import Primitive
from .shape import permute

Array = np.ndarray[Any, Any]


def _matmul(x: Array, y: Array) -> Array:
    """Stacks of matrices (…, N, K) @ (…, K, M). Halves are multiplied in float32."""
    if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
        return _matmul(x.astype(np.float32), y.astype(np.float32)).astype(x.dtype)
    if available(x.dtype):
        if x.ndim == y.ndim == 2:
            return kernels_for(x, y).matmul(x, y)
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        b = math.prod(batch)
        xs = np.broadcast_to(x, batch + x.shape[-2:]).reshape(b, *x.shape[-2:])
        ys = np.broadcast_to(y, batch + y.shape[-2:]).reshape(b, *y.shape[-2:])
        return kernels_for(xs, ys).matmul(xs, ys).reshape(*batch, x.shape[-2], y.shape[-1])
    return np.asarray(np.matmul(x, y))


def swap(x: Any) -> Any:
    """Transpose the last two axes."""
    return permute(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


# Z = XY;  dX = dZ Yᵀ,  dY = Xᵀ dZ
matmul: Primitive = Primitive(
    "matmul",
    _matmul,
    dx=lambda dz, y: matmul(dz, swap(y)),
    dy=lambda dz, x: matmul(swap(x), dz),
)
