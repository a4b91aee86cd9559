"""Reductions and scans. `axes` is a tuple of non-negative ints."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet_kernels import available, kernels_for

from ...autograd.basis import cast, expand
from ...autograd.modes import modes
from ...autograd.primitive import Primitive
from .compare import eq
from .elementwise import div, exp, mul, sub, where, widened
from .shape import reshape

Array = np.ndarray[Any, Any]
LARGE = 1 << 16


def kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with size 1 in place of the reduced axes."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def spread(dz: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """Repeat `dz` along the axes that were reduced."""
    if dz.ndim == 0:
        return expand(dz, shape=shape)
    return expand(reshape(dz, shape=kept(shape, axes)), shape=shape)


def _sum(x: Array, *, axes: tuple[int, ...], keepdims: bool = False) -> Array:
    total: Any = np.add.reduce  # np.sum is a Python function over it
    if x.size >= LARGE and axes and x.dtype.char in "fd" and x.flags.c_contiguous and not modes.definitions:
        last = next((n for n in range(x.ndim) if x.ndim - 1 - n not in axes), x.ndim)
        if last and available(x.dtype):  # a kernel is faster than NumPy along the last axes, and sums in float64
            z = kernels_for(x).sum_last(x, axes=last)
            if len(axes) > last:
                z = np.asarray(np.add.reduce(z, axis=tuple(a for a in axes if a < x.ndim - last)))
            return z.astype(x.dtype).reshape(kept(x.shape, axes) if keepdims else z.shape)
    if x.dtype.char in "fd":
        return total(x, axis=axes, keepdims=keepdims)
    if x.dtype.kind in "biu":
        return total(x, axis=axes, keepdims=keepdims, dtype=np.int64)
    return np.asarray(total(x, axis=axes, keepdims=keepdims, dtype=np.float32)).astype(x.dtype)


sum_: Primitive = Primitive("sum", _sum, promote=None, dx=lambda dz, axes, shape: spread(dz, shape, axes))


def share(dz: Any, x: Any, z: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """PyTorch's rule for amax and amin: the gradient is shared equally between the extreme values."""
    extreme = eq(x, reshape(z, shape=kept(shape, axes)))
    count = cast(
        sum_(extreme, axes=axes, keepdims=True), dtype=dz.dtype if isinstance(dz, np.ndarray) else dz.array.dtype
    )
    return where(extreme, div(reshape(dz, shape=kept(shape, axes)), count), 0)


amax: Primitive = Primitive(
    "amax",
    lambda x, *, axes, keepdims=False: np.max(x, axis=axes, keepdims=keepdims),
    promote=None,
    dx=lambda dz, x, z, axes, shape: share(dz, x, z, axes, shape),
)
amin: Primitive = Primitive(
    "amin",
    lambda x, *, axes, keepdims=False: np.min(x, axis=axes, keepdims=keepdims),
    promote=None,
    dx=lambda dz, x, z, axes, shape: share(dz, x, z, axes, shape),
)

argmax: Primitive = Primitive("argmax", lambda x, *, axis: np.asarray(np.argmax(x, axis=axis)), promote=None)
argmin: Primitive = Primitive("argmin", lambda x, *, axis: np.asarray(np.argmin(x, axis=axis)), promote=None)


def _argsort(x: Array, *, axis: int, descending: bool) -> Array:
    """Stable in both directions; NaN counts as the largest."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    n = x.shape[axis]
    return np.asarray(n - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis))


argsort: Primitive = Primitive("argsort", _argsort, promote=None)

reduce_any: Primitive = Primitive(
    "any", lambda x, *, axes, keepdims=False: np.any(x, axis=axes, keepdims=keepdims), promote=None
)
reduce_all: Primitive = Primitive(
    "all", lambda x, *, axes, keepdims=False: np.all(x, axis=axes, keepdims=keepdims), promote=None
)


def _cumsum(x: Array, *, axis: int, reverse: bool = False) -> Array:
    if reverse:
        return np.flip(_cumsum(np.flip(x, axis), axis=axis), axis)
    wide: Any = np.float32 if x.dtype.itemsize == 2 and x.dtype.kind not in "iu" else None
    y = np.cumsum(x, axis=axis, dtype=np.int64 if x.dtype.kind in "biu" else wide)
    return y.astype(x.dtype) if wide else y


# zₜ = Σ_{s ≤ t} xₛ; its transpose sums from the other end
cumsum: Primitive = Primitive(
    "cumsum",
    _cumsum,
    promote=None,
    dx=lambda dz, axis, reverse: cumsum(dz, axis=axis, reverse=not reverse),
)


def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    return np.asarray(e / np.sum(e, axis=axis, keepdims=True))


def _log_softmax(x: Array, axis: int) -> Array:
    y = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return np.asarray(y - np.log(np.sum(np.exp(y), axis=axis, keepdims=True)))


# zᵢ = e^xᵢ / Σⱼ e^xⱼ;  dx = z ⊙ (dz − Σ z ⊙ dz)
softmax: Primitive = Primitive(
    "softmax",
    widened(_softmax),
    promote=None,
    dx=lambda dz, z, axis: mul(z, sub(dz, sum_(mul(dz, z), axes=(axis,), keepdims=True))),
)

# zᵢ = xᵢ − log Σⱼ e^xⱼ;  dx = dz − e^z · Σ dz
log_softmax: Primitive = Primitive(
    "log_softmax",
    widened(_log_softmax),
    promote=None,
    dx=lambda dz, z, axis: sub(dz, mul(exp(z), sum_(dz, axes=(axis,), keepdims=True))),
)
